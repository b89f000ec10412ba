"""The level of the echo at a microphone, band by band, as expected from what the speakers play.

The power of the echo in a band is the power that sounded before, block by block, each with its share: a
response of powers instead of samples. It needs no phase, so drift does little to it. A share of the power in
all bands together is what a loudspeaker that clips brings from other bands. The shares
are those under which the powers heard are likeliest, with the powers of a noise that has their mean (the
Itakura-Saito divergence). They are found by its usual multiplicative step, with forgetting (Févotte, Bertin
and Durrieu, 2009; Lefèvre, Bach and Févotte, 2011), and are never negative.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["BandPowers", "EchoLevel", "FarPowers"]

Powers = npt.NDArray[np.float64]

_EDGES_HZ = (100, 300, 500, 800, 1_200, 1_800, 2_600, 3_600, 5_000, 8_000)
"""The edges of the bands; below 100 Hz there is hum, and no voice."""
_SILENCE = 1e-9
"""A power below all noise of a microphone, so that no band is ever 0."""
REACH = 60
"""The blocks for which an echo has shares of its own: 0.6 s of unknown delay and reverberation."""
_TAIL = 0.87
"""The part of a power that reverberation leaves after each block: 60 dB in 1 s."""
_MEMORY = 0.997
"""The part that the shares remember from block to block: about 3 s of sound."""
_MOST = 4.0
"""The most by which one block counts above what was expected: a knock, or a user, teaches little."""
_SETTLED = 100
"""Blocks after which that holds. Before, everything teaches."""
_FIRST_SHARE, _FIRST_FROM_ALL = 1e-3, 1e-6
_WIDTH = REACH + 1
"""The columns of a band: a block each, and one for all that was before."""


class BandPowers:
    """The powers of 20 ms of audio in each band, block after block of 10 ms."""

    def __init__(self, rate: int) -> None:
        self._block = max(1, rate // 100)
        self._window = np.hanning(2 * self._block + 1)[:-1]
        frequencies = np.fft.rfftfreq(2 * self._block, 1 / rate)
        edges = [*(edge for edge in _EDGES_HZ if edge < rate / 2), rate]
        self._bands = np.array(
            [(frequencies >= low) & (frequencies < high) for low, high in pairwise(edges)],
            np.float64,
        )
        self._audio = np.zeros(2 * self._block)

    @property
    def count(self) -> int:
        """The number of bands."""
        return len(self._bands)

    def of(self, block: npt.NDArray[np.floating]) -> Powers:
        """Return the powers of the block and the one before it; full scale is 1."""
        self._audio[: self._block] = self._audio[self._block :]
        self._audio[self._block :] = block
        spectrum = np.fft.rfft(self._audio * self._window)
        powers: Powers = self._bands @ (spectrum.real**2 + spectrum.imag**2)
        return powers + _SILENCE


class FarPowers:
    """The powers that sounded in the last blocks, the newest first: of each band, and of all together."""

    def __init__(self, rate: int) -> None:
        self._powers = BandPowers(rate)
        self.past = np.zeros((self._powers.count, 2 * _WIDTH))
        """Shape (bands, 2 * _WIDTH): the band's own, and behind it those of all bands together."""
        self._quiet = 2 * REACH

    def put(self, block: npt.NDArray[np.floating]) -> None:
        """Add the block that sounded last."""
        past = self.past[:, :_WIDTH]
        past[:, -1] = _TAIL * past[:, -1] + past[:, -2]
        past[:, 1:-1] = past[:, :-2]
        past[:, 0] = self._powers.of(block) - _SILENCE
        self.past[:, _WIDTH:] = past.sum(axis=0)
        self._quiet = 0 if past[:, 0].sum() > len(past) * _SILENCE else self._quiet + 1
        if self._quiet == 2 * REACH:
            self.past[:] = 0.0

    @property
    def sounds(self) -> bool:
        """True if anything sounded within the reach of an echo."""
        return self._quiet < REACH

    @property
    def rests(self) -> bool:
        """True if nothing sounded for so long that no echo is left."""
        return self._quiet >= 2 * REACH


class EchoLevel:
    """The share of each block that sounded in the echo's power, learnt from the microphone."""

    def __init__(self, bands: int) -> None:
        self.share = np.full((bands, 2 * _WIDTH), _FIRST_SHARE)
        self.share[:, _WIDTH:] = _FIRST_FROM_ALL
        self._for = np.zeros_like(self.share)
        self._against = np.zeros_like(self.share)
        self.learnt = 0
        """The number of blocks it has learnt from."""

    def begin_again(self) -> EchoLevel:
        """Return another one that expects about the same, and learns at once what is different."""
        made = EchoLevel(len(self.share))
        for part in (slice(0, _WIDTH), slice(_WIDTH, None)):
            share = self.share[:, part]
            made.share[:, part] = np.maximum(share, share.mean(axis=1, keepdims=True))
        return made

    def expect(self, far: FarPowers) -> Powers:
        """Return the powers of the echo now, band by band."""
        powers: Powers = np.einsum("bk,bk->b", self.share, far.past)
        return powers

    def learn(self, far: FarPowers, heard: Powers, expected: Powers, memory: float = _MEMORY) -> None:
        """Learn from a block in which nobody talks.

        Args:
            far: what sounded.
            heard: the powers at the microphone.
            expected: those that were expected, noise included.
            memory: what is remembered of the blocks before, 0 to 1.
        """
        ratio = heard / expected
        if self.learnt >= _SETTLED:
            ratio = np.minimum(ratio, _MOST)
        self.learnt += 1
        memory = min(memory, 1 - 1 / (2 + 0.3 * self.learnt))
        weighed = far.past / expected[:, None]
        self._for *= memory
        self._for += self.share**2 * weighed * ratio[:, None]
        self._against *= memory
        self._against += weighed
        self.share = np.sqrt((self._for + 1e-40) / (self._against + 1e-30))
