"""An impulse response of thousands of taps, applied to a sound as it comes: no delay, and cheap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Convolver"]

PART = 512
"""Taps in a part of the response. Each part is multiplied in the frequency domain."""


class Convolver:
    """The convolution of a stream with a response, in pieces of any size. What comes in comes out at once.

    The response is cut into equal parts (uniformly partitioned overlap-save; Wefers, 2015). The sum over
    all parts but the first is made once for every `PART` samples; the first part is applied to what has
    come of the present samples, for each piece anew.

    Args:
        response: the impulse response.
        before: the part of the stream that has gone by.
    """

    def __init__(self, response: npt.NDArray[np.float64], before: npt.NDArray[np.float64]) -> None:
        parts = -(-len(response) // PART)
        taps = np.pad(response, (0, parts * PART - len(response))).reshape(parts, PART)
        self._response = np.fft.rfft(taps, 2 * PART)
        self._spectra = np.zeros((parts, PART + 1), np.complex128)
        """Of the last windows, as a ring: two parts of the stream in each."""
        self._newest = 0
        self._window = np.zeros(2 * PART)
        """The part before the present one, and the present one as far as it has come."""
        self._filled = 0
        self._later: npt.NDArray[np.complex128] | None = np.zeros(PART + 1, np.complex128)
        """Of the present part, what all parts of the response but the first bring; None: not summed yet."""
        self._remember(before)

    def convolve(self, sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Take the next samples of the stream, and return as many of what becomes of it."""
        out, done = np.empty(len(sound)), 0
        while done < len(sound):
            some = min(PART - self._filled, len(sound) - done)
            out[done : done + some] = self._convolve(sound[done : done + some])
            done += some
        return out

    def _remember(self, before: npt.NDArray[np.float64]) -> None:
        for at in range(0, len(before), PART):
            some = before[at : at + PART]
            self._window[PART : PART + len(some)] = some
            self._filled = len(some)
            if self._filled == PART:
                self._go_on(np.fft.rfft(self._window))

    def _convolve(self, sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        begin = PART + self._filled
        self._window[begin : begin + len(sound)] = sound
        spectrum = np.fft.rfft(self._window)
        if self._later is None:
            self._later = self._sum()
        out = np.fft.irfft(spectrum * self._response[0] + self._later)[begin : begin + len(sound)]
        self._filled += len(sound)
        if self._filled == PART:
            self._go_on(spectrum)
        return out

    def _sum(self) -> npt.NDArray[np.complex128]:
        parts = len(self._spectra)
        order = (self._newest - np.arange(parts - 1)) % parts
        later: npt.NDArray[np.complex128] = np.einsum("ij,ij->j", self._response[1:], self._spectra[order])
        return later

    def _go_on(self, spectrum: npt.NDArray[np.complex128]) -> None:
        self._newest = (self._newest + 1) % len(self._spectra)
        self._spectra[self._newest] = spectrum
        self._later = None
        self._window[:PART] = self._window[PART:]
        self._window[PART:] = 0
        self._filled = 0
