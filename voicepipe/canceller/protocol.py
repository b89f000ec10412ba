"""The engine of an echo canceller, as a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["EchoEngine"]


class EchoEngine(Protocol):
    """Takes the echo out of one microphone's audio, block by block. It belongs to one microphone.

    It gives two outputs. The ear is for judges, such as voice detection: as little echo as possible, even if
    words suffer. The words are for listeners, such as recognisers: every word stays, and some echo may.

    An engine may have `pass_over(far, lost)` besides. It is called before the block that follows a loss of
    the microphone, with the last 0.3 s that sounded. Of these, nobody captured the last `lost` samples.
    """

    name: str
    """The name on the screen, such as "aec3"."""
    rate: int
    """Samples a second, of all its audio."""
    channels: int
    """The channels of the microphone."""
    block: int
    """The samples of a block: 10 ms."""
    delay: int
    """The samples by which both outputs lag behind the microphone."""

    def cancel(
        self, mic: npt.NDArray[np.int16], far: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Take the echo of `far` out of a block of the microphone, or of several whole ones.

        Args:
            mic: the audio of the microphone, shape (n * block, channels).
            far: what sounded at the same time, full scale at -1 and 1, shape (n * block,).

        Returns:
            The ear, shape (n * block,), and the words, shape (n * block, channels).
        """
        ...

    def reset(self) -> None:
        """Forget the path of the echo, and all audio: a new stream begins."""
        ...
