"""A filter that takes steady noise out of audio: what changes stays, such as a voice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NoiseSuppressor", "within"]

_Floats = npt.NDArray[np.float64]

RATE = 16_000
HOP = 480
FRAME = 2 * HOP
BINS = FRAME // 4 + 1
"""Up to 4 kHz: a microphone at 8 kHz has nothing above, and one at 48 kHz is to be heard like it."""
HZ: _Floats = np.arange(BINS, dtype=np.float64) * (RATE / FRAME)
VOICE_HZ = (150, 3_800)

CLEANED_RATE = RATE // 2
CLEANED = HOP // 2

KEEP = float(np.exp(-HOP / RATE / 0.05))
"""The power of each bin is smoothed over 50 ms before its minimum is taken."""
STRETCH = 3
MEMORY = 11
"""Stretches of 90 ms before the present one whose minimum is the floor: longer than a syllable, shorter
than a gust."""
ABOVE_MINIMUM = 3.5
"""The mean power of noise over the minimum of its smoothed power, with a margin against residue."""
LEAST_GAIN = 0.05
DITHER = FRAME / 2.0
"""The power of a bin where the audio is noise of one step of 16 bits: no floor is below it."""
OUTSIDE = 0.05
"""The gain below `VOICE_HZ`; above, nothing is kept."""


def within(band_hz: tuple[int, int]) -> _Floats:
    """Return 1 for the bins of a band, 0 for the others."""
    low, high = band_hz
    return ((low <= HZ) & (high > HZ)).astype(np.float64)


class NoiseSuppressor:
    """A Wiener filter over windows of 30 ms at 16 kHz, which follows the noise under whatever is said.

    The floor of each frequency is the minimum of its smoothed power over the last second
    (R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum
    statistics", 2001, without its bias correction). The result is the middle of the last 60 ms,
    at 8 kHz: for a detector, not for an ear, since neighbouring windows do not overlap.
    """

    delay = HOP // 2
    """Samples between what goes in and the same sound coming out."""

    def __init__(self) -> None:
        self._taper: _Floats = np.hanning(FRAME + 1)[:FRAME]
        middle = slice(CLEANED // 2, CLEANED // 2 + CLEANED)
        self._middle = middle
        # Half of it, for there are half as many samples.
        self._untaper: _Floats = 0.5 / self._taper[::2][middle]
        low, high = VOICE_HZ
        inside = np.where(low > HZ, OUTSIDE, 1.0)
        self._inside: _Floats = np.where(high < HZ, 0.0, inside)
        self._heard: _Floats = np.zeros(FRAME)
        self._room: _Floats = np.zeros(BINS)
        self.spectra: _Floats = np.zeros((3, BINS))
        """By frequency, the power of the last 60 ms, what stayed of it, and the noise's."""
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard[:] = 0.0
        self._smooth: _Floats = np.zeros(BINS)
        self._minima: _Floats = np.full((MEMORY, BINS), np.inf)
        self._latest: _Floats = np.full(BINS, np.inf)
        self._past: _Floats = self._latest
        self._windows = 0
        self.spectra[:] = 0.0

    def process(self, window: bytes) -> bytes:
        """Take the next 480 samples of int16; return 240 that are cleaned, at half the rate."""
        heard = self._heard
        heard[:HOP] = heard[HOP:]
        heard[HOP:] = np.frombuffer(window, np.int16)
        spectrum = np.fft.rfft(heard * self._taper)[:BINS]
        power, stayed, floor = self.spectra
        np.square(spectrum.real, out=power)
        power += np.square(spectrum.imag)
        self._follow_the_floor(power, floor)
        gain = self._gain(power, floor)
        spectrum *= gain
        gain *= gain
        np.multiply(power, gain, out=stayed)
        cleaned = np.fft.irfft(spectrum, FRAME // 2)[self._middle] * self._untaper
        np.minimum(cleaned, 32_767.0, out=cleaned)
        np.maximum(cleaned, -32_768.0, out=cleaned)
        return cleaned.astype(np.int16).tobytes()

    def _follow_the_floor(self, power: _Floats, floor: _Floats) -> None:
        change, smooth = self._room, self._smooth
        if self._windows == 0:
            smooth[:] = power
        np.subtract(power, smooth, out=change)
        change *= 1.0 - KEEP
        smooth += change
        if self._windows % STRETCH == 0:
            self._minima[self._windows // STRETCH % MEMORY] = self._latest
            self._latest = np.full(BINS, np.inf)
            self._past = self._minima.min(0)
        self._windows += 1
        np.minimum(self._latest, smooth, out=self._latest)
        np.minimum(self._past, self._latest, out=floor)
        floor *= ABOVE_MINIMUM
        np.maximum(floor, DITHER, out=floor)

    def _gain(self, power: _Floats, floor: _Floats) -> _Floats:
        """Compute it from the power now and lately: from now alone, single bins of noise would tinkle."""
        gain = power + self._smooth
        gain += 1.0  # of digital silence there is nothing to divide by
        np.divide(floor, gain, out=gain)
        gain *= -2.0
        gain += 1.0
        np.maximum(gain, LEAST_GAIN, out=gain)
        gain *= self._inside
        return gain
