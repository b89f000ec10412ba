"""How loud a stretch of audio is."""

from __future__ import annotations

import math
import operator
import sys
from array import array
from dataclasses import dataclass

__all__ = ["FLOOR_DB", "Level"]

_FULL_SCALE = 32_768


FLOOR_DB = -96.0
"""What a meter shows for digital silence: the range of 16 bits."""


@dataclass(frozen=True, slots=True)
class Level:
    """The level of a stretch of audio, in dB below full scale (a square wave at full scale has 0)."""

    rms_db: float = FLOOR_DB
    """Root mean square: how loud it is."""
    peak_db: float = FLOOR_DB
    """The largest sample: how near to clipping."""
    clipped: int = 0
    """Samples at full scale."""

    @classmethod
    def of(cls, data: bytes) -> Level:
        """The level of int16 audio; of nothing, the floor."""
        if not data:
            return cls()
        # Without numpy it takes longer; but a program that needs it for nothing else saves 12 MB.
        peak, rms, clipped = _by_numpy(data) if "numpy" in sys.modules else _by_hand(data)
        return cls(_db(rms / _FULL_SCALE), _db(peak / _FULL_SCALE), clipped)


def _by_numpy(data: bytes) -> tuple[float, float, int]:
    import numpy as np

    audio = np.frombuffer(data, np.int16).astype(np.float64)
    sizes = np.abs(audio)
    rms = math.sqrt(float(audio @ audio) / audio.size)
    return float(sizes.max()), rms, int(np.count_nonzero(sizes >= _FULL_SCALE - 1))


def _by_hand(data: bytes) -> tuple[float, float, int]:
    audio = array("h", data)
    sizes = array("i", map(abs, audio))
    rms = math.sqrt(sum(map(operator.mul, audio, audio)) / len(audio))
    return max(sizes), rms, sizes.count(_FULL_SCALE) + sizes.count(_FULL_SCALE - 1)


def _db(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB
