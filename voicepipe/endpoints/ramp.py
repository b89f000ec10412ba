"""A gain that moves along the positions of a stream, a fade of a few samples, and a join of two sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FULL", "Ramp", "fade", "join"]

JOIN_S = 0.005
"""The step between what was heard last and what is heard next is spread over so long."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """A gain: `first` until `begin`, `last` from `samples` later on, and a straight line between."""

    begin: int
    samples: int
    first: float
    last: float

    def at(self, position: int) -> float:
        """Return the gain of one sample."""
        if position >= self.begin + self.samples:
            return self.last
        passed = max(0, position - self.begin)
        return self.first + (self.last - self.first) * passed / max(1, self.samples)

    def is_full(self, position: int) -> bool:
        """Return True if everything from this position on passes as it comes."""
        return self.last == 1.0 and (self.first == 1.0 or position >= self.begin + self.samples)

    def over(self, position: int, samples: int) -> float | npt.NDArray[np.float32]:
        """Return the gain of so many samples: one number if it does not move meanwhile."""
        if self.first == self.last or position >= self.begin + self.samples:
            return self.last
        if position + samples <= self.begin:
            return self.first
        import numpy as np

        steps = np.arange(position, position + samples)
        gains = np.interp(steps, [self.begin, self.begin + self.samples], [self.first, self.last])
        return gains.astype(np.float32)[:, np.newaxis]


FULL = Ramp(0, 0, 1.0, 1.0)
"""Everything as it comes."""


def fade(data: bytes | memoryview, channels: int, first: float, last: float) -> bytes:
    """Return the audio with a gain that moves from `first` to `last` in a straight line."""
    import numpy as np

    audio = np.frombuffer(data, np.int16).reshape(-1, channels)
    gains = np.linspace(first, last, len(audio), endpoint=False)[:, np.newaxis]
    return np.trunc(audio * gains).astype(np.int16).tobytes()


def join(last: bytes, data: bytes, audio: AudioFormat) -> bytes:
    """Join a piece to a sample that it does not go on from, without the step.

    Args:
        last: that sample, of all channels.
        data: the piece.
        audio: the format of both.
    """
    import numpy as np

    samples = np.frombuffer(data, np.int16).reshape(-1, audio.channels).astype(np.float64)
    count = min(len(samples), audio.samples(JOIN_S))
    step = np.frombuffer(last, np.int16) - samples[0]
    samples[:count] += step * np.linspace(1.0, 0.0, count, endpoint=False)[:, np.newaxis]
    return np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16).tobytes()
