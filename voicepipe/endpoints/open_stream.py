"""An open stream of a device, as its stage sees it, and the check that a back end's stream is one."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from voicepipe.awaitables import awaitable, check_methods
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import InputStream, OutputStream, StreamInfo
from voicepipe.errors import DeviceError
from voicepipe.report import DeviceKind
from voicepipe.text import class_name

__all__ = ["S", "Stream", "open_checked"]


class Stream(Protocol):
    """An input or output stream, as a stage sees it."""

    @property
    def info(self) -> StreamInfo:
        """The description of the opened stream."""
        ...

    @property
    def error(self) -> DeviceError | None:
        """The error that ended the stream; None while it works."""
        ...

    @property
    def counts(self) -> CallbackCounts:
        """The counts of its callbacks so far."""
        ...

    @property
    def callbacks(self) -> int | None:
        """The number of callbacks so far; None if the stream makes none."""
        ...

    async def start(self) -> None:
        """Start the stream."""
        ...

    async def close(self) -> None:
        """Close the stream and release the device."""
        ...


S = TypeVar("S", bound=Stream)

_OPENS: dict[DeviceKind, tuple[str, type]] = {
    "microphone": ("open_input", InputStream),
    "speaker": ("open_output", OutputStream),
}
"""The method of a back end that opens the stream, and the protocol of the stream."""


async def open_checked(kind: DeviceKind, opening: Awaitable[S]) -> S:
    """Await the opening of a stream, and check its methods.

    Raises:
        DeviceError: the device does not open.
        TypeError: a method of the stream is async where it must be plain, or the other way round.
    """
    method, model = _OPENS[kind]
    stream = await awaitable(f"{method} of the back end", opening)
    try:
        check_methods(stream, model, class_name(stream))
    except TypeError:
        await stream.close()
        raise
    return stream
