"""The log-mel spectrum of 8 s, as Whisper's encoder wants it.

A. Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022: 80 bands, windows of
25 ms every 10 ms. The bands are those of M. Slaney's Auditory Toolbox, 1998: even up to 1 kHz, then
logarithmic, each with the same area.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

__all__ = ["BANDS", "RATE", "STEPS", "WINDOW", "log_mel", "normalise"]

RATE = 16_000
BANDS, STEPS = 80, 800
"""The shape of the spectrum."""
HOP = 160
WINDOW = HOP * STEPS
"""Samples: 8 s."""
_FFT = 400
_LEAST_POWER = 1e-10
_LEAST_VARIANCE = 1e-7
_EVEN_HZ = 200 / 3
"""The width of a mel up to 1 kHz."""
_KNEE_MEL = 15.0
_MELS_PER_LOG = 27 / np.log(6.4)

_Floats = npt.NDArray[np.float64]


def normalise(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return audio with a mean of zero and a variance of one; silence stays silence."""
    scaled = (audio - audio.mean()) / np.sqrt(audio.var() + _LEAST_VARIANCE)
    return np.asarray(scaled, np.float32)


def log_mel(audio: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the spectrum of so much audio: shape (bands, steps), about -1 to 2.

    Args:
        audio: `WINDOW` samples at 16 kHz, full scale 1.
    """
    reflected = np.pad(normalise(audio).astype(np.float64), _FFT // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(reflected, _FFT)[::HOP][:STEPS]
    spectrum = np.fft.rfft(windows * _hann())
    power = spectrum.real**2 + spectrum.imag**2
    bands = np.log10(np.maximum(power @ _filters(), _LEAST_POWER)).T
    return np.asarray((np.maximum(bands, bands.max() - 8) + 4) / 4, np.float32)


def _hann() -> _Floats:
    """Return a periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT) / _FFT), np.float64)


@functools.cache
def _filters() -> _Floats:
    """Return the triangular bands: shape (bins, bands)."""
    bins = np.arange(_FFT // 2 + 1) * RATE / _FFT
    edges = _hertz(np.linspace(0.0, _mels(RATE / 2), BANDS + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, np.newaxis] - low) / (centre - low)
    falling = (high - bins[:, np.newaxis]) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling)) * (2 / (high - low))


def _mels(hertz: float) -> float:
    """Return the mels of a frequency above 1 kHz."""
    return float(_KNEE_MEL + np.log(hertz / (_KNEE_MEL * _EVEN_HZ)) * _MELS_PER_LOG)


def _hertz(mels: _Floats) -> _Floats:
    knee = _KNEE_MEL * _EVEN_HZ
    return np.where(mels < _KNEE_MEL, mels * _EVEN_HZ, knee * np.exp((mels - _KNEE_MEL) / _MELS_PER_LOG))
