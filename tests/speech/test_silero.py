"""The Silero network in numpy, beside what its makers' own file says."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from speech.test_vad import cut, found_in, sample, the_sample_at
from speech.test_webrtc_robust import scores
from voicepipe.speech.detectors.protocol import SpeechEngine
from voicepipe.speech.detectors.silero import SileroEngine
from voicepipe.speech.vad import VADProcessor

RATE = 16_000
# fmt: off
OFFICIAL = [
    16, 11, 6, 6, 6, 5, 64, 54, 45, 95, 705, 988, 992, 994, 999, 999, 1000, 1000, 1000, 999, 998,
    999, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 998, 999, 996, 834, 276, 236, 999,
    1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 999,
    1000, 998, 824, 122, 17, 6, 4, 4, 3, 2, 2, 2, 2, 2, 2, 1, 2, 1, 1, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2,
    2, 2, 1, 2, 9, 11, 5, 4, 756, 996, 999, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000,
    1000, 1000, 1000, 999, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000,
    1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 999, 992, 998, 998, 999, 1000, 1000, 1000,
    1000, 1000, 1000, 996, 934, 990, 990, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 999,
    999, 995, 988, 992, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000,
    1000, 999, 1000, 999, 997, 997, 997, 997, 995, 998, 999, 999, 999, 999, 999, 999, 994, 977, 924,
    642, 134, 44, 62, 36, 22, 21, 19, 16, 19, 19, 17, 14, 15, 16, 13, 14, 12, 13, 12, 14, 14, 16,
    16, 15, 15, 14, 14, 14, 14, 14, 14, 14, 14, 12, 13, 14, 14,
]
# fmt: on
"""What the network's own ONNX file (v6.2) says of the bundled voice, in thousandths."""
Ints = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


class Official(SileroEngine):
    """The network as its makers run it: its memory does not fade."""

    _remembered = np.array(1.0, np.float32)


def test_it_says_what_the_official_model_says() -> None:
    found = scores(Official(), sample())
    assert np.abs(np.subtract(found, np.array(OFFICIAL) / 1_000)).max() < 0.003


@pytest.mark.heavy
def test_words_are_heard_at_once_behind_a_long_melody() -> None:
    voice = sample()[3 * RATE // 10 : 13 * RATE // 10] / 32_768
    tune = melody(40)
    audio = np.concatenate([tune, tune[: len(voice)] + voice * 0.056 / voice.std()])
    words = slice(len(tune) // SileroEngine.window, None)
    heard, officially = (
        [score > 0.5 for score in scores(engine, np.round(audio * 32_767).astype(np.int16))]
        for engine in (SileroEngine(), Official())
    )
    assert not any(heard[: words.start])
    assert heard[words].index(True) < officially[words].index(True)
    assert sum(heard[words]) > 1.1 * sum(officially[words])


def melody(seconds: int) -> Floats:
    """Four plucked notes a second, at -30 dBFS."""
    random = np.random.default_rng(3)
    times = np.arange(RATE) / RATE
    tune = np.zeros((seconds + 1) * RATE)
    for at in range(0, seconds * RATE, RATE // 4):
        pitch = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12, 14]) / 12)
        waves = sum(np.sin(2 * np.pi * pitch * n * times) / n for n in range(1, 6))
        tune[at : at + RATE] += waves * np.exp(-times / 0.3)
    return tune[: seconds * RATE] * (10 ** (-30 / 20) / tune.std())


def test_it_finds_both_sentences() -> None:
    found = found_in(VADProcessor("silero"), cut(sample(), [160], RATE))
    assert [kind for kind, _ in found] == ["started", "stopped"] * 2
    for (_, position), right_s in zip(found, (0.31, 1.77, 2.91, 6.0), strict=True):
        assert position / RATE == pytest.approx(right_s, abs=0.15)


