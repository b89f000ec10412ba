"""Stages that behave, or misbehave, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from voicepipe import (
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Loopback,
    PipelineTask,
    Processor,
    StartFrame,
    StartParams,
)

DOWN, UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM


class Recorder(FrameProcessor):
    """Notes every frame and every hook, and passes on."""

    def __init__(self, name: str = "recorder") -> None:
        super().__init__(name=name)
        self.frames: list[Frame] = []
        self.events: list[str] = []

    async def on_start(self, params: StartParams) -> None:
        self.events.append("start")

    async def on_end(self) -> None:
        self.events.append("end")

    async def on_cancel(self) -> None:
        self.events.append("cancel")

    async def cleanup(self) -> None:
        self.events.append("cleanup")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.frames.append(frame)
        await self.push_frame(frame, direction)


class InlineRecorder(InlineProcessor):
    """The same, inline."""

    def __init__(self, name: str = "inline recorder") -> None:
        super().__init__(name=name)
        self.frames: list[Frame] = []
        self.events: list[str] = []

    async def on_start(self, params: StartParams) -> None:
        self.events.append("start")

    def on_end(self) -> Iterable[Frame]:
        self.events.append("end")
        return ()

    async def on_cancel(self) -> None:
        self.events.append("cancel")

    async def cleanup(self) -> None:
        self.events.append("cleanup")

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        self.frames.append(frame)
        return (frame,)


class Does(FrameProcessor):
    """Does with every frame as it is told: `await handler(stage, frame, direction)`."""

    def __init__(
        self, handler: Callable[[FrameProcessor, Frame, FrameDirection], Awaitable[None]], name: str = "does"
    ) -> None:
        super().__init__(name=name)
        self._handler = handler

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self._handler(self, frame, direction)


class Ends:
    """Subscribes to a task, and keeps what leaves it."""

    def __init__(self, task: PipelineTask) -> None:
        self.down: list[Frame] = []
        self.up: list[Frame] = []
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        task.subscribe(self._take)

    def _take(self, frame: Frame, direction: FrameDirection) -> None:
        (self.down if direction is DOWN else self.up).append(frame)
        if isinstance(frame, StartFrame):
            self.started.set()
        if isinstance(frame, EndFrame):
            self.ended.set()


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


async def stubborn(seconds: float) -> None:
    """Wait that long, whoever cancels it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while loop.time() < until:
        try:
            await asyncio.sleep(until - loop.time())
        except asyncio.CancelledError:
            pass


__all__ = [
    "DOWN",
    "UP",
    "Does",
    "Ends",
    "InlineRecorder",
    "Loopback",
    "Processor",
    "Recorder",
    "forever",
    "stubborn",
]
