"""Frames are values that cannot change, and audio frames hold what they claim to."""

from __future__ import annotations

import copy
import math
import pickle
import weakref
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import Any

import numpy as np
import pytest

from support.stages import Ends, Recorder
from voicepipe import (
    AudioFormat,
    AudioFormatError,
    AudioFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    ControlFrame,
    DataFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    Gain,
    InputAudioFrame,
    InterruptionFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    StartFrame,
    StartParams,
    SystemFrame,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)

AUDIO = [AudioFrame, InputAudioFrame, OutputAudioFrame, UtteranceFrame]


@dataclass(frozen=True, slots=True, eq=False)
class MoodFrame(DataFrame):
    """As the docstring of frames.py shows it."""

    mood: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class SungFrame(AudioFrame):
    """Audio that knows more than audio."""

    verse: int = 0


class AlarmFrame(SystemFrame):
    """Not even a dataclass."""


def examples() -> list[Frame]:
    """One of each."""
    return [
        StartFrame(StartParams()),
        EndFrame("done"),
        CancelFrame("enough"),
        ErrorFrame("oh", "ear", ValueError("oh")),
        InterruptionFrame(),
        *(kind(bytes(640)) for kind in AUDIO),
        TextFrame("hello"),
        TranscriptionFrame("hello", 16_000),
        UserStartedSpeakingFrame(160, 0.5),
        UserStoppedSpeakingFrame(320, 1.5),
        BotStartedSpeakingFrame(160),
        BotStoppedSpeakingFrame(320, interrupted=True),
        MoodFrame("calm"),
        SungFrame(bytes(640), verse=3),
        AlarmFrame(),
    ]


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


