"""The pair: both outputs of the same instants, whatever comes in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from canceller.sounds import RATE, Floats, Ints, int16
from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.engines.delay import Delay
from voicepipe.canceller.engines.pair import EarAndWords

BLOCK = RATE // 100


@dataclass
class Late:
    """A canceller that only delays, and remembers what sounded."""

    delay: int
    channels: int = 1
    name: str = "late"

    def __post_init__(self) -> None:
        self._line = Delay(self.delay, (self.channels,))
        self.sounded: list[np.ndarray] = []

    def cancel(self, mic: Ints, far: np.ndarray) -> Ints:
        assert mic.shape[1] == self.channels
        self.sounded.append(far)
        return self._line.pass_on(mic)

    def reset(self) -> None:
        self._line.reset()


def noise() -> Ints:
    return int16(np.random.default_rng(5).standard_normal(RATE // 5) * 0.1)


def outputs(pair: EarAndWords, mic: Ints, far: Floats, size: int = BLOCK) -> tuple[Ints, Ints]:
    made = [
        pair.cancel(mic[at : at + size], far[at : at + size].astype(np.float32))
        for at in range(0, len(mic), size)
    ]
    return np.concatenate([ear for ear, _ in made]), np.concatenate([words for _, words in made])


@pytest.mark.parametrize(("ear", "words"), [(128, 0), (0, 37), (200, 200), (0, 0), (5, 431)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_both_outputs_lag_by_the_delay_of_the_slower_one(ear: int, words: int, blocks: int) -> None:
    pair = EarAndWords(Late(ear), Late(words), AudioFormat(RATE, 1))
    mic = noise()[:, None]
    heard, kept = outputs(pair, mic, np.zeros(len(mic)), blocks * BLOCK)
    late = pair.delay
    assert late == max(ear, words)
    assert not kept[:late].any()
    assert np.array_equal(kept[late:], mic[: len(mic) - late])
    assert np.array_equal(heard[:, None], kept)


def test_the_ear_gets_one_channel_and_the_words_keep_all() -> None:
    pair = EarAndWords(Late(10), Late(0, channels=2), AudioFormat(RATE, 2))
    left = noise()
    mic = np.stack([left, left // 2], axis=1)
    ear, words = outputs(pair, mic, np.zeros(len(mic)))
    assert np.array_equal(words[10:], mic[:-10])
    assert np.abs(ear[10:] - mic[:-10].mean(axis=1)).max() <= 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_sound_never_reaches_a_canceller(bad: float) -> None:
    ear, words = Late(0), Late(0)
    pair = EarAndWords(ear, words, AudioFormat(RATE, 1))
    far = np.full(BLOCK, 0.5)
    far[7] = bad
    pair.cancel(np.zeros((BLOCK, 1), np.int16), far.astype(np.float32))
    for (sounded,) in (ear.sounded, words.sounded):
        assert np.isfinite(sounded).all()
        assert np.abs(sounded).max() <= 8
        assert (np.delete(sounded, 7) == 0.5).all()


def test_a_reset_empties_the_delays() -> None:
    pair = EarAndWords(Late(100), Late(0), AudioFormat(RATE, 1))
    loud, quiet = np.full((BLOCK, 1), 9, np.int16), np.zeros((BLOCK, 1), np.int16)
    pair.cancel(loud, np.zeros(BLOCK, np.float32))
    pair.reset()
    ear, words = pair.cancel(quiet, np.zeros(BLOCK, np.float32))
    assert not ear.any()
    assert not words.any()


@pytest.mark.parametrize(("mic", "far"), [(100, 100), (160, 320), (161, 161), (160, 0)])
def test_pieces_of_blocks_are_refused(mic: int, far: int) -> None:
    pair = EarAndWords(Late(0), Late(0), AudioFormat(RATE, 1))
    with pytest.raises(ValueError, match=f"whole blocks of 160 samples .* not {mic} .* and {far} "):
        pair.cancel(np.zeros((mic, 1), np.int16), np.zeros(far, np.float32))


@dataclass
class Knowing(Late):
    """Knows the echo that nobody captured: the last blocks that sounded, in steps of int16."""

    def pass_over(self, far: np.ndarray, lost: int) -> Ints:
        echo = int16(far[len(far) - lost :].astype(np.float64))
        return np.repeat(echo[:, None], self.channels, axis=1)


@dataclass
class Listening(Late):
    """Remembers what it heard."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.heard: list[Ints] = []

    def cancel(self, mic: Ints, far: np.ndarray) -> Ints:
        self.heard.append(mic)
        return super().cancel(mic, far)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("lost", [2 * BLOCK, 0])
def test_behind_a_loss_the_ear_hears_the_echo_that_nobody_captured(lost: int, channels: int) -> None:
    ear = Listening(10)
    pair = EarAndWords(ear, Knowing(0, channels), AudioFormat(RATE, channels))
    far = np.random.default_rng(2).uniform(-0.5, 0.5, 30 * BLOCK).astype(np.float32)
    pair.pass_over(far, lost)
    assert len(ear.heard) == (1 if lost else 0)
    if lost:
        assert np.array_equal(ear.heard[0][:, 0], int16(far[-lost:].astype(np.float64)))
        assert np.array_equal(ear.sounded[0], far[-lost:])


def test_without_a_filter_that_knows_a_loss_changes_nothing() -> None:
    ear = Listening(10)
    pair = EarAndWords(ear, Late(0), AudioFormat(RATE, 1))
    pair.pass_over(np.zeros(30 * BLOCK, np.float32), 2 * BLOCK)
    assert not ear.heard
