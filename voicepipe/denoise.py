"""Takes steady noise out of audio: what stays is what changes, such as a voice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NoiseSuppressor"]

_Floats = npt.NDArray[np.float64]

HOP = 160
FRAME = 2 * HOP
BINS = FRAME // 2 + 1
RATE = 16_000

SMOOTHING = float(np.exp(-HOP / RATE / 0.05))
"""The power of each bin is smoothed over 50 ms before its minimum is taken."""
MEMORY = 11
"""Stretches of 0.1 s before the present one whose minimum is the floor: longer than a syllable, shorter
than a gust."""
STRETCH = 5
ABOVE_MINIMUM = 4.0
"""The mean power of noise over the minimum of its smoothed power, with a margin against residue."""
LEAST_GAIN = 0.05
DITHER = FRAME / 2.0
"""The power of a bin where the audio is noise of one step of 16 bits: no floor is below it."""
LOW_CUT_HZ, HIGH_CUT_HZ = 150, 3_800
OUTSIDE = 0.05
"""What is below is kept by so much, and nothing above: a microphone at 8 kHz has nothing there, and one at
48 kHz is to be heard like it.
"""


class NoiseSuppressor:
    """A Wiener filter in windows of 20 ms at 16 kHz, which follows the noise under whatever is said.

    The floor of each frequency is the minimum of its smoothed power over the last 1.2 s
    (R. Martin, "Noise power spectral density estimation based on optimal smoothing and minimum
    statistics", 2001, without its bias correction), the gain follows the signal-to-noise ratio
    by the decision-directed rule (Y. Ephraim and D. Malah, 1984). What comes out is 10 ms late.
    """

    window = FRAME
    delay = HOP
    """Samples between what goes in and the same sound coming out."""

    def __init__(self) -> None:
        self._taper: _Floats = np.sqrt(np.hanning(FRAME + 1)[:FRAME])
        hz = np.arange(BINS) * RATE / FRAME
        inside = (hz >= LOW_CUT_HZ) & (hz <= HIGH_CUT_HZ)
        self._inside: _Floats = np.where(hz > HIGH_CUT_HZ, 0.0, np.where(inside, 1.0, OUTSIDE))
        self._heard: _Floats = np.zeros(FRAME + HOP)
        self._frames = np.lib.stride_tricks.sliding_window_view(self._heard, FRAME)[::HOP]
        self._spread: _Floats = np.zeros((2, BINS))
        self.reset()

    def reset(self) -> None:
        """Forget everything heard."""
        self._heard[:] = 0.0
        self._tail: _Floats = np.zeros(HOP)
        self._smooth: _Floats | None = None
        self._minima: _Floats = np.full((MEMORY, BINS), np.inf)
        self._latest: _Floats = np.full(BINS, np.inf)
        self._past: _Floats = self._latest
        self._windows = 0
        self._cleaned: _Floats = np.zeros(BINS)
        self.power: _Floats = np.zeros((2, BINS))
        """The spectra of the last window's two frames."""
        self.gain: _Floats = np.zeros((2, BINS))
        """What each bin of them was multiplied by."""
        self.floor: _Floats = np.full(BINS, DITHER)
        """The power of the noise, by bin."""

    def process(self, window: _Floats) -> _Floats:
        """The next 320 samples, on any scale of 16 bits; as many that are 160 samples older."""
        heard = self._heard
        heard[:HOP] = heard[FRAME:]
        heard[HOP:] = window
        spectra = np.fft.rfft(self._frames * self._taper)
        power = self.power = spectra.real**2 + spectra.imag**2
        self._follow_the_floor(power)
        gain = self.gain = self._gains(power / self.floor)
        audio = np.fft.irfft(spectra * gain)
        audio *= self._taper
        cleaned = np.concatenate((self._tail, audio[0, HOP:]))
        cleaned[:HOP] += audio[0, :HOP]
        cleaned[HOP:] += audio[1, :HOP]
        self._tail = audio[1, HOP:]
        return cleaned

    def _follow_the_floor(self, power: _Floats) -> None:
        spread = self._spread
        spread[:] = power
        spread[:, 1:-1] = 0.25 * (power[:, :-2] + power[:, 2:]) + 0.5 * power[:, 1:-1]
        smooth = spread[1] if self._smooth is None else self._smooth
        first = smooth * SMOOTHING + spread[0] * (1 - SMOOTHING)
        second = first * SMOOTHING + spread[1] * (1 - SMOOTHING)
        self._smooth = second
        if self._windows % STRETCH == 0:
            self._minima[self._windows // STRETCH % MEMORY] = self._latest
            self._latest = np.full(BINS, np.inf)
            self._past = self._minima.min(0)
        self._windows += 1
        self._latest = np.minimum(np.minimum(first, second), self._latest)
        self.floor = np.maximum(np.minimum(self._past, self._latest) * ABOVE_MINIMUM, DITHER)

    def _gains(self, ratio: _Floats) -> _Floats:
        over = np.maximum(ratio - 1.0, 0.0)
        gains = np.empty_like(ratio)
        before = self._cleaned
        for frame in (0, 1):
            snr = np.maximum(0.9 * before + 0.1 * over[frame], 0.3 * over[frame])
            gain = np.maximum(snr / (1.0 + snr), LEAST_GAIN)
            before = gain * gain * ratio[frame]
            gains[frame] = gain
        self._cleaned = before
        gains *= self._inside
        return gains
