"""A gain multiplies, clips, and leaves alone what is none of its business."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from support.stages import DOWN, UP, Ends
from voicepipe import (
    AudioFrame,
    Frame,
    Gain,
    InputAudioFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    TextFrame,
    UserStartedSpeakingFrame,
    UtteranceFrame,
)

EVERY_VALUE = np.arange(-32_768, 32_768, dtype=np.int16)


def through(gain: Gain, frame: Frame) -> Frame:
    (out,) = gain.process(frame, DOWN)
    return out


def louder(gain: Gain, audio: Any) -> Any:
    out = through(gain, AudioFrame.from_array(np.asarray(audio, np.int16), 8_000))
    assert isinstance(out, AudioFrame)
    return out.array[:, 0]


@pytest.mark.parametrize("db", [-120, -60.5, -20, -6.0206, -0.01, 0.01, 3, 6.0206, 20, 60])
def test_every_value_is_multiplied_rounded_and_clipped_but_never_wrapped(db: float) -> None:
    expected = np.clip(EVERY_VALUE * 10 ** (db / 20), -32_768, 32_767)
    out = louder(Gain(db), EVERY_VALUE)
    assert np.abs(out - expected).max() <= 0.51  # half a step, and float32's own rounding
    assert np.all(np.diff(out.astype(np.int64)) >= 0)


def test_full_scale_stays_full_scale_however_loud() -> None:
    assert louder(Gain(60), [32_767, -32_768, 33, -33, 32, 0]).tolist() == [
        32_767,
        -32_768,
        32_767,
        -32_768,
        32_000,
        0,
    ]


def test_120_db_less_is_silence() -> None:
    assert not louder(Gain(-120), EVERY_VALUE).any()


def test_audio_at_0_db_is_the_same_object() -> None:
    frame = AudioFrame(EVERY_VALUE.tobytes())
    assert through(Gain(0), frame) is frame


@pytest.mark.parametrize("kind", [AudioFrame, InputAudioFrame, OutputAudioFrame, UtteranceFrame])
@pytest.mark.parametrize("direction", [DOWN, UP])
def test_all_audio_is_changed_and_keeps_everything_else(kind: type[AudioFrame], direction: Any) -> None:
    frame = kind(bytes(range(16)), 48_000, 2, 77, 1.25)
    (out,) = Gain(-6).process(frame, direction)
    assert isinstance(out, kind)
    assert out.data != frame.data
    assert (out.rate, out.channels, out.position, out.captured_s) == (48_000, 2, 77, 1.25)
    assert out.num_samples == frame.num_samples
    assert frame.data == bytes(range(16))


def test_channels_are_changed_alike() -> None:
    frame = AudioFrame(np.array([100, -200, 300, -400], np.int16).tobytes(), channels=2)
    out = through(Gain(20), frame)
    assert isinstance(out, AudioFrame)
    assert out.array.tolist() == [[1_000, -2_000], [3_000, -4_000]]


@pytest.mark.parametrize("frame", [TextFrame("loud"), UserStartedSpeakingFrame(7)])
def test_what_is_no_audio_is_the_same_object(frame: Frame) -> None:
    assert through(Gain(6), frame) is frame


def test_audio_of_no_length_stays_so() -> None:
    out = through(Gain(6), AudioFrame(b"", position=5))
    assert isinstance(out, AudioFrame)
    assert (out.data, out.position) == (b"", 5)


@pytest.mark.parametrize("db", [-120.01, 60.01, math.nan, math.inf, -math.inf])
def test_a_gain_out_of_bounds_is_refused_by_name(db: float) -> None:
    with pytest.raises(ValueError, match=r"^db must be a finite number from -120 to 60, not "):
        Gain(db)


@pytest.mark.parametrize("db", [True, "6", "6dB", None, [6]])
def test_a_gain_that_is_no_number_is_refused_by_name(db: Any) -> None:
    with pytest.raises(TypeError, match=r"^db must be a number, not "):
        Gain(db)


def test_a_gain_changes_while_it_runs_and_a_refused_change_changes_nothing() -> None:
    gain = Gain(0)
    gain.db = 20
    assert (gain.db, louder(gain, [100]).tolist()) == (20.0, [1_000])
    with pytest.raises(ValueError, match="db"):
        gain.db = 61
    assert (gain.db, louder(gain, [100]).tolist()) == (20.0, [1_000])


def test_a_gain_has_a_name() -> None:
    assert (Gain(1).name, Gain(1, name="softer").name) == ("Gain", "softer")


async def test_in_a_run_what_arrives_is_louder_and_in_order() -> None:
    gain = Gain(20)
    task = PipelineTask(Pipeline([gain]))
    ends = Ends(task)
    text = TextFrame("between")
    frames = [AudioFrame.from_array(np.full(160, n, np.int16), position=160 * n) for n in range(10)]
    for frame in frames[:5]:
        await task.queue_frame(frame)
    await task.queue_frame(text)
    for frame in frames[5:]:
        await task.queue_frame(frame)
    task.end()
    report = await task.run()
    audio = [frame for frame in ends.down if isinstance(frame, AudioFrame)]
    assert [(int(f.array[0, 0]), f.position) for f in audio] == [(10 * n, 160 * n) for n in range(10)]
    assert ends.down.index(text) - ends.down.index(audio[0]) == 5
    assert not report.dropped_frames
