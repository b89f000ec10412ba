"""A stage handles system frames while its push waits for room, and is cut short at every step of that.

First an interruption or nothing, then an end, a cancel, or the failure of a task beside it, some steps later.
Every sample taken is given, held, or dropped for a reason, whatever the stage does meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from support.counts import FULL
from support.sound import speech
from support.stages import forever
from voicepipe import (
    DataFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    RunState,
    StartParams,
    SystemFrame,
)
from voicepipe.pipeline.processor import OnError
from voicepipe.testing import SteppingLoop
from voicepipe_devices.fake import SimulatedCard

Hook = Callable[["Cut", Frame, FrameDirection], Awaitable[None]]


@dataclass(frozen=True, slots=True, eq=False)
class Ping(SystemFrame):
    """A system frame, which overtakes data."""


class Cut(FrameProcessor):
    """The stage that is cut short: what it does with a system frame is told."""

    def __init__(self, on_ping: Hook, on_data: Hook, *, on_error: OnError = "fail") -> None:
        super().__init__(name="cut", mailbox=2, on_error=on_error)
        self._on_ping, self._on_data = on_ping, on_data
        self.broken = asyncio.Event()
        self.held: list[Frame] = []

    async def on_start(self, params: StartParams) -> None:
        self.create_task(self._beside(), name="beside")

    async def _beside(self) -> None:
        await self.broken.wait()
        raise ValueError("the task beside it fails")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, Ping):
            await self._on_ping(self, frame, direction)
        else:
            await asyncio.sleep(0.001)  # the next takes the one before, and is full while it works
            await self._on_data(self, frame, direction)

    async def on_end(self) -> None:
        for frame in self.held:
            await self.push_frame(frame)


# -- what it does with a system frame, while the push of a data frame waits --------------------------


async def passes(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    await stage.push_frame(frame, direction)


async def answers(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    """It waits for room as well, twice."""
    for _ in range(2):
        await stage.push_frame(speech(0.01))
    await stage.push_frame(frame, direction)


async def thinks(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    await asyncio.sleep(0.003)
    await stage.push_frame(frame, direction)


async def fails(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    await asyncio.sleep(0.003)
    raise ValueError("it fails with a system frame")


async def is_cancelled(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    """By nobody: something that it awaits was."""
    raise asyncio.CancelledError


async def hangs(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    await forever()


async def insists(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    """It takes no notice of its first cancellation."""
    with contextlib.suppress(asyncio.CancelledError):
        await answers(stage, frame, direction)
    await stage.push_frame(frame, direction)


# -- what it does with data -------------------------------------------------------------------------


async def doubles(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    await stage.push_frame(speech(0.01), direction)
    await stage.push_frame(frame, direction)


async def holds(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    stage.held.append(frame)


async def pushes_beside(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    """A child task pushes, and may wait for room."""
    await stage.create_task(stage.push_frame(frame, direction), name="pusher")


async def in_time(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    """Its own limit cuts it, in the middle of a system frame or not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.015):
            await stage.push_frame(frame, direction)


async def swallows(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await stage.push_frame(frame, direction)


async def turns_it_into_an_error(stage: Cut, frame: Frame, direction: FrameDirection) -> None:
    try:
        await stage.push_frame(frame, direction)
    except asyncio.CancelledError:
        raise ValueError("of a cancellation") from None


# -- the run ----------------------------------------------------------------------------------------


class Slow(FrameProcessor):
    """Takes its time, and tells those in front something a few times."""

    def __init__(self) -> None:
        super().__init__(name="slow", mailbox=1)
        self._pings = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, DataFrame):
            await asyncio.sleep(0.01)
            self._pings += 1
            if self._pings <= 3:
                await self.push_frame(Ping(), FrameDirection.UPSTREAM)
        await self.push_frame(frame, direction)


