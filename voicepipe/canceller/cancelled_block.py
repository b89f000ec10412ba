"""A block of the microphone, and what was made of it, for whoever measures or records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from voicepipe.audio.format import SAMPLE_BYTES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["CancelledBlock", "Observer"]


class CancelledBlock(NamedTuple):
    """A block of the microphone, and what was made of it. Ear and words lag by the delay of the canceller."""

    position: int
    """The position of its first sample in the microphone's stream."""
    captured_s: float | None
    mic: bytes
    """Interleaved int16."""
    far: npt.NDArray[np.float32] | None
    """The sound of the speakers at that time, full scale at -1 and 1; None: nothing sounds."""
    ear: bytes | None
    """Mono int16; None: nothing was cancelled."""
    words: bytes
    """Interleaved int16."""

    def first(self, samples: int, of: int) -> CancelledBlock:
        """Return its first samples, of as many as it has."""
        end = len(self.mic) // of * samples
        return self._replace(
            mic=self.mic[:end],
            far=None if self.far is None else self.far[:samples],
            ear=None if self.ear is None else self.ear[: samples * SAMPLE_BYTES],
            words=self.words[:end],
        )


Observer = Callable[[CancelledBlock], object]
