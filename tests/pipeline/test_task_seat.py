"""The task of a stage: its code runs there, frame after frame, whatever the stage and its pusher do."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from itertools import pairwise
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
    PipelineTask,
    TextFrame,
)

_mood: contextvars.ContextVar[str] = contextvars.ContextVar("mood", default="none")


@asynccontextmanager
async def running(*stages: FrameProcessor) -> AsyncIterator[PipelineTask]:
    """A pipeline whose stages all wait for a frame."""
    task = PipelineTask(Pipeline(list(stages)), limits=Limits(stall_s=3, passed_by="report"))
    ends = Ends(task)
    run = asyncio.create_task(task.run())
    await ends.started.wait()
    await asyncio.sleep(0.1)
    try:
        yield task
    finally:
        task.end()
        await run


async def test_a_stage_runs_in_its_own_task_and_context() -> None:
    seen: list[tuple[str, str]] = []

    async def look(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        current = asyncio.current_task()
        assert current is not None
        seen.append((current.get_name().split(":", 1)[1], _mood.get()))
        _mood.set(stage.name)
        await stage.push_frame(frame, direction)

    async with running(Does(look, "first"), Does(look, "second")) as task:
        pusher = asyncio.current_task()
        _mood.set("the pusher's")
        for _ in range(2):
            await task.queue_frame(TextFrame("x"))
        assert asyncio.current_task() is pusher
        assert _mood.get() == "the pusher's"
    assert sorted(seen) == sorted(
        [
            ("first:stage", "none"),
            ("second:stage", "none"),
            ("first:stage", "first"),
            ("second:stage", "second"),
        ]
    )


async def test_a_stage_that_waits_does_not_hold_its_pusher_and_goes_on_in_its_task() -> None:
    tasks: list[asyncio.Task[Any] | None] = []

    async def wait(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(1)
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        await stage.push_frame(frame, direction)

    behind = Recorder()
    async with running(Does(wait), behind) as task:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for name in "ab":
            await task.queue_frame(TextFrame(name))
        assert loop.time() == began
        await asyncio.sleep(2.5)
        assert [frame.text for frame in behind.frames if isinstance(frame, TextFrame)] == ["a", "b"]
    assert len(set(tasks)) == 1
    assert tasks[0] is not asyncio.current_task()


async def test_a_timeout_and_a_task_group_in_a_stage_are_the_stages_own() -> None:
    ended: list[str] = []

    async def limited(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        try:
            async with asyncio.timeout(0.5):
                await forever()
        except TimeoutError:
            ended.append("timeout")
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0.1))
            ended.append("group")
        await stage.push_frame(frame, direction)

    behind = Recorder()
    async with running(Does(limited), behind) as task:
        await task.queue_frame(TextFrame("x"))
        await asyncio.sleep(1)
        assert ended == ["timeout", "group"]
        assert len(behind.frames) == 1


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_a_cancellation_meets_what_was_begun_wherever_it_waits(turns: int) -> None:
    met: list[str] = []

    async def hold(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, TextFrame):
            return
        try:
            await forever()
        except asyncio.CancelledError:
            met.append("cancelled")
            raise

    stage = Does(hold)
    stage.cut_on_interruption = True  # type: ignore[misc]
    behind = Recorder()
    async with running(stage, behind) as task:
        await task.queue_frame(TextFrame("x"))
        task.interrupt()
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.sleep(0.5)
        assert met == ["cancelled"]
    assert task.report is not None
    assert task.report.dropped_frames == {"interrupted": 1}
    assert not task.report.forced


async def test_a_stage_may_cancel_its_own_task_before_it_waits() -> None:
    met: list[str] = []

    async def give_up(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            current.uncancel()
            met.append("cancelled")
        await stage.push_frame(frame, direction)

    behind = Recorder()
    async with running(Does(give_up), behind) as task:
        await task.queue_frame(TextFrame("x"))
        await asyncio.sleep(0.1)
        assert met == ["cancelled"]
        assert len(behind.frames) == 1


async def test_a_stage_that_only_pushes_lets_others_have_the_loop() -> None:
    produced = 0

    async def flood(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        nonlocal produced
        while produced < 1_000:
            produced += 1
            await stage.push_frame(TextFrame(str(produced)))

    behind = Recorder()
    async with running(Does(flood), Recorder(), behind) as task:
        await task.queue_frame(TextFrame("go"))
        turns: list[int] = []
        while produced < 1_000:
            turns.append(produced)
            await asyncio.sleep(0)
        assert max(b - a for a, b in pairwise(turns)) <= 3 * 32 + 10
        await asyncio.sleep(0.1)
        assert [f.text for f in behind.frames if isinstance(f, TextFrame)] == [
            str(n) for n in range(1, 1_001)
        ]


async def test_a_chain_of_hundreds_of_stages_does_not_grow_the_stack() -> None:
    stages = [Recorder(str(n)) for n in range(400)]
    async with running(*stages) as task:
        await task.queue_frame(TextFrame("x"))
        await asyncio.sleep(0.1)
        assert all(len(stage.frames) == 1 for stage in stages)


async def test_what_a_stage_raises_is_its_own_failure_and_not_its_pushers() -> None:
    async def fail(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        raise ValueError("no")

    pushed: list[str] = []

    async def push(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)
        pushed.append("the push returned")

    async def use() -> None:
        async with running(Does(push, "good"), Does(fail, "bad")) as task:
            await task.queue_frame(TextFrame("x"))
            assert pushed == ["the push returned"]

    with pytest.raises(PipelineError, match="bad failed: ValueError: no") as raised:
        await use()
    assert raised.value.report is not None
    assert not raised.value.report.forced


async def test_what_comes_back_while_a_stage_is_busy_waits_for_it() -> None:
    order: list[str] = []

    async def first(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, TextFrame)
        order.append(f"{frame.text} begins")
        if direction is FrameDirection.DOWNSTREAM:
            await stage.push_frame(frame, direction)
        order.append(f"{frame.text} ends")

    async def answer(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(TextFrame("answer"), FrameDirection.UPSTREAM)

    async with running(Does(first), Does(answer)) as task:
        await task.queue_frame(TextFrame("question"))
        await asyncio.sleep(0.1)
        assert order == ["question begins", "question ends", "answer begins", "answer ends"]


async def test_a_stage_may_return_anything_that_can_be_awaited() -> None:
    class Plain(FrameProcessor):
        def process_frame(self, frame: Frame, direction: FrameDirection) -> Awaitable[None]:  # type: ignore[override]
            return asyncio.ensure_future(self.push_frame(frame, direction))

    behind = Recorder()
    async with running(Plain(), behind) as task:
        await task.queue_frame(TextFrame("x"))
        await asyncio.sleep(0.1)
        assert len(behind.frames) == 1


async def test_where_a_stage_stands_is_told_from_its_first_wait_on() -> None:
    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await forever()

    async with running(Does(hang, "slow")) as task:
        await task.queue_frame(TextFrame("x"))
        await asyncio.sleep(0.1)
        assert [line.endswith("in forever") for line in task.where()] == [True]
