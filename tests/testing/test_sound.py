"""Sound for tests is what it says, and the same every time."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from voicepipe import AudioFormatError, InputAudioFrame, Level, OutputAudioFrame
from voicepipe.sample import speech as bundled
from voicepipe.testing import frames_of, noise, silence, speech, tone


@pytest.mark.parametrize("level_db", [-60.0, -20.0, -6.0])
@pytest.mark.parametrize("make", [tone, noise, lambda s, **kw: noise(s, "pink", **kw)])
def test_sound_has_the_length_and_the_level_that_was_asked_for(make: Any, level_db: float) -> None:
    sound = make(2.0, level_db=level_db, rate=48_000)
    assert sound.dtype == np.int16
    assert sound.shape == (96_000,)
    assert Level.of(sound.tobytes()).rms_db == pytest.approx(level_db, abs=0.5)


def test_a_tone_has_its_frequency() -> None:
    spectrum = np.abs(np.fft.rfft(tone(1.0, 1_000.0)))
    assert np.argmax(spectrum) == 1_000
    assert tone(1.0)[0] == 0


@pytest.mark.parametrize(("color", "ratio"), [("white", 1.0), ("pink", 8.0)])
def test_the_colour_of_noise_is_its_power_over_the_octaves(color: Any, ratio: float) -> None:
    power = np.abs(np.fft.rfft(noise(20.0, color))) ** 2
    low, high = power[20 * 250 : 20 * 500].mean(), power[20 * 2_000 : 20 * 4_000].mean()
    assert low / high == pytest.approx(ratio, rel=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    assert noise(1.0, seed=3).tobytes() == noise(1.0, seed=3).tobytes()
    assert noise(1.0, seed=3).tobytes() != noise(1.0, seed=4).tobytes()
    digest = hashlib.sha256(noise(1.0, seed=3).tobytes()).hexdigest()
    assert digest.startswith("e0af5b69e09a1d3a"), "in every version of Python and numpy"


def test_silence_is_zeros_and_nothing_lasts_no_time() -> None:
    assert silence(0.5).tobytes() == bytes(16_000)
    for nothing in (silence(0), tone(0), noise(0), noise(0, "pink")):
        assert len(nothing) == 0
    assert len(noise(1 / 16_000, "pink")) == 1


def test_speech_is_the_bundled_voice() -> None:
    assert speech().tobytes() == bundled()
    assert len(speech(rate=48_000)) == pytest.approx(3 * len(speech()), abs=3)


def test_frames_are_blocks_one_behind_the_other_and_the_last_may_be_shorter() -> None:
    sound = tone(0.05)
    frames = frames_of(sound)
    assert [type(frame) for frame in frames] == [InputAudioFrame] * 3
    assert [frame.num_samples for frame in frames] == [320, 320, 160]
    assert [frame.position for frame in frames] == [0, 320, 640]
    assert b"".join(frame.data for frame in frames) == sound.tobytes()


def test_frames_of_another_kind_rate_and_of_two_channels() -> None:
    both = np.stack([tone(0.1, rate=48_000), silence(0.1, rate=48_000)], axis=1)
    frames = frames_of(both, OutputAudioFrame, rate=48_000, block_s=0.03)
    assert [type(frame) for frame in frames] == [OutputAudioFrame] * 4
    assert [frame.num_samples for frame in frames] == [1_440, 1_440, 1_440, 480]
    assert (frames[0].rate, frames[0].channels) == (48_000, 2)
    assert np.array_equal(frames[0].array[:, 1], np.zeros(1_440))


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: tone(-1), "seconds"),
        (lambda: tone(1, 9_000), "hz"),
        (lambda: tone(1, level_db=1), "level_db"),
        (lambda: tone(1, rate=10), "rate"),
        (lambda: noise(1, "brown"), "color"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        (lambda: noise(1, seed=-1), "seed"),
        (lambda: silence(float("nan")), "seconds"),
        (lambda: frames_of(tone(1), block_s=0), "samples in a block"),
    ],
)
def test_a_wrong_number_is_named(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named} must be"):
        make()


def test_what_is_no_audio_makes_no_frames() -> None:
    with pytest.raises(AudioFormatError):
        frames_of(np.zeros(10, np.int64))
