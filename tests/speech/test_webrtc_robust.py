"""The WebRTC engine made fit for noise: a voice is heard in it, and noise alone is nobody."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from speech.test_vad import cut, facts, found_in, process, sample
from support.stages import DOWN
from voicepipe.speech.detectors.noise_suppressor import NoiseSuppressor
from voicepipe.speech.detectors.protocol import SpeechEngine
from voicepipe.speech.detectors.webrtc_robust import BIAS, TO_HOLD, UNVOICED, WEIGHTS, RobustWebRTCEngine
from voicepipe.speech.vad import VADProcessor

RATE = 16_000
Ints = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


def ints(audio: npt.ArrayLike) -> Ints:
    return np.clip(np.rint(np.asarray(audio, float)), -32_768, 32_767).astype(np.int16)


def scores(engine: SpeechEngine, audio: Ints) -> list[float]:
    data, size = audio.tobytes(), 2 * engine.window
    return [engine.score(data[at : at + size]) for at in range(0, len(data) - size + 1, size)]


def noise(seconds: float, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0, 1_000, int(seconds * RATE))


def clicks(seconds: float) -> Floats:
    """Somebody types: short bursts of hiss, some six a second."""
    random = np.random.default_rng(5)
    audio = random.normal(0, 8, int(seconds * RATE))
    at = 0
    while (at := at + int(random.uniform(0.08, 0.25) * RATE)) < len(audio) - 800:
        length = int(random.uniform(0.008, 0.03) * RATE)
        audio[at : at + length] += random.normal(0, 5_000, length) * np.exp(-np.arange(length) * 5 / length)
    return audio


def hum(seconds: float) -> Floats:
    t = np.arange(int(seconds * RATE)) / RATE
    return sum((3_000 / n * np.sin(2 * math.pi * 50 * n * t) for n in range(1, 9)), np.zeros(len(t)))


def rumble(seconds: float) -> Floats:
    """A lorry outside: noise from 20 to 60 Hz."""
    spectrum = np.fft.rfft(noise(seconds))
    audio: Floats = np.fft.irfft(np.where(_between(int(seconds * RATE), 20, 60), spectrum, 0))
    return audio * (3_000 / float(audio.std())) + noise(seconds, 2) / 50


NOISES = {"hiss": noise, "typing": clicks, "hum": hum, "rumble": rumble}


@pytest.mark.parametrize("name", NOISES)
def test_noise_alone_is_nobody(name: str) -> None:
    audio = ints(NOISES[name](8))
    assert not found_in(VADProcessor(RobustWebRTCEngine()), cut(audio, [320], RATE))


@pytest.mark.parametrize("name", NOISES)
def test_both_sentences_are_found_in_noise(name: str) -> None:
    voice = np.concatenate([np.zeros(RATE), sample()])
    audible = voice[voice != 0].std()
    masking = NOISES[name](len(voice) / RATE)[: len(voice)]
    audio = ints(0.5 * (voice + masking / masking.std() * audible / 10 ** (10 / 20)))
    found = found_in(VADProcessor(RobustWebRTCEngine()), cut(audio, [320], RATE))
    assert [kind for kind, _ in found] == ["started", "stopped"] * 2
    for (_, position), right_s in zip(found, (1.31, 2.77, 3.91, 7.0), strict=True):
        assert position / RATE == pytest.approx(right_s, abs=0.45)


def test_every_measure_and_score_is_between_0_and_1_whatever_is_heard() -> None:
    random = np.random.default_rng(2)
    pieces = [
        np.zeros(RATE),
        np.full(RATE, 32_767),
        np.tile([32_767, -32_768], RATE // 2),
        random.integers(-32_768, 32_767, RATE),
        np.full(RATE, -32_768),
        random.integers(-1, 2, RATE),
        sample(),
        np.zeros(RATE),
    ]
    engine = RobustWebRTCEngine()
    measured = RobustWebRTCEngine()
    audio = ints(np.concatenate(pieces))
    said = scores(engine, audio)
    assert all(0 <= score <= 1 for score in said)
    assert max(said) > 0.9
    for at in range(0, len(audio) - 479, 480):
        numbers = measured.measure(audio[at : at + 480].tobytes())
        assert len(numbers) == len(WEIGHTS)
        assert all(0 <= number <= 1 for number in numbers), at


@pytest.mark.parametrize("value", [0, 32_767, -32_768])
def test_a_constant_is_nobody(value: int) -> None:
    assert max(scores(RobustWebRTCEngine(), ints(np.full(3 * RATE, value)))) < 0.4


def test_a_short_voiced_sound_is_not_enough_to_begin() -> None:
    silence = np.zeros(RATE)
    short = np.concatenate([silence, sample()[5_000:5_800], silence])
    assert 0.4 <= max(scores(RobustWebRTCEngine(), ints(short))) <= 0.45
    assert max(scores(RobustWebRTCEngine(), sample())) > 0.9


def test_without_the_tone_of_a_voice_lately_nothing_goes_on() -> None:
    """The voice, and behind it the same loudness and timbre whispered: as noise."""
    voice = sample()[: int(1.8 * RATE)].astype(float)
    envelope = np.convolve(np.abs(voice), np.ones(160) / 160, "same")
    spectrum = np.fft.rfft(noise(1.8))
    hiss = np.fft.irfft(np.where(_between(len(voice), 300, 3_600), spectrum, 0))
    whispered = envelope * hiss / hiss.std() * 2
    engine = RobustWebRTCEngine()
    measured = RobustWebRTCEngine()
    audio = ints(np.concatenate([voice, whispered]))
    said = scores(engine, audio)
    numbers = [measured.measure(audio[at : at + 480].tobytes()) for at in range(0, len(audio) - 479, 480)]
    likely = [1 / (1 + math.exp(-BIAS - sum(map(float.__mul__, WEIGHTS, each)))) for each in numbers]
    untoned = [n for n, each in enumerate(numbers) if 0 < each[0] < TO_HOLD]  # the highest tone of 0.2 s
    assert max(likely[n] for n in untoned) > UNVOICED
    assert max(said[n] for n in untoned) <= UNVOICED


def test_after_a_reset_nothing_before_counts() -> None:
    used = RobustWebRTCEngine()
    scores(used, ints(noise(4) * 8))
    without = scores(used, sample())
    used.reset()
    assert scores(used, sample()) == scores(RobustWebRTCEngine(), sample()) != without


def test_full_scale_before_does_not_deafen_it() -> None:
    loud = ints(np.tile([32_767, -32_768], RATE))
    stage = VADProcessor(RobustWebRTCEngine())
    found = found_in(stage, cut(np.concatenate([loud, sample()]), [320], RATE))
    behind = [position / RATE - 2 for kind, position in found if kind == "started"]
    assert any(abs(begin_s - 2.91) < 0.3 for begin_s in behind)


@pytest.mark.parametrize("samples", [0, 1, 320, 479, 481, 960])
def test_a_window_of_another_length_is_refused(samples: int) -> None:
    with pytest.raises(ValueError, match=rf"^a window is 960 bytes \(480 samples\), not {2 * samples}$"):
        RobustWebRTCEngine().score(bytes(2 * samples))


def test_an_array_is_refused() -> None:
    audio: Any = np.zeros(480, np.int16)
    with pytest.raises(TypeError, match=r"^a window must be bytes"):
        RobustWebRTCEngine().score(audio)


# However it comes


@pytest.mark.heavy
def test_blocks_of_any_size_give_the_same_segments() -> None:
    audio = np.concatenate([sample(), ints(noise(0.7, 3) / 20), sample()])
    expected = found_in(VADProcessor(), cut(audio, [320], RATE))
    assert len(expected) == 8
    random = np.random.default_rng(9)
    for sizes in ([1], [5_000], [int(n) for n in random.integers(1, 5_001, 40)]):
        assert found_in(VADProcessor(), cut(audio, sizes, RATE)) == expected, sizes


# The suppressor


def suppressed(audio: Floats) -> Floats:
    """At half the rate."""
    suppressor, pcm = NoiseSuppressor(), ints(audio)
    out = [suppressor.process(pcm[at : at + 480].tobytes()) for at in range(0, len(pcm) - 479, 480)]
    return np.frombuffer(b"".join(out), np.int16).astype(float)


def test_steady_noise_is_taken_out_and_a_voice_stays() -> None:
    steady = noise(4)
    assert suppressed(steady)[RATE:].std() < 0.3 * steady.std()
    voice = np.concatenate([np.zeros(RATE // 2), sample()]).astype(float)
    cleaned = suppressed(voice)[NoiseSuppressor.delay // 2 :]
    spectrum = np.where(_between(len(voice), 200, 3_500), np.fft.rfft(voice), 0)
    kept = np.fft.irfft(spectrum)[::2][: len(cleaned)]
    assert cleaned.std() == pytest.approx(kept.std(), rel=0.2)
    assert np.corrcoef(cleaned, kept)[0, 1] > 0.9


def _between(count: int, low_hz: float, high_hz: float) -> npt.NDArray[np.bool_]:
    hz = np.fft.rfftfreq(count, 1 / RATE)
    return (hz >= low_hz) & (hz <= high_hz)


def test_it_is_late_by_what_it_says() -> None:
    tone = np.zeros(4 * RATE)
    tone[2 * RATE :] = 5_000 * np.sin(2 * math.pi * 1_000 * np.arange(2 * RATE) / RATE)
    cleaned = suppressed(tone)
    late = NoiseSuppressor.delay // 2
    piece = slice(RATE + 400, RATE + 2_000)
    heard = tone[::2]
    assert np.corrcoef(cleaned[piece.start + late : piece.stop + late], heard[piece])[0, 1] > 0.99


def test_silence_stays_silence() -> None:
    assert not suppressed(np.zeros(2 * RATE)).any()


def test_a_gap_forgets_the_noise() -> None:
    stage = VADProcessor()
    before = list(cut(ints(noise(2)), [333], RATE))
    behind = list(cut(sample(), [160], RATE, at=9 * RATE))
    process(stage, before)
    first, *rest = behind
    began = facts(list(stage.process(first, DOWN))[1:])
    assert began + found_in(stage, rest) == found_in(VADProcessor(), behind)
