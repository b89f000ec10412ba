"""A canceller with one output, as a protocol: an engine of two outputs is made of two such parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voicepipe.awaitables import check_methods
from voicepipe.checks import check_count
from voicepipe.text import class_name, quote

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Canceller", "block_of", "check_canceller"]


class Canceller(Protocol):
    """Takes the echo out of the audio of one microphone. It belongs to one microphone, and to one thread."""

    @property
    def name(self) -> str:
        """The name on the screen, such as "aec3"."""
        ...

    @property
    def delay(self) -> int:
        """The samples by which the output lags behind the microphone."""
        ...

    def cancel(self, mic: npt.NDArray[np.int16], far: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
        """Take the echo of `far` out of whole blocks of the microphone.

        Args:
            mic: the audio of the microphone, shape (n * block, channels).
            far: what sounded at the same time, finite, full scale at -1 and 1, shape (n * block,).

        Returns:
            The audio without the echo, in the shape of `mic`. It may be `mic` itself.
        """
        ...

    def reset(self) -> None:
        """Forget the path of the echo, and all audio."""
        ...


def block_of(rate: int) -> int:
    """Return the samples of a block of 10 ms.

    Raises:
        ValueError: a block would not be a whole number of samples.
    """
    if check_count("rate", rate, at_least=1) % 100:
        raise ValueError(f"the rate must have whole samples in 10 ms, such as 16000, not {rate}")
    return rate // 100


def check_canceller(canceller: Canceller) -> Canceller:
    """Return a canceller as it is. Raises: TypeError, ValueError: it cannot be one."""
    for method in ("cancel", "reset"):
        if not callable(getattr(canceller, method, None)):
            raise TypeError(f"canceller must be a Canceller, with {method}(), not {quote(canceller)}")
    check_methods(canceller, Canceller, class_name(canceller))
    check_count("canceller.delay", getattr(canceller, "delay", None), at_most=48_000)
    return canceller
