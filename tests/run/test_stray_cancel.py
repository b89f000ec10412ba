"""A CancelledError that nobody asked for is an error of its stage, wherever it ends something."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from support.stages import Recorder, forever
from voicepipe import (
    DeviceStage,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Limits,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    StartParams,
    TextFrame,
)
from voicepipe.pipeline.processor import OnError

Work = Callable[[], Awaitable[object]]


async def cancelled_future() -> None:
    """Await a future that somebody else cancels."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.cancel)
    await future


async def cancelled_before() -> None:
    """Await a future that was cancelled already."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


async def cancelled_task() -> None:
    """Await a task that somebody else cancels."""
    task = asyncio.create_task(forever())
    asyncio.get_running_loop().call_soon(task.cancel)
    await task


async def raised() -> None:
    """Raise the error."""
    raise asyncio.CancelledError


async def raised_with_words() -> None:
    """Raise the error with a message."""
    raise asyncio.CancelledError("the model was closed")


async def gathered() -> None:
    """Await several at once, one of which is cancelled."""
    await asyncio.gather(asyncio.sleep(0), cancelled_future())


async def shielded() -> None:
    """Await a shield around what is cancelled."""
    await asyncio.shield(cancelled_task())


async def after_a_timeout() -> None:
    """Be cancelled by a timeout, as it should be, and then by nobody."""
    try:
        async with asyncio.timeout(0.01):
            await forever()
    except TimeoutError:
        await cancelled_future()


STRAYS: list[Work] = [
    cancelled_future,
    cancelled_before,
    cancelled_task,
    raised,
    raised_with_words,
    gathered,
    shielded,
    after_a_timeout,
]


class Child(FrameProcessor):
    """A stage with a task of its own."""

    work: Work

    async def on_start(self, params: StartParams) -> None:
        self.child = self.create_task(self._work(), name="worker")

    async def _work(self) -> None:
        await asyncio.sleep(0.01)
        await self.work()


class InlineChild(InlineProcessor):
    """The same, inline."""

    work: Work
    on_start = Child.on_start
    _work = Child._work


class DeviceChild(DeviceStage):
    """The same, with a device."""

    work: Work
    on_start = Child.on_start
    _work = Child._work


async def run(stage: Processor, stop: str = "end") -> tuple[RunReport, PipelineError | None]:
    around = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([around[0], stage, around[1]]), limits=Limits(stall_s=1))
    timer = asyncio.get_running_loop().call_later(0.2, getattr(task, stop))
    await task.queue_frame(TextFrame("a"))
    error = None
    try:
        await task.run()
    except PipelineError as raised:
        error = raised
    timer.cancel()
    for recorder in around:
        assert recorder.events.count("start") == recorder.events.count("cleanup")
    assert task.report is not None
    return task.report, error


@pytest.mark.parametrize("on_error", ["fail", "report"])
@pytest.mark.parametrize("kind", [Child, InlineChild, DeviceChild])
@pytest.mark.parametrize("work", STRAYS)
async def test_a_task_of_a_stage_that_ends_by_a_stray_cancel_is_told(
    work: Work, kind: type[Child], on_error: OnError
) -> None:
    stage = kind(name="culprit", on_error=on_error)
    stage.work = work
    report, error = await run(stage)
    (told,) = report.errors
    assert told.stage == "culprit"
    assert ":culprit:worker ended by a CancelledError that nobody asked for, at " in told.message
    assert isinstance(told.exception, RuntimeError)
    assert isinstance(told.exception.__cause__, asyncio.CancelledError)
    if on_error == "fail":
        assert error is not None
        assert error.stage == "culprit"
    else:
        assert report.state is RunState.ENDED


async def test_the_line_that_awaited_it_is_named() -> None:
    stage = Child()
    stage.work = cancelled_future
    report, _ = await run(stage)
    (told,) = report.errors
    assert "in cancelled_future" in str(told.exception)


async def cancels_itself() -> None:
    """Cancel the task in which it runs."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await forever()


