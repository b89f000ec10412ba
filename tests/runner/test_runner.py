"""The runner: exit status, signals, what is left, what is logged. Whole programs: tests/process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import pytest

from support.stages import Does, Ends, Recorder, forever
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    Pipeline,
    PipelineError,
    PipelineRunner,
    PipelineTask,
    Processor,
    RunState,
    StartParams,
    TextFrame,
    assert_nothing_left,
    take_census,
)
from voicepipe.runner.signals import SIGNALS, listen

SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM
signals = pytest.mark.skipif(
    sys.platform == "win32", reason="allowed skip: raise_signal knows no SIGHUP, and SIGTERM ends the process"
)


def task_of(*stages: Processor, **arguments: Any) -> PipelineTask:
    return PipelineTask(Pipeline(stages), **arguments)


class Calls(FrameProcessor):
    """Calls a function when it runs; then waits for its end."""

    def __init__(self, call: Callable[[], object], name: str = "calls") -> None:
        super().__init__(name=name)
        self._call = call

    async def on_running(self) -> None:
        self._call()


class NeverEnds(Calls):
    """And does not let the End pass."""

    async def on_end(self) -> None:
        await forever()


async def fail(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    raise ValueError("no such voice\nin this house")


async def failing(**arguments: Any) -> PipelineTask:
    task = task_of(Does(fail, name="culprit"), **arguments)
    await task.queue_frame(TextFrame("hello"))
    return task


def send(*numbers: signal.Signals) -> Callable[[], None]:
    def call() -> None:
        for number in numbers:
            signal.raise_signal(number)

    return call


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# -- exit status ---------------------------------------------------------------------------


async def test_a_run_that_ends_is_status_0() -> None:
    task = task_of(Recorder())
    task.end()
    assert await PipelineRunner(blocked_s=0).serve(task) == 0
    assert task.state is RunState.ENDED


async def test_a_cancel_by_the_program_itself_is_status_0() -> None:
    task = task_of(Recorder())
    task.cancel()
    assert await PipelineRunner(blocked_s=0).serve(task) == 0
    assert task.state is RunState.CANCELLED


async def test_a_failure_is_status_1_and_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    runner = PipelineRunner(blocked_s=0)
    assert await runner.serve(await failing()) == 1
    (error,) = runner.errors
    assert isinstance(error, PipelineError)
    assert error.stage == "culprit"
    (line,) = caplog.messages
    at = r"tests.runner.test_runner\.py:\d+"
    assert re.fullmatch(rf"culprit failed: ValueError: no such voice\\nin this house at {at}", line)
    assert caplog.records[0].exc_info is None


async def test_the_traceback_of_a_failure_is_there_for_who_debugs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await PipelineRunner(blocked_s=0).serve(await failing())
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.exc_info is not None


async def test_a_failed_start_is_status_1(caplog: pytest.LogCaptureFixture) -> None:
    class Culprit(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            raise OSError("no such device")

    assert await PipelineRunner(blocked_s=0).serve(task_of(Culprit())) == 1
    (line,) = warnings_in(caplog)
    at = r"tests.runner.test_runner\.py:\d+"
    assert re.fullmatch(f"Culprit did not start: OSError: no such device at {at}", line)


async def test_where_one_task_fails_the_others_are_ended() -> None:
    recorder = Recorder()
    other = task_of(recorder)
    failed = await failing(name="first")
    assert await PipelineRunner(blocked_s=0).serve(failed, other) == 1
    assert (failed.state, other.state) == (RunState.FAILED, RunState.ENDED)
    assert other.report is not None
    assert other.report.reason == "first failed"
    assert recorder.events == ["start", "end", "cleanup"]


async def test_tasks_run_side_by_side_until_the_last_has_ended() -> None:
    tasks = [task_of(Recorder()) for _ in range(3)]
    for number, task in enumerate(tasks):
        asyncio.get_running_loop().call_later(number, task.end)
    assert await PipelineRunner(blocked_s=0).serve(*tasks) == 0
    assert asyncio.get_running_loop().time() == pytest.approx(2.0)


async def test_a_task_that_has_run_is_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    task = task_of(Recorder())
    task.end()
    await task.run()
    assert await PipelineRunner(blocked_s=0).serve(task) == 1
    assert "RuntimeError" in warnings_in(caplog)[0]


async def test_an_outer_cancellation_cancels_the_tasks_and_is_raised_again() -> None:
    recorder = Recorder()
    task = task_of(recorder)
    ends = Ends(task)
    serving = asyncio.create_task(PipelineRunner(blocked_s=0).serve(task))
    await ends.started.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert task.state is RunState.CANCELLED
    assert recorder.events == ["start", "cancel", "cleanup"]


async def test_errors_are_those_of_the_last_run() -> None:
    runner = PipelineRunner(blocked_s=0)
    await runner.serve(await failing())
    assert runner.errors
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await runner.serve(task_of(Recorder()))
    assert runner.errors == []


# -- a loop of its own ---------------------------------------------------------------------


def test_run_leaves_nothing() -> None:
    runner = PipelineRunner()
    task = task_of(Calls(lambda: task.end()))
    assert runner.run(task) == 0
    assert not runner.left


def test_twenty_runs_by_one_runner_leave_nothing() -> None:
    runner = PipelineRunner()
    runner.run(ended_task())
    before = take_census()
    for _ in range(20):
        assert runner.run(ended_task()) == 0
        assert_nothing_left(before)


def ended_task() -> PipelineTask:
    task = task_of(Recorder())
    task.end()
    return task


def test_run_in_a_thread_goes_without_signals() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    during: list[object] = []
    statuses: list[int] = []

    def note() -> None:
        during.extend(signal.getsignal(number) for number in SIGNALS)
        task.end()

    task = task_of(Calls(note))
    thread = threading.Thread(target=lambda: statuses.append(PipelineRunner().run(task)))
    thread.start()
    thread.join()
    assert statuses == [0]
    assert during == before


async def test_run_says_what_to_do_where_a_loop_runs() -> None:
    with pytest.raises(RuntimeError, match=r"await runner\.serve"):
        PipelineRunner().run(ended_task())


def test_jobs_that_have_not_begun_do_not_begin_after_the_run() -> None:
    begun: list[int] = []
    release = threading.Event()

    def job(number: int) -> None:
        begun.append(number)
        release.wait(10)

    async def queue_jobs(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        for number in range(100):
            asyncio.get_running_loop().run_in_executor(None, job, number)

    task = task_of(Does(queue_jobs))
    asyncio.run(task.queue_frame(TextFrame("hello")))
    task.end()
    timer = threading.Timer(0.3, release.set)
    timer.start()
    PipelineRunner().run(task)
    timer.join()
    assert 0 < len(begun) < 100


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """`main()` leaves Ctrl-C to the system."""
    before = signal.getsignal(SIGINT)
    yield
    signal.signal(SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_main_ends_the_process_with_the_status() -> None:
    with pytest.raises(SystemExit) as exit_:
        PipelineRunner().main(ended_task())
    assert exit_.value.code == 0


@pytest.mark.usefixtures("ctrl_c")
def test_main_fails_with_status_1(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SystemExit) as exit_:
        PipelineRunner().main(asyncio.run(failing()))
    assert exit_.value.code == 1


# -- what stages leave behind ---------------------------------------------------------------


class Forgets(FrameProcessor):
    """Starts something in its on_start, and ends at once."""

    def __init__(self, start: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._start = start

    async def on_start(self, params: StartParams) -> None:
        self.kept = await self._start()


def run_forgetful(start: Callable[[], Awaitable[object]]) -> PipelineRunner:
    task = task_of(Forgets(start))
    task.end()
    runner = PipelineRunner()
    assert runner.run(task) == 0
    return runner


def test_a_task_left_behind_is_named_and_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    cancelled: list[bool] = []

    async def linger() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.05)
            cancelled.append(True)

    async def start() -> object:
        return asyncio.create_task(linger(), name="forgotten")

    runner = run_forgetful(start)
    assert cancelled == [True]
    assert not runner.left
    (line,) = warnings_in(caplog)
    assert line.startswith("a stage left behind: forgotten (")


@pytest.mark.heavy
def test_a_task_left_behind_that_refuses_to_stop_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def refuse() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await forever()

    async def start() -> object:
        return asyncio.create_task(refuse(), name="stubborn")

    began = time.monotonic()
    run_forgetful(start)
    assert time.monotonic() - began < 5
    assert "stubborn" in warnings_in(caplog)[0]


def test_an_async_generator_left_behind_is_named_and_closed(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[bool] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0.05)
            closed.append(True)

    async def start() -> object:
        generator = numbers()
        await anext(generator)
        return generator

    run_forgetful(start)
    assert closed == [True]
    (line,) = warnings_in(caplog)
    assert "numbers at " in line


@pytest.mark.heavy
def test_a_thread_left_behind_is_named(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="forgotten")

    async def start() -> object:
        thread.start()
        return thread

    runner = run_forgetful(start)
    (thread_left,) = runner.left.threads
    assert thread_left.startswith("forgotten (Event.wait) at ")
    assert warnings_in(caplog) == [f"left behind: threads: {thread_left}"]
    release.set()
    thread.join()


def test_a_thread_that_is_about_to_end_is_not_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def start() -> object:
        thread = threading.Thread(target=time.sleep, args=(0.3,))
        thread.start()
        return thread

    assert not run_forgetful(start).left
    assert warnings_in(caplog) == []


# -- signals -------------------------------------------------------------------------------


@signals
@pytest.mark.parametrize("number", SIGNALS)
def test_one_signal_ends(number: signal.Signals) -> None:
    recorder = Recorder()
    task = task_of(Calls(send(number)), recorder)
    assert PipelineRunner().run(task) == 0
    assert task.report is not None
    assert (task.state, task.report.reason) == (RunState.ENDED, number.name)
    assert recorder.events == ["start", "end", "cleanup"]


@signals
@pytest.mark.parametrize("number", SIGNALS)
def test_two_signals_cancel(number: signal.Signals) -> None:
    task = task_of(NeverEnds(send(number, number)))
    assert PipelineRunner().run(task) == 128 + number
    assert task.report is not None
    assert (task.state, task.report.reason) == (RunState.CANCELLED, f"a second signal, {number.name}")


@signals
@pytest.mark.parametrize("number", SIGNALS)
def test_an_end_that_takes_longer_than_its_limit_has_the_status_of_its_signal(number: signal.Signals) -> None:
    task = task_of(NeverEnds(send(number)), limits=Limits(stall_s=60, drain_s=0.05))
    assert PipelineRunner().run(task) == 128 + number
    assert task.report is not None
    assert task.report.reason == f"{number.name}, and 0.05 s were not enough to end"


def test_an_end_of_the_program_that_takes_longer_than_its_limit_is_a_failure() -> None:
    task = task_of(NeverEnds(lambda: task.end()), limits=Limits(stall_s=60, drain_s=0.05))
    assert PipelineRunner().run(task) == 1
    assert task.state is RunState.CANCELLED


@signals
def test_one_late_task_of_two_counts() -> None:
    late = task_of(NeverEnds(send(SIGTERM)), limits=Limits(stall_s=60, drain_s=0.05))
    assert PipelineRunner().run(task_of(Recorder()), late) == 143


@signals
def test_a_cancel_of_the_program_after_a_signal_is_no_late_end() -> None:
    class Cancels(NeverEnds):
        async def on_end(self) -> None:
            task.cancel()
            await forever()

    task = task_of(Cancels(send(SIGTERM)))
    assert PipelineRunner().run(task) == 0


@signals
def test_after_the_limit_a_second_signal_of_another_kind_sets_the_status() -> None:
    class CancelsSlowly(NeverEnds):
        async def on_cancel(self) -> None:
            signal.raise_signal(SIGINT)
            await asyncio.sleep(0.1)

    task = task_of(CancelsSlowly(send(SIGTERM)), limits=Limits(stall_s=60, drain_s=0.05))
    assert PipelineRunner().run(task) == 130


@signals
@pytest.mark.real_time
async def test_a_signal_that_is_heard_when_the_tasks_have_ended_changes_nothing() -> None:
    """Another listener holds the hearing thread up until then."""
    go_on = threading.Event()

    def hold_up(number: signal.Signals) -> None:
        go_on.wait(10)

    def end() -> None:
        signal.raise_signal(SIGTERM)
        task.end()

    stop = listen(hold_up)
    assert stop is not None
    task = task_of(Calls(end))
    assert await PipelineRunner().serve(task) == 0
    assert task.report is not None
    assert task.report.reason == "end() was called"
    go_on.set()
    await asyncio.sleep(0.05)
    stop()


@signals
def test_signals_of_an_earlier_run_do_not_count() -> None:
    runner = PipelineRunner()
    assert runner.run(task_of(NeverEnds(send(SIGINT, SIGINT)))) == 130
    task = task_of(Calls(send(SIGINT)))
    assert runner.run(task) == 0
    assert task.state is RunState.ENDED
    assert runner.errors == []


@signals
def test_a_signal_ends_every_task() -> None:
    tasks = task_of(Calls(send(SIGINT))), task_of(Recorder())
    assert PipelineRunner().run(*tasks) == 0
    assert [task.state for task in tasks] == [RunState.ENDED, RunState.ENDED]


@signals
@pytest.mark.real_time
async def test_a_signal_ends_the_tasks_of_every_runner_in_the_loop() -> None:
    """The second runner hears after the first has ended."""
    slow = Recorder()

    class Slow(Recorder):
        async def on_end(self) -> None:
            await asyncio.sleep(0.1)

    tasks = task_of(Recorder()), task_of(slow, Slow())
    ends = [Ends(task) for task in tasks]
    serving = [asyncio.create_task(PipelineRunner().serve(task)) for task in tasks]
    for end in ends:
        await end.started.wait()
    before = signal.getsignal(SIGTERM)
    signal.raise_signal(SIGTERM)
    assert await serving[0] == 0
    assert signal.getsignal(SIGTERM) is before
    assert await serving[1] == 0
    assert signal.getsignal(SIGTERM) is signal.SIG_DFL


@signals
def test_handlers_come_back_when_a_run_raises() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    async def main() -> None:
        async with asyncio.timeout(0.05):
            await PipelineRunner().serve(task_of(Recorder()))

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert [signal.getsignal(number) for number in SIGNALS] == before


@signals
def test_asyncio_has_its_own_handler_back_after_serve() -> None:
    async def main() -> bool:
        before = signal.getsignal(SIGINT)
        assert before is not signal.default_int_handler
        await PipelineRunner().serve(task_of(Calls(send(SIGINT))))
        return signal.getsignal(SIGINT) is before

    assert asyncio.run(main())


@signals
def test_ctrl_c_that_is_not_handled_closes_everything_and_is_raised() -> None:
    recorder = Recorder()
    task = task_of(Calls(send(SIGINT)), recorder)
    with pytest.raises(KeyboardInterrupt):
        PipelineRunner(handle_signals=False).run(task)
    assert task.state is RunState.CANCELLED
    assert recorder.events == ["start", "cancel", "cleanup"]


@signals
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_that_is_not_handled_is_status_130_of_main() -> None:
    with pytest.raises(SystemExit) as exit_:
        PipelineRunner(handle_signals=False).main(task_of(Calls(send(SIGINT))))
    assert exit_.value.code == 130


# -- what is watched -------------------------------------------------------------------------


def test_a_blocked_loop_is_named_in_the_log_and_in_the_report(caplog: pytest.LogCaptureFixture) -> None:
    def block() -> None:
        deadline = time.monotonic() + 10
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.001)
        task.end()

    task = task_of(Calls(block, name="culprit"))
    assert PipelineRunner(blocked_s=0.05).run(task) == 0
    (line,) = warnings_in(caplog)
    assert line.startswith("culprit has blocked the event loop for ")
    assert "\n" not in line
    assert task.report is not None
    (slow,) = task.report.slow
    assert (slow.stage, slow.holding) == ("culprit", "the event loop")
    assert " in block < " in slow.where


def test_a_blocked_loop_is_in_the_report_though_the_run_ends_while_it_is_being_logged() -> None:
    logged = threading.Event()

    class LogsSlowly(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.set()
            deadline = time.monotonic() + 10
            while not task.state.is_final and time.monotonic() < deadline:
                time.sleep(0.001)

    def block() -> None:
        logged.wait(10)
        task.end()

    task = task_of(Calls(block, name="culprit"))
    handler, log = LogsSlowly(logging.WARNING), logging.getLogger("voicepipe")
    log.addHandler(handler)
    try:
        PipelineRunner(blocked_s=0.05).run(task)
    finally:
        log.removeHandler(handler)
    assert task.report is not None
    assert [slow.stage for slow in task.report.slow] == ["culprit"]


def test_without_a_limit_nobody_watches() -> None:
    names: list[str] = []

    def note() -> None:
        names.extend(thread.name for thread in threading.enumerate())
        task.end()

    task = task_of(Calls(note))
    PipelineRunner(blocked_s=0).run(task)
    assert "voicepipe:watchdog" not in names


async def test_a_census_is_taken_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    task = task_of(Recorder())
    asyncio.get_running_loop().call_later(35, task.end)
    await PipelineRunner(blocked_s=0, monitor_s=10).serve(task)
    assert [message.startswith("census: ") for message in caplog.messages] == [True] * 3


# -- a caller's mistakes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks", "error", "message"),
    [
        ((), ValueError, "at least one task"),
        (("a pipeline",), TypeError, "runs PipelineTask objects, not 'a pipeline'"),
    ],
)
async def test_what_is_no_task_is_refused(tasks: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        await PipelineRunner().serve(*tasks)


def test_run_refuses_what_is_no_task() -> None:
    with pytest.raises(ValueError, match="at least one task"):
        PipelineRunner().run()


async def test_the_same_task_twice_is_refused() -> None:
    task = ended_task()
    with pytest.raises(ValueError, match="the same one was given twice"):
        await PipelineRunner(blocked_s=0).serve(task, task)


async def test_a_runner_that_is_running_is_refused() -> None:
    runner = PipelineRunner(blocked_s=0)
    task = task_of(Recorder())
    ends = Ends(task)
    serving = asyncio.create_task(runner.serve(task))
    await ends.started.wait()
    with pytest.raises(RuntimeError, match="running already"):
        await runner.serve(ended_task())
    task.end()
    assert await serving == 0
    assert await runner.serve(ended_task()) == 0


@pytest.mark.parametrize("name", ["blocked_s", "monitor_s"])
@pytest.mark.parametrize("value", [-1.0, float("inf"), "2", None])
def test_times_are_checked(name: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=f"{name} must be"):
        PipelineRunner(**{name: value})


async def test_what_runs_beside_the_tasks_is_entered_with_them_and_left_after_them() -> None:
    seen: list[str] = []

    @contextlib.asynccontextmanager
    async def beside(tasks: Sequence[PipelineTask]) -> AsyncIterator[None]:
        seen.append(f"entered while {tasks[0].state.value}")
        yield
        seen.append(f"left when {tasks[0].state.value}")

    task = task_of(Recorder())
    task.end()
    assert await PipelineRunner(handle_signals=False, beside=[beside]).serve(task) == 0
    assert seen == ["entered while created", "left when ended"]


def test_what_cannot_be_called_is_refused_beside_the_tasks() -> None:
    with pytest.raises(TypeError, match="beside must be callable"):
        PipelineRunner(beside=["status"])  # type: ignore[list-item]
