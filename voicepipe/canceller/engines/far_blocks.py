"""The last blocks of what the speakers played, as spectra. All channels of a microphone share them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FarBlocks"]

_SPARE = 16
"""Rows beyond those in use: a new row goes in front, and only when there is none must all of them move. More
would save moves, and cost more by leaving the processor's cache."""


class FarBlocks:
    """Keeps the spectra that a linear filter of several partitions needs.

    A spectrum is of the last `size` samples. A partition covers `size - block` of them, for only so many
    products of a circular convolution are right. So the partitions use every so many-th spectrum.

    Args:
        block: the samples of a block.
        size: the samples of a spectrum, a multiple of `block`.
        partitions: the number of partitions.
    """

    def __init__(self, block: int, size: int, partitions: int) -> None:
        self._block = block
        self._step = size // block - 1
        self._rows = self._step * (partitions - 1) + 1
        self._span = size // block + self._rows - 1
        """The blocks after which nothing of a block is left."""
        rows, bins = self._rows + _SPARE, size // 2 + 1
        self._audio: npt.NDArray[np.float32] = np.zeros(size, np.float32)
        self._spectra: npt.NDArray[np.complex64] = np.zeros((rows, bins), np.complex64)
        self._powers: npt.NDArray[np.float32] = np.zeros((rows, bins), np.float32)
        self._first = _SPARE
        """The row of the newest spectrum."""
        self._left = 0
        """The blocks until all is silence again."""

    @property
    def is_silent(self) -> bool:
        """True if nothing sounds in any of them: there is no echo."""
        return not self._left

    @property
    def spectra(self) -> npt.NDArray[np.complex64]:
        """A row for each partition, the newest first. The next `push` makes it invalid."""
        return self._spectra[self._first : self._first + self._rows : self._step]

    @property
    def powers(self) -> npt.NDArray[np.float32]:
        """The squares of their absolute values, likewise."""
        return self._powers[self._first : self._first + self._rows : self._step]

    def push(self, far: npt.NDArray[np.float32]) -> None:
        """Take the next block. While all is silent it costs next to nothing."""
        if far.any():
            self._left = self._span
        elif self._left:
            self._left -= 1
        if self._left:
            self._write(far)
        elif self._audio.any():
            self.clear()

    def clear(self) -> None:
        """Forget all of them: nothing sounded."""
        for each in (self._audio, self._spectra, self._powers):
            each.fill(0)
        self._left = 0

    def _write(self, far: npt.NDArray[np.float32]) -> None:
        self._audio[: -self._block] = self._audio[self._block :]
        self._audio[-self._block :] = far
        if not self._first:
            self._move_back()
        self._first -= 1
        row = self._spectra[self._first]
        row[:] = np.fft.rfft(self._audio)
        self._powers[self._first] = row.real * row.real + row.imag * row.imag

    def _move_back(self) -> None:
        for rows in (self._spectra, self._powers):
            rows[_SPARE:] = rows[: self._rows]
        self._first = _SPARE