@pytest.mark.parametrize(("rate", "within_s"), [(8_000, 0.2), (44_100, 0.1), (48_000, 0.1)])
def test_it_finds_them_at_any_rate_however_they_are_cut(rate: int, within_s: float) -> None:
    # At 8 kHz the network hears no hiss above 4 kHz, and takes soft endings for silence sooner.
    expected = found_in(VADProcessor("silero"), cut(sample(), [160], RATE))
    audio = the_sample_at(rate, 1)
    found = found_in(VADProcessor("silero"), cut(audio, [rate // 100], rate))
    assert [kind for kind, _ in found] == [kind for kind, _ in expected]
    for (_, there), (_, here) in zip(found, expected, strict=True):
        assert there / rate == pytest.approx(here / RATE, abs=within_s + 1e-3)
    sizes = [int(n) for n in np.random.default_rng(rate).integers(1, 5_001, 40)]
    assert found_in(VADProcessor("silero"), cut(audio, sizes, rate)) == found


def test_noise_silence_and_full_scale_are_nobody() -> None:
    random = np.random.default_rng(1)
    for audio in (
        np.zeros(3 * RATE),
        random.normal(0, 3_000, 3 * RATE),
        np.tile([32_767, -32_768], 3 * RATE // 2),
        np.full(3 * RATE, -32_768),
    ):
        said = scores(SileroEngine(), np.clip(audio, -32_768, 32_767).astype(np.int16))
        assert all(0 <= score < 0.5 for score in said)


def test_after_a_reset_nothing_before_counts() -> None:
    used = SileroEngine()
    scores(used, np.random.default_rng(1).integers(-20_000, 20_000, 2 * RATE).astype(np.int16))
    without = scores(used, sample())
    used.reset()
    assert scores(used, sample()) == scores(SileroEngine(), sample()) != without


@pytest.mark.parametrize("samples", [0, 511, 513])
def test_a_window_of_another_length_is_refused(samples: int) -> None:
    with pytest.raises(ValueError, match=r"^a window is 1024 bytes \(512 samples\)"):
        SileroEngine().score(bytes(2 * samples))


def test_samples_score_as_their_bytes_do() -> None:
    one, other = SileroEngine(), SileroEngine()
    data, size = sample().tobytes(), 2 * one.window
    for at in range(0, len(data) - size + 1, size):
        window = data[at : at + size]
        assert other.score_samples(np.frombuffer(window, np.int16).astype(np.float64)) == one.score(window)


class Deaf(SileroEngine):
    def score(self, window: bytes) -> float:
        return 0.0


class Wrapper:
    rate, window = SileroEngine.rate, SileroEngine.window

    def __init__(self) -> None:
        self._engine = SileroEngine()

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def score(self, window: bytes) -> float:
        return 0.0

    def reset(self) -> None:
        self._engine.reset()


def patched() -> SileroEngine:
    engine = SileroEngine()
    setattr(engine, "score", lambda window: 0.0)  # noqa: B010  # as a user's test does
    return engine


@pytest.mark.parametrize("make", [Deaf, Wrapper, patched])
def test_what_stands_before_its_score_is_asked(make: Callable[[], SpeechEngine]) -> None:
    assert not found_in(VADProcessor(make()), cut(sample(), [320], RATE))


def test_a_class_of_its_own_that_changes_nothing_hears_the_same() -> None:
    class Same(SileroEngine):
        """Of another name."""

    expected = found_in(VADProcessor(), cut(sample(), [320], RATE))
    assert found_in(VADProcessor(Same()), cut(sample(), [320], RATE)) == expected


def test_engines_share_their_weights_and_nothing_else() -> None:
    one, other = SileroEngine(), SileroEngine()
    assert one._weights is other._weights
    alone = scores(SileroEngine(), sample())
    data, size = sample().tobytes(), 2 * one.window
    between = []
    for at in range(0, len(data) - size + 1, size):
        between.append(one.score(data[at : at + size]))
        other.score(data[-size:])
    assert between == alone
