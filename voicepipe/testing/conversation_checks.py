"""The checks of a stage in a conversation: facts, frames that it does not take, and an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from voicepipe.frames import (
    BackgroundAudioFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    DataFrame,
    EndFrame,
    ErrorFrame,
    FactFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    InterruptionFrame,
    OutputAudioFrame,
    SpokenFrame,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.pipeline.processor import FrameProcessor, Processor
from voicepipe.report import DropReason
from voicepipe.testing.processing import Script, Stand
from voicepipe.testing.rules import expect

__all__ = ["ConversationChecks"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
STANDS_S = 30.0
"""The time for which the neighbour stands, such as one that asks a language model."""
_EVERY_S = 1.0
MakeStand = Callable[[Script, Processor, FrameProcessor | None], Stand]


@dataclass(frozen=True, slots=True, eq=False)
class UnknownFact(FactFrame):
    """A fact of a class that no stage knows."""


class _Stands(FrameProcessor):
    """A neighbour that stands for 30 s with the first data frame."""

    may_take_s = 2 * STANDS_S

    def __init__(self) -> None:
        super().__init__(name="neighbour", mailbox=1)
        self._has_stood = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, DataFrame) and direction is _DOWN and not self._has_stood:
            self._has_stood = True
            await asyncio.sleep(STANDS_S)
        await self.push_frame(frame, direction)


class ConversationChecks:
    """The cases that have to do with a conversation.

    Args:
        make: makes a new processor for each run.
        script: the script of the plain run.
        stand: makes a test stand.
    """

    def __init__(self, make: Callable[[], Processor], script: Script, stand: MakeStand) -> None:
        self._make = make
        self._script = list(script)
        self._stand = stand

    async def facts_while_it_waits(self) -> None:
        """Tell facts in both directions, at the script's moments and while a push waits for 30 s."""
        behind = _Stands()
        stand = self._stand([*self._script, STANDS_S / 2], self._make(), behind)
        told: list[tuple[Frame, FrameDirection, float]] = []
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        running = loop.create_task(stand.run(), name="check_processor:run")
        for _ in range(round(STANDS_S / 2)):
            await asyncio.sleep(_EVERY_S)
            if running.done():
                break
            for fact in _facts():
                if await stand.task.queue_frame(fact):
                    told.append((fact, _DOWN, loop.time() - began_s))
                    await behind.push_frame(fact, _UP)
                    told.append((fact, _UP, loop.time() - began_s))
        done = await running
        for frame, way, told_s in told:
            out = done.down if way is _DOWN else done.up
            _expect_once(out, frame, way, "a fact")
            late_s = out.when(frame) - told_s
            expect(late_s < 1e-6, f"{type(frame).__name__} came {late_s:.3f} s late {way.value}")

    async def frames_it_does_not_take(self) -> None:
        """Send a stage that takes some classes frames of all others, both ways: they must pass by."""
        processor = self._make()
        takes = processor.takes if isinstance(processor, FrameProcessor) else None
        if takes is None:
            return
        others = [frame for frame in _one_of_each() if not isinstance(frame, takes)]
        script = [(frame, way) for way in (_DOWN, _UP) for frame in others]
        done = await self._stand([*script, *self._script], processor, None).run()
        for frame in others:
            for way, out in ((_DOWN, done.down), (_UP, done.up)):
                _expect_once(out, frame, way, f"which {processor.name} does not take")

    async def after_an_interruption(self) -> None:
        """Play the script, interrupt, and play it again: who answered before must answer then."""
        if any(isinstance(_frame_of(item), (EndFrame, CancelFrame)) for item in self._script):
            return
        given = {id(_frame_of(item)) for item in self._script}
        mark = UnknownFact()
        script = [*self._script, _EVERY_S, InterruptionFrame(), _EVERY_S, mark, *self._script, _EVERY_S]
        done = await self._stand(script, self._make(), None).run()
        answers = [frame.interruptible and id(frame) not in given for frame in done.down]
        interrupted_at = next(at for at, frame in enumerate(done.down) if frame is mark)
        before, after = sum(answers[:interrupted_at]), sum(answers[interrupted_at:])
        stale = sum(seam.dropped_frames.get(DropReason.INTERRUPTED, 0) for seam in done.report.seams)
        expect(
            after or not before or not stale,
            f"it pushed {before} frames before an interruption, and all {stale} of later are dropped: they "
            "come from a task that began before it. Start that task in on_running(), or one for each answer",
        )


def _facts() -> Iterator[FactFrame]:
    yield UnknownFact()
    yield UserStartedSpeakingFrame(0)
    yield UserStoppedSpeakingFrame(1)
    yield BotStartedSpeakingFrame(0)
    yield BotStoppedSpeakingFrame(1)


def _one_of_each() -> Iterator[Frame]:
    """Yield a frame of each class that a stage may take."""
    yield from _facts()
    yield TextFrame("words")
    yield TranscriptionFrame("words")
    yield SpokenFrame("words")
    for kind in (InputAudioFrame, OutputAudioFrame, BackgroundAudioFrame, UtteranceFrame):
        yield kind(bytes(320))
    yield ErrorFrame("news")


def _frame_of(item: Frame | float | tuple[Frame, FrameDirection]) -> Frame | float:
    return item[0] if isinstance(item, tuple) else item


def _expect_once(out: Sequence[Frame], frame: Frame, way: FrameDirection, what: str) -> None:
    times = sum(one is frame for one in out)
    expect(times == 1, f"{type(frame).__name__}, {what}, must leave {way.value} once, not {times} times")
