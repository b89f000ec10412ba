"""The replacement of a stream by another one: of the same device, or of one that was asked for.

Another device is opened while the present one goes on. So a name that is wrong costs no sound. Only
where the device is busy, perhaps because both names mean the same hardware, the present stream
is closed first. If the other device does not open or start then, the old one is opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol

from voicepipe.endpoints.open_stream import S
from voicepipe.errors import DeviceBusyError, DeviceError

__all__ = ["CLOSE_S", "FINISH_S", "Finish", "Owner", "Replacement"]

FINISH_S = 1.0
"""The limit for the last audio of a stream that is replaced."""
CLOSE_S = 2.5
"""The limit for its close. After that, the device is opened all the same."""

Finish = Callable[[S], Awaitable[None]]
"""Returns when the captured audio of the old stream can be read, or when the written audio was played."""


class Owner(Protocol[S]):
    """The owner of the stream."""

    stream: S | None
    device: str

    async def open_named(self, device: str) -> S:
        """Open a stream of that device. Raises: DeviceError."""
        ...

    async def begin(self, stream: S) -> None:
        """Start and check a stream; close it if that fails. Raises: DeviceError."""
        ...

    def let_go(self, stream: S) -> asyncio.Task[None]:
        """Give up the present stream; return the task that closes it."""
        ...

    def adopt(self, stream: S, device: str) -> None:
        """Use this stream of that device from now on."""
        ...

    async def refuse(self, device: str, error: DeviceError) -> None:
        """Say that the device was not changed, and why."""
        ...

    def lose(self, error: DeviceError) -> None:
        """Treat the device as lost: the old stream is gone, and no other one opens."""
        ...


class Replacement(Generic[S]):
    """The replacement of a stream. One at a time; in the loop's thread."""

    def __init__(self, owner: Owner[S], finish: Finish[S]) -> None:
        self._owner = owner
        self._finish = finish
        self._closing: asyncio.Task[None] | None = None
        """The close of the old stream, in whose place there is no new one yet."""

    async def reopen(self, stream: S) -> None:
        """Open the same device again, because its stream may be dead."""
        await self._finish_it(stream)
        if self._owner.stream is stream:  # else it was lost meanwhile
            self._closing = self._owner.let_go(stream)
            await self._open_old()

    async def change(self, device: str) -> None:
        """Open another device; go back to the old one if that fails."""
        owner = self._owner
        try:
            new = await self._open_beside(device)
            await self._begin(device, new)
        except DeviceError as error:
            await owner.refuse(device, error)
            if self._closing is not None:
                await self._open_old()

    async def _open_beside(self, device: str) -> S | None:
        """Open the other device while the present one goes on; return None if it is busy."""
        try:
            return await self._owner.open_named(device)
        except DeviceBusyError:
            if self._owner.stream is None:
                raise
            return None

    async def _begin(self, device: str, new: S | None) -> None:
        """End the present stream, and begin with the new one. Raises: DeviceError."""
        owner, old = self._owner, self._owner.stream
        try:
            if old is not None:
                await self._finish_it(old)
            if old is not None and owner.stream is old:
                self._closing = owner.let_go(old)
                if new is None:
                    await self._until_closed()
        except BaseException:
            if new is not None:
                await new.close()
            raise
        new = new or await owner.open_named(device)
        await owner.begin(new)
        owner.adopt(new, device)

    async def _open_old(self) -> None:
        owner = self._owner
        await self._until_closed()
        try:
            stream = await owner.open_named(owner.device)
            await owner.begin(stream)
        except DeviceError as error:
            owner.lose(error)
        else:
            owner.adopt(stream, owner.device)

    async def _until_closed(self) -> None:
        """Wait for the close of the old stream: most hardware has one stream at a time."""
        if self._closing is not None:
            await asyncio.wait([self._closing], timeout=CLOSE_S)

    async def _finish_it(self, stream: S) -> None:
        with contextlib.suppress(DeviceError, TimeoutError):
            async with asyncio.timeout(FINISH_S):
                await self._finish(stream)
