"""Every rule of the life cycle. What opens, ends, cancels, fails; in which order; within which limits."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable

import pytest

from support.stages import DOWN, UP, Does, Ends, InlineRecorder, Recorder, forever, stubborn
from voicepipe import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InterruptionFrame,
    Limits,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineStartError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    StartFrame,
    StartParams,
    TextFrame,
)
from voicepipe.testing import VirtualLoop


def only_the_caller() -> bool:
    return asyncio.all_tasks() == {asyncio.current_task()}


def clean(report: RunReport) -> bool:
    """No safety net had to do anything, and every ledger is balanced."""
    assert all(seam.balanced and seam.held == 0 for seam in report.seams), report.seams
    return not (report.forced or report.abandoned or report.slow)


def later(seconds: float, call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


def texts(frames: Iterable[Frame]) -> list[str]:
    return [frame.text for frame in frames if isinstance(frame, TextFrame)]


# -- the shape of the original report ------------------------------------------------


def shapes() -> dict[str, Callable[[], list[Processor]]]:
    return {
        "one logging processor": lambda: [Recorder()],
        "inline": lambda: [InlineRecorder()],
        "nothing": list,
        "nested": lambda: [Pipeline([Recorder(), Pipeline([InlineRecorder()])]), Recorder()],
        "parallel": lambda: [ParallelPipeline([Recorder()], [InlineRecorder(), Recorder()], []), Recorder()],
    }


@pytest.mark.parametrize("shape", shapes())
async def test_a_hundred_ended_runs_leave_no_task(shape: str) -> None:
    for _ in range(100):
        task = PipelineTask(Pipeline(shapes()[shape]()))
        await task.queue_frame(TextFrame("hello"))
        asyncio.get_running_loop().call_soon(task.end)
        report = await task.run()
        assert only_the_caller()
        assert report.state is RunState.ENDED
        assert clean(report)


@pytest.mark.parametrize("shape", shapes())
async def test_a_hundred_cancelled_runs_leave_no_task(shape: str) -> None:
    for _ in range(100):
        task = PipelineTask(Pipeline(shapes()[shape]()))
        await task.queue_frame(TextFrame("hello"))
        later(0.5, task.cancel)
        report = await task.run()
        assert only_the_caller()
        assert report.state is RunState.CANCELLED


class Fails(FrameProcessor):
    def __init__(self, where: str, error: type[BaseException] = ValueError, name: str = "fails") -> None:
        super().__init__(name=name)
        self.where = where
        self.error = error
        self.cleaned = 0

    def _maybe(self, where: str) -> None:
        if self.where == where:
            raise self.error(f"in {where}")

    async def on_start(self, params: StartParams) -> None:
        self._maybe("on_start")

    async def on_running(self) -> None:
        self._maybe("on_running")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self._maybe("process_frame")
        await self.push_frame(frame, direction)

    def on_interruption(self) -> None:
        self._maybe("on_interruption")

    async def on_end(self) -> None:
        self._maybe("on_end")

    async def on_cancel(self) -> None:
        self._maybe("on_cancel")

    async def cleanup(self) -> None:
        self.cleaned += 1
        self._maybe("cleanup")


@pytest.mark.parametrize("where", ["on_start", "on_running", "process_frame", "on_end", "cleanup"])
async def test_a_hundred_failed_runs_leave_no_task(where: str) -> None:
    for _ in range(100):
        stage, before, behind = Fails(where), Recorder("before"), Recorder("behind")
        task = PipelineTask(Pipeline([before, Pipeline([stage]), behind]))
        await task.queue_frame(TextFrame("hello"))
        if where in ("on_end", "cleanup"):
            later(1, task.end)
        with pytest.raises(PipelineError, match=f"fails.*in {where}") as caught:
            await task.run()
        assert only_the_caller()
        assert caught.value.stage == "fails"
        assert isinstance(caught.value.__cause__, ValueError)
        assert caught.value.report is not None
        assert caught.value.report.state is RunState.FAILED
        assert clean(caught.value.report)
        assert stage.cleaned == 1
        assert before.events.count("cleanup") == (0 if where == "on_start" else 1)
        assert behind.events.count("cleanup") == 1


# -- start -----------------------------------------------------------------------------


class Notes(FrameProcessor):
    """Writes into a diary that it shares with others."""

    def __init__(self, diary: list[str], name: str, opening_s: float = 0.0) -> None:
        super().__init__(name=name)
        self.diary = diary
        self.opening_s = opening_s

    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(self.opening_s)
        self.diary.append(f"open {self.name}")

    async def on_running(self) -> None:
        self.diary.append(f"running {self.name}")

    async def cleanup(self) -> None:
        self.diary.append(f"close {self.name}")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.diary.append(f"frame {self.name}")
        await self.push_frame(frame, direction)


async def test_stages_open_from_the_last_to_the_first_and_close_in_reverse() -> None:
    diary: list[str] = []
    task = PipelineTask(
        Pipeline([Notes(diary, "a", 0.1), Pipeline([Notes(diary, "b", 0.1)]), Notes(diary, "c", 0.1)])
    )
    later(1, task.end)
    await task.run()
    assert diary == [
        *("open c", "open b", "open a"),
        *("running a", "running b", "running c"),
        *("close a", "close b", "close c"),
    ]


async def test_start_frame_is_the_first_of_all_frames_and_capture_begins_behind_it() -> None:
    class Eager(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            await self.push_frame(TextFrame("early"))

        async def on_running(self) -> None:
            assert ends.started.is_set()
            await self.push_frame(TextFrame("captured"))

    task = PipelineTask(Pipeline([Eager(), Recorder()]))
    await task.queue_frame(TextFrame("queued before"))
    ends = Ends(task)
    later(1, task.end)
    await task.run()
    assert [type(frame) for frame in ends.down] == [StartFrame, TextFrame, TextFrame, TextFrame, EndFrame]
    assert texts(ends.down) == ["early", "captured", "queued before"]


async def test_start_params_name_the_formats_the_clock_and_the_run() -> None:
    got: list[StartParams] = []

    class Asks(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            got.append(params)

    task = PipelineTask(Pipeline([Asks()]), name="kitchen")
    task.end()
    await task.run()
    assert (got[0].input.rate, got[0].input.channels, got[0].output.rate) == (16_000, 1, 16_000)
    assert got[0].run_id == "kitchen"
    assert got[0].clock() == asyncio.get_running_loop().time()


async def test_a_stage_that_fails_to_open_closes_what_was_opened_and_the_next_run_works() -> None:
    diary: list[str] = []
    stage = Fails("on_start")
    stages = [Notes(diary, "never"), stage, Notes(diary, "b"), Notes(diary, "c")]
    with pytest.raises(PipelineStartError, match=r"fails did not start: ValueError: in on_start"):
        await PipelineTask(Pipeline(stages)).run()
    assert diary == ["open c", "open b", "close b", "close c"]

    stage.where = "nowhere"
    task = PipelineTask(Pipeline(stages))
    later(1, task.end)
    assert (await task.run()).state is RunState.ENDED


@pytest.mark.parametrize(
    "opening", [forever, lambda: stubborn(9)], ids=["hangs", "takes 9 s, whoever cancels it"]
)
async def test_an_opening_that_takes_too_long_fails_at_the_start_limit(
    opening: Callable[[], Awaitable[None]],
) -> None:
    class Slow(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            await opening()

    clock = asyncio.get_running_loop().time
    task = PipelineTask(Pipeline([Recorder("never"), Slow(), Recorder("opened")]))
    with pytest.raises(PipelineStartError, match=r"Slow did not start.*start limit of 5 s") as caught:
        await task.run()
    assert 5 <= clock() <= 5 + 2 + 0.2
    assert caught.value.report is not None
    stuck = caught.value.report.abandoned
    if stuck:
        assert stuck[0].name.endswith(":Slow:on_start")
        await asyncio.sleep(10)  # until the opening has let go


async def test_cancel_while_something_opens_aborts_at_once_and_opens_nothing_more() -> None:
    diary: list[str] = []
    task = PipelineTask(Pipeline([Notes(diary, "a"), Notes(diary, "b", 3), Notes(diary, "c")]))
    later(1, task.cancel)
    report = await task.run()
    assert report.state is RunState.CANCELLED
    assert asyncio.get_running_loop().time() == 1
    assert diary == ["open c", "close b", "close c"]


async def test_end_while_something_opens_ends_the_run_when_it_has_started() -> None:
    diary: list[str] = []
    task = PipelineTask(Pipeline([Notes(diary, "a", 1)]))
    await task.queue_frame(TextFrame("before"))
    later(0.5, task.end)
    report = await task.run()
    assert report.state is RunState.ENDED
    assert diary == ["open a", "running a", "frame a", "close a"]


async def test_what_a_stage_pushes_before_the_start_cannot_hold_start_frame_up() -> None:
    class Floods(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            for _ in range(100):
                await self.push_frame(TextFrame("early"))

    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await forever()

    limits = Limits(stall_s=1, passed_by="report")
    task = PipelineTask(Pipeline([Floods(), Does(hang, "hangs"), Recorder()]), limits=limits)
    ends = Ends(task)
    later(1, task.end)
    report = await task.run()
    assert isinstance(ends.down[0], StartFrame)
    assert [slow.stage for slow in report.slow] == ["hangs"]


# -- end ---------------------------------------------------------------------------------


async def test_end_comes_behind_all_data_exactly_once_and_nothing_after_it() -> None:
    recorders: list[Recorder | InlineRecorder] = [Recorder(), InlineRecorder(), Recorder()]
    task = PipelineTask(Pipeline(recorders))
    ends = Ends(task)
    for n in range(200):
        assert await task.queue_frame(TextFrame(str(n)))
    task.end()
    report = await task.run()
    assert texts(ends.down) == [str(n) for n in range(200)]
    assert isinstance(ends.down[-1], EndFrame)
    for recorder in recorders:
        assert recorder.events == ["start", "end", "cleanup"]
        assert texts(recorder.frames) == [str(n) for n in range(200)]
    assert clean(report)


async def test_life_cycle_frames_never_reach_a_stage() -> None:
    recorders: list[Recorder | InlineRecorder] = [Recorder(), InlineRecorder()]
    task = PipelineTask(Pipeline(recorders))
    later(1, task.end)
    await task.run()
    assert [recorder.frames for recorder in recorders] == [[], []]


async def test_what_a_stage_holds_at_the_end_goes_before_the_end() -> None:
    class Holds(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            pass

        async def on_end(self) -> None:
            await asyncio.sleep(3)
            await self.push_frame(TextFrame("held"))

    class HoldsInline(InlineProcessor):
        def on_end(self) -> Iterable[Frame]:
            yield TextFrame("held inline")

    task = PipelineTask(Pipeline([Holds(), HoldsInline(), Recorder()]))
    ends = Ends(task)
    task.end()
    report = await task.run()
    assert texts(ends.down) == ["held", "held inline"]
    assert isinstance(ends.down[-1], EndFrame)
    assert clean(report)


async def test_what_is_pushed_after_the_end_is_dropped_and_counted() -> None:
    class Late(FrameProcessor):
        async def on_end(self) -> None:
            self.create_task(self._push_late())

        async def _push_late(self) -> None:
            await asyncio.sleep(0.1)
            await self.push_frame(TextFrame("late"), DOWN)
            await self.push_frame(TextFrame("late"), UP)

    class Slow(FrameProcessor):
        async def on_end(self) -> None:
            await asyncio.sleep(1)

    task = PipelineTask(Pipeline([Late(), Slow()]))
    ends = Ends(task)
    task.end()
    report = await task.run()
    assert texts(ends.down) == texts(ends.up) == []
    assert report.dropped_frames == {"shutdown": 2}


async def test_queue_frame_says_no_after_an_end_before_the_start() -> None:
    task = PipelineTask(Pipeline([Recorder()]))
    ends = Ends(task)
    assert await task.queue_frame(TextFrame("before"))
    task.end()
    assert not await task.queue_frame(TextFrame("after"))
    await task.run()
    assert texts(ends.down) == ["before"]


async def test_queue_frame_says_no_after_the_end() -> None:
    task = PipelineTask(Pipeline([Recorder()]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    assert await task.queue_frame(TextFrame("in time"))
    task.end()
    assert not await task.queue_frame(TextFrame("too late"))
    await running
    assert not await task.queue_frame(TextFrame("much too late"))


async def test_a_long_farewell_is_heard_to_its_end() -> None:
    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(4)
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Does(slowly), Recorder()]))
    ends = Ends(task)
    for n in range(30):
        await task.queue_frame(TextFrame(str(n)))
    task.end()
    report = await task.run()
    assert report.seconds == 120
    assert len(texts(ends.down)) == 30
    assert clean(report)


async def test_a_stage_that_streams_a_long_answer_from_one_frame_is_not_stuck() -> None:
    async def stream(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        for n in range(10):
            await asyncio.sleep(5)
            await stage.push_frame(TextFrame(str(n)), direction)

    task = PipelineTask(Pipeline([Does(stream)]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("question"))
    task.end()
    report = await task.run()
    assert len(texts(ends.down)) == 10
    assert clean(report)


# -- who asks, and when ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("requests", "state"),
    [
        (["end", "end"], RunState.ENDED),
        (["end", "cancel"], RunState.CANCELLED),
        (["cancel", "end"], RunState.CANCELLED),
        (["cancel", "cancel"], RunState.CANCELLED),
        (["end", "interrupt", "end"], RunState.ENDED),
        (["interrupt", "cancel"], RunState.CANCELLED),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("before_the_start", [False, True], ids=["running", "before the start"])
async def test_requests_only_escalate(requests: list[str], state: RunState, before_the_start: bool) -> None:
    class HoldsOn(FrameProcessor):
        async def on_end(self) -> None:
            await asyncio.sleep(0.5)

    task = PipelineTask(Pipeline([HoldsOn()]))
    for n, request in enumerate(requests):
        if before_the_start:
            getattr(task, request)()
        else:
            later(1 + n / 10, getattr(task, request))
    report = await task.run()
    assert report.state is state
    assert task.state is state
    assert not report.abandoned
    await asyncio.sleep(1)


async def test_cancel_before_the_start_opens_nothing_and_counts_what_was_queued() -> None:
    recorder = Recorder()
    task = PipelineTask(Pipeline([recorder]))
    await task.queue_frame(TextFrame("never"))
    task.cancel()
    report = await task.run()
    assert recorder.events == []
    assert report.dropped_frames == {"never_started": 1}


@pytest.mark.parametrize(
    ("terminal", "state"), [(EndFrame("enough"), RunState.ENDED), (CancelFrame("enough"), RunState.CANCELLED)]
)
@pytest.mark.parametrize("who", ["queue_frame", "mailbox stage", "inline stage", "upstream"])
async def test_pushing_a_terminal_frame_is_a_request(terminal: Frame, state: RunState, who: str) -> None:
    async def ask(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)
        await stage.push_frame(terminal, UP if who == "upstream" else DOWN)

    class Inline(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return (frame, terminal)

    asking: Processor = Inline() if who == "inline stage" else Does(ask)
    recorder = Recorder()
    task = PipelineTask(Pipeline([Recorder(), asking if who != "queue_frame" else Recorder(), recorder]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("goes before"))
    if who == "queue_frame":
        later(1, lambda: asyncio.ensure_future(task.queue_frame(terminal)))
    report = await task.run()
    assert report.state is state
    assert report.reason == "enough"
    if state is RunState.ENDED:
        assert texts(ends.down) == ["goes before"]
        assert recorder.events == ["start", "end", "cleanup"]
        assert sum(isinstance(f, EndFrame) for f in ends.down) == 1


async def test_observers_are_shown_a_cancel_frame() -> None:
    task = PipelineTask(Pipeline([Recorder()]))
    ends = Ends(task)
    later(1, lambda: task.cancel("because"))
    await task.run()
    assert isinstance(ends.down[-1], CancelFrame)
    assert ends.down[-1].reason == "because"


@pytest.mark.real_time
async def test_requests_may_come_from_any_thread() -> None:
    for request in ("end", "cancel"):
        task = PipelineTask(Pipeline([Recorder()]))
        ends = Ends(task)
        running = asyncio.create_task(task.run())
        await ends.started.wait()
        # Late enough that the loop sleeps: a request that does not wake it would wait with it.
        thread = threading.Timer(0.05, getattr(task, request))
        thread.start()
        async with asyncio.timeout(2):
            report = await running
        thread.join()
        assert report.state.value.startswith(request)


async def test_requests_after_the_end_change_nothing() -> None:
    task = PipelineTask(Pipeline([Recorder()]))
    task.end()
    report = await task.run()
    for _ in range(3):
        task.end()
        task.cancel()
        task.interrupt()
    assert task.report == report
    assert task.state is RunState.ENDED


async def test_a_second_run_of_the_same_task_is_refused_and_processors_may_run_again() -> None:
    recorder = Recorder()
    for _ in range(3):
        task = PipelineTask(Pipeline([recorder]))
        later(1, task.end)
        await task.run()
        with pytest.raises(RuntimeError, match="make a new PipelineTask"):
            await task.run()
    assert recorder.events == ["start", "end", "cleanup"] * 3


# -- cancel --------------------------------------------------------------------------------


async def test_cancel_overtakes_a_pending_end_and_nothing_queued_is_processed_any_more() -> None:
    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(1)
        await stage.push_frame(frame, direction)

    recorder = Recorder()
    task = PipelineTask(Pipeline([Does(slowly, "slow"), recorder]))
    for n in range(20):
        await task.queue_frame(TextFrame(str(n)))
    later(3.5, task.end)
    later(5.5, task.cancel)
    report = await task.run()
    assert report.seconds == 5.5
    assert texts(recorder.frames) == ["0", "1", "2", "3", "4"]
    assert recorder.events == ["start", "cancel", "cleanup"]
    assert report.dropped_frames == {"cancelled": 15}


async def test_outer_cancellation_closes_everything_and_is_raised_again() -> None:
    recorder = Recorder()
    task = PipelineTask(Pipeline([recorder]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await task.run()
    assert only_the_caller()
    assert recorder.events == ["start", "cancel", "cleanup"]
    assert task.report is not None
    assert task.report.state is RunState.CANCELLED


async def test_a_second_outer_cancellation_cannot_interrupt_the_closing() -> None:
    class SlowToClose(FrameProcessor):
        closed = False

        async def cleanup(self) -> None:
            await asyncio.sleep(0.5)
            self.closed = True

    stage = SlowToClose()
    running = asyncio.create_task(PipelineTask(Pipeline([stage])).run())
    await asyncio.sleep(1)
    for _ in range(4):
        running.cancel()
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stage.closed
    assert only_the_caller()


async def test_cancelling_every_task_of_the_loop_closes_the_run() -> None:
    recorder = Recorder()
    running = asyncio.create_task(PipelineTask(Pipeline([recorder, Recorder()])).run())
    await asyncio.sleep(1)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert only_the_caller()
    assert recorder.events[-1] == "cleanup"


async def test_cancelling_every_task_of_the_loop_cannot_interrupt_the_closing() -> None:
    class SlowToClose(Recorder):
        async def cleanup(self) -> None:
            await super().cleanup()
            await asyncio.sleep(0.5)

    stages = [SlowToClose("a"), SlowToClose("b")]
    task = PipelineTask(Pipeline(stages))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.sleep(0.1)
    for other in asyncio.all_tasks() - {asyncio.current_task()}:
        other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert task.state is RunState.CANCELLED
    assert [stage.events[-1] for stage in stages] == ["cleanup"] * 2


# -- stages that misbehave -----------------------------------------------------------------


async def test_a_hanging_stage_is_named_with_its_line_and_passed_by() -> None:
    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await forever()

    before, behind = Recorder("before"), Recorder("behind")
    limits = Limits(stall_s=10, passed_by="report")
    task = PipelineTask(Pipeline([before, Does(hang, "hangs"), behind]), limits=limits)
    await task.queue_frame(TextFrame("one"))
    await task.queue_frame(TextFrame("two"))
    task.end()
    report = await task.run()
    assert report.state is RunState.ENDED
    assert 10 <= report.seconds <= 10.5
    assert [slow.stage for slow in report.slow] == ["hangs"]
    assert report.slow[0].where.endswith("in forever")
    assert report.slow[0].holding == "TextFrame"
    assert report.dropped_frames == {"shutdown": 2}
    assert before.events == behind.events == ["start", "end", "cleanup"]
    assert report.abandoned == ()


@pytest.mark.parametrize("hook", ["on_end", "process_frame", "on_cancel", "cleanup"])
async def test_a_stage_that_swallows_its_cancellation_for_a_while_is_waited_for(hook: str) -> None:
    class Swallows(Recorder):
        async def _swallow(self, where: str) -> None:
            if where == hook:
                await stubborn(0.7)

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if hook == "process_frame":
                try:
                    await forever()
                except asyncio.CancelledError:
                    await stubborn(0.7)

        async def on_cancel(self) -> None:
            await self._swallow("on_cancel")

        async def cleanup(self) -> None:
            await self._swallow("cleanup")
            await super().cleanup()

    stage = Swallows()
    task = PipelineTask(Pipeline([stage]))
    await task.queue_frame(TextFrame("x"))
    later(1, task.cancel)
    report = await task.run()
    assert report.abandoned == ()
    assert report.seconds <= 1 + 2
    assert stage.events[-1] == "cleanup"


@pytest.mark.parametrize("stop", ["end", "cancel"])
async def test_a_stage_that_swallows_its_cancellation_for_ever_is_abandoned_and_named(stop: str) -> None:
    async def swallow(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stubborn(60)

    behind = Recorder("behind")
    limits = Limits(stall_s=3, passed_by="report")
    task = PipelineTask(Pipeline([Does(swallow, "deaf"), behind]), limits=limits)
    await task.queue_frame(TextFrame("x"))
    later(1, getattr(task, stop))
    report = await task.run()
    assert report.seconds <= (1 + 3 + 2.2 if stop == "end" else 1 + 2.2)
    assert [abandoned.name.split(":")[1] for abandoned in report.abandoned] == ["deaf"]
    assert report.abandoned[0].where.endswith("in stubborn")
    assert behind.events == (["start", "end", "cleanup"] if stop == "end" else ["start", "cancel", "cleanup"])
    await asyncio.sleep(60)  # until it has let go


@pytest.mark.parametrize(
    "error", [ValueError, asyncio.CancelledError, KeyboardInterrupt, SystemExit, TimeoutError]
)
@pytest.mark.parametrize("where", ["process_frame", "on_end"])
async def test_an_exception_that_escapes_a_stage_ends_the_run_and_end_reaches_the_others(
    where: str, error: type[BaseException]
) -> None:
    before, behind = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([before, Fails(where, error), behind]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("x"))
    if where == "on_end":
        later(1, task.end)
    with pytest.raises(PipelineError, match="fails") as caught:
        await task.run()
    assert type(caught.value.__cause__) is error
    assert before.events == behind.events == ["start", "end", "cleanup"]
    assert sum(isinstance(frame, EndFrame) for frame in ends.down) == 1
    report = caught.value.report
    assert report is not None
    assert clean(report)
    assert report.dropped_frames == ({"processor_error": 1} if where == "process_frame" else {})


@pytest.mark.parametrize("kind", ["mailbox", "inline", "child task"])
async def test_an_error_is_one_whatever_part_of_a_stage_raises_it(kind: str) -> None:
    class Inline(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            raise ValueError("broken")

    class Child(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            self.create_task(self._break())

        async def _break(self) -> None:
            raise ValueError("broken")

    kinds: dict[str, Processor] = {
        "mailbox": Fails("process_frame"),
        "inline": Inline(),
        "child task": Child(),
    }
    stage = kinds[kind]
    task = PipelineTask(Pipeline([Recorder(), stage, Recorder()]))
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match=r"broken|in process_frame"):
        await task.run()
    assert only_the_caller()


@pytest.mark.parametrize("inline", [False, True], ids=["mailbox", "inline"])
async def test_on_error_report_drops_the_frame_and_goes_on(
    inline: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Mailbox(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TextFrame) and frame.text.startswith("bad"):
                raise ValueError(frame.text)
            await self.push_frame(frame, direction)

    class Inline(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            if isinstance(frame, TextFrame) and frame.text.startswith("bad"):
                raise ValueError(frame.text)
            return (frame,)

    stage = Inline(on_error="report") if inline else Mailbox(on_error="report")
    upstream = Recorder("upstream")
    task = PipelineTask(Pipeline([upstream, stage]))
    ends = Ends(task)
    for text in ("a", "bad 1", "b", "bad 2", "c"):
        await task.queue_frame(TextFrame(text))
    later(1, task.end)
    with caplog.at_level(logging.WARNING):
        report = await task.run()
    assert report.state is RunState.ENDED
    assert texts(ends.down) == ["a", "b", "c"]
    assert report.dropped_frames == {"processor_error": 2}
    assert [error.stage for error in report.errors] == [stage.name] * 2
    assert [f.message for f in upstream.frames if isinstance(f, ErrorFrame)] == [
        f"{stage.name}: ValueError('bad {n}')" for n in (1, 2)
    ]
    assert [f.stage for f in ends.up if isinstance(f, ErrorFrame)] == [stage.name] * 2
    assert len(caplog.records) == 1  # a line a second


async def test_what_a_stage_reports_while_others_open_is_told_after_the_start() -> None:
    class Broken(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            async def fails() -> None:
                raise ValueError("bad")

            self.create_task(fails())

    class Slow(Recorder):
        async def on_start(self, params: StartParams) -> None:
            await asyncio.sleep(1)
            assert not self.frames

    slow = Slow()
    task = PipelineTask(Pipeline([slow, Broken(on_error="report")]))
    ends = Ends(task)
    later(2, task.end)
    report = await task.run()
    assert [type(frame) for frame in slow.frames] == [ErrorFrame]
    assert [type(frame) for frame in ends.up] == [ErrorFrame]
    assert len(report.errors) == 1


async def test_an_error_frame_reports_and_does_not_end_the_run() -> None:
    async def complain(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(ErrorFrame("the network is down"), UP)
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Recorder(), Does(complain)]))
    await task.queue_frame(TextFrame("x"))
    later(1, task.end)
    report = await task.run()
    assert report.state is RunState.ENDED
    assert [error.message for error in report.errors] == ["the network is down"]


async def test_a_stage_that_swallows_frames_ends_like_any_other() -> None:
    async def swallow(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        pass

    behind = Recorder("behind")
    task = PipelineTask(Pipeline([Does(swallow), behind]))
    await task.queue_frame(TextFrame("x"))
    later(1, task.end)
    report = await task.run()
    assert behind.events == ["start", "end", "cleanup"]
    assert clean(report)


async def test_an_exception_in_a_subscriber_fails_the_run_and_names_it() -> None:
    def look(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            raise ValueError("cannot look")

    task = PipelineTask(Pipeline([Recorder()]))
    task.subscribe(look)
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match=r"subscriber.*look.*cannot look"):
        await task.run()


async def test_child_tasks_are_cancelled_and_awaited_when_the_run_closes() -> None:
    stopped: list[str] = []

    class Parent(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            self.child = self.create_task(self._watch(), name="watch")

        async def _watch(self) -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.3)
                stopped.append("child")

    for stop in ("end", "cancel"):
        parent = Parent()
        task = PipelineTask(Pipeline([parent]), name="family")
        later(1, getattr(task, stop))
        report = await task.run()
        assert stopped.pop() == "child"
        assert clean(report)
        assert parent.child.get_name() == "family:Parent:watch"


async def test_every_task_of_a_run_has_a_name_that_says_whose_it_is() -> None:
    task = PipelineTask(Pipeline([Recorder("ear"), Recorder("ear"), InlineRecorder("none")]), name="kitchen")
    running = asyncio.create_task(task.run(), name="outer")
    await asyncio.sleep(1)
    names = {t.get_name() for t in asyncio.all_tasks() - {asyncio.current_task()}}
    task.end()
    await running
    assert names == {
        "outer",
        "kitchen:ear:stage",
        "kitchen:ear#2:stage",
        "kitchen:none:hooks",
    }


async def test_no_task_is_made_by_constructors() -> None:
    task = PipelineTask(Pipeline([Recorder(), ParallelPipeline([Recorder()])]))
    await task.queue_frame(TextFrame("x"))
    assert only_the_caller()
    assert task.state is RunState.CREATED


async def test_interruption_while_the_pipeline_drains_leaves_the_end_alone() -> None:
    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(1)
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Does(slowly), Recorder()]))
    ends = Ends(task)
    for n in range(10):
        await task.queue_frame(TextFrame(str(n)))
    later(1.5, task.end)
    later(3.5, task.interrupt)
    report = await task.run()
    assert texts(ends.down) == ["0", "1", "2"]
    assert report.dropped_frames == {"interrupted": 7}
    assert [type(f) for f in ends.down[-2:]] == [InterruptionFrame, EndFrame]
    assert report.state is RunState.ENDED


async def test_the_report_reads_well() -> None:
    task = PipelineTask(Pipeline([Fails("process_frame")]), name="kitchen")
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError):
        await task.run()
    assert str(task.report).splitlines() == [
        "run kitchen failed after 0.0 s: fails failed",
        "  error in fails: ValueError: in process_frame",
    ]


async def test_every_stage_is_cleaned_up_though_there_is_no_time_at_all() -> None:
    stages = Recorder(), InlineRecorder(), Recorder()
    for stop in ("end", "cancel"):
        task = PipelineTask(Pipeline(list(stages)), limits=Limits(stall_s=0, cancel_s=0, close_s=0))
        later(1, getattr(task, stop))
        report = await task.run()
        assert report.abandoned == ()
        assert report.errors == ()
    assert [stage.events.count("cleanup") for stage in stages] == [2, 2, 2]


# -- a stage that fails outside its own task --------------------------------------------------------


class FailsBeside(Recorder):
    """A child of it fails a second after it was opened, whatever it does then."""

    async def on_start(self, params: StartParams) -> None:
        await super().on_start(params)
        self.create_task(self._fail())

    async def _fail(self) -> None:
        await asyncio.sleep(1.0)
        raise LookupError("beside")


class BusyThere(FailsBeside):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await forever()


class FailsInterrupted(Recorder):
    def on_interruption(self) -> None:
        raise LookupError("interrupted")


@pytest.mark.parametrize("make", [FailsBeside, BusyThere, FailsInterrupted])
async def test_a_stage_that_fails_beside_its_own_task_has_to_be_stopped_by_no_safety_net(
    make: Callable[[], Processor],
) -> None:
    stage, behind = make(), InlineRecorder()  # so that the End is through at once
    task = PipelineTask(Pipeline([stage, behind]))
    await task.queue_frame(TextFrame("a"))
    if make is FailsInterrupted:
        later(0.5, task.interrupt)
    with pytest.raises(PipelineError, match="LookupError") as failed:
        await task.run()
    report = failed.value.report
    assert report is not None
    assert clean(report)
    assert report.seconds < 2.0
    assert behind.events == ["start", "end", "cleanup"]


async def test_a_stage_that_fails_beside_its_farewell_says_it_to_the_end() -> None:
    class Farewell(FailsBeside):
        async def on_end(self) -> None:
            await asyncio.sleep(3.0)
            await super().on_end()

    stage, behind = Farewell(), Recorder("behind")
    task = PipelineTask(Pipeline([stage, behind]))
    later(0.5, task.end)
    with pytest.raises(PipelineError, match="LookupError") as failed:
        await task.run()
    assert failed.value.report is not None
    assert clean(failed.value.report)
    assert stage.events == ["start", "end", "cleanup"]
    assert behind.events == ["start", "end", "cleanup"]


# -- a loop that stands still while it is to close ---------------------------------------------------


class ClosesSlowly(Recorder):
    """Needs some steps of the loop to stop, and to clean up."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        try:
            await forever()
        finally:
            for _ in range(3):
                await asyncio.sleep(0)

    async def cleanup(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0.001)
        await super().cleanup()


@pytest.mark.parametrize("frozen_s", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("after_s", [0.0, 0.0005, 0.0015, 0.0025])
async def test_a_loop_that_stood_still_beyond_the_cancel_limit_closes_everything_all_the_same(
    frozen_s: float, after_s: float
) -> None:
    stage, loop = ClosesSlowly(), asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    task = PipelineTask(Pipeline([stage, Recorder()]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("a"))
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.sleep(after_s)
    loop.freeze(frozen_s)
    report = await running
    assert stage.events == ["start", "cancel", "cleanup"]
    assert clean(report)
    assert report.state is RunState.CANCELLED
    assert report.seconds <= 1.0 + after_s + max(frozen_s, 2.0) + 0.5