async def times_out() -> None:
    """Be cancelled by a timeout, which takes its cancel back."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await forever()


async def suppresses() -> None:
    """Catch what is stray."""
    with pytest.raises(asyncio.CancelledError):
        await cancelled_future()


@pytest.mark.parametrize("work", [cancels_itself, times_out, suppresses, forever])
@pytest.mark.parametrize("stop", ["end", "cancel"])
async def test_a_task_that_was_asked_to_stop_is_no_error(work: Work, stop: str) -> None:
    stage = Child()
    stage.work = work
    report, error = await run(stage, stop)
    assert (report.errors, error) == ((), None)


@pytest.mark.parametrize("hook", ["on_ending", "on_interruption", "on_end"])
async def test_a_stage_may_cancel_its_own_task_at_any_moment(hook: str) -> None:
    def stop(self: Child) -> None:
        self.child.cancel()

    async def stop_and_wait(self: Child) -> None:
        self.child.cancel()
        await asyncio.wait([self.child])

    kind = type("Stops", (Child,), {hook: stop_and_wait if hook == "on_end" else stop})
    stage = kind()
    stage.work = forever
    report, error = await run(stage)
    assert (report.errors, error) == ((), None)


# -- in the hooks ----------------------------------------------------------------------------


def stray_in(hook: str, *, inline: bool = False) -> Processor:
    """Return a stage that awaits something cancelled in one hook; where it cannot wait, it raises."""

    async def wait(self: Processor, *_: object) -> None:
        await cancelled_future()

    def fail(self: Processor, *_: object) -> Iterable[Frame]:
        raise asyncio.CancelledError

    plain = hook in ("on_ending", "on_interruption", "process", "progress") or (inline and hook == "on_end")
    base = InlineProcessor if inline else FrameProcessor
    kind: Any = type("Stray", (base,), {hook: fail if plain else wait})
    stage: Processor = kind(name="culprit")
    return stage


IN_BOTH = ("on_start", "on_running", "on_end", "on_ending", "cleanup")
CASES = [
    *((hook, False) for hook in (*IN_BOTH, "process_frame")),
    *((hook, True) for hook in (*IN_BOTH, "process")),
]


@pytest.mark.parametrize(("hook", "inline"), CASES)
async def test_a_stray_cancel_in_a_hook_fails_its_stage_in_words(hook: str, inline: bool) -> None:
    report, error = await run(stray_in(hook, inline=inline))
    assert error is not None
    assert error.stage == "culprit"
    assert report.state is RunState.FAILED
    (told,) = report.errors
    assert told.message == (
        "CancelledError: nobody asked for it; the stage awaited something that was cancelled"
    )
    assert "nobody asked for it" in str(error)


async def test_a_stray_cancel_in_on_cancel_is_told() -> None:
    report, error = await run(stray_in("on_cancel"), "cancel")
    assert (report.state, error) == (RunState.CANCELLED, None)
    assert [told.stage for told in report.errors] == ["culprit"]


async def test_a_stray_cancel_in_on_interruption_is_told() -> None:
    stage = stray_in("on_interruption")
    task = PipelineTask(stage)
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, task.interrupt)
    with pytest.raises(PipelineError, match="culprit failed: CancelledError: nobody asked for it"):
        await task.run()


async def test_a_subscriber_that_raises_it_fails_the_run_and_is_named() -> None:
    def observer(frame: Frame, direction: FrameDirection) -> None:
        raise asyncio.CancelledError

    task = PipelineTask(Recorder())
    task.subscribe(observer)
    with pytest.raises(PipelineError, match=r"subscriber .*observer failed: CancelledError: nobody"):
        await task.run()


async def test_a_stray_cancel_that_is_reported_travels_as_an_error_frame() -> None:
    told: list[ErrorFrame] = []
    stage = stray_in("process_frame")
    stage.on_error = "report"
    task = PipelineTask(stage)
    task.subscribe(lambda frame, _: told.append(frame) if isinstance(frame, ErrorFrame) else None)
    await task.queue_frame(TextFrame("a"))
    task.end()
    report = await task.run()
    assert report.state is RunState.ENDED
    assert [frame.stage for frame in told] == ["culprit"]
    assert report.dropped_frames == {"processor_error": 1}
