"""The back end over a library whose calls block: each stream has a process of its own, which can be killed.

The rings are over there: written sound is heard, and captured sound is kept, though this process stands
still.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from voicepipe.devices.port import Backend, DeviceInfo, InputStream, LibraryInfo, OutputStream, StreamRequest
from voicepipe.devices.trial import DeviceTrial, SideTrial
from voicepipe.errors import DeviceError, DeviceTimeoutError
from voicepipe.text import printable
from voicepipe_devices.driver import Sides
from voicepipe_devices.in_process import LIST_S
from voicepipe_devices.probing import TRY_S, try_devices
from voicepipe_devices.sound_process.messages import InvalidMessageError, Kind, decode_json
from voicepipe_devices.sound_process.parent import SoundProcess
from voicepipe_devices.sound_process.streams import FarInput, FarOutput

__all__ = ["OutsideBackend"]


class OutsideBackend(Backend):
    """Streams over a blocking driver that is made, for each, in another process.

    Args:
        driver: "MODULE:FUNCTION", which returns the `BlockingDriver` there.
        name: the back end's.
        shares_air: its microphones hear its speakers.
    """

    def __init__(self, driver: str, name: str, *, shares_air: bool) -> None:
        self.name = name
        self.shares_air = shares_air
        self._driver = driver

    async def devices(self) -> list[DeviceInfo]:
        """List the devices that there are at this moment. Raises: DeviceError."""
        listed = await self._answer_to(Kind.DEVICES, "the list of sound devices")
        try:
            return [DeviceInfo(**fields) for fields in decode_json(listed)]
        except (InvalidMessageError, TypeError) as error:
            raise DeviceError(f"the sound process sent an invalid message: {printable(error)}") from error

    async def trials(self) -> list[DeviceTrial]:
        """Try every device. Raises: DeviceError: they cannot be listed."""
        async with AsyncExitStack() as opened:
            trying = _Trying(self._driver)
            opened.push_async_callback(trying.close)
            return await try_devices(await self.devices(), trying.one)

    async def library(self) -> LibraryInfo:
        """Return the library and the priority of a sound process. Raises: DeviceError."""
        told_of = await self._answer_to(Kind.LIBRARY, "the sound library's version")
        try:
            return LibraryInfo(**decode_json(told_of))
        except (InvalidMessageError, TypeError) as error:
            raise DeviceError(f"the sound process sent an invalid message: {printable(error)}") from error

    async def _answer_to(self, kind: int, what: str) -> bytes:
        """Ask a process that is made for this question."""
        process = await _start_process(self._driver)
        try:
            return await process.ask(kind, b"", what, LIST_S)
        finally:
            await process.close()

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open a microphone. Raises: DeviceError."""
        stream = FarInput(request, wake)
        await stream.open(stream.handle.open(self._driver, request))
        return stream

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open a speaker. Raises: DeviceError."""
        stream = FarOutput(request, wake)
        await stream.open(stream.handle.open(self._driver, request))
        return stream


class _Trying:
    """A process that tries devices; another, when one of them does not answer."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        self._process: SoundProcess | None = None

    async def one(self, number: int, device: DeviceInfo) -> Sides:
        try:
            process = self._process or await self._start()
            wish = json.dumps({"number": number, "name": device.name}).encode()
            found = decode_json(await process.ask(Kind.TRY, wish, f"trying {device.name}", TRY_S))
            microphone, speaker = (None if side is None else _side_of(side) for side in found)
        except DeviceTimeoutError:
            await self.close()
            raise
        except (InvalidMessageError, TypeError, ValueError) as error:
            raise DeviceError(f"the sound process sent an invalid message: {printable(error)}") from error
        return microphone, speaker

    async def _start(self) -> SoundProcess:
        """Start a process, and load the library: that takes seconds on a slow computer, with any device."""
        self._process = await _start_process(self._driver)
        await self._process.ask(Kind.LIBRARY, b"", "loading the sound library", LIST_S)
        return self._process

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.close()


def _side_of(fields: dict[str, Any]) -> SideTrial:
    return SideTrial(**{**fields, "rates": tuple(fields["rates"]), "channels": tuple(fields["channels"])})


async def _start_process(driver: str) -> SoundProcess:
    """Start a process that plays and hears nothing."""
    return await SoundProcess(lambda kind, body: None, lambda error: None).start(driver)
