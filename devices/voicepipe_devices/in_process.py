"""A library whose calls block, in this process: each call in a thread of its own, under a limit."""

from __future__ import annotations

from voicepipe.devices.port import DeviceInfo, LibraryInfo, StreamInfo, StreamRequest
from voicepipe.devices.trial import DeviceTrial
from voicepipe.devices.values import Stamps
from voicepipe.text import printable
from voicepipe_devices.calls import call
from voicepipe_devices.driver import (
    BlockingDriver,
    BlockingHandle,
    CaptureCallback,
    Finished,
    Handle,
    RenderCallback,
    Sides,
    stamps_of,
    underflows_of,
)
from voicepipe_devices.probing import TRY_S, try_devices
from voicepipe_devices.streams import DriverBackend

__all__ = ["CLOSE_S", "LIST_S", "OPEN_S", "START_S", "InsideBackend", "label_of"]

LIST_S = 5.0
"""The limit for listing the devices; without a sound server that can spin."""
OPEN_S = 4.5
"""The limit for opening: Bluetooth takes seconds. It is below a run's start limit, so that errors say why."""
START_S = 4.5
CLOSE_S = 2.0
"""With a sound server that hangs, a close never comes back."""


class InsideBackend(DriverBackend):
    """Streams over a blocking driver in this process.

    A call that does not come back leaves its thread behind, and the device with it.
    """

    def __init__(self, driver: BlockingDriver, name: str, *, shares_air: bool) -> None:
        self.name = name
        self.shares_air = shares_air
        self._driver = driver

    async def devices(self) -> list[DeviceInfo]:
        """List the devices, as the library has found them when it was loaded. Raises: DeviceError."""
        return await call(self._driver.devices, "the list of sound devices", LIST_S)

    async def trials(self) -> list[DeviceTrial]:
        """Try every device. Raises: DeviceError: they cannot be listed."""

        async def one(number: int, device: DeviceInfo) -> Sides:
            def try_it() -> Sides:
                return self._driver.try_device(number, device.name)

            return await call(try_it, f"trying {device.name}", TRY_S)

        return await try_devices(await self.devices(), one)

    async def library(self) -> LibraryInfo:
        """Return the library's version. Raises: DeviceError."""
        version = await call(self._driver.version, "the sound library's version", LIST_S)
        return LibraryInfo(version)

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        """Open a microphone. Raises: DeviceError."""

        def open_handle() -> BlockingHandle:
            return self._driver.open_capture(request, callback, finished)

        what = f"opening {label_of(request, 'microphone')}"
        return _Handle(await call(open_handle, what, OPEN_S, undo=lambda handle: handle.end()))

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        """Open a speaker. Raises: DeviceError."""

        def open_handle() -> BlockingHandle:
            return self._driver.open_render(request, callback, finished)

        what = f"opening {label_of(request, 'speaker')}"
        return _Handle(await call(open_handle, what, OPEN_S, undo=lambda handle: handle.end()))


class _Handle:
    """The same handle, whose calls are awaited."""

    def __init__(self, handle: BlockingHandle) -> None:
        self._handle = handle

    @property
    def info(self) -> StreamInfo:
        return self._handle.info

    @property
    def underflows(self) -> int:
        return underflows_of(self._handle)

    @property
    def stamps(self) -> Stamps:
        return stamps_of(self._handle)

    async def start(self) -> None:
        await call(self._handle.start, f"starting {self.info.device}", START_S)

    async def close(self) -> None:
        await call(self._handle.end, f"closing {self.info.device}", CLOSE_S)


def label_of(request: StreamRequest, kind: str) -> str:
    """Return the name for errors of the device that was asked for."""
    return f"the {kind} {printable(repr(request.device))}" if request.device else f"the {kind}"
