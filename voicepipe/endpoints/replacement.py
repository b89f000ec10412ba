"""The replacement of a stream by another one: of the same device, or of one that was asked for.

Another device is opened while the present one goes on. So a name that is wrong costs no sound. Only
where the device is busy, perhaps because both names mean the same hardware, the present stream
is closed first. If the other device does not open or start then, the old one is opened again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, Protocol

from voicepipe.endpoints.open_stream import S
from voicepipe.errors import DeviceBusyError, DeviceError

__all__ = ["Finish", "Owner", "Replacements"]

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

    async def pause_search(self) -> None:
        """Stop the search for a lost device for a while."""
        ...

    def search_again(self) -> None:
        """Go on with the search, if there is still no device."""
        ...

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


class Replacements(Generic[S]):
    """The replacements of the streams of one owner, one after another. In the loop's thread.

    Args:
        owner: the owner of the streams.
        do: starts a task, under a name.
    """

    def __init__(
        self, owner: Owner[S], do: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    ) -> None:
        self._owner = owner
        self._do = do
        self._wanted: tuple[str, Finish[S]] | None = None
        """The device that was asked for in place of the present one."""
        self._reopening: asyncio.Task[None] | None = None
        self._changing: asyncio.Task[None] | None = None

    def reopen(self, stream: S, finish: Finish[S]) -> bool:
        """Begin to open the same device again; return False while another replacement is under way."""
        if _is_on(self._reopening) or _is_on(self._changing):
            return False
        self._reopening = self._do(Replacement(self._owner, finish).reopen(stream), "reopening")
        return True

    def ask(self, device: str, finish: Finish[S]) -> None:
        """Ask for another device. The last one that was asked for counts."""
        self._wanted = (device, finish)

    def take_name(self) -> str:
        """Return the name that was asked for, and forget it; empty: none was."""
        wanted, self._wanted = self._wanted, None
        return "" if wanted is None else wanted[0]

    def begin(self) -> None:
        """Begin with the change that was asked for."""
        if self._wanted is not None and not _is_on(self._changing):
            self._changing = self._do(self._change(), "change of the device")

    async def _change(self) -> None:
        while self._wanted is not None:
            (device, finish), self._wanted = self._wanted, None
            if self._reopening is not None:
                await asyncio.wait([self._reopening])
            await self._owner.pause_search()
            try:
                await Replacement(self._owner, finish).change(device)
            finally:
                self._owner.search_again()

    def stop(self) -> None:
        """Begin no other replacement, and cut short the present one, unless it has closed the old stream."""
        self._wanted = None
        changing = None if self._owner.stream is None else self._changing
        for task in (self._reopening, changing):
            if task is not None:
                task.cancel()

    async def until_changed(self) -> None:
        """Wait until no change of the device is under way."""
        if self._changing is not None:
            await asyncio.wait([self._changing])


def _is_on(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()


class Replacement(Generic[S]):
    """The replacement of one stream."""

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
