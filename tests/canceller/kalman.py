"""A plain canceller for tests: a partitioned Kalman filter in blocks (Kuech, Mabande and Enzner 2014)."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Kalman"]

_Floats: TypeAlias = npt.NDArray[np.floating]
FORGET = 0.9995


class Kalman:
    """Takes the echo out of blocks of one length.

    Args:
        block: samples in a block.
        parts: blocks that the path of the echo spans.
    """

    def __init__(self, block: int = 160, parts: int = 12) -> None:
        self._block = block
        bins = block + 1
        self._far = np.zeros((parts, bins), np.complex128)
        self._last: _Floats = np.zeros(block)
        self._path: npt.NDArray[np.complexfloating] = np.zeros((parts, bins), np.complex128)
        self._unknown: _Floats = np.full((parts, bins), 1.0)
        self._noise = np.full(bins, 1e-6)

    def cancel(
        self, mic: npt.NDArray[np.floating], far: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.floating]:
        """Return what is left of a block of the microphone."""
        block = self._block
        self._far[1:] = self._far[:-1].copy()
        self._far[0] = np.fft.rfft(np.concatenate((self._last, far)))
        self._last = far
        left = mic - np.fft.irfft((self._path * self._far).sum(0))[block:]
        error = np.fft.rfft(np.concatenate((np.zeros(block), left)))
        power = np.abs(self._far) ** 2
        self._noise += 0.1 * (np.abs(error) ** 2 - self._noise)
        gain = self._unknown / (0.5 * (self._unknown * power).sum(0) + self._noise + 1e-9)
        steps = np.fft.irfft(gain * np.conj(self._far) * error, axis=1)
        steps[:, block:] = 0.0
        self._path += np.fft.rfft(steps, axis=1)
        self._path *= FORGET
        more = (1 - FORGET**2) * np.abs(self._path) ** 2
        self._unknown = FORGET**2 * (1 - 0.5 * gain * power) * self._unknown + more + 1e-9
        return left
