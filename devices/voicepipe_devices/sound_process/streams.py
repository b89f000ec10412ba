"""The port's streams over a sound process: their rings and their devices are over there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError
from voicepipe.speakers import Sounded
from voicepipe.text import printable
from voicepipe_devices.driver import Finished
from voicepipe_devices.in_process import OPEN_S, START_S, label_of
from voicepipe_devices.sound_process.messages import (
    BLOCK_HEAD,
    COUNTS,
    FLUSH_BODY,
    REWRITE_HEAD,
    InvalidMessageError,
    Kind,
    decode_json,
    error_of,
    from_fields,
    stamps_at,
    to_fields,
    unpack,
)
from voicepipe_devices.sound_process.parent import SoundProcess
from voicepipe_devices.sound_process.shared_page import Progress
from voicepipe_devices.sound_process.shared_record import record_bytes
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
        await self.process.start(driver, record_bytes(request))
        if request.tap:
            self.process.page.keep_record(request)
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
        self._stamps: Stamps = ""
        self._asked_to_stop = False
        self._stopped_there = asyncio.Event()

    def _notify(self) -> None:
        self._answer()  # blocks come by the loop itself

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == Kind.BLOCK:
            position, captured_s, stamps = unpack(BLOCK_HEAD, body)
            self._stamps = stamps_at(stamps)
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
    def stamps(self) -> Stamps:
        """The worth of the device's time stamps, as of the last block that has come."""
        return self._stamps

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
        super().__init__(replace(request, tap=False), wake)  # the record is over there
        self.handle = _Handle(False, self._hear, self.on_finished)
        self._far = _FarRing(request.format, self._bell.ring, self.handle.process)
        self.ring = self._far

    @property
    def position(self) -> int:
        """Samples handed to the device."""
        return self._far.seen.played  # asked for more often than all else

    @property
    def counts(self) -> CallbackCounts:
        """The callbacks over there."""
        seen = self._far.seen
        return CallbackCounts(seen.calls, seen.late, seen.underflows, seen.longest_wait_ns / 1e9)

    @property
    def callbacks(self) -> int:
        """Callbacks so far: the device's signs of life."""
        return self._far.seen.calls

    @property
    def asked_s(self) -> float | None:
        """The time of the device's last request for a block, by the loop's clock."""
        seen = self._far.seen
        return seen.last_ns / 1e9 if seen.calls else None

    @property
    def reach(self) -> int:
        """A block: the device may take one while the message is on its way."""
        return self.info.block

    @property
    def stamps(self) -> Stamps:
        """The worth of the device's time stamps, as of the last block that was heard."""
        record = self.handle.process.page.record
        return "" if record is None else stamps_at(record.stamps)

    def heard(self) -> Sounded | None:
        """Return the oldest block that the device took and that was not returned yet."""
        record = self.handle.process.page.record
        return None if record is None else record.take()

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == Kind.PROGRESS and self._far.hear():
            self._answer()


class _FarRing:
    """Does what a `PlaybackRing` does, for one that is elsewhere."""

    def __init__(
        self,
        format: AudioFormat,  # noqa: A002
        notify_soon: Callable[[], None],
        process: SoundProcess,
    ) -> None:
        self._seen = Progress()
        self._written = self._came = self._sent = 0
        self._size = format.sample_bytes
        self._notify_soon = notify_soon
        """For a caller that is about to wait for it."""
        self._notify_at = -1
        self._process = process
        self._flushes_asked = self._flushes_heard = 0

    @property
    def seen(self) -> Progress:
        """The progress over there until now."""
        found = self._process.page.look(self._seen)
        if found is not self._seen:
            self._note(found)
        return self._seen

    def _note(self, found: Progress) -> None:
        seen = self._seen
        played, dropped = found.played, found.dropped
        if played < seen.played or dropped < seen.dropped or played + dropped > self._sent:
            self._process.reject(
                InvalidMessageError(f"{played} played and {dropped} dropped of {self._sent} sent")
            )
        else:
            self._seen = found

    @property
    def played(self) -> int:
        return self.seen.played

    @property
    def dropped(self) -> int:
        return self.seen.dropped

    @property
    def written(self) -> int:
        return self._written + self.seen.overrun

    @property
    def queued(self) -> int:
        seen = self.seen
        return self._written + seen.overrun - seen.played - seen.dropped

    @property
    def flushing(self) -> bool:
        return self._flushes_asked != self.seen.flushes_done

    def write(self, data: bytes | memoryview) -> None:
        if len(data):
            samples = memoryview(data).nbytes // self._size
            self._written += samples
            self._came += samples
            self._sent += samples
            self._process.play(bytes(data))
            self._send_wish()

    def flush(self) -> None:
        self._flushes_asked += 1
        self._process.send(Kind.FLUSH, FLUSH_BODY.pack(self.written))

    def rewrite(self, position: int, data: bytes | memoryview) -> bool:
        if self.flushing:
            return False
        seen = self._seen
        position = min(position, self._written + seen.overrun - seen.dropped)
        head = REWRITE_HEAD.pack(position, self._came, seen.overrun)
        samples = memoryview(data).nbytes // self._size
        self._sent += samples
        self._written = position + samples + seen.dropped - seen.overrun
        self._process.send(Kind.REWRITE, head + bytes(data))
        self._send_wish()
        return True

    def notify_at(self, queued: int) -> None:
        self._notify_at = queued
        if self._is_due():
            self._notify_soon()
        else:
            self._send_wish()

    def _is_due(self) -> bool:
        due = self.queued <= self._notify_at
        if due:
            self._notify_at = -1
            self._process.page.wish(None)
        return due

    def _send_wish(self) -> None:
        """Say at what progress there is to be a message."""
        if self._notify_at >= 0:
            self._process.page.wish(self._written - self._notify_at)

    def hear(self) -> bool:
        """Take the message; return True if what was waited for has come."""
        flushes_done = self.seen.flushes_done
        flushed, self._flushes_heard = flushes_done != self._flushes_heard, flushes_done
        due = self._is_due()
        if not due:  # more was written meanwhile, or the page is being written
            self._send_wish()
        return due or flushed
