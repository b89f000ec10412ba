"""The opening of a stream, with a check of what the back end returns."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from voicepipe.awaitables import awaitable, check_methods
from voicepipe.devices.port import InputStream, OutputStream, Stream
from voicepipe.report import DeviceKind
from voicepipe.text import class_name

__all__ = ["S", "open_checked"]


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
