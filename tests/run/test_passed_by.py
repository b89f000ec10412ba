"""A stage that the End passed by is a failure of the run, and a stage may say how long it takes."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import pytest

from support.stages import Does, Ends, Recorder, forever
from voicepipe import (
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    Pipeline,
    PipelineError,
    PipelineRunner,
    PipelineStartError,
    PipelineTask,
    RunState,
    StartParams,
    SystemFrame,
    TextFrame,
)


class Ping(SystemFrame):
    """A system frame, which overtakes data."""


class Hangs(FrameProcessor):
    """In the place that it is told."""

    def __init__(self, where: str) -> None:
        super().__init__(name="hangs", mailbox=1)
        self._where = where

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        data = isinstance(frame, TextFrame)
        if (self._where == "data" and data) or (self._where in ("system", "meanwhile") and not data):
            await forever()
        await self.push_frame(frame, direction)
        if self._where == "in the end":
            await forever()

    async def on_end(self) -> None:
        if self._where == "on_end":
            await forever()
        if self._where == "while on_end pushes":
            self._where = "meanwhile"
            for _ in range(9):
                await self.push_frame(TextFrame("farewell"))


class Model(FrameProcessor):
    """Answers after a long time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(name="model")
        self._seconds = seconds

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(self._seconds)
        await self.push_frame(TextFrame("the answer"))


class Slow(Recorder):
    """Takes half a second for each frame, and tells those in front, so that they wait for room."""

    def __init__(self) -> None:
        super().__init__("slow")
        self.mailbox_size = 1

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            await self.push_frame(Ping(), FrameDirection.UPSTREAM)
            await asyncio.sleep(0.5)
        await super().process_frame(frame, direction)


PLACES = ("data", "system", "meanwhile", "in the end", "on_end", "while on_end pushes")


async def stuck(where: str, limits: Limits, count: int = 6) -> tuple[PipelineTask, Recorder, Ends]:
    behind = Slow() if "while" in where else Recorder("behind")
    task = PipelineTask(Pipeline([Hangs(where), behind]), limits=limits)
    ends = Ends(task)
    if where == "system":
        await task.queue_frame(Ping())
    for _ in range(count if where != "on_end" else 1):
        await task.queue_frame(TextFrame("x"))
    task.end()
    return task, behind, ends


@pytest.mark.parametrize("where", PLACES)
async def test_a_stage_that_was_passed_by_fails_the_run(where: str) -> None:
    task, behind, ends = await stuck(where, Limits())
    with pytest.raises(
        PipelineError, match=r"^hangs failed: TimeoutError: it stood still for 5\.0 s"
    ) as failed:
        await task.run()
    report = failed.value.report
    assert failed.value.stage == "hangs"
    assert report is not None
    assert report.state is RunState.FAILED
    assert [slow.stage for slow in report.slow] == ["hangs"]
    assert (report.abandoned, report.forced) == ((), ())
    assert all(seam.balanced for seam in report.seams)
    assert sum(isinstance(frame, EndFrame) for frame in ends.down) == 1
    assert behind.events == ["start", "end", "cleanup"]


@pytest.mark.parametrize("where", PLACES)
async def test_it_is_only_reported_where_the_limits_say_so(where: str) -> None:
    task, _, _ = await stuck(where, Limits(passed_by="report"))
    report = await task.run()
    assert report.state is RunState.ENDED
    assert [slow.stage for slow in report.slow] == ["hangs"]
    assert report.errors == ()


async def test_the_exit_status_is_1_and_the_log_names_it(caplog: pytest.LogCaptureFixture) -> None:
    task, _, _ = await stuck("data", Limits())
    runner = PipelineRunner(blocked_s=0, handle_signals=False)
    assert await runner.serve(task) == 1
    assert isinstance(runner.errors[0], PipelineError)
    assert "hangs failed: TimeoutError: it stood still for 5.0 s (set its may_take_s" in caplog.text
    assert logging.WARNING in {record.levelno for record in caplog.records}


async def test_a_cancel_in_the_meantime_is_a_cancel() -> None:
    task, _, _ = await stuck("data", Limits())
    asyncio.get_running_loop().call_later(4.0, task.cancel)
    assert (await task.run()).state is RunState.CANCELLED


