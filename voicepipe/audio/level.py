"""The level of a stretch of audio."""

from __future__ import annotations

import math
import operator
from array import array
from dataclasses import dataclass

__all__ = ["FLOOR_DB", "Level"]

_FULL_SCALE = 32_768
_AT_FULL_SCALE = (32_767, -32_767, -32_768)

FLOOR_DB = -96.0
"""The level of digital silence on a meter: the range of 16 bits."""


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
        """Measure int16 audio; nothing has the level of the floor."""
        if not data:
            return cls()
        # By hand, for a program that needs numpy for nothing else saves 12 MB: 29 us for 20 ms at 16 kHz.
        samples = array("h", data).tolist()
        peak = max(max(samples), -min(samples))
        rms = math.sqrt(sum(map(operator.mul, samples, samples)) / len(samples))
        clipped = sum(map(samples.count, _AT_FULL_SCALE)) if peak >= _FULL_SCALE - 1 else 0
        return cls(_db(rms / _FULL_SCALE), _db(peak / _FULL_SCALE), clipped)


def _db(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB
