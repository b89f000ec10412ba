"""A library whose calls block, in a process for each stream: it can hang, and crash, and be killed.

What was written is heard, and what is captured is kept, whatever this process does meanwhile: the
rings are over there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import (
    DeviceInfo,
    InputStream,
    LibraryInfo,
    OutputStream,
    StreamInfo,
    StreamRequest,
)
from voicepipe.devices.trial import DeviceTrial, SideTrial
from voicepipe.errors import DeviceError, DeviceTimeoutError
from voicepipe.text import printable
from voicepipe_devices.driver import Finished, Sides
from voicepipe_devices.in_process import LIST_S, OPEN_S, START_S, called
from voicepipe_devices.probing import TRY_S, each_tried
from voicepipe_devices.sound_process.messages import (
    BLOCK_HEAD,
    COUNTS,
    FLUSH_BODY,
    PROGRESS_BODY,
    Kind,
    NonsenseError,
    decoded,
    error_of,
    told,
    understood,
    unpacked,
)
from voicepipe_devices.sound_process.parent import SoundProcess
from voicepipe_devices.streams import CaptureStream, RenderStream

__all__ = ["OutsideBackend"]

STOP_S = 0.5
"""For what was captured until the intake closed to arrive."""


class OutsideBackend:
    """Streams over a blocking driver that is made, for each, in another process.

    Args:
        driver: "MODULE:FUNCTION", which returns the `BlockingDriver` there.
        name: the back end's.
        shares_air: its microphones hear its speakers.
    """

    lost_for_good = False

    def __init__(self, driver: str, name: str, *, shares_air: bool) -> None:
        self.name = name
        self.shares_air = shares_air
        self._driver = driver

    async def devices(self) -> list[DeviceInfo]:
        """The devices there are at this moment. Raises: DeviceError."""
        listed = await self._answer_to(Kind.DEVICES, "the list of sound devices")
        try:
            return [DeviceInfo(**fields) for fields in decoded(listed)]
        except (NonsenseError, TypeError) as error:
            raise DeviceError(f"the sound process talks nonsense: {printable(error)}") from error

    async def trials(self) -> list[DeviceTrial]:
        """What every device opens at. Raises: DeviceError: they cannot be listed."""
        async with AsyncExitStack() as opened:
            trying = _Trying(self._driver)
            opened.push_async_callback(trying.close)
            return await each_tried(await self.devices(), trying.one)

    async def library(self) -> LibraryInfo:
        """What a sound process stands on. Raises: DeviceError."""
        told_of = await self._answer_to(Kind.LIBRARY, "the sound library's version")
        try:
            return LibraryInfo(**decoded(told_of))
        except (NonsenseError, TypeError) as error:
            raise DeviceError(f"the sound process talks nonsense: {printable(error)}") from error

    async def _answer_to(self, kind: int, what: str) -> bytes:
        """Of a process that is made for this question."""
        process = await _questioned(self._driver)
        try:
            return await process.ask(kind, b"", what, LIST_S)
        finally:
            await process.close()

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open a microphone. Raises: DeviceError."""
        stream = _Input(request, wake)
        await stream.open(stream.handle.open(self._driver, request))
        return stream

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open a speaker. Raises: DeviceError."""
        stream = _Output(request, wake)
        await stream.open(stream.handle.open(self._driver, request))
        return stream


class _Trying:
    """A process that tries devices; another, when one of them does not answer."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        self._process: SoundProcess | None = None

    async def one(self, number: int, device: DeviceInfo) -> Sides:
        try:
            process = self._process or await self._started()
            wish = json.dumps({"number": number, "name": device.name}).encode()
            found = decoded(await process.ask(Kind.TRY, wish, f"trying {device.name}", TRY_S))
            microphone, speaker = (None if side is None else _side_of(side) for side in found)
        except DeviceTimeoutError:
            await self.close()
            raise
        except (NonsenseError, TypeError, ValueError) as error:
            raise DeviceError(f"the sound process talks nonsense: {printable(error)}") from error
        return microphone, speaker

    async def _started(self) -> SoundProcess:
        """A process that has loaded the library: a slow computer takes seconds, and no device is to blame."""
        self._process = await _questioned(self._driver)
        await self._process.ask(Kind.LIBRARY, b"", "loading the sound library", LIST_S)
        return self._process

    async def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.close()


def _side_of(fields: dict[str, Any]) -> SideTrial:
    return SideTrial(**{**fields, "rates": tuple(fields["rates"]), "channels": tuple(fields["channels"])})


async def _questioned(driver: str) -> SoundProcess:
    """A process that plays and hears nothing."""
    return await SoundProcess(lambda kind, body: None, lambda error: None).start(driver)


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
        what = f"opening {called(request, 'microphone' if self._capture else 'speaker')}"
        wish = json.dumps({**told(request), "capture": self._capture}).encode()
        try:
            opened = await self.process.ask(Kind.OPEN, wish, what, OPEN_S)
            self.info = understood(StreamInfo, decoded(opened))
        except NonsenseError as error:
            await self.process.close()
            raise DeviceError(f"{what}: the sound process talks nonsense: {printable(error)}") from error
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


class _Input(CaptureStream):
    """A microphone elsewhere."""

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(request, wake)
        self.handle = _Handle(True, self._hear, self.finished)
        self._next = 0
        self._counts = CallbackCounts()
        self._asked_to_stop = False
        self._stopped_there = asyncio.Event()

    def _notify(self) -> None:
        self._answer()  # blocks come by the loop itself

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == Kind.BLOCK:
            position, captured_s = unpacked(BLOCK_HEAD, body)
            self._counts = CallbackCounts(*unpacked(COUNTS, body, BLOCK_HEAD.size))
            data = body[BLOCK_HEAD.size + COUNTS.size :]
            if position < self._next:
                raise NonsenseError(f"position {position} behind {self._next}")
            self.captured(data, captured_s, position - self._next)
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
        self.stop()
        if self.error is None and self._closing is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await self._stopped_there.wait()
            except TimeoutError:
                pass  # it hangs: what has come is all
        super().stop()

    async def close(self) -> None:
        super().stop()
        self._stopped_there.set()
        await super().close()


class _Output(RenderStream):
    """A speaker elsewhere."""

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(request, wake)
        self.handle = _Handle(False, self._hear, self.finished)
        self._far = _FarRing(request.format, self._answer, self._bell.ring, self.handle.process)
        self.ring = self._far
        self._counts = CallbackCounts()

    @property
    def counts(self) -> CallbackCounts:
        """The callbacks over there, until it last told."""
        return self._counts

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == Kind.PROGRESS:
            self._watch.called()
            self._counts = CallbackCounts(*unpacked(COUNTS, body, PROGRESS_BODY.size))
            self._far.update(*unpacked(PROGRESS_BODY, body))


class _FarRing:
    """Does what a `PlaybackRing` does, for one that is elsewhere."""

    def __init__(
        self,
        format: AudioFormat,  # noqa: A002
        notify: Callable[[], None],
        notify_soon: Callable[[], None],
        process: SoundProcess,
    ) -> None:
        self.written = self.played = self.dropped = 0
        self._size = format.sample_bytes
        self._notify = notify
        self._notify_soon = notify_soon
        """For a caller that is about to wait for it."""
        self._notify_at = -1
        self._process = process
        self._flushes_asked = self._flushes_done = 0

    @property
    def queued(self) -> int:
        return self.written - self.played - self.dropped

    @property
    def flushing(self) -> bool:
        return self._flushes_asked != self._flushes_done

    def write(self, data: bytes | memoryview) -> None:
        if len(data):
            self._process.play(bytes(data))
            self.written += memoryview(data).nbytes // self._size

    def flush(self) -> None:
        self._flushes_asked += 1
        self._process.send(Kind.FLUSH, FLUSH_BODY.pack(self.written))

    def notify_at(self, queued: int) -> None:
        self._notify_at = queued
        if self._is_due():
            self._notify_soon()

    def update(self, played: int, dropped: int, flushes_done: int) -> None:
        """It is so far. Raises: NonsenseError."""
        if played < self.played or dropped < self.dropped or played + dropped > self.written:
            raise NonsenseError(f"{played} played and {dropped} dropped of {self.written} written")
        flushed = flushes_done != self._flushes_done
        self.played, self.dropped, self._flushes_done = played, dropped, flushes_done
        if self._is_due() or flushed:
            self._notify()

    def _is_due(self) -> bool:
        due = self.queued <= self._notify_at
        if due:
            self._notify_at = -1
        return due
