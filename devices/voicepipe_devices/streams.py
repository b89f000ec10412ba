"""The port's streams, made of a driver's callbacks, a ring between, and a watch on the device."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from voicepipe.census import register_stream, unregister_stream
from voicepipe.devices import Block, InputStream, OutputStream, StreamInfo, StreamRequest
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.ledger import SeamReport
from voicepipe.ring import CaptureRing, Doorbell, PlaybackRing
from voicepipe_devices.driver import Driver, Handle

__all__ = ["open_input", "open_output"]

RING_S = 2.0
"""How long a microphone's ring can wait for the pipeline."""
SILENCE_S = 1.0
"""Without a callback for so long, a device counts as lost."""


async def open_input(driver: Driver, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
    """Open a driver for capture. Raises: DeviceError."""
    stream = _Input(request, wake)
    await stream.open(driver.open_capture(request, stream.captured, stream.finished))
    return stream


async def open_output(driver: Driver, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
    """Open a driver for playing. Raises: DeviceError."""
    stream = _Output(request, wake)
    await stream.open(driver.open_render(request, stream.render, stream.finished))
    return stream


class _Stream:
    """What both directions share: the handle, its loss, and its close."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._wake = wake
        self._bell = Doorbell(self._loop, self._answer)
        self._handle: Handle
        self._closing: asyncio.Future[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._last_call_s = 0.0
        self._over = False
        self.error: DeviceError | None = None

    @property
    def info(self) -> StreamInfo:
        return self._handle.info

    def __str__(self) -> str:
        return f"{type(self).__name__.strip('_').lower()} stream of {self.info.device}"

    def _answer(self) -> None:
        self._wake()

    async def open(self, opening: Awaitable[Handle]) -> None:
        self._handle = await opening
        register_stream(self)

    async def start(self) -> None:
        await self._handle.start()
        self._last_call_s = self._loop.time()
        self._look()

    def finished(self, error: DeviceError | None) -> None:
        """The driver's: there will be no more callbacks."""
        if not self._over:
            self._over, self.error = True, error
            self._bell.ring()

    def _look(self) -> None:
        """By our own clock: a driver's word that a stream is active means nothing."""
        if self._closing is not None or self._over:
            return
        silent_s = self._loop.time() - self._last_call_s
        if silent_s >= SILENCE_S:
            self.finished(DeviceLostError(f"{self.info.device} is lost: no sign of it for {silent_s:.1f} s"))
        else:
            self._watch = self._loop.call_later(SILENCE_S / 4, self._look)

    async def close(self) -> None:
        if self._closing is not None:
            await asyncio.shield(self._closing)
            return
        self._closing = self._loop.create_future()
        if self._watch is not None:
            self._watch.cancel()
        try:
            await self._handle.close()
        finally:
            unregister_stream(self)
            self._closing.set_result(None)


class _Input(_Stream):
    """A microphone."""

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(wake)
        self.ring = CaptureRing(request.format, RING_S, self._bell.ring)

    def captured(self, data: bytes, captured_s: float, missed: int) -> None:
        """The driver's callback."""
        self._last_call_s = self._loop.time()
        if missed:
            self.ring.skip(missed)
        self.ring.store(data, captured_s)

    @property
    def exhausted(self) -> bool:
        return self._over and self.error is None and self.ring.held == 0

    def read(self) -> Block | None:
        return self.ring.take()

    def stop(self) -> None:
        self.ring.close_intake()

    def seam(self, name: str, dropped: dict[str, int]) -> SeamReport:
        return self.ring.report(name, dropped)


class _Output(_Stream):
    """A speaker."""

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(wake)
        self.ring = PlaybackRing(request.format, self._bell.ring)
        self._news = asyncio.Event()

    def render(self, samples: int) -> bytes:
        """The driver's callback."""
        self._last_call_s = self._loop.time()
        return self.ring.pull(samples)

    def _answer(self) -> None:
        self._news.set()
        super()._answer()

    @property
    def position(self) -> int:
        return self.ring.played

    @property
    def queued(self) -> int:
        return self.ring.queued

    @property
    def dropped(self) -> int:
        return self.ring.dropped

    @property
    def flushing(self) -> bool:
        return self.ring.flushing

    def write(self, data: bytes | memoryview) -> None:
        self.ring.write(data)

    def notify_at(self, queued: int) -> None:
        self.ring.notify_at(queued)

    def flush(self) -> None:
        self.ring.flush()

    async def drain(self) -> None:
        while self.ring.queued:
            self.ring.notify_at(0)
            await self._next_news()
        # What a server reports is short by up to a period; zeros play meanwhile.
        await asyncio.sleep(self.info.latency_s + self.info.format.seconds(self.info.block))

    async def settle(self) -> None:
        while self.ring.flushing:
            await self._next_news()

    async def _next_news(self) -> None:
        """Wait for the callback to ring. Between the caller's look and this nothing is lost: one bell, one answer."""
        if self.error is not None:
            raise self.error
        self._news.clear()
        await self._news.wait()