@pytest.mark.parametrize("frame", examples(), ids=name_of)
def test_a_frame_does_not_change(frame: Frame) -> None:
    for field in fields(frame):
        with pytest.raises(FrozenInstanceError):
            setattr(frame, field.name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(frame, field.name)


@pytest.mark.parametrize(
    "frame", [frame for frame in examples() if name_of(frame) != "AlarmFrame"], ids=name_of
)
def test_a_frame_takes_no_fields_that_it_does_not_have(frame: Frame) -> None:
    assert not hasattr(frame, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        frame.remark = "new"  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(("one", "other"), list(zip(examples(), examples(), strict=True)), ids=name_of)
def test_a_frame_equals_itself_only(one: Frame, other: Frame) -> None:
    assert one == one  # that is the fact
    assert one != other
    assert len({one, other}) == 2
    assert hash(one) == hash(one)


@pytest.mark.parametrize("frame", examples(), ids=name_of)
def test_a_frame_can_be_referred_to_weakly(frame: Frame) -> None:
    mirror = copy.copy(frame)
    reference = weakref.ref(mirror)
    assert reference() is mirror
    del mirror
    assert reference() is None


def test_a_frame_can_go_to_another_process() -> None:
    frame = InputAudioFrame(b"\x01\x02\x03\x04", 48_000, 2, 7, 1.5)
    arrived: InputAudioFrame = pickle.loads(pickle.dumps(frame))
    assert [getattr(arrived, f.name) for f in fields(arrived)] == [
        getattr(frame, f.name) for f in fields(frame)
    ]
    assert type(arrived) is InputAudioFrame


@pytest.mark.parametrize("kind", AUDIO)
def test_an_audio_frame_says_what_it_holds(kind: type[AudioFrame]) -> None:
    frame = kind(bytes(960 * 4), 48_000, 2, 96_000, 2.5)
    assert (frame.num_samples, frame.duration_s, frame.position, frame.captured_s) == (960, 0.02, 96_000, 2.5)
    assert frame.format == AudioFormat(48_000, 2)
    assert repr(frame) == f"{kind.__name__}(960 samples at 96000, 48000 Hz, 2 ch)"


@pytest.mark.parametrize("kind", AUDIO)
def test_an_audio_frame_of_no_length_is_legal(kind: type[AudioFrame]) -> None:
    frame = kind(b"")
    assert (frame.num_samples, frame.duration_s, frame.array.shape) == (0, 0.0, (0, 1))
    assert kind(b"", channels=2).array.shape == (0, 2)


@pytest.mark.parametrize(("size", "channels"), [(1, 1), (641, 1), (2, 2), (642, 2), (4, 3)])
def test_bytes_that_are_no_whole_samples_are_refused(size: int, channels: int) -> None:
    with pytest.raises(
        AudioFormatError, match=rf"{size} bytes are no whole number of samples: {channels} channel"
    ):
        AudioFrame(bytes(size), channels=channels)


@pytest.mark.parametrize(
    "data", [bytearray(4), memoryview(bytes(4)), np.zeros(2, np.int16), [0, 0], "abcd", None, 4], ids=name_of
)
def test_data_that_could_change_or_is_no_bytes_is_refused(data: Any) -> None:
    with pytest.raises(
        TypeError, match=rf"^data must be bytes, not {type(data).__name__}: use from_array or bytes"
    ):
        AudioFrame(data)


@pytest.mark.parametrize(("kind", "longest_s"), [*((kind, 10) for kind in AUDIO[:3]), (UtteranceFrame, 60)])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (8_000, 2)])
def test_a_frame_has_a_longest_length_and_a_longer_one_is_refused_with_both_sides_named(
    kind: type[AudioFrame], longest_s: int, rate: int, channels: int
) -> None:
    samples = longest_s * rate
    assert kind(bytes(samples * 2 * channels), rate, channels).duration_s == longest_s
    with pytest.raises(AudioFormatError) as refused:
        kind(bytes((samples + 1) * 2 * channels), rate, channels)
    message = str(refused.value)
    assert f"{samples + 1} samples" in message
    assert f"one {kind.__name__}" in message
    assert f"at most {longest_s} s, at {rate} Hz" in message


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("rate", 0, ValueError),
        ("rate", True, TypeError),
        ("rate", 16_000.0, TypeError),
        ("rate", math.nan, TypeError),
        ("rate", "48k", TypeError),
        ("channels", 0, ValueError),
        ("channels", 65_535, ValueError),
        ("channels", "2", TypeError),
        ("position", -1, ValueError),
        ("position", 1.5, TypeError),
        ("position", True, TypeError),
        ("captured_s", math.nan, ValueError),
        ("captured_s", math.inf, ValueError),
        ("captured_s", "now", TypeError),
        ("captured_s", True, TypeError),
    ],
)
def test_a_wrong_field_is_refused_by_name(field: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=rf"^{field} must be "):
        AudioFrame(bytes(4), **{field: value})


def test_the_array_is_a_read_only_view_of_the_bytes() -> None:
    frame = AudioFrame(np.array([1, -1, 2, -2, 3, -3], np.int16).tobytes(), channels=2)
    array = frame.array
    assert array.tolist() == [[1, -1], [2, -2], [3, -3]]
    assert array.dtype == np.int16
    assert np.shares_memory(array, np.frombuffer(frame.data, np.int16))
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 5
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.setflags(write=True)


def test_a_frame_is_made_of_floats_or_of_int16() -> None:
    floats = AudioFrame.from_array(np.array([0.0, 1.0, -1.0, 2.0, math.nan]))
    assert floats.array[:, 0].tolist() == [0, 32_767, -32_767, 32_767, 0]
    ints = AudioFrame.from_array(
        np.array([[1, 2], [3, 4]], np.int16), 48_000, channels=2, position=5, captured_s=0.5
    )
    assert ints.array.tolist() == [[1, 2], [3, 4]]
    assert (ints.rate, ints.channels, ints.position, ints.captured_s) == (48_000, 2, 5, 0.5)


@pytest.mark.parametrize("kind", [*AUDIO, SungFrame])
def test_from_array_makes_a_frame_of_its_class(kind: type[AudioFrame]) -> None:
    assert type(kind.from_array(np.zeros(3, np.int16))) is kind


