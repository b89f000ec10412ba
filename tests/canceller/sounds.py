"""Sounds for the tests of the canceller: a voice, a little noise, and the echo of a sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["RATE", "Floats", "Ints", "echo_of", "int16", "noise", "voice"]

RATE = 16_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int16]


def voice(seconds: float, seed: int, rate: int = RATE) -> Floats:
    """Return syllables of coloured noise with pauses, as loud as speech: no two seeds have the same."""
    rng = np.random.default_rng(seed)
    out = np.zeros(round(seconds * rate))
    at = 0
    while at < len(out):
        long = int(rng.uniform(0.08, 0.25) * rate)
        tone = np.sin(2 * np.pi * rng.uniform(150, 3_000) * np.arange(long) / rate)
        syllable = (rng.standard_normal(long) * 0.5 + tone) * np.hanning(long) * rng.uniform(0.3, 1.0)
        out[at : at + long] += syllable[: len(out) - at]
        at += long + int(rng.uniform(0.0, 0.15) * rate)
    result: Floats = out * 0.1 / np.sqrt(np.mean(out**2))
    return result


def noise(count: int, seed: int = 9) -> Floats:
    """Return the noise of a quiet room: so many samples at -60 dB."""
    return np.random.default_rng(seed).standard_normal(count) * 1e-3


def echo_of(sound: Floats, impulse: Floats) -> Floats:
    """Return the sound at the microphone, as long as it was, through an impulse response."""
    size = 1 << (len(sound) + len(impulse)).bit_length()
    spectrum = np.fft.rfft(sound, size) * np.fft.rfft(impulse, size)
    echo: Floats = np.fft.irfft(spectrum, size)[: len(sound)]
    return echo


def int16(floats: Floats) -> Ints:
    """Return floats at full scale 1 as int16, clipped."""
    return np.clip(np.rint(floats * 32_768), -32_768, 32_767).astype(np.int16)
