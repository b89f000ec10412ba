"""The log-mel spectrum, beside the numbers of Whisper's own feature extractor for the same audio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.speech.ends.log_mel import BANDS, RATE, STEPS, WINDOW, log_mel, normalise

# fmt: off
REFERENCE = [
    [-0.1021, -0.0510,  0.0390, -0.1727, -0.0678,  0.0135, -0.2541],
    [-0.2541,  0.1762,  0.2375,  0.1831,  0.1836,  0.1855,  0.2327],
    [-0.2541,  0.0903, -0.1265,  0.0253,  0.0243,  0.0203, -0.1140],
    [-0.2541,  0.1218,  0.0263,  0.0262,  0.0262,  0.0263,  0.0245],
    [-0.2541,  0.0439,  1.3839,  0.0391,  0.0391,  0.0400,  0.0653],
    [-0.2541,  0.1153,  0.0999,  0.1160,  0.1148,  0.1165,  0.1021],
    [-0.2541,  0.3114,  0.3134,  0.3111,  0.3111,  0.3113,  0.3202],
]
# fmt: on
"""Every 13th band at every 67th step from 395 on, by `WhisperFeatureExtractor(chunk_length=8)` of the package
transformers 5.24, with `do_normalize=True`."""


def chirp() -> npt.NDArray[np.float32]:
    """A rising tone over weak numbers in the second half of 8 s, behind zeros."""
    n = np.arange(WINDOW)
    numbers = (np.cumsum(np.full(WINDOW, 2_654_435_761, np.uint64)) % np.uint64(2**32)) / 2**32 - 0.5
    t = np.maximum(0, n - WINDOW // 2) / RATE
    tone = 0.4 * np.sin(2 * np.pi * (100 * t + 975 * t * t))
    return np.asarray((tone + 0.02 * numbers) * (n >= WINDOW // 2), np.float32)


def test_it_is_what_whispers_own_extractor_gives() -> None:
    found = log_mel(chirp())
    assert found.shape == (BANDS, STEPS)
    assert found.dtype == np.float32
    assert np.abs(found[::13, 395::67] - np.array(REFERENCE)).max() < 6e-5
    assert abs(found.mean() + 0.02335139) < 1e-5
    assert abs(float(np.max(found[:, :400])) - 0.5932652) < 1e-5


def test_a_louder_turn_gives_the_same_spectrum() -> None:
    softer = np.asarray(chirp() / 4, np.float32)
    assert np.abs(log_mel(softer) - log_mel(chirp())).max() < 1e-4


def test_silence_stays_silence() -> None:
    assert np.unique(log_mel(np.zeros(WINDOW, np.float32))).tolist() == [-1.5]
    assert not normalise(np.zeros(10, np.float32)).any()
