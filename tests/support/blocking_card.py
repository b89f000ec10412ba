"""The simulated card as a library whose calls block, so that it can hang and crash in a process of its own.

A sound process makes its driver by a function's name; for a card with faults, write one:

    def unplugged() -> BlockingCard:
        return BlockingCard(then=lambda card: card.mic.unplug(), after_s=0.5)

    backend = OutsideBackend("my_module:unplugged", "fake", shares_air=False)

It ticks in real time. Each process, and so each stream, has a card of its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from voicepipe.devices.port import DeviceInfo, StreamInfo, StreamRequest
from voicepipe.devices.trial import DeviceTrial
from voicepipe_devices.driver import (
    BlockingDriver,
    CaptureCallback,
    Finished,
    Handle,
    RenderCallback,
    Sides,
    underflows_of,
)
from voicepipe_devices.fake import SimulatedCard

__all__ = ["BlockingCard", "Verb"]

T = TypeVar("T")
Verb = Callable[[SimulatedCard], object]
"""What happens to a card."""


class BlockingCard(BlockingDriver):
    """A `BlockingDriver` over a simulated card.

    Args:
        card: the card; a new one by default.
        first: what happens to it before a stream is opened.
        then: what happens to it while a stream runs.
        after_s: so many seconds after its start.
    """

    def __init__(
        self,
        card: SimulatedCard | None = None,
        *,
        first: Verb = lambda card: None,
        then: Verb = lambda card: None,
        after_s: float = 0.1,
    ) -> None:
        self.card = card or SimulatedCard()
        self._backend = self.card.backend()
        self._first, self._then, self._after_s = first, then, after_s

    def devices(self) -> list[DeviceInfo]:
        """The card's two devices, where they are plugged in."""
        return asyncio.run(self._backend.devices())

    def try_device(self, number: int, name: str) -> Sides:
        """What one of them opens at. Raises: DeviceError."""

        async def found() -> DeviceTrial:
            self._first(self.card)
            return (await self._backend.trials())[number]

        trial = asyncio.run(found())
        return trial.microphone, trial.speaker

    def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> _BlockingHandle:
        """The microphone's handle. Raises: DeviceError."""
        return self._open(lambda: self._backend.open_capture(request, callback, finished))

    def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> _BlockingHandle:
        """The speaker's handle. Raises: DeviceError."""
        return self._open(lambda: self._backend.open_render(request, callback, finished))

    def _open(self, opening: Callable[[], Coroutine[Any, Any, Handle]]) -> _BlockingHandle:
        async def opened() -> Handle:
            self._first(self.card)
            return await opening()

        world = _World()
        try:
            handle = world.call(opened())
        except BaseException:
            world.end()
            raise
        return _BlockingHandle(world, handle, lambda: self._then(self.card), self._after_s)


class _BlockingHandle:
    """The same handle, whose calls are waited for."""

    def __init__(self, world: _World, handle: Handle, then: Callable[[], object], after_s: float) -> None:
        self._world = world
        self._handle = handle
        self._then, self._after_s = then, after_s

    @property
    def info(self) -> StreamInfo:
        return self._handle.info

    @property
    def underflows(self) -> int:
        return underflows_of(self._handle)

    def start(self) -> None:
        async def started() -> None:
            await self._handle.start()
            asyncio.get_running_loop().call_later(self._after_s, self._then)

        self._world.call(started())

    def end(self) -> None:
        self._world.call(self._handle.close())
        self._world.end()


class _World:
    """An event loop in a thread, where a card's verbs belong."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated card", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for it, as long as it takes."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def end(self) -> None:
        """Nothing is called any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