async def test_an_earlier_failure_stays_the_one_that_is_raised() -> None:
    async def fail(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        raise ValueError("first")

    task = PipelineTask(Pipeline([Hangs("on_end"), Does(fail, "fails")]))
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match=r"^fails failed: ValueError: first at \S+\.py:\d+$") as failed:
        await task.run()
    assert failed.value.report is not None
    assert [error.stage for error in failed.value.report.errors] == ["fails", "hangs"]


# -- a stage that says how long it may take ---------------------------------------------------------


def _of_the_object(seconds: float, may_take_s: Any) -> Model:
    model = Model(seconds)
    model.may_take_s = may_take_s
    return model


def _of_the_class(seconds: float, may_take_s: Any) -> Model:
    class Patient(Model):
        pass

    Patient.may_take_s = may_take_s
    return Patient(seconds)


def _by_a_property(seconds: float, may_take_s: Any) -> Model:
    class Patient(Model):
        @property
        def may_take_s(self) -> float:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
            assert isinstance(may_take_s, (int, float)) or may_take_s is None
            return may_take_s  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    return Patient(seconds)


WAYS = (_of_the_object, _of_the_class, _by_a_property)


@pytest.mark.parametrize("make", WAYS)
async def test_the_answer_of_a_slow_model_is_heard(make: Any) -> None:
    """Ctrl-C comes 1 s into a call of 30 s."""
    task = PipelineTask(Pipeline([make(30.0, 40), Recorder()]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("question"))
    asyncio.get_running_loop().call_later(1.0, task.end)
    assert await PipelineRunner(blocked_s=0, handle_signals=False).serve(task) == 0
    assert [frame.text for frame in ends.down if isinstance(frame, TextFrame)] == ["the answer"]
    assert task.report is not None
    assert 30.0 <= task.report.seconds <= 30.1


@pytest.mark.parametrize("make", WAYS)
@pytest.mark.parametrize(
    ("may_take_s", "stuck_s"), [(None, 5.0), (8, 8.0), (0.5, 0.5), (12.5, 12.5), (0, 0.0)]
)
async def test_a_stage_is_passed_by_after_the_time_that_it_may_take(
    make: Any, may_take_s: float | None, stuck_s: float
) -> None:
    task = PipelineTask(Pipeline([make(60.0, may_take_s), Recorder()]))
    await task.queue_frame(TextFrame("question"))
    asyncio.get_running_loop().call_later(1.0, task.end)
    with pytest.raises(PipelineError, match=r"^(model|Patient) failed") as failed:
        await task.run()
    report = failed.value.report
    assert report is not None
    assert report.seconds == pytest.approx(1.0 + stuck_s, abs=0.3)


async def test_the_time_of_one_stage_is_not_that_of_another() -> None:
    task = PipelineTask(Pipeline([_of_the_object(30.0, 40), Recorder(), Hangs("on_end")]))
    await task.queue_frame(TextFrame("question"))
    task.end()
    with pytest.raises(PipelineError, match=r"^hangs failed") as failed:
        await task.run()
    assert failed.value.report is not None
    assert failed.value.report.seconds == pytest.approx(35.0, abs=0.5)


@pytest.mark.parametrize("make", [_of_the_object, _of_the_class])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "30", True, [30]])
async def test_a_time_that_is_none_is_refused_at_the_start(make: Any, value: Any) -> None:
    behind = Recorder()
    task = PipelineTask(Pipeline([make(1.0, value), behind]))
    with pytest.raises(PipelineStartError, match=r"^model did not start: \w+Error: may_take_s must be a"):
        await task.run()
    assert behind.events == ["start", "cleanup"]


async def test_a_time_that_on_start_finds_out_counts() -> None:
    class Loads(Model):
        async def on_start(self, params: StartParams) -> None:
            self.may_take_s = 40.0

    task = PipelineTask(Pipeline([Loads(30.0)]))
    await task.queue_frame(TextFrame("question"))
    task.end()
    assert (await task.run()).state is RunState.ENDED


async def test_a_property_that_raises_is_a_failure_of_its_stage() -> None:
    class Breaks(Model):
        asked = 0

        @property
        def may_take_s(self) -> float:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
            self.asked += 1
            if self.asked > 1:
                raise LookupError("no idea")
            return 40.0

    task = PipelineTask(Pipeline([Breaks(30.0), Recorder()]))
    await task.queue_frame(TextFrame("question"))
    task.end()
    with pytest.raises(PipelineError, match=r"^model failed: LookupError: no idea at \S+\.py:\d+$"):
        await task.run()
