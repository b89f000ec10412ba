"""The noise of the room at the ear: it covers the rest of an echo."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

__all__ = ["EarNoise"]

QUIET_BLOCKS = 50
"""The noise of the room is the least of so many blocks in which nothing sounded: one of ten is looked at."""
EVERY = 10
LEAST_NOISE = 107.0
"""The power of the noise at least, in steps of 16 bits: -70 dB. A room without any would let a voice detector
amplify the last of an echo until it is a voice."""
_MADE_S = 4
"""The noise is made once, and read from another place each time."""

_Ints = npt.NDArray[np.int16]


class EarNoise:
    """Gives the ear the noise of the room, block by block.

    A suppressor takes the room's noise with the echo. Judges follow the noise, and would take faint rests
    of an echo for a voice; so the noise is put back. (To hold the ear down instead, to silence or to the
    level of the words, was tried: judges then hear more of an echo, not less.)

    Args:
        block: the samples of a block of 10 ms.
    """

    def __init__(self, block: int) -> None:
        self._quiet: deque[float] = deque(maxlen=QUIET_BLOCKS)
        self._rested = 0
        self._random = np.random.default_rng(1)
        self._noise = self._random.standard_normal(100 * _MADE_S * block).astype(np.float32)
        self._block = block

    def rest(self, mic: bytes) -> None:
        """Take a block of the microphone in which nothing sounds."""
        self._rested += 1
        if self._rested % EVERY == 0:
            self._quiet.append(_power(np.frombuffer(mic, np.int16)))

    def cover(self, ear: _Ints | None) -> _Ints:
        """Return the ear of a block, with the noise; None: the noise alone."""
        level = max(LEAST_NOISE, min(self._quiet, default=0.0)) ** 0.5
        begin = int(self._random.integers(len(self._noise) - self._block))
        made = self._noise[begin : begin + self._block] * np.float32(level)
        if ear is not None:
            made += ear
        covered: _Ints = np.clip(np.rint(made), -32_768, 32_767).astype(np.int16)
        return covered


def _power(audio: _Ints) -> float:
    floats = audio.reshape(-1).astype(np.float32)
    return float(floats @ floats) / len(floats)
