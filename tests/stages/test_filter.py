"""A filter passes some classes of frames and drops others; system frames always pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from support.stages import DOWN, UP, Ends, Recorder
from voicepipe import (
    AudioFrame,
    ControlFrame,
    DataFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameFilter,
    InlineProcessor,
    InputAudioFrame,
    InterruptionFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    StartFrame,
    SystemFrame,
    TextFrame,
    TranscriptionFrame,
    UtteranceFrame,
)


class Alarm(SystemFrame):
    pass


class Mark(ControlFrame):
    pass


class OtherMark(ControlFrame):
    pass


FRAMES: list[Frame] = [
    AudioFrame(bytes(4)),
    InputAudioFrame(bytes(4)),
    OutputAudioFrame(bytes(4)),
    UtteranceFrame(bytes(4)),
    TextFrame("a"),
    TranscriptionFrame("a"),
    Mark(),
    OtherMark(),
    ErrorFrame("oh"),
    InterruptionFrame(),
    Alarm(),
]
KINDS: list[type[Frame]] = [
    Frame,
    DataFrame,
    ControlFrame,
    SystemFrame,
    AudioFrame,
    OutputAudioFrame,
    TextFrame,
]


def passed(stage: FrameFilter, direction: FrameDirection = DOWN) -> list[Frame]:
    out: list[Frame] = []
    for frame in FRAMES:
        kept = list(stage.process(frame, direction))
        assert kept in ([], [frame])
        out += kept
    return out


@pytest.mark.parametrize("size", [0, 1, 2])
def test_what_passes_is_kept_and_not_dropped_or_a_system_frame(size: int) -> None:
    for keep in itertools.combinations(KINDS, size):
        for drop in itertools.chain.from_iterable(itertools.combinations(KINDS, n) for n in (0, 1, 2)):
            expected = [
                frame
                for frame in FRAMES
                if isinstance(frame, SystemFrame)
                or ((not keep or isinstance(frame, keep)) and not isinstance(frame, drop))
            ]
            assert passed(FrameFilter(*keep, drop=drop)) == expected


def test_a_filter_without_classes_passes_everything() -> None:
    assert passed(FrameFilter()) == FRAMES


def test_a_kept_class_passes_with_its_subclasses() -> None:
    names = [type(frame).__name__ for frame in passed(FrameFilter(AudioFrame))]
    assert names[:4] == ["AudioFrame", "InputAudioFrame", "OutputAudioFrame", "UtteranceFrame"]
    assert names[4:] == ["ErrorFrame", "InterruptionFrame", "Alarm"]


def test_one_dropped_class_needs_no_tuple() -> None:
    assert passed(FrameFilter(drop=TextFrame)) == [f for f in FRAMES if not isinstance(f, TextFrame)]


def test_drop_wins_over_keep() -> None:
    names = [type(frame).__name__ for frame in passed(FrameFilter(AudioFrame, drop=OutputAudioFrame))]
    assert "OutputAudioFrame" not in names
    assert "InputAudioFrame" in names
    assert not [f for f in passed(FrameFilter(TextFrame, drop=TextFrame)) if not f.is_system]


@pytest.mark.parametrize("drop", [Frame, SystemFrame, (ErrorFrame, InterruptionFrame, Alarm)])
def test_system_frames_pass_even_where_they_are_to_be_dropped(drop: Any) -> None:
    system = [frame for frame in FRAMES if isinstance(frame, SystemFrame)]
    assert len(system) == 3
    for stage in (FrameFilter(drop=drop), FrameFilter(TextFrame, drop=drop)):
        for direction in FrameDirection:
            assert [frame for frame in passed(stage, direction) if frame.is_system] == system


@pytest.mark.parametrize("direction", FrameDirection)
def test_a_filter_of_one_direction_lets_the_other_way_pass(direction: FrameDirection) -> None:
    stage = FrameFilter(drop=(DataFrame, ControlFrame), direction=direction)
    for way in FrameDirection:
        assert passed(stage, way) == (FRAMES[-3:] if way is direction else FRAMES)


def test_a_filter_of_no_direction_filters_both_ways() -> None:
    stage = FrameFilter(drop=Frame)
    assert passed(stage, DOWN) == passed(stage, UP) == FRAMES[-3:]


@pytest.mark.parametrize("bad", [3, None, "TextFrame", int, TextFrame("a"), [TextFrame], (TextFrame, int)])
def test_what_is_no_class_of_frames_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^keep and drop must be classes of frames, not "):
        FrameFilter(bad)
    with pytest.raises(TypeError, match=r"^keep and drop must be classes of frames, not "):
        FrameFilter(TextFrame, drop=bad)


@pytest.mark.parametrize("bad", ["down", "DOWNSTREAM", True, 0])
def test_a_direction_that_is_none_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"^direction must be a FrameDirection or None, not "):
        FrameFilter(direction=bad)


class Answers(InlineProcessor):
    """Passes all on."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return (frame,)


async def test_in_a_run_only_what_passes_arrives_and_the_life_cycle_is_not_filtered() -> None:
    before, behind = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([before, FrameFilter(drop=Frame), Answers(), behind]))
    ends = Ends(task)
    sent = [frame for frame in FRAMES if not frame.is_request]
    for frame in sent:
        await task.queue_frame(frame)
    task.end()
    report = await task.run()
    assert {type(frame) for frame in before.frames} == {type(frame) for frame in sent}
    assert {type(frame) for frame in behind.frames} == {ErrorFrame, Alarm}
    assert behind.events == ["start", "end", "cleanup"]
    assert {type(frame) for frame in ends.down} == {StartFrame, ErrorFrame, Alarm, EndFrame}
    assert not report.dropped_frames  # a filter's choice is no loss
