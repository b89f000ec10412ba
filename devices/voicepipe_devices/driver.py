"""The lowest seam there is: what a library with audio callbacks offers, and nothing more.

A driver opens a handle that calls back from a context of its own, once for every block.
`streams` makes the port's streams of it; everything above a driver is the same code for
every library, and for the simulated card.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from voicepipe.devices.port import DeviceInfo, StreamInfo, StreamRequest
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError

if TYPE_CHECKING:
    from voicepipe.devices.trial import SideTrial

__all__ = [
    "BlockingDriver",
    "BlockingHandle",
    "CaptureCallback",
    "Driver",
    "Finished",
    "Handle",
    "RenderCallback",
    "Sides",
    "stamps_of",
    "underflows_of",
]


class CaptureCallback(Protocol):
    """Called with every captured block. Never waits, never raises."""

    def __call__(self, data: bytes, captured_s: float, missed: int) -> None:
        """Take one block; it is empty where only a loss is to be told.

        `captured_s`: when its first sample was captured, by the loop's clock. `missed`:
        samples that the device lost before it.
        """


class RenderCallback(Protocol):
    """Called for every block to be played. Never waits, never raises."""

    def __call__(self, samples: int, sounds_s: float | None = None) -> bytes:
        """Return exactly so many samples.

        `sounds_s`: when the first of them sounds, by the loop's clock. None: the driver does not know; then
        the callbacks themselves are timed, and the latency is the one of the handle's `info`.
        """
        ...


Sides: TypeAlias = "tuple[SideTrial | None, SideTrial | None]"
"""The trials of a device's microphone and of its speaker; None: it has none."""
Finished = Callable[[DeviceError | None], None]
"""Called once when the callbacks have ended by themselves: with the reason, or None where an input ran out.

From any thread; never waits, never raises.
"""


class Handle(Protocol):
    """One open stream of the library.

    A speaker's may have `underflows`: the number of times that the device said that it ran dry. Either may
    have `stamps`: the worth of the library's time stamps.
    """

    @property
    def info(self) -> StreamInfo:
        """The stream as it was opened."""
        ...

    async def start(self) -> None:
        """Let the callbacks begin."""
        ...

    async def close(self) -> None:
        """Abort the callbacks and close. Called once. No callback comes after it has returned.

        May take its time, and then refuses to be cancelled: it returns when the library does.
        """
        ...


class Driver(Protocol):
    """A library of sound.

    An awaited call may take its time, as a call into C does. Cancelled, it goes on until the
    library returns, closes what arrived late, and only then raises CancelledError: so a
    caller can name the call that does not come back.
    """

    @abc.abstractmethod
    async def devices(self) -> list[DeviceInfo]:
        """List the devices that there are now."""
        ...

    @abc.abstractmethod
    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        """Open for capture; no callback yet. Raises: DeviceError."""
        ...

    @abc.abstractmethod
    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        """Open for playing; no callback yet. Raises: DeviceError."""
        ...


class BlockingHandle(Protocol):
    """One open stream of a library whose calls block. One thread calls it, and another the callbacks."""

    @property
    def info(self) -> StreamInfo:
        """The stream as it was opened."""
        ...

    def start(self) -> None:
        """Let the callbacks begin. Raises: DeviceError."""
        ...

    def end(self) -> None:
        """Abort the callbacks and close; once is enough. No callback comes after it has returned."""
        ...


def underflows_of(handle: Handle | BlockingHandle) -> int:
    """Return how often the device said that it ran dry; 0 where the handle does not count that."""
    count: int = getattr(handle, "underflows", 0)
    return count


def stamps_of(handle: Handle | BlockingHandle) -> Stamps:
    """Return the worth of the library's time stamps; empty where the handle does not judge them."""
    stamps: Stamps = getattr(handle, "stamps", "")
    return stamps


class BlockingDriver(Protocol):
    """A library whose calls block, and may never come back. Derive from it for the defaults.

    `InsideBackend` calls it in this process, by threads; `OutsideBackend` in a process of its own, which can
    be killed.
    """

    def version(self) -> str:
        """Return the library's name and version; empty, as by default: it has none. Raises: DeviceError."""
        return ""

    def try_device(self, number: int, name: str) -> Sides:
        """Try a device of the list, without a sound. Raises: DeviceError: by default it cannot be tried."""
        raise DeviceError("this library cannot try a device without opening it")

    @abc.abstractmethod
    def devices(self) -> list[DeviceInfo]:
        """List the devices that there are now. Raises: DeviceError."""
        ...

    @abc.abstractmethod
    def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> BlockingHandle:
        """Open for capture; no callback yet. Raises: DeviceError."""
        ...

    @abc.abstractmethod
    def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> BlockingHandle:
        """Open for playing; no callback yet. Raises: DeviceError."""
        ...