@dataclass
class Play:
    """One run, and what is done to it at which step."""

    stage: Cut
    cut_at: int
    then: str
    apart: int
    interrupt: bool = True
    microphone: bool = False
    report: RunReport | None = None
    done: bool = False

    def run(self) -> None:
        with asyncio.Runner(loop_factory=SteppingLoop) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, SteppingLoop)
            runner.run(self._run(loop))

    async def _run(self, loop: SteppingLoop) -> None:
        slow = Slow()
        stages: list[FrameProcessor] = [self.stage, slow]
        if self.microphone:
            card = SimulatedCard()
            card.mic.hear(b"\1\0" * 1600)
            card.mic.run_out()
            stages = [MicrophoneInput(card.backend(), block_s=0.01), slow]
        self.task = PipelineTask(Pipeline(stages), limits=Limits(stall_s=0.3, passed_by="report"))
        for nth in range(4):
            await self.task.queue_frame(speech(0.02, nth))
            await self.task.queue_frame(Ping())
        running = asyncio.create_task(self.task.run())
        end = loop.call_later(0.3, self.task.end)
        loop.count_from_here(self.cut_at, lambda: self._cut(loop))
        with contextlib.suppress(PipelineError):
            await running
        end.cancel()
        loop.count_from_here()
        assert self.task.report is not None
        self.report = self.task.report

    def _cut(self, loop: SteppingLoop) -> None:
        self.done = self.done or not self.task.state.is_final
        if self.interrupt:
            self.task.interrupt()
        loop.count_from_here(self.apart, self._finish) if self.apart else self._finish()

    def _finish(self) -> None:
        if self.then == "fails beside":
            self.stage.broken.set()
        elif self.then == "interrupts again":
            self.task.interrupt()
        else:
            getattr(self.task, self.then)()


MOST_STEPS = 400
STRIDE = 1 if FULL else 3
THEN = ("cancel", "end", "fails beside", "interrupts again")
PINGS: tuple[Hook, ...] = (passes, answers, thinks, fails, is_cancelled, hangs, insists)
DATA: tuple[Hook, ...] = (
    passes,
    doubles,
    holds,
    pushes_beside,
    in_time,
    swallows,
    turns_it_into_an_error,
)


def assert_books(play: Play) -> None:
    report = play.report
    assert report is not None
    told = f"cut at {play.cut_at}, {play.then} {play.apart} steps later\n{report}"
    assert report.state.is_final, told
    for seam in report.seams:
        assert seam.balanced, f"{seam}: {told}"
        assert seam.held == 0, f"{seam}: {told}"
        assert min(seam.dropped.values(), default=0) >= 0, f"{seam}: {told}"
    assert report.forced == (), told
    assert report.abandoned == (), told
    if play.then == "cancel" and not report.errors:
        assert report.state is RunState.CANCELLED or report.seconds > 0.05, told


def cut_at_every_step(make: Callable[[], Cut], then: str, *, microphone: bool = False) -> None:
    for apart in (0, 1, 2, 5):
        for interrupt in (True, False):
            if then == "interrupts again" and not interrupt:
                continue
            at = 1 + apart % STRIDE
            while at < MOST_STEPS:
                play = Play(make(), at, then, apart, interrupt, microphone)
                play.run()
                assert_books(play)
                if not play.done:
                    break
                at += STRIDE
            assert at > 10


@pytest.mark.heavy
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("on_ping", PINGS)
def test_books_balance_whatever_a_stage_does_with_a_system_frame(on_ping: Hook, then: str) -> None:
    cut_at_every_step(lambda: Cut(on_ping, passes), then)


@pytest.mark.heavy
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("on_ping", [fails, is_cancelled, answers])
def test_books_balance_for_a_stage_that_goes_on_after_an_error(on_ping: Hook, then: str) -> None:
    cut_at_every_step(lambda: Cut(on_ping, passes, on_error="report"), then)


@pytest.mark.heavy
@pytest.mark.parametrize("then", THEN)
@pytest.mark.parametrize("on_data", DATA)
def test_books_balance_whatever_a_stage_does_with_data(on_data: Hook, then: str) -> None:
    cut_at_every_step(lambda: Cut(answers, on_data, on_error="report"), then)


@pytest.mark.heavy
@pytest.mark.parametrize("then", ["cancel", "end"])
def test_books_balance_for_a_microphone_whose_push_waits(then: str) -> None:
    cut_at_every_step(lambda: Cut(passes, passes), then, microphone=True)
