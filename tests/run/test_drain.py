"""An end is heard out while something gets on; after the limit of the whole, the run is cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from support.stages import Recorder, forever
from voicepipe import (
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    RunState,
    SpeakerOutput,
    TextFrame,
)
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard

RATE = 16_000
SECOND = OutputAudioFrame.from_array(np.full(RATE, 1_000, np.int16))


class Farewell(FrameProcessor):
    """Says so many seconds when it ends, each as a frame."""

    def __init__(self, seconds: int) -> None:
        super().__init__(name="farewell")
        self.seconds = seconds

    async def on_end(self) -> None:
        for _ in range(self.seconds):
            await self.push_frame(SECOND)


class NeverDone(FrameProcessor):
    """Makes progress for ever, and so holds its End for ever."""

    def __init__(self) -> None:
        super().__init__(name="never done")

    async def on_end(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            await self.push_frame(TextFrame("and another thing"))


class SaysItTakesLong(FrameProcessor):
    """Stands still, and says that it may."""

    may_take_s = 86_400.0

    async def on_end(self) -> None:
        await forever()


class Asks(FrameProcessor):
    """Asks for the end as a stage does, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(name="asks")
        self._error = error

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if self._error is not None:
            raise self._error
        await self.push_frame(EndFrame("enough"))


async def by_call(task: PipelineTask) -> None:
    await asyncio.sleep(1.0)
    task.end("SIGTERM")


async def by_frame(task: PipelineTask) -> None:
    await asyncio.sleep(1.0)
    await task.queue_frame(EndFrame("SIGTERM"))


async def by_a_stage(task: PipelineTask) -> None:
    await asyncio.sleep(1.0)
    await task.queue_frame(TextFrame("go"))


Way = Callable[[PipelineTask], Awaitable[None]]


async def run(task: PipelineTask, *ways: Way) -> RunReport:
    asking = [asyncio.ensure_future(way(task)) for way in ways]
    try:
        return await task.run()
    finally:
        for each in asking:
            await each


@pytest.mark.parametrize("seconds", [1, 30, 299])
def test_a_farewell_is_heard_to_its_last_sample(seconds: int) -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([Farewell(seconds), SpeakerOutput(card.backend())]))
    report = run_virtual(run(task, by_call))
    assert (report.state, report.reason, report.ended_late) == (RunState.ENDED, "SIGTERM", False)
    assert report.slow == ()
    assert np.count_nonzero(np.frombuffer(card.speaker.played(), np.int16)) == seconds * RATE


@pytest.mark.parametrize("way", [by_call, by_frame, by_a_stage])
@pytest.mark.parametrize("last", [NeverDone, SaysItTakesLong])
@pytest.mark.parametrize("drain_s", [0.0, 2.5, None])
def test_an_end_that_takes_longer_than_its_limit_is_cancelled(
    way: Way, last: type[FrameProcessor], drain_s: float | None
) -> None:
    limits = Limits() if drain_s is None else Limits(drain_s=drain_s)
    task = PipelineTask(Pipeline([Asks(), last()]), limits=limits)
    report = run_virtual(run(task, way))
    assert (report.state, report.ended_late) == (RunState.CANCELLED, True)
    limit_s = 310.0 if drain_s is None else drain_s
    assert report.reason.endswith(f", and {limit_s:g} s were not enough to end")
    assert report.seconds == pytest.approx(1.0 + limit_s, abs=0.2)


def test_the_limit_holds_where_the_input_has_run_out() -> None:
    card = SimulatedCard()
    card.mic.run_out()
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), NeverDone()]), limits=Limits(drain_s=20.0))
    report = run_virtual(run(task))
    assert (report.state, report.ended_late) == (RunState.CANCELLED, True)
    assert "has run out, and 20 s were not enough to end" in report.reason


def test_a_failure_stays_one_when_the_others_end_late() -> None:
    task = PipelineTask(Pipeline([Asks(ValueError("no")), NeverDone()]), limits=Limits(drain_s=20.0))
    with pytest.raises(PipelineError, match="asks failed") as caught:
        run_virtual(run(task, by_a_stage))
    assert caught.value.report is not None
    assert caught.value.report.ended_late


def test_what_was_not_heard_when_the_limit_came_is_counted() -> None:
    card = SimulatedCard()
    stages = [Farewell(50), SpeakerOutput(card.backend())]
    report = run_virtual(run(PipelineTask(Pipeline(stages), limits=Limits(drain_s=20.0)), by_call))
    heard = np.count_nonzero(np.frombuffer(card.speaker.played(), np.int16))
    assert heard == pytest.approx(20 * RATE, abs=0.1 * RATE)
    assert report.dropped["cancelled"] > 0
    assert all(seam.balanced for seam in report.seams)


@pytest.mark.parametrize("after_s", [0.5, 5.0])
def test_a_cancel_within_the_limit_is_no_late_end(after_s: float) -> None:
    async def cancel(task: PipelineTask) -> None:
        await asyncio.sleep(1.0 + after_s)
        task.cancel("a second signal, SIGTERM")

    report = run_virtual(run(PipelineTask(Pipeline([NeverDone()])), by_call, cancel))
    assert (report.state, report.ended_late) == (RunState.CANCELLED, False)
    assert report.reason == "a second signal, SIGTERM"
    assert report.seconds == pytest.approx(1.0 + after_s, abs=0.2)


def test_the_log_names_the_stage_that_was_busy_and_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "voicepipe"):
        run_virtual(run(PipelineTask(Pipeline([Recorder(), NeverDone()])), by_call))
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("the end has taken 310 s, the limit drain_s: cancelling (busy: never done at ")
    assert line.endswith(" in on_end); Limits(drain_s=...) sets it")


def test_a_stage_without_progress_is_passed_by_long_before() -> None:
    class Hangs(FrameProcessor):
        async def on_end(self) -> None:
            await forever()

    report = run_virtual(run(PipelineTask(Pipeline([Hangs()]), limits=Limits(passed_by="report")), by_call))
    assert (report.state, report.ended_late) == (RunState.ENDED, False)
    assert report.seconds == pytest.approx(6.0, abs=0.5)
