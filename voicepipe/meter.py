"""How loud it is."""

from __future__ import annotations

import math
import operator
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

from voicepipe.errors import shown
from voicepipe.frames import AudioFrame, Frame, FrameDirection
from voicepipe.processor import InlineProcessor

__all__ = ["Level", "LevelMeter"]

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


class LevelMeter(InlineProcessor):
    """Measures the audio that passes downstream, and passes everything on unchanged.

    Args:
        kind: measure only audio of this class.

    Raises:
        TypeError: `kind` is no class of audio frames.
    """

    def __init__(self, kind: type[AudioFrame] = AudioFrame, *, name: str = "") -> None:
        super().__init__(name=name)
        if not (isinstance(kind, type) and issubclass(kind, AudioFrame)):
            raise TypeError(f"a LevelMeter measures a class of audio frames, not {shown(kind)}")
        self._kind = kind
        self.level = Level()
        """The level of the last frame that was measured."""
        self.loudest_db = FLOOR_DB
        """The highest peak since `reset()`."""
        self.num_samples = 0
        """Samples measured since `reset()`."""

    def reset(self) -> None:
        """Begin anew."""
        self.level, self.loudest_db, self.num_samples = Level(), FLOOR_DB, 0

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Measure, and pass on."""
        if isinstance(frame, self._kind) and direction is FrameDirection.DOWNSTREAM and frame.num_samples:
            self.level = Level.of(frame.data)
            self.loudest_db = max(self.loudest_db, self.level.peak_db)
            self.num_samples += frame.num_samples
        return (frame,)


def _db(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB
