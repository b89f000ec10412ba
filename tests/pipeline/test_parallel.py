"""Branches side by side: every branch gets the same object, and it leaves once."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from support.stages import UP, Does, Ends, InlineRecorder, Recorder, forever
from voicepipe import (
    DataFrame,
    EndFrame,
    Frame,
    FrameDirection,
    FrameFilter,
    FrameProcessor,
    InlineProcessor,
    Limits,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    StartFrame,
    StartParams,
    TextFrame,
)
from voicepipe.pipeline.junction import Copies


class Upper(InlineProcessor):
    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return (TextFrame(frame.text.upper()),) if isinstance(frame, TextFrame) else (frame,)


async def sent_through(*stages: Processor, frames: Iterable[Frame]) -> list[Frame]:
    """What comes out of a run of these stages, without its Start and its End."""
    task = PipelineTask(Pipeline(stages))
    ends = Ends(task)
    for frame in frames:
        await task.queue_frame(frame)
    task.end()
    await task.run()
    return ends.down[1:-1]


async def test_every_branch_gets_the_same_object_and_it_leaves_once() -> None:
    a, b = Recorder(), InlineRecorder()
    frames = [TextFrame(str(n)) for n in range(50)]
    out = await sent_through(ParallelPipeline([a], [b], []), Recorder(), frames=frames)
    assert a.frames == b.frames == frames
    assert out == frames


async def test_a_changed_frame_leaves_as_it_comes_beside_the_one_it_came_from() -> None:
    out = await sent_through(ParallelPipeline([Upper()], []), frames=[TextFrame("a")])
    assert sorted(frame.text for frame in out if isinstance(frame, TextFrame)) == ["A", "a"]


async def test_a_frame_that_only_one_branch_passes_leaves_once() -> None:
    frame = TextFrame("a")
    drop = FrameFilter(drop=TextFrame)
    assert await sent_through(ParallelPipeline([drop], []), frames=[frame]) == [frame]
    assert await sent_through(ParallelPipeline([FrameFilter(drop=TextFrame)]), frames=[frame]) == []


async def test_an_object_sent_twice_leaves_twice() -> None:
    frame = TextFrame("again")
    assert await sent_through(ParallelPipeline([Recorder()], []), frames=[frame, frame, frame]) == [frame] * 3


async def test_a_branch_may_send_a_frame_of_its_own_many_times() -> None:
    beep = TextFrame("beep")

    class Beeps(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return (beep, beep)

    assert await sent_through(ParallelPipeline([Beeps()]), frames=[TextFrame("x")]) == [beep, beep]


async def test_frames_that_compare_by_value_are_told_apart_by_identity() -> None:
    @dataclass(frozen=True)
    class Value(DataFrame):
        numbers: list[int]

    frames = [Value([1]), Value([1])]
    out = await sent_through(ParallelPipeline([Recorder()], []), frames=frames)
    assert [id(frame) for frame in out] == [id(frame) for frame in frames]


async def test_upstream_frames_pass_through_branches_once() -> None:
    note = TextFrame("up")

    async def answer(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(note, UP)

    a, b, before = Recorder(), Recorder(), Recorder()
    task = PipelineTask(Pipeline([before, ParallelPipeline([a], [b]), Does(answer)]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("x"))
    asyncio.get_running_loop().call_later(1, task.end)
    await task.run()
    assert [recorder.frames.count(note) for recorder in (a, b, before)] == [1, 1, 1]
    assert ends.up == [note]


async def test_the_end_leaves_when_the_slowest_branch_has_returned_it() -> None:
    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(5)
        await stage.push_frame(TextFrame("slow"), direction)

    out = await sent_through(ParallelPipeline([Does(slowly)], []), frames=[TextFrame("quick")])
    assert [frame.text for frame in out if isinstance(frame, TextFrame)] == ["quick", "slow"]


async def test_a_stuck_branch_is_passed_by_and_the_end_leaves_once() -> None:
    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await forever()

    behind = Recorder()
    parallel = ParallelPipeline([Does(hang, "stuck")], [Recorder()])
    task = PipelineTask(Pipeline([parallel, behind]), limits=Limits(stall_s=2, passed_by="report"))
    ends = Ends(task)
    await task.queue_frame(TextFrame("x"))
    task.end()
    report = await task.run()
    assert [slow.stage for slow in report.slow] == ["stuck"]
    assert behind.events == ["start", "end", "cleanup"]
    assert sum(isinstance(frame, EndFrame) for frame in ends.down) == 1


async def test_order_is_kept_within_a_branch_and_parallel_pipelines_nest() -> None:
    frames = [TextFrame(str(n)) for n in range(100)]
    inner = ParallelPipeline([Recorder()], [Pipeline([InlineRecorder(), Recorder()])])
    out = await sent_through(ParallelPipeline([inner, Recorder()], [Recorder()]), Recorder(), frames=frames)
    assert out == frames


async def test_a_full_branch_holds_the_pusher_back() -> None:
    most = 0

    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        nonlocal most
        await asyncio.sleep(0.1)
        most = max(most, sent - int(frame.text if isinstance(frame, TextFrame) else 0))

    sent = 0
    task = PipelineTask(Pipeline([ParallelPipeline([Does(slowly)], [Recorder()], [Does(slowly)])]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.01)
    for sent in range(200):  # read by `slowly`
        await task.queue_frame(TextFrame(str(sent)))
    task.end()
    report = await running
    assert most <= 35
    assert all(seam.balanced for seam in report.seams)


@pytest.mark.heavy
def test_nothing_accumulates_for_frames_that_are_gone() -> None:
    copies = Copies(2)
    frames = [TextFrame(str(n)) for n in range(1000)]
    for frame in frames:
        copies.enter(frame)
        copies.leave(frame, 0)  # the other branch dropped it
    assert len(copies) == 1000
    frames.clear()
    frame = TextFrame("another")
    gc.collect()
    assert len(copies) == 0


@pytest.mark.parametrize(
    "bad", [[], [3], [[3]], [Recorder]], ids=["no branch", "a number", "no stage", "a class"]
)
def test_what_is_no_branch_is_refused(bad: list[object]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"branch|processor|stage|class"):
        ParallelPipeline(*bad)  # type: ignore[arg-type]


async def test_nothing_leaves_before_start_frame_which_waits_for_the_slowest_branch() -> None:
    class Early(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            await self.push_frame(TextFrame("early"))

    task = PipelineTask(Pipeline([ParallelPipeline([Early()], [Recorder(), Recorder()])]))
    ends = Ends(task)
    asyncio.get_running_loop().call_later(1, task.end)
    await task.run()
    assert [type(frame) for frame in ends.down] == [StartFrame, TextFrame, EndFrame]
