"""A stage that takes some classes of frames: all others pass by it at once, and its End stays behind them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.sound import virtual_loop
from support.stages import DOWN, UP, Ends, InlineRecorder, Recorder
from voicepipe import (
    AudioFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    InterruptionFrame,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    StartParams,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
)


class Thinks(FrameProcessor):
    """Takes text, thinks for 3 s, and answers."""

    takes = (TextFrame,)

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Frame] = []
        self.known: list[Frame] = []

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        self.known.append(fact)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.taken.append(frame)
        await asyncio.sleep(3.0)
        await self.push_frame(TranscriptionFrame("answer"))


@pytest.mark.parametrize("direction", [DOWN, UP])
@pytest.mark.parametrize(
    "frame",
    [
        InputAudioFrame(bytes(640)),
        OutputAudioFrame(bytes(640)),
        TranscriptionFrame("x"),
        ErrorFrame("oh"),
        UserStartedSpeakingFrame(),
    ],
    ids=lambda frame: type(frame).__name__ if isinstance(frame, Frame) else frame.name,
)
async def test_other_frames_pass_by_a_busy_stage_at_once(frame: Frame, direction: FrameDirection) -> None:
    ear, thinks, mouth = Recorder("ear"), Thinks(), Recorder("mouth")
    task = PipelineTask(Pipeline([ear, thinks, mouth]))
    running = asyncio.create_task(task.run())
    ends = Ends(task)
    await ends.started.wait()
    await ear.push_frame(TextFrame("think"))
    await asyncio.sleep(1.0)
    await (ear if direction is DOWN else mouth).push_frame(frame, direction)
    await asyncio.sleep(0.01)
    assert frame in (mouth if direction is DOWN else ear).frames
    assert thinks.taken[0] not in mouth.frames
    task.end()
    report = await running
    assert [type(each) for each in thinks.taken] == [TextFrame]
    assert thinks.known == ([frame] if isinstance(frame, UserStartedSpeakingFrame) else [])
    seam = next(seam for seam in report.seams if seam.name == "Thinks")
    samples = frame.num_samples if isinstance(frame, AudioFrame) else 0
    assert (seam.taken, seam.given, seam.held, seam.dropped) == (samples, samples, 0, {})


async def test_a_pusher_does_not_wait_for_a_stage_that_does_not_take_its_frames() -> None:
    ear, thinks, mouth = Recorder("ear"), Thinks(), Recorder("mouth")
    task = PipelineTask(Pipeline([ear, thinks, mouth]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    pushers = [asyncio.ensure_future(ear.push_frame(TextFrame(str(n)))) for n in range(40)]  # too many
    began_s = virtual_loop().time()
    for _ in range(1000):
        await ear.push_frame(InputAudioFrame(bytes(640)))
    assert virtual_loop().time() - began_s < 0.1
    await asyncio.sleep(0.01)
    assert sum(isinstance(frame, InputAudioFrame) for frame in mouth.frames) == 1000
    task.cancel()
    await asyncio.gather(running, *pushers)


async def test_the_end_comes_behind_what_has_passed_by_and_behind_the_answer() -> None:
    order: list[str] = []

    class Notes(Recorder):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            order.append(type(frame).__name__)
            await super().process_frame(frame, direction)

        async def on_end(self) -> None:
            order.append("end")

    task = PipelineTask(Pipeline([Thinks(), Notes()]))
    for frame in (TextFrame("think"), InputAudioFrame(bytes(2)), OutputAudioFrame(bytes(2))):
        await task.queue_frame(frame)
    task.end()
    await task.run()
    assert order == ["InputAudioFrame", "OutputAudioFrame", "TranscriptionFrame", "end"]


async def test_a_slow_branch_that_takes_no_audio_holds_up_nobody() -> None:
    other, behind = Recorder("other"), Recorder("behind")
    thinks = Thinks()
    task = PipelineTask(Pipeline([ParallelPipeline([thinks], [other]), behind]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await task.queue_frame(TextFrame("think"))
    for _ in range(200):
        await task.queue_frame(InputAudioFrame(bytes(640)))
    await asyncio.sleep(0.1)
    assert sum(isinstance(frame, InputAudioFrame) for frame in behind.frames) == 200
    task.end()
    await running
    assert sum(isinstance(frame, InputAudioFrame) for frame in behind.frames) == 200, "each left once"


@pytest.mark.parametrize("takes", [(), (TextFrame,), (InputAudioFrame,)], ids=str)
@pytest.mark.parametrize("kind", [TextFrame, InputAudioFrame])
async def test_nothing_passes_by_a_stage_before_start_frame(
    takes: tuple[type[Frame], ...], kind: type[Frame]
) -> None:
    frame = kind("early") if kind is TextFrame else kind(bytes(2))  # type: ignore[call-arg]

    class Early(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            await self.push_frame(frame)

    stage = Recorder("stage")
    stage.takes = takes
    task = PipelineTask(Pipeline([Early(), stage, InlineRecorder("behind")]))
    ends = Ends(task)
    task.end()
    await task.run()
    assert [type(each).__name__ for each in ends.down] == ["StartFrame", kind.__name__, "EndFrame"]


async def test_an_interruption_reaches_the_hook_of_a_stage_that_does_not_take_it() -> None:
    interrupted: list[float] = []

    class Waits(Thinks):
        cut_on_interruption = True

        def on_interruption(self) -> None:
            interrupted.append(virtual_loop().time())

    waits, mouth = Waits(), Recorder("mouth")
    task = PipelineTask(Pipeline([waits, mouth]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("think"))
    await asyncio.sleep(1.0)
    task.interrupt()
    await asyncio.sleep(0.01)
    assert interrupted == [1.0]
    assert [type(frame) for frame in mouth.frames] == [InterruptionFrame]
    task.end()
    report = await running
    assert report.dropped_frames == {"interrupted": 1}
    assert report.seconds < 2.0, "the handling was cut"


@pytest.mark.parametrize(
    ("takes", "message"),
    [
        (TextFrame, r"must be a tuple: takes = \(TextFrame,\)"),
        ([TextFrame], "must be a tuple of classes of frames"),
        ((TextFrame, str), "must be a tuple of classes of frames"),
        ((TextFrame("x"),), "must be a tuple of classes of frames"),
        ("TextFrame", "must be a tuple of classes of frames"),
    ],
    ids=["a class", "a list", "no frame", "an object", "a name"],
)
async def test_bad_takes_are_refused_before_anything_opens(takes: Any, message: str) -> None:
    stage, recorder = Recorder("stage"), Recorder("other")
    stage.takes = takes
    task = PipelineTask(Pipeline([stage, recorder]))
    with pytest.raises(TypeError, match=message):
        await task.run()
    assert recorder.events == []
