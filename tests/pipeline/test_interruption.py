"""The user speaks while the program speaks: what is interruptible goes, at once, everything else stays."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

import pytest

from support.stages import Does, Ends, Recorder, forever
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InterruptionFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunState,
    TextFrame,
    TranscriptionFrame,
)


def words(frames: Iterable[Frame]) -> list[str]:
    return [frame.text for frame in frames if isinstance(frame, (TextFrame, TranscriptionFrame))]


class Slow(FrameProcessor):
    """A second for every frame; notes what was cut."""

    def __init__(self) -> None:
        super().__init__(name="slow")
        self.cut: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, InterruptionFrame):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                self.cut.append(frame)
                raise
        await self.push_frame(frame, direction)


async def test_interruptible_data_is_dropped_and_its_handling_cancelled() -> None:
    slow = Slow()
    task = PipelineTask(Pipeline([slow, Recorder()]))
    ends = Ends(task)
    for n in range(4):
        await task.queue_frame(TextFrame(f"say {n}"))
        await task.queue_frame(TranscriptionFrame(f"heard {n}"))
    asyncio.get_running_loop().call_later(2.5, task.interrupt)
    asyncio.get_running_loop().call_later(2.6, task.end)
    report = await task.run()
    assert words(slow.cut) == ["say 1"]
    assert words(ends.down) == ["say 0", "heard 0", "heard 1", "heard 2", "heard 3"]
    assert report.dropped_frames == {"interrupted": 3}
    assert report.state is RunState.ENDED


async def test_what_is_not_interruptible_is_handled_to_its_end() -> None:
    slow = Slow()
    task = PipelineTask(Pipeline([slow]))
    ends = Ends(task)
    await task.queue_frame(TranscriptionFrame("heard"))
    asyncio.get_running_loop().call_later(0.5, task.interrupt)
    asyncio.get_running_loop().call_later(0.6, task.end)
    await task.run()
    assert slow.cut == []
    assert words(ends.down) == ["heard"]


async def test_a_stage_that_answers_can_have_any_data_frame_cut() -> None:
    class Answers(Slow):
        cut_on_interruption: ClassVar[bool] = True

    answers = Answers()
    task = PipelineTask(Pipeline([answers]))
    ends = Ends(task)
    await task.queue_frame(TranscriptionFrame("first"))
    await task.queue_frame(TranscriptionFrame("second"))
    asyncio.get_running_loop().call_later(0.5, task.interrupt)
    asyncio.get_running_loop().call_later(0.6, task.end)
    await task.run()
    assert words(answers.cut) == ["first"]
    assert words(ends.down) == ["second"]


async def test_every_stage_sees_the_interruption_after_the_framework_acted() -> None:
    seen: list[str] = []

    class Watches(InlineProcessor):
        def on_interruption(self) -> None:
            seen.append("hook")

        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            if isinstance(frame, InterruptionFrame):
                seen.append("frame")
            return (frame,)

    task = PipelineTask(Pipeline([Watches(), Recorder(), Watches()]))
    ends = Ends(task)
    asyncio.get_running_loop().call_later(1, task.interrupt)
    asyncio.get_running_loop().call_later(2, task.end)
    await task.run()
    assert seen == ["hook", "hook", "frame", "frame"]
    assert sum(isinstance(frame, InterruptionFrame) for frame in ends.down) == 1


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "mailbox"])
async def test_a_stage_may_ask_and_is_not_cut_itself(inline: bool) -> None:
    async def ask(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            await stage.push_frame(InterruptionFrame())
            await asyncio.sleep(0)
        await stage.push_frame(frame, direction)

    class Inline(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return (InterruptionFrame(), frame) if isinstance(frame, TranscriptionFrame) else (frame,)

    slow = Slow()
    asks = Inline() if inline else Does(ask)
    task = PipelineTask(Pipeline([asks, slow]))
    ends = Ends(task)
    if inline:
        await task.queue_frame(TextFrame("being said"))
        asyncio.get_running_loop().call_later(
            0.5, lambda: asyncio.ensure_future(task.queue_frame(TranscriptionFrame("stop!")))
        )
    else:
        await task.queue_frame(TranscriptionFrame("stop!"))
    asyncio.get_running_loop().call_later(3, task.end)
    await task.run()
    assert words(ends.down) == ["stop!"]
    assert words(slow.cut) == (["being said"] if inline else [])


async def test_a_stage_that_keeps_the_cancellation_to_itself_goes_on_unharmed() -> None:
    lingering: list[int] = []

    def own_task() -> asyncio.Task[object]:
        task = asyncio.current_task()
        assert task is not None
        return task

    async def keeps(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            try:
                await forever()
            except asyncio.CancelledError:
                pass
            await asyncio.sleep(0.1)
        lingering.append(own_task().cancelling())
        await stage.push_frame(frame, direction)
        if isinstance(frame, TextFrame):
            await stage.push_frame(TranscriptionFrame("kept"), direction)

    task = PipelineTask(Pipeline([Does(keeps)]))
    ends = Ends(task)
    loop = asyncio.get_running_loop()
    for n in range(3):
        loop.call_later(n + 0.5, task.interrupt)
        loop.call_later(n, asyncio.ensure_future, task.queue_frame(TextFrame(str(n))))
    asyncio.get_running_loop().call_later(4, task.end)
    report = await task.run()
    assert words(ends.down) == ["kept"] * 3, "what began before an interruption makes nothing heard after it"
    assert report.dropped_frames == {"interrupted": 3}
    assert max(lingering) == 1  # while a frame is being cut, and never more
    assert report.state is RunState.ENDED


async def test_upstream_data_is_dropped_too() -> None:
    slow = Slow()

    async def push_up(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TranscriptionFrame):
            for n in range(3):
                await stage.push_frame(TextFrame(f"up {n}"), FrameDirection.UPSTREAM)

    task = PipelineTask(Pipeline([slow, Does(push_up)]))
    ends = Ends(task)
    await task.queue_frame(TranscriptionFrame("go"))
    asyncio.get_running_loop().call_later(2.5, task.interrupt)
    asyncio.get_running_loop().call_later(3, task.end)
    await task.run()
    assert words(ends.up) == ["up 0"]


async def test_an_interruption_reaches_a_stage_that_waits_for_room() -> None:
    cut: list[str] = []

    async def flood(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            try:
                for _ in range(1000):
                    await stage.push_frame(OutputAudioFrame(b"\0\0"))
            except asyncio.CancelledError:
                cut.append("flood")
                raise
        else:
            await stage.push_frame(frame, direction)

    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, OutputAudioFrame):
            await forever()

    task = PipelineTask(Pipeline([Does(flood, "flood"), Does(hang, "hang")]))
    await task.queue_frame(TextFrame("x"))
    asyncio.get_running_loop().call_later(1, task.interrupt)
    asyncio.get_running_loop().call_later(2, task.end)
    report = await task.run()
    assert cut == ["flood"]
    assert report.state is RunState.ENDED
    assert report.seconds == 2
    assert report.slow == ()


async def test_without_effect_unless_running() -> None:
    task = PipelineTask(Pipeline([Recorder()]))
    task.interrupt()
    ends = Ends(task)
    task.end()
    await task.run()
    task.interrupt()
    assert not any(isinstance(frame, InterruptionFrame) for frame in ends.down)


async def test_what_is_queued_after_an_interruption_is_not_dropped_by_it() -> None:
    task = PipelineTask(Pipeline([Slow()]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    await task.queue_frame(TextFrame("old"))
    task.interrupt()
    assert await task.queue_frame(TextFrame("new"))
    task.end()
    await running
    assert words(ends.down) == ["new"]


@pytest.mark.parametrize("steps", range(6))
async def test_an_interruption_behind_another_is_no_request_of_a_stage(
    steps: int,
) -> None:
    stages = [Recorder(f"stage {n}") for n in range(4)]
    task = PipelineTask(Pipeline(stages))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    task.interrupt()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.interrupt()
    await asyncio.sleep(1)  # it must not go in circles
    task.end()
    report = await running
    assert report.state is RunState.ENDED
    for stage in stages:
        assert len([frame for frame in stage.frames if isinstance(frame, InterruptionFrame)]) in (1, 2)


async def test_two_interruptions_under_way_at_once_arrive_once_each() -> None:
    """Pushed by a task of the stage, when it is no longer the frame in hand, one is no new request."""

    async def push_late(stage: FrameProcessor, frame: Frame) -> None:
        await asyncio.sleep(0.1)
        await stage.push_frame(frame)

    async def late(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        stage.create_task(push_late(stage, frame))

    task = PipelineTask(Pipeline([Does(late), Does(late, name="second")]))
    ends = Ends(task)
    loop = asyncio.get_running_loop()
    for at_s in (0.10, 0.15):
        loop.call_later(at_s, task.interrupt)
    loop.call_later(2.0, task.end)
    await task.run()
    assert sum(isinstance(frame, InterruptionFrame) for frame in ends.down) == 2
