"""By how much an echo is less: over a stretch, and over time. Nobody talks over the program there."""

from __future__ import annotations

import numpy as np

from benchmarks.cancelling.rooms import RATE, Floats
from benchmarks.cancelling.scenes import Ints

__all__ = ["over_time", "reduction_db"]

STEP_POWER = 1 / 12
"""The power of what rounding to whole steps adds: no less can be left."""


def reduction_db(mic: Ints, out: Ints, from_s: float = 0.0, to_s: float | None = None) -> float:
    """Return the power of a stretch of the microphone over what is left of it, in decibels."""
    part = slice(round(from_s * RATE), None if to_s is None else round(to_s * RATE))
    return float(10 * np.log10(_power(mic[part]) / _power(out[part])))


def over_time(mic: Ints, out: Ints, window_s: float = 1.0, step_s: float = 0.1) -> tuple[Floats, Floats]:
    """Return times, and the reduction in the window before each; where the program pauses, NaN."""
    window, step = round(window_s * RATE), round(step_s * RATE)
    ends = np.arange(window, len(mic) + 1, step)
    before, after = (_powers(audio, ends, window) for audio in (mic, out))
    quiet = before < np.max(before, initial=0.0) * 1e-4
    reduced = np.where(quiet, np.nan, 10 * np.log10(before / after))
    return ends / RATE, reduced


def _power(audio: Ints) -> float:
    return float(np.mean(audio.astype(np.float64) ** 2)) + STEP_POWER


def _powers(audio: Ints, ends: np.ndarray, window: int) -> Floats:
    total = np.concatenate([[0.0], np.cumsum(audio.astype(np.float64) ** 2)])
    powers: Floats = (total[ends] - total[ends - window]) / window + STEP_POWER
    return powers
