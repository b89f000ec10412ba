"""The sound of the speakers, by time, as a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voicepipe.speakers import Tapped

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["FarEnd"]


class FarEnd(Protocol):
    """The sound of the speakers, by time: see `voicepipe.canceller.reference.reference.Reference`."""

    def put(self, speaker: object, block: Tapped) -> None:
        """Take a block of what a speaker's device took."""
        ...

    def is_in(self, until_s: float) -> bool:
        """Return True if all that sounds before that time is here."""
        ...

    @property
    def lost(self) -> int:
        """The samples that the microphone lost before the last block; negative: too many came."""
        ...

    def note(self, position: int, captured_s: float, samples: int) -> bool:
        """Take the time of the microphone's next samples; return True while it is in doubt."""
        ...

    def read(self, position: int, samples: int) -> npt.NDArray[np.float32] | None:
        """Return what sounded while these samples were captured; None: nothing."""
        ...

    def read_before(self, samples: int) -> npt.NDArray[np.float32]:
        """Return what sounded before the block that was read last."""
        ...

    def shift(self, by_s: float) -> None:
        """Return from now on what sounded so much before."""
        ...
