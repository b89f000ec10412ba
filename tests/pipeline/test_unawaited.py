"""A coroutine of a stage that nobody awaits is an error of that stage, which names the line."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from support.stages import Recorder
from voicepipe import (
    DeviceStage,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    StartParams,
    TextFrame,
)
from voicepipe.pipeline.unawaited import begin_watch, end_watch

Misuse = Callable[[FrameProcessor, Frame], object]


def statement(stage: FrameProcessor, frame: Frame) -> None:
    stage.push_frame(frame)  # type: ignore[unused-coroutine]


def variable(stage: FrameProcessor, frame: Frame) -> None:
    pushed = stage.push_frame(frame)
    del pushed


def bound(stage: FrameProcessor, frame: Frame) -> None:
    push = stage.push_frame
    push(frame)  # type: ignore[unused-coroutine]


def several(stage: FrameProcessor, frame: Frame) -> None:
    [stage.push_frame(frame) for _ in range(3)]


def of_super(stage: FrameProcessor, frame: Frame) -> None:
    FrameProcessor.process_frame(stage, frame, FrameDirection.DOWNSTREAM)  # type: ignore[unused-coroutine]


def own_method(stage: FrameProcessor, frame: Frame) -> None:
    stage.on_end()  # type: ignore[unused-coroutine]


def called_later(stage: FrameProcessor, frame: Frame) -> None:
    asyncio.get_running_loop().call_soon(stage.push_frame, frame)


def called_back(stage: FrameProcessor, frame: Frame) -> None:
    future = asyncio.get_running_loop().create_future()
    future.add_done_callback(lambda _: stage.push_frame(frame))
    future.set_result(None)


def other_thread(stage: FrameProcessor, frame: Frame) -> None:
    thread = threading.Thread(target=stage.push_frame, args=(frame,))
    thread.start()
    thread.join()


def nested(self: FrameProcessor, frame: Frame) -> None:
    async def inner() -> None:
        await self.push_frame(frame)

    inner()  # type: ignore[unused-coroutine]


def overwritten(stage: Any, frame: Frame) -> None:
    stage.kept = stage.push_frame(frame)
    stage.kept = None


def in_a_cycle(stage: FrameProcessor, frame: Frame) -> None:
    cycle: list[object] = [stage.push_frame(frame)]
    cycle.append(cycle)
    del cycle
    gc.collect()


MISUSES: list[Misuse] = [
    statement,
    variable,
    bound,
    several,
    of_super,
    own_method,
    called_later,
    called_back,
    other_thread,
    nested,
    overwritten,
    in_a_cycle,
]


class Forgets(FrameProcessor):
    """A stage that forgets an await at one place."""

    place = "process_frame"
    misuse: Misuse = staticmethod(statement)

    async def _at(self, place: str) -> None:
        self._at_once(place)

    def _at_once(self, place: str) -> None:
        if place == self.place:
            type(self).misuse(self, TextFrame("lost"))

    async def on_start(self, params: StartParams) -> None:
        self.create_task(self._child())
        await self._at("on_start")

    async def _child(self) -> None:
        await asyncio.sleep(0.01)
        await self._at("child")

    async def on_running(self) -> None:
        await self._at("on_running")

    def on_ending(self) -> None:
        self._at_once("on_ending")

    def on_interruption(self) -> None:
        self._at_once("on_interruption")

    async def on_end(self) -> None:
        await self._at("on_end")

    async def cleanup(self) -> None:
        await self._at("cleanup")

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self._at("process_frame")
        await self.push_frame(frame, direction)


async def run(stage: Processor, *, interrupt: bool = True) -> tuple[RunReport, PipelineError | None]:
    recorder = Recorder()
    task = PipelineTask(Pipeline([stage, recorder]))
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(0.1, task.interrupt)] if interrupt else []
    timers.append(loop.call_later(0.2, task.end))
    await task.queue_frame(TextFrame("a"))
    raised = None
    try:
        await task.run()
    except PipelineError as error:
        raised = error
    for timer in timers:
        timer.cancel()
    assert recorder.events.count("start") == recorder.events.count("cleanup")
    assert task.report is not None
    return task.report, raised


@pytest.mark.parametrize("misuse", MISUSES)
async def test_a_push_that_is_not_awaited_fails_the_stage_in_every_form(misuse: Misuse) -> None:
    stage = Forgets(name="culprit")
    stage.__class__ = type("Forgets", (Forgets,), {"misuse": staticmethod(misuse)})
    report, raised = await run(stage)
    assert raised is not None
    assert (raised.stage, report.state) == ("culprit", RunState.FAILED)
    assert "() was called without await" in str(raised)
    assert "lost" not in str(raised)


HOOKS = ("on_start", "on_running", "process_frame", "on_ending", "on_interruption", "on_end", "cleanup")


@pytest.mark.parametrize("place", [*HOOKS, "child"])
@pytest.mark.parametrize("on_error", ["fail", "report"])
async def test_it_is_told_wherever_it_happens_by_the_policy_of_the_stage(place: str, on_error: Any) -> None:
    stage = Forgets(name="culprit", on_error=on_error)
    stage.place = place
    report, raised = await run(stage)
    assert {told.stage for told in report.errors} == {"culprit"}
    assert report.state is (RunState.FAILED if on_error == "fail" else RunState.ENDED)
    assert (raised is not None) == (on_error == "fail")


async def test_the_line_and_the_function_are_named() -> None:
    report, _ = await run(Forgets())
    line = statement.__code__.co_firstlineno + 1
    assert report.errors[0].message.startswith("RuntimeError: push_frame() was called without await at ")
    assert f"test_unawaited.py:{line} in statement" in str(report.errors[0].exception)


async def test_a_coroutine_of_an_inline_stage_is_told_too() -> None:
    class Works(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            self.work()  # type: ignore[unused-coroutine]
            return (frame,)

        async def work(self) -> None:
            pass

    report, _ = await run(Works(name="culprit"))
    assert report.errors[0].stage == "culprit"
    assert "work() was called without await" in report.errors[0].message


async def test_a_coroutine_of_a_device_stage_is_told_too() -> None:
    class Works(DeviceStage):
        async def work_when_idle(self) -> bool:
            self.push_frame(TextFrame("lost"))  # type: ignore[unused-coroutine]
            return False

    report, raised = await run(Works(name="culprit"))
    assert raised is not None
    assert report.errors[0].stage == "culprit"


async def test_the_stage_that_forgot_is_named_among_several_runs() -> None:
    right, wrong = PipelineTask(Recorder()), PipelineTask(Forgets(name="culprit"))
    running = asyncio.create_task(right.run())
    await wrong.queue_frame(TextFrame("a"))
    with pytest.raises(PipelineError, match="culprit failed"):
        await wrong.run()
    right.end()
    assert (await running).errors == ()


async def test_a_queue_frame_that_is_not_awaited_fails_the_run() -> None:
    task = PipelineTask(Recorder())
    asyncio.get_running_loop().call_later(0.1, lambda: task.queue_frame(TextFrame("lost")) and None)
    with pytest.raises(PipelineError, match=r"the program failed: .*queue_frame\(\) was called without"):
        await task.run()


# -- legal ------------------------------------------------------------------------------------


class Pushes(FrameProcessor):
    """A stage that pushes by the function that it is given."""

    how: Callable[[FrameProcessor, Frame], Any]

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await type(self).how(self, frame)


async def as_a_task(stage: FrameProcessor, frame: Frame) -> None:
    task = asyncio.create_task(stage.push_frame(frame))
    await asyncio.sleep(0.01)
    assert task.done()


async def as_its_own_task(stage: FrameProcessor, frame: Frame) -> None:
    stage.create_task(stage.push_frame(frame))


async def side_by_side(stage: FrameProcessor, frame: Frame) -> None:
    await asyncio.gather(stage.push_frame(frame), stage.push_frame(TextFrame("b")))


async def within_a_limit(stage: FrameProcessor, frame: Frame) -> None:
    await asyncio.wait_for(stage.push_frame(frame), 1)


async def kept_and_awaited(stage: FrameProcessor, frame: Frame) -> None:
    pushes = [stage.push_frame(TextFrame(str(n))) for n in range(3)]
    await asyncio.sleep(0)
    for push in pushes:
        await push


async def closed(stage: FrameProcessor, frame: Frame) -> None:
    stage.push_frame(frame).close()


async def cancelled_before_its_first_step(stage: FrameProcessor, frame: Frame) -> None:
    task = asyncio.create_task(stage.push_frame(frame))
    task.cancel()
    await asyncio.wait([task])


LEGAL = [
    as_a_task,
    as_its_own_task,
    side_by_side,
    within_a_limit,
    kept_and_awaited,
    closed,
    cancelled_before_its_first_step,
]


@pytest.mark.heavy
@pytest.mark.parametrize("how", LEGAL)
async def test_every_legal_use_of_a_push_is_no_error(how: Any) -> None:
    stage: Processor = type("Stage", (Pushes,), {"how": staticmethod(how)})()
    report, raised = await run(stage)
    gc.collect()
    assert (report.errors, raised) == ((), None)


async def test_a_coroutine_of_somebody_else_is_warned_of_by_python_itself() -> None:
    async def other() -> None:
        pass

    class Calls(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            other()  # type: ignore[unused-coroutine]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report, raised = await run(Calls())
    assert (report.errors, raised) == ((), None)
    assert [str(each.message).splitlines()[0][-21:] for each in caught] == [
        " was never awaited"[-21:]
    ] or caught


# -- the watch itself --------------------------------------------------------------------------


def pythons_own() -> Any:
    return warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]


async def test_nothing_of_the_watch_is_left_after_the_last_run() -> None:
    before = pythons_own()
    await run(Recorder())
    assert pythons_own() is before
    await run(Forgets())
    assert pythons_own() is before


def test_two_watches_are_one() -> None:
    before = pythons_own()
    begin_watch()
    begin_watch()
    end_watch()
    assert pythons_own() is not before
    end_watch()
    assert pythons_own() is before


def test_somebody_who_stands_in_front_meanwhile_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pythons_own()
    told: list[object] = []
    begin_watch()
    ours = pythons_own()

    def other(coroutine: Any) -> None:
        told.append(coroutine.__name__)
        ours(coroutine)

    async def forgotten() -> None:
        pass

    monkeypatch.setattr(warnings, "_warn_unawaited_coroutine", other)
    try:
        end_watch()
        begin_watch()  # this time it is not in front
        end_watch()
        with pytest.warns(RuntimeWarning, match="never awaited"):
            forgotten()  # type: ignore[unused-coroutine]
        assert told == ["forgotten"]
    finally:
        monkeypatch.setattr(warnings, "_warn_unawaited_coroutine", ours)
        begin_watch()
        end_watch()
        assert pythons_own() is before
        monkeypatch.undo()
        monkeypatch.setattr(warnings, "_warn_unawaited_coroutine", before)
