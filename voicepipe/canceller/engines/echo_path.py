"""The path from loudspeaker to microphone, learnt in the domain of frequency by a Kalman filter.

After G. Enzner and P. Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control in hands-free
telephones" (Signal Processing, 2006), in partitions as by F. Kuech, E. Mabande and G. Enzner (ICASSP 2014).
The filter knows how unsure it is of each number. So it learns fast at first, and hardly while a user talks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.far_blocks import FarBlocks

__all__ = ["EchoPath"]

_Floats = npt.NDArray[np.float32]
_Complex = npt.NDArray[np.complex64]

_KEPT = np.float32(0.9998**2)
"""The part of the path's power that stays the same from block to block: a path changes slowly by itself."""
_NOISE_KEPT = np.float32(0.7)
"""The weight of the past in the power of what is no echo."""
_CAUTION = 3.0
"""The factor on that power. It is measured with the rest of the echo in it, and smoothed: a user who begins
to talk is in it too late. With 1 a user's voice cost 4 dB more."""
_LEAST_POWER = np.float32(1e-7)
_LEAST_DOUBT = np.float32(1e-9)
"""Keeps numbers normal: denormal floats take ten times as long."""
_TIDY_EVERY = 4
"""The blocks between two partitions that are tidied. More often is dearer, and not better."""
_DECAY_DB_PER_S = 100.0
"""The slope by which an unknown room's echo is expected to decay: hardly any decays faster."""


class EchoPath:
    """The estimate of one path, in partitions.

    Args:
        rate: samples a second.
        block: the samples of a block.
        size: the samples of a spectrum.
        partitions: the number of partitions.
    """

    def __init__(self, rate: int, block: int, size: int, partitions: int) -> None:
        bins = size // 2 + 1
        self._block, self._taps = block, size - block
        decay = -_DECAY_DB_PER_S / 10 * self._taps / rate * np.arange(partitions)
        self._prior: _Floats = np.repeat(10.0 ** decay[:, None], bins, axis=1).astype(np.float32)
        self._share = np.float32(block / size)
        """The part of a spectrum of errors that is measured: the rest is zeros."""
        self._path: _Complex = np.zeros((partitions, bins), np.complex64)
        self._doubt: _Floats = self._prior.copy()
        """The expected square of the error of each number of the path."""
        self._noise: _Floats = np.full(bins, _LEAST_POWER)
        """The power of what is no echo, by frequency."""
        self._error: _Floats = np.zeros(size, np.float32)
        self._turn = 0
        """Counts the blocks, to tidy one partition after the other."""
        self._products: _Complex = np.empty_like(self._path)
        self._gain: _Floats = np.empty_like(self._prior)

    def forget(self) -> None:
        """Begin again: nothing is known of the path."""
        self._path.fill(0)
        np.copyto(self._doubt, self._prior)
        self._noise.fill(_LEAST_POWER)
        self._turn = 0

    def echo(self, far: FarBlocks) -> _Floats:
        """Return the echo of the newest block, as far as the path is known."""
        np.multiply(far.spectra, self._path, out=self._products)
        together = np.fft.irfft(self._products.sum(axis=0))
        return together[-self._block :].astype(np.float32, copy=False)

    def learn(self, far: FarBlocks, error: _Floats) -> None:
        """Learn from what the echo did not explain of the microphone's block."""
        self._error[-self._block :] = error
        errors = np.fft.rfft(self._error).astype(np.complex64, copy=False)
        self._hear_noise(errors)
        powers, gain = far.powers, self._gain
        np.multiply(self._doubt, powers, out=gain)
        expected = gain.sum(axis=0)
        expected += np.float32(_CAUTION / self._share) * self._noise
        expected += _LEAST_POWER
        np.divide(self._doubt, expected, out=gain)
        np.conjugate(far.spectra, out=self._products)
        self._products *= gain
        self._products *= errors
        self._path += self._products
        gain *= powers
        gain *= -self._share * _KEPT
        gain += _KEPT
        self._doubt *= gain
        self._doubt += _LEAST_DOUBT
        self._turn += 1
        if self._turn % _TIDY_EVERY == 0:
            self._tidy(self._turn // _TIDY_EVERY % len(self._path))

    def _hear_noise(self, errors: _Complex) -> None:
        power = errors.real * errors.real + errors.imag * errors.imag
        power *= 1 - _NOISE_KEPT
        self._noise *= _NOISE_KEPT
        self._noise += power

    def _tidy(self, partition: int) -> None:
        """Let a partition wrap around nowhere, and doubt it a little more: the room may have changed."""
        path = self._path[partition]
        taps = np.fft.irfft(path)
        taps[self._taps :] = 0
        path[:] = np.fft.rfft(taps)
        drift = path.real * path.real + path.imag * path.imag
        drift *= (1 - _KEPT) * len(self._path) * _TIDY_EVERY
        self._doubt[partition] += drift
