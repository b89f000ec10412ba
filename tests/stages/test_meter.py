"""A meter says how loud it was, and passes on what it measured."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from support.stages import DOWN, UP, Ends
from voicepipe import (
    AudioFrame,
    Frame,
    Gain,
    InputAudioFrame,
    Level,
    LevelMeter,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    TextFrame,
)
from voicepipe.audio.level import FLOOR_DB


def level_of(audio: npt.ArrayLike) -> Level:
    return Level.of(np.asarray(audio).astype(np.int16).tobytes())


def test_a_square_wave_at_full_scale_has_0_db() -> None:
    level = level_of([-32_768] * 500)
    assert (level.rms_db, level.peak_db) == (0.0, 0.0)
    level = level_of([32_767, -32_767] * 500)
    assert level.rms_db == level.peak_db == pytest.approx(0.0, abs=3e-4)


def test_a_sine_is_3_db_below_its_peak() -> None:
    sine = np.sin(np.linspace(0, 2 * math.pi * 100, 16_000, endpoint=False)) * 16_384
    level = level_of(np.rint(sine))
    assert level.peak_db == pytest.approx(-6.02, abs=0.01)
    assert level.rms_db == pytest.approx(-9.03, abs=0.01)


def test_half_the_amplitude_is_6_db_less_at_every_level() -> None:
    noise = np.random.default_rng(3).uniform(-1, 1, 4_000)
    levels = [level_of(np.rint(noise * amplitude)) for amplitude in (32_000, 16_000, 8_000, 4_000, 2_000)]
    for louder, softer in itertools.pairwise(levels):
        assert louder.rms_db - softer.rms_db == pytest.approx(6.02, abs=0.05)
        assert louder.peak_db - softer.peak_db == pytest.approx(6.02, abs=0.05)


def test_a_peak_is_never_below_the_mean_and_nothing_is_above_0_or_below_the_floor() -> None:
    random = np.random.default_rng(4)
    for _ in range(300):
        lowest, highest = -(1 << int(random.integers(0, 16))), 1 << int(random.integers(0, 15))
        level = level_of(random.integers(lowest, highest, 64))
        assert FLOOR_DB <= level.rms_db <= level.peak_db <= 0.0


def test_the_sign_and_the_order_of_samples_do_not_matter() -> None:
    noise = np.random.default_rng(5).integers(-30_000, 30_000, 1_000)
    level = level_of(noise)
    assert level_of(-noise) == level
    assert level_of(np.sort(noise)).rms_db == pytest.approx(level.rms_db, abs=1e-9)


@pytest.mark.parametrize("audio", [[], [0], [0] * 320])
def test_silence_and_nothing_have_the_floor(audio: list[int]) -> None:
    assert level_of(audio) == Level() == Level(FLOOR_DB, FLOOR_DB, 0)


def test_the_softest_sound_is_above_the_floor() -> None:
    assert level_of([1]).peak_db == pytest.approx(-90.31, abs=0.01)
    assert level_of([1, *[0] * 10**6]).rms_db == FLOOR_DB


def test_samples_at_full_scale_count_as_clipped() -> None:
    assert level_of([32_767, -32_767, -32_768, 32_766, -32_766, 0]).clipped == 3


def test_levels_compare_by_value_and_do_not_change() -> None:
    level = level_of([5])
    assert level == level_of([5])
    with pytest.raises(AttributeError):
        level.clipped = 1  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_meter_passes_on_the_same_object() -> None:
    meter = LevelMeter()
    for frame in (AudioFrame(bytes(4)), TextFrame("a"), AudioFrame(b"")):
        for direction in (DOWN, UP):
            (out,) = meter.process(frame, direction)
            assert out is frame


def loud(value: int, kind: type[AudioFrame] = AudioFrame, samples: int = 100) -> AudioFrame:
    return kind.from_array(np.full(samples, value, np.int16))


def test_a_meter_has_the_last_level_the_loudest_peak_and_the_samples_measured() -> None:
    meter = LevelMeter()
    for value in (1_000, 8_192, 16):
        meter.process(loud(value), DOWN)
    assert meter.level == level_of([16] * 100)
    assert meter.loudest_db == pytest.approx(-12.04, abs=0.01)
    assert meter.num_samples == 300


def test_a_meter_begins_anew_when_reset() -> None:
    meter = LevelMeter()
    meter.process(loud(32_767), DOWN)
    meter.reset()
    assert (meter.level, meter.loudest_db, meter.num_samples) == (Level(), FLOOR_DB, 0)
    meter.process(loud(8_192), DOWN)
    assert meter.loudest_db == pytest.approx(-12.04, abs=0.01)


def test_a_meter_measures_only_its_class_downstream_and_what_has_a_length() -> None:
    meter = LevelMeter(OutputAudioFrame)
    nothing: list[tuple[Frame, Any]] = [
        (loud(99, InputAudioFrame), DOWN),
        (loud(99), DOWN),
        (loud(99, OutputAudioFrame), UP),
        (OutputAudioFrame(b""), DOWN),
        (TextFrame("a"), DOWN),
    ]
    for frame, direction in nothing:
        meter.process(frame, direction)
    assert (meter.level, meter.num_samples) == (Level(), 0)
    meter.process(loud(9, OutputAudioFrame), DOWN)
    for frame, direction in nothing:
        meter.process(frame, direction)
    assert (meter.level, meter.num_samples) == (level_of([9]), 100)


def test_samples_are_counted_once_for_all_channels() -> None:
    meter = LevelMeter()
    meter.process(AudioFrame(bytes(400), channels=2), DOWN)
    assert meter.num_samples == 100


@pytest.mark.parametrize("kind", [3, None, "AudioFrame", TextFrame, int, AudioFrame(b""), (AudioFrame,)])
def test_a_kind_that_is_no_class_of_audio_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match=r"^kind must be a class of audio frames, not "):
        LevelMeter(kind)


async def test_in_a_run_a_meter_behind_a_gain_shows_the_gain() -> None:
    before, behind = LevelMeter(name="before"), LevelMeter(name="behind")
    task = PipelineTask(Pipeline([before, Gain(-12), behind]))
    ends = Ends(task)
    for _ in range(50):
        await task.queue_frame(loud(8_192, InputAudioFrame, 160))
    task.end()
    await task.run()
    assert before.num_samples == behind.num_samples == 50 * 160
    assert before.level.rms_db - behind.level.rms_db == pytest.approx(12, abs=0.01)
    assert sum(isinstance(frame, InputAudioFrame) for frame in ends.down) == 50
