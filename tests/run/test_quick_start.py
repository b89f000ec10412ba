"""A start that waits for nobody who has nothing to open, and an end that tells nobody of what is usual."""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pytest

from support.stages import DOWN, UP, Ends, InlineRecorder, Recorder, forever
from voicepipe import (
    EndFrame,
    Frame,
    FrameProcessor,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    StartFrame,
    StartParams,
    TextFrame,
)
from voicepipe.pipeline.device_stage import DeviceStage


class Watches(DeviceStage):
    """Works on something for ever, as soon as it is open."""

    async def work_when_idle(self) -> bool:
        await forever()
        return True


class Opens(FrameProcessor):
    """Has something to open, and pushes a frame in both directions before the start."""

    async def on_start(self, params: StartParams) -> None:
        await self.push_frame(TextFrame("down"), DOWN)
        await self.push_frame(TextFrame("up"), UP)


PIPELINES: dict[str, list[Processor]] = {
    "empty": [],
    "inline": [InlineRecorder("a"), InlineRecorder("b")],
    "mailboxes": [Recorder("a"), Recorder("b")],
    "nested": [Recorder("a"), Pipeline([Recorder("b"), Pipeline([InlineRecorder("c")])])],
    "branches": [ParallelPipeline([Recorder("a")], [InlineRecorder("b")], []), Recorder("c")],
}


class NothingToOpen(FrameProcessor):
    """Has no hooks."""


@pytest.mark.parametrize("stages", [[], [NothingToOpen()], [NothingToOpen(), NothingToOpen()]], ids=len)
async def test_what_has_nothing_to_open_is_started_in_one_step(stages: list[Processor]) -> None:
    task = PipelineTask(Pipeline(stages))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0)
    assert [type(frame) for frame in ends.down] == [StartFrame]
    task.end()
    await running


@pytest.mark.parametrize("stages", PIPELINES.values(), ids=PIPELINES)
async def test_start_passes_every_shape_of_pipeline(stages: list[Processor]) -> None:
    task = PipelineTask(Pipeline(stages))
    ends = Ends(task)
    task.end()
    await task.run()
    assert [type(frame) for frame in ends.down] == [StartFrame, EndFrame]


async def test_a_stage_that_is_busy_does_not_hold_up_the_start() -> None:
    task = PipelineTask(Pipeline([Watches(), Recorder()]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await asyncio.wait_for(ends.started.wait(), 1.0)
    task.cancel()
    await running


@pytest.mark.parametrize(
    "before", [[], [InlineRecorder("i")], [Recorder("m")]], ids=["none", "inline", "mailbox"]
)
async def test_what_is_pushed_early_comes_behind_start_frame_in_both_directions(
    before: list[Processor],
) -> None:
    seen: list[tuple[type[Frame], object]] = []
    task = PipelineTask(Pipeline([*before, Opens()]))
    task.subscribe(lambda frame, direction: seen.append((type(frame), direction)))
    asyncio.get_running_loop().call_later(1.0, task.end)
    await task.run()
    assert seen[0] == (StartFrame, DOWN)
    assert sorted(seen[1:-1], key=str) == sorted([(TextFrame, DOWN), (TextFrame, UP)], key=str)


async def test_a_stages_task_that_is_cancelled_before_its_first_step_fails_the_run() -> None:
    task = PipelineTask(Pipeline([NothingToOpen(name="gone"), NothingToOpen()]), name="run")
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0)
    (victim,) = [other for other in asyncio.all_tasks() if other.get_name() == "run:gone:stage"]
    victim.cancel()
    with pytest.raises(PipelineError, match="gone failed"):
        await asyncio.wait_for(running, 30.0)


async def test_a_run_leaves_no_trace_in_the_context_of_its_caller() -> None:
    before = dict(copy_context().items())
    for stages in ([NothingToOpen()], [Opens()], [InlineRecorder()]):
        task = PipelineTask(Pipeline(stages))
        await task.queue_frame(TextFrame("early"))
        task.end()
        await task.run()
        assert dict(copy_context().items()) == before
