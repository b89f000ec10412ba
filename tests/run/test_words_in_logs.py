"""The words and samples of a user appear in no log, report or error; the kind of a frame does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support.stages import Recorder, forever, stubborn
from voicepipe import (
    DataFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    SystemFrame,
    TextFrame,
    TranscriptionFrame,
)
from voicepipe.frames import kind_of
from voicepipe.log import LONGEST_LINE

SECRET = "my number is 4711"  # the words of a user
SAMPLES = b"4711" * 400


@dataclass(frozen=True, slots=True, eq=False)
class DiaryFrame(DataFrame):
    """A user's own frame; its repr shows everything."""

    text: str = SECRET
    raw: bytes = SAMPLES


@dataclass(frozen=True, slots=True, eq=False)
class UrgentFrame(SystemFrame):
    """A system frame with words."""

    text: str = SECRET


@dataclass(frozen=True, slots=True, eq=False)
class VoiceFrame(OutputAudioFrame):
    """Audio in a class whose repr is generated, and shows the samples."""

    spoken: str = SECRET


FRAMES: dict[str, Callable[[], Frame]] = {
    "TextFrame": lambda: TextFrame(SECRET),
    "TranscriptionFrame": lambda: TranscriptionFrame(SECRET),
    "DiaryFrame": DiaryFrame,
    "UrgentFrame": UrgentFrame,
    "VoiceFrame": lambda: VoiceFrame(SAMPLES),
    "InputAudioFrame": lambda: InputAudioFrame(SAMPLES),
}


@pytest.fixture(autouse=True)
def no_words_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.records:
        line = record.getMessage()
        assert "4711" not in line
        assert len(line) <= LONGEST_LINE


async def report_of(stage: Processor, *frames: Frame) -> str:
    """Run a stage, and return the report, the error and their reprs as one text."""
    task = PipelineTask(
        Pipeline([Recorder("before"), stage]), limits=Limits(stall_s=1, cancel_s=0.5, passed_by="report")
    )
    for frame in frames:
        await task.queue_frame(frame)
    task.end()
    raised = None
    try:
        await task.run()
    except PipelineError as error:
        raised = error
    return f"{raised} {raised!r} {task.report} {task.report!r}"


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("refuses", [False, True], ids=["hangs", "refuses to stop"])
async def test_a_stage_that_is_stuck_is_told_with_the_kind_of_its_frame(kind: str, refuses: bool) -> None:
    class Stuck(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await (stubborn(5) if refuses else forever())

    told = await report_of(Stuck(), FRAMES[kind]())
    assert "Stuck stood still for 1.0 s" in told
    assert f"holding {kind}" in told
    assert "4711" not in told
    await asyncio.sleep(10)


@pytest.mark.parametrize("audio", ["VoiceFrame", "InputAudioFrame"])
async def test_of_audio_the_length_is_told(audio: str) -> None:
    class Stuck(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await forever()

    assert f"holding {audio} of 800 samples (0.05 s)" in await report_of(Stuck(), FRAMES[audio]())


NO_FRAMES: dict[str, Any] = {
    "str": SECRET,
    "bytes": SAMPLES,
    "list": [SECRET],
    "dict": {"text": SECRET},
    "tuple": (SECRET, SAMPLES),
    "type": DiaryFrame,
}


@pytest.mark.parametrize("kind", NO_FRAMES)
@pytest.mark.parametrize("where", ["push_frame", "process", "in a list", "on_end"])
async def test_a_value_that_is_no_frame_is_told_by_its_class(where: str, kind: str) -> None:
    value = NO_FRAMES[kind]

    class Pushes(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await self.push_frame(value)

    class Returns(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return {"process": value, "in a list": [value]}.get(where, ())  # type: ignore[no-any-return]

        def on_end(self) -> Iterable[Frame]:
            return value if where == "on_end" else ()

    stage = Pushes(name="culprit") if where == "push_frame" else Returns(name="culprit")
    told = await report_of(stage, TextFrame("a"))
    assert "culprit failed: TypeError: " in told
    assert "4711" not in told


@pytest.mark.parametrize("kind", FRAMES)
async def test_a_frame_instead_of_a_tuple_is_told_by_its_kind(kind: str) -> None:
    class Returns(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return frame  # type: ignore[return-value]

    told = await report_of(Returns(), FRAMES[kind]())
    assert f"Returns.process must return an iterable of frames, not {kind}" in told
    assert "4711" not in told


@pytest.mark.parametrize("kind", FRAMES)
async def test_a_push_before_the_start_is_told_by_its_kind(kind: str) -> None:
    with pytest.raises(RuntimeError, match=f"it cannot push {kind}") as caught:
        await FrameProcessor().push_frame(FRAMES[kind]())
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize("kind", NO_FRAMES)
async def test_what_cannot_be_queued_is_told_by_its_class(kind: str) -> None:
    with pytest.raises(TypeError, match=f"frame must be a Frame, not {kind}$"):
        await PipelineTask(Recorder()).queue_frame(NO_FRAMES[kind])


async def test_asyncio_in_its_debug_mode_tells_no_words(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    try:
        for make in FRAMES.values():
            task = PipelineTask(Pipeline([Recorder("a"), Recorder("b")]))
            await task.queue_frame(make())
            task.end()
            await task.run()
    finally:
        loop.set_debug(False)
    assert any(record.name == "asyncio" for record in caplog.records)


async def test_a_stage_with_a_long_name_makes_no_long_line(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            raise ValueError("x" * 1000)

    task = PipelineTask(Pipeline([Fails(name="n" * 300, on_error="report")]), name="r" * 300)
    await task.queue_frame(TextFrame("a"))
    task.end()
    await task.run()
    assert len(caplog.messages[-1]) == LONGEST_LINE


@pytest.mark.parametrize("kind", FRAMES)
def test_the_kind_of_a_frame_is_its_class_and_length(kind: str) -> None:
    described = kind_of(FRAMES[kind]())
    assert described.split()[0] == kind
    assert "4711" not in described


@pytest.mark.parametrize("value", [None, 3, SECRET, object()])
def test_the_kind_of_another_value_is_its_class(value: object) -> None:
    assert kind_of(value) == type(value).__name__
