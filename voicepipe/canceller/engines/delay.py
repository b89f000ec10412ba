"""Audio some samples later: two outputs of different delay are made to match."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Delay"]


class Delay:
    """Holds audio back for a number of samples. It begins with silence.

    Args:
        samples: the number; 0: audio passes as it is.
        shape: the shape of one sample: () for mono arrays, (channels,) for frames.
    """

    def __init__(self, samples: int, shape: tuple[int, ...] = ()) -> None:
        self._held: npt.NDArray[np.int16] = np.zeros((samples, *shape), np.int16)

    def pass_on(self, audio: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        """Take audio, and return as much of before."""
        size = len(self._held)
        if not size:
            return audio
        together = np.concatenate((self._held, audio))
        self._held = together[len(audio) :]
        return together[: len(audio)]

    def reset(self) -> None:
        """Forget the audio inside: silence takes its place."""
        self._held = np.zeros_like(self._held)
