"""A run of one speaker on a simulated card, with all that leaves it."""

from __future__ import annotations

import asyncio
from typing import Any, Self

import pytest

from support.sound import WatchedCard, assert_accounted, is_running, virtual_loop
from support.stages import Ends
from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    SpeakerOutput,
)
from voicepipe_devices.fake import SimulatedCard

__all__ = ["DEVICE", "MAILBOX", "Fact", "Speaking"]

MAILBOX, DEVICE = "SpeakerOutput", "SpeakerOutput device"
Fact = BotStartedSpeakingFrame | BotStoppedSpeakingFrame


class Speaking:
    """A run of one speaker, with what leaves it."""

    def __init__(self, card: SimulatedCard | None = None, **arguments: Any) -> None:
        self.card = card if isinstance(card, WatchedCard) else WatchedCard()
        limits, output = arguments.pop("limits", None), arguments.pop("output", None)
        self.speaker = SpeakerOutput(self.card.backend(), **arguments)
        self.task = PipelineTask(Pipeline([self.speaker]), limits=limits, output=output)
        self.ends = Ends(self.task)
        self.times: dict[int, float] = {}
        self.task.subscribe(self._note_time)
        self._running: asyncio.Task[RunReport]

    def _note_time(self, frame: Frame, direction: FrameDirection) -> None:
        self.times.setdefault(id(frame), virtual_loop().time())

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.task.run())
        await self.ends.started.wait()
        await is_running(self.task)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._running.done():
            self.task.cancel() if kind else self.task.end()
        await asyncio.wait([self._running])

    async def say(self, frame: Frame) -> None:
        assert await self.task.queue_frame(frame)

    async def interrupt(self) -> None:
        """Interrupt, and let the run act on it; the device has not called meanwhile."""
        self.task.interrupt()
        for _ in range(5):
            await asyncio.sleep(0)

    async def done(self) -> RunReport:
        return assert_accounted(await self._running, MAILBOX, DEVICE)

    async def done_of_other_formats(self) -> RunReport:
        """What the mailbox counts at other rates, the device counts at its own."""
        return assert_accounted(await self._running)

    async def failed(self) -> PipelineError:
        with pytest.raises(PipelineError) as caught:
            await self._running
        assert_accounted(caught.value.report)
        return caught.value

    def facts(self, way: str = "down") -> list[Fact]:
        frames = self.ends.down if way == "down" else self.ends.up
        return [f for f in frames if isinstance(f, (BotStartedSpeakingFrame, BotStoppedSpeakingFrame))]

    def told(self) -> list[tuple[str, int]]:
        """The facts as (what, position); both ways alike."""
        assert self.facts("down") == self.facts("up")
        return [(_name(fact), fact.position) for fact in self.facts()]

    def time_of(self, frame: Frame) -> float:
        """When it left the pipeline."""
        return self.times[id(frame)]


def _name(fact: Fact) -> str:
    if isinstance(fact, BotStartedSpeakingFrame):
        return "started"
    return "cut" if fact.interrupted else "stopped"
