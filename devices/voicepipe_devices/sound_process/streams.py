"""The port's streams over a sound process: their rings and their devices are over there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe.text import printable
from voicepipe_devices.driver import Finished
from voicepipe_devices.in_process import OPEN_S, START_S, label_of
from voicepipe_devices.sound_process.messages import (
    BLOCK_HEAD,
    COUNTS,
    FLUSH_BODY,
    PROGRESS_BODY,
    REWRITE_HEAD,
    InvalidMessageError,
    Kind,
    decode_json,
    error_of,
    from_fields,
    to_fields,
    unpack,
)
from voicepipe_devices.sound_process.parent import SoundProcess
from voicepipe_devices.streams import CaptureStream, RenderStream

__all__ = ["FarInput", "FarOutput"]

STOP_S = 0.5
"""For what was captured until the intake closed to arrive."""


class _Handle:
    """The handle of a stream that is elsewhere."""

    def __init__(self, capture: bool, hears: Callable[[int, bytes], None], finished: Finished) -> None:
        self.info: StreamInfo
        self._capture = capture
        self._hears = hears
        self._finished = finished
        self.process = SoundProcess(self._take, finished)

    async def open(self, driver: str, request: StreamRequest) -> _Handle:
        await self.process.start(driver)
        what = f"opening {label_of(request, 'microphone' if self._capture else 'speaker')}"
        wish = json.dumps({**to_fields(request), "capture": self._capture}).encode()
        try:
            opened = await self.process.ask(Kind.OPEN, wish, what, OPEN_S)
            self.info = from_fields(StreamInfo, decode_json(opened))
        except InvalidMessageError as error:
            await self.process.close()
            raise DeviceError(
                f"{what}: the sound process sent an invalid message: {printable(error)}"
            ) from error
        except BaseException:  # cancelled too: the process must not stay
            await self.process.close()
            raise
        return self

    async def start(self) -> None:
        await self.process.ask(Kind.START, b"", f"starting {self.info.device}", START_S)

    async def close(self) -> None:
        await self.process.close()

    def _take(self, kind: int, body: bytes) -> None:
        if kind == Kind.OVER:
            self._finished(error_of(body))
        elif kind == Kind.FAILED:
            self._finished(error_of(body) or DeviceError(f"{self.info.device} failed"))
        else:
            self._hears(kind, body)


class FarInput(CaptureStream):
    """A microphone elsewhere."""

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(request, wake)
        self.handle = _Handle(True, self._hear, self.on_finished)
        self._next = 0
        self._counts = CallbackCounts()
        self._asked_to_stop = False
        self._stopped_there = asyncio.Event()

    def _notify(self) -> None:
        self._answer()  # blocks come by the loop itself

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == Kind.BLOCK:
            position, captured_s = unpack(BLOCK_HEAD, body)
            self._counts = CallbackCounts(*unpack(COUNTS, body, BLOCK_HEAD.size))
            data = body[BLOCK_HEAD.size + COUNTS.size :]
            if position < self._next:
                raise InvalidMessageError(f"position {position} behind {self._next}")
            self.on_captured(data, captured_s, position - self._next)
            self._next = position + len(data) // self.handle.info.format.sample_bytes
        elif kind == Kind.STOPPED:
            super().stop()
            self._stopped_there.set()
            self._bell.ring()

    @property
    def counts(self) -> CallbackCounts:
        """The callbacks over there, until the last block that has come."""
        return self._counts

    def stop(self) -> None:
        """Close the intake over there; what was captured before is on its way."""
        if not self._asked_to_stop:
            self._asked_to_stop = True
            self.handle.process.send(Kind.STOP)

    async def finish(self) -> None:
        """Close the intake, and wait for what was captured before; not for a process that hangs."""
        self.stop()
        if self.error is None and self._closing is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._stopped_there.wait()
            except TimeoutError:
                pass  # it hangs: what has come is all
        super().stop()

    async def close(self) -> None:
        """Give the device back. A second call waits for the first."""
        super().stop()
        self._stopped_there.set()
        await super().close()


class FarOutput(RenderStream):
    """A speaker elsewhere."""

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(request, wake)
        self.handle = _Handle(False, self._hear, self.on_finished)
        self._far = _FarRing(request.format, self._answer, self._bell.ring, self.handle.process)
        self.ring = self._far
        self._counts = CallbackCounts()

    @property
    def counts(self) -> CallbackCounts:
        """The callbacks over there, until it last told."""
        return self._counts

    @property
    def reach(self) -> int:
        """A block: the device may take one while the message is on its way."""
        return self.info.block

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == Kind.PROGRESS:
            self._watch.note_call()
            self._counts = CallbackCounts(*unpack(COUNTS, body, PROGRESS_BODY.size))
            self._far.update(*unpack(PROGRESS_BODY, body))


class _FarRing:
    """Does what a `PlaybackRing` does, for one that is elsewhere."""

    def __init__(
        self,
        format: AudioFormat,  # noqa: A002
        notify: Callable[[], None],
        notify_soon: Callable[[], None],
        process: SoundProcess,
    ) -> None:
        self.played = self.dropped = 0
        self._written = self._came = self._sent = self._overrun = 0
        self._size = format.sample_bytes
        self._notify = notify
        self._notify_soon = notify_soon
        """For a caller that is about to wait for it."""
        self._notify_at = -1
        self._process = process
        self._flushes_asked = self._flushes_done = 0

    @property
    def written(self) -> int:
        return self._written + self._overrun

    @property
    def queued(self) -> int:
        return self.written - self.played - self.dropped

    @property
    def flushing(self) -> bool:
        return self._flushes_asked != self._flushes_done

    def write(self, data: bytes | memoryview) -> None:
        if len(data):
            self._process.play(bytes(data))
            samples = memoryview(data).nbytes // self._size
            self._written += samples
            self._came += samples
            self._sent += samples

    def flush(self) -> None:
        self._flushes_asked += 1
        self._process.send(Kind.FLUSH, FLUSH_BODY.pack(self.written))

    def rewrite(self, position: int, data: bytes | memoryview) -> bool:
        if self.flushing:
            return False
        position = min(position, self.written - self.dropped)
        head = REWRITE_HEAD.pack(position, self._came, self._overrun)
        self._process.send(Kind.REWRITE, head + bytes(data))
        samples = memoryview(data).nbytes // self._size
        self._sent += samples
        self._written = position + samples + self.dropped - self._overrun
        return True

    def notify_at(self, queued: int) -> None:
        self._notify_at = queued
        if self._is_due():
            self._notify_soon()

    def update(self, played: int, dropped: int, overrun: int, flushes_done: int) -> None:
        """Note the progress over there. Raises: InvalidMessageError."""
        if played < self.played or dropped < self.dropped or played + dropped > self._sent:
            raise InvalidMessageError(f"{played} played and {dropped} dropped of {self._sent} sent")
        self._overrun = overrun
        flushed = flushes_done != self._flushes_done
        self.played, self.dropped, self._flushes_done = played, dropped, flushes_done
        if self._is_due() or flushed:
            self._notify()

    def _is_due(self) -> bool:
        due = self.queued <= self._notify_at
        if due:
            self._notify_at = -1
        return due