def test_from_array_does_not_see_what_becomes_of_the_array() -> None:
    audio = np.ones(4, np.int16)
    frame = AudioFrame.from_array(audio)
    audio[:] = 7
    assert frame.array[:, 0].tolist() == [1, 1, 1, 1]


def test_from_array_refuses_what_is_no_audio() -> None:
    with pytest.raises(AudioFormatError, match="int32"):
        AudioFrame.from_array(np.zeros(4, np.int32))
    with pytest.raises(AudioFormatError, match=r"\(4, 2\) is not 1 channel"):
        AudioFrame.from_array(np.zeros((4, 2)))
    with pytest.raises(AudioFormatError, match="too long"):
        AudioFrame.from_array(np.zeros(10_001, np.int16), 1_000)
    with pytest.raises(ValueError, match="rate"):
        AudioFrame.from_array(np.zeros(4), 0)


@pytest.mark.parametrize("kind", AUDIO)
def test_with_data_keeps_the_class_and_everything_else(kind: type[AudioFrame]) -> None:
    frame = kind(bytes(8), 48_000, 2, 77, 1.25)
    other = frame.with_data(bytes(range(16)))
    assert type(other) is kind
    assert other is not frame
    assert (other.data, other.num_samples) == (bytes(range(16)), 4)
    assert (other.rate, other.channels, other.position, other.captured_s) == (48_000, 2, 77, 1.25)
    assert frame.data == bytes(8)


def test_with_data_keeps_the_fields_of_a_frame_of_ones_own() -> None:
    other = SungFrame(bytes(4), position=9, verse=3).with_data(bytes(6))
    assert (type(other), other.num_samples, other.position, other.verse) == (SungFrame, 3, 9, 3)


def test_with_data_refuses_what_the_class_refuses() -> None:
    frame = AudioFrame(bytes(8), channels=2)
    with pytest.raises(AudioFormatError, match="no whole number"):
        frame.with_data(bytes(6))
    with pytest.raises(TypeError, match="bytearray"):
        frame.with_data(bytearray(8))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_an_utterance_is_no_output_and_an_input_is_no_utterance() -> None:
    for kind in AUDIO[1:]:
        assert [other for other in AUDIO[1:] if issubclass(kind, other)] == [kind]


def test_directions_read_as_words() -> None:
    assert [direction.value for direction in FrameDirection] == ["downstream", "upstream"]


def test_frames_of_ones_own_travel_as_their_kind_does() -> None:
    assert not MoodFrame("calm").is_system
    assert AlarmFrame().is_system
    assert not any(kind.interruptible or kind.is_request for kind in (MoodFrame, SungFrame, AlarmFrame))
    assert isinstance(MoodFrame("calm"), DataFrame)
    assert not isinstance(MoodFrame("calm"), ControlFrame)
    assert repr(MoodFrame("calm")) == "MoodFrame(mood='calm')"
    assert repr(SungFrame(bytes(4), verse=2)).startswith("SungFrame(2 samples")


async def test_frames_of_ones_own_go_through_a_run_as_they_are() -> None:
    recorder = Recorder()
    task = PipelineTask(Pipeline([Gain(-6), recorder]))
    ends = Ends(task)
    mood, sung, alarm = MoodFrame("calm"), SungFrame(bytes(640), verse=2), AlarmFrame()
    for frame in (mood, sung, alarm):
        await task.queue_frame(frame)
    task.end()
    await task.run()
    arrived = [frame for frame in ends.down if isinstance(frame, (MoodFrame, SungFrame, AlarmFrame))]
    assert {type(frame) for frame in arrived} == {MoodFrame, SungFrame, AlarmFrame}
    assert mood in arrived
    assert alarm in arrived
    assert [frame.verse for frame in arrived if isinstance(frame, SungFrame)] == [2]
    assert recorder.frames[0] is alarm  # a system frame goes ahead
