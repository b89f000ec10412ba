"""Channels that should not be mixed: the better one is taken by itself, without a click, and said once."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.audio.channel_mixer import WINDOW_S, ChannelMixer
from voicepipe.audio.convert import Converter
from voicepipe.audio.format import AudioFormat
from voicepipe.sample import speech

RATE = 16_000
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int16]


def voice(rate: int = RATE) -> Floats:
    return np.frombuffer(speech(AudioFormat(rate)), np.int16).astype(np.float64)


VOICE = voice()


def noise(steps: float, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0, steps, len(VOICE))


def hum(steps: float) -> Floats:
    return steps * np.sin(2 * np.pi * 50 * np.arange(len(VOICE)) / RATE)


def late(samples: int) -> Floats:
    return np.concatenate([np.zeros(samples), VOICE[: len(VOICE) - samples]])


def turned_by_90_degrees() -> Floats:
    spectrum = np.fft.rfft(VOICE)
    return np.fft.irfft(spectrum * 1j, len(VOICE))


def channels(*columns: Floats) -> Ints:
    noisy = [column + noise(5, seed)[: len(column)] for seed, column in enumerate(columns)]
    return np.rint(np.stack(noisy, 1)).clip(-32_768, 32_767).astype(np.int16)


def mixed(audio: Ints, mixer: ChannelMixer | None = None, *, rate: int = RATE) -> Ints:
    mixer = mixer or ChannelMixer(AudioFormat(rate, audio.shape[1]))
    return mixer.mix(audio)[:, 0]


def level_db(audio: npt.NDArray[np.int16]) -> float:
    return float(20 * np.log10(np.std(audio) + 1e-9))


NOTHING = np.zeros(len(VOICE))
LAST = slice(len(VOICE) // 2, len(VOICE))


@pytest.mark.parametrize(
    ("columns", "taken", "words"),
    [
        ((VOICE, -VOICE), None, "cancel each other"),
        ((VOICE, -0.7 * VOICE), 1, "cancel each other"),
        ((-0.4 * VOICE, VOICE), 2, None),
        ((VOICE, -0.9 * late(2)), 1, "cancel each other"),
        ((VOICE, NOTHING), 1, "channel 2 hears nothing"),
        ((NOTHING, VOICE), 2, "channel 1 hears nothing"),
        ((VOICE, VOICE + hum(6_000)), 1, "noise spoils channel 2"),
        ((VOICE + noise(3_000), VOICE), 2, "noise spoils channel 1"),
        ((noise(3_000), VOICE), 2, "noise spoils channel 1"),
        ((VOICE, hum(9_000)), 1, "noise spoils channel 2"),
        ((VOICE, 20_000 + NOTHING), 1, "channel 2 hears nothing"),
        ((0.02 * VOICE, -0.02 * VOICE), None, "cancel each other"),
        ((VOICE, -VOICE, VOICE, -VOICE), None, "cancel each other"),
        ((NOTHING, NOTHING, VOICE, NOTHING), 3, "channels 1, 2, 4 hear nothing"),
        ((VOICE, VOICE, VOICE, hum(20_000)), None, "noise spoils channel 4"),
    ],
)
def test_the_better_channel_is_taken(
    columns: tuple[Floats, ...], taken: int | None, words: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    audio = channels(*columns)
    mixer = ChannelMixer(AudioFormat(RATE, len(columns)), "the microphone")
    with caplog.at_level(logging.WARNING, "voicepipe"):
        mono = mixed(audio, mixer)
    assert mixer.channel is not None
    if taken is not None:
        assert mixer.channel == taken
    assert (mono[LAST] == audio[LAST, mixer.channel - 1]).all()
    if words is not None:
        assert words in mixer.fault
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == ["the microphone"]


@pytest.mark.parametrize(
    "columns",
    [
        (VOICE, VOICE),
        (VOICE, 0.5 * VOICE),
        (0.4 * VOICE, VOICE),
        (VOICE, late(1)),
        (VOICE, late(4)),
        (late(10), VOICE),
        (VOICE, turned_by_90_degrees()),
        (VOICE, late(3), 0.8 * late(6), late(9)),
        (VOICE, VOICE, VOICE, NOTHING),
        (VOICE, VOICE + noise(8, 9)),
        (VOICE + 2_000, VOICE - 2_000),
        (0.01 * VOICE, 0.01 * VOICE),
        (NOTHING, NOTHING),
        (noise(300, 7), noise(300, 8)),
        (noise(300, 7), -noise(300, 7)),
    ],
)
def test_ordinary_channels_stay_mixed(columns: tuple[Floats, ...], caplog: pytest.LogCaptureFixture) -> None:
    audio = channels(*columns)
    source = AudioFormat(RATE, len(columns))
    plain = Converter(source, AudioFormat(RATE)).convert(audio.tobytes())
    assert mixed(audio).tobytes() == plain
    assert not caplog.records


@pytest.mark.parametrize("sizes", [1, 7, 320, 333, 16_000])
def test_the_cut_makes_no_difference(sizes: int) -> None:
    audio = channels(VOICE, -0.7 * VOICE)[: 3 * RATE]
    mixer = ChannelMixer(AudioFormat(RATE, 2))
    pieces = [mixer.mix(audio[at : at + sizes]) for at in range(0, len(audio), sizes)]
    assert np.concatenate(pieces)[:, 0].tobytes() == mixed(audio).tobytes()


def test_a_voice_is_heard_within_the_first_word() -> None:
    mono = mixed(channels(VOICE, -VOICE))
    loud = np.abs(VOICE) > 1_000
    first = int(np.argmax(loud))
    heard = int(np.argmax(np.abs(mono) > 1_000))
    assert heard - first < 0.35 * RATE


def test_there_is_no_click_at_the_change() -> None:
    """A tone fades over one window: no step is larger than the tone's own and the fade's."""
    tone = 8_000 * np.cos(2 * np.pi * 200 * np.arange(2 * RATE) / RATE)
    tone[: RATE // 2] = 0
    audio = channels(tone, -tone)
    mono = mixed(audio).astype(np.float64)
    own = 8_000 * 2 * np.pi * 200 / RATE
    assert np.abs(np.diff(mono)).max() < own + 8_000 / (WINDOW_S * RATE) + 60


def after(first: Ints, then: Ints) -> Ints:
    return np.concatenate([first, then])


@pytest.mark.parametrize(
    ("first", "then", "taken"),
    [
        (channels(VOICE, VOICE), channels(VOICE, NOTHING), 1),
        (channels(VOICE, VOICE), channels(NOTHING, VOICE), 2),
        (channels(VOICE, VOICE), channels(VOICE, noise(4_000)), 1),
        (channels(VOICE, NOTHING), channels(NOTHING, VOICE), 2),
        (channels(VOICE, -0.7 * VOICE), channels(NOTHING, -0.7 * VOICE), 2),
        (channels(VOICE, NOTHING), channels(VOICE, VOICE), None),
    ],
    ids=["2 dies", "1 dies", "2 hums", "the taken one dies", "the better one dies", "plugged in again"],
)
def test_a_cable_that_dies_or_comes_back_is_noticed(first: Ints, then: Ints, taken: int | None) -> None:
    mixer = ChannelMixer(AudioFormat(RATE, 2))
    mixed(first, mixer)
    mixed(then, mixer)
    mono = mixed(then, mixer)
    assert mixer.channel == taken
    assert (mixer.fault == "") == (taken is None)
    assert abs(level_db(mono) - level_db(VOICE.astype(np.int16))) < 4


def test_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    mixer = ChannelMixer(AudioFormat(RATE, 2))
    for audio in (channels(VOICE, NOTHING), channels(NOTHING, VOICE), channels(VOICE, NOTHING)):
        mixed(audio, mixer)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate(rate: int) -> None:
    sound = voice(rate)
    audio = np.rint(np.stack([sound, -sound], 1)).astype(np.int16)
    mixer = ChannelMixer(AudioFormat(rate, 2))
    converter = Converter(AudioFormat(rate, 2), AudioFormat(RATE), mixer=mixer)
    mono = converter.convert(audio.tobytes()) + converter.flush()
    assert mixer.channel in (1, 2)
    assert abs(len(mono) // 2 - len(sound) * RATE / rate) <= 1


@pytest.mark.parametrize("make", [lambda audio: audio[:0], lambda audio: audio[:1]])
def test_next_to_nothing_is_mixed_too(make: Callable[[Ints], Ints]) -> None:
    audio = make(channels(VOICE, -VOICE))
    assert ChannelMixer(AudioFormat(RATE, 2)).mix(audio).shape == (len(audio), 1)


def test_a_picked_channel_needs_no_mixer() -> None:
    mixer = ChannelMixer(AudioFormat(RATE, 2))
    audio = channels(VOICE, -VOICE)
    converter = Converter(AudioFormat(RATE, 2), AudioFormat(RATE), channel=2, mixer=mixer)
    assert converter.convert(audio.tobytes()) == np.ascontiguousarray(audio[:, 1]).tobytes()
    assert mixer.channel is None
