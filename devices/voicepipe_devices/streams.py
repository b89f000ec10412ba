"""The port's streams, made of a driver's callbacks, a ring between, and a watch on the device."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

from voicepipe.audio.format import AudioFormat
from voicepipe.census.census import register_stream, unregister_stream
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import Backend, Block, InputStream, OutputStream, StreamInfo, StreamRequest
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.report import DropReason, SeamReport
from voicepipe.speakers import Sounded
from voicepipe.text import printable
from voicepipe_devices.conversion import (
    BlockConverter,
    Renderer,
    check_channel,
    describe_conversion,
    needs_conversion,
)
from voicepipe_devices.device_watch import DeviceWatch
from voicepipe_devices.driver import Driver, Handle, stamps_of, underflows_of
from voicepipe_devices.ring import RING_S, CaptureRing, Doorbell, PlaybackRing, QueuedSound
from voicepipe_devices.tap import SoundedRecord, Tap

__all__ = ["CaptureStream", "DriverBackend", "RenderStream"]

SILENCE_S = 1.0
"""Without a callback for so long, and a block more, a device counts as lost."""
FIRST_S = 2.5
"""A microphone has so long for its first. The monitor of an idle null sink of PulseAudio begins when that
wakes the next time, which may take two seconds."""


class DriverBackend(Driver, Backend):
    """A back end that is its own driver: it opens the driver's handles, and gives streams over them."""

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open a microphone. Raises: DeviceError."""
        stream = CaptureStream(request, wake)
        await stream.open(self.open_capture(request, stream.on_captured, stream.on_finished))
        return stream

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open a speaker. Raises: DeviceError."""
        stream = RenderStream(request, wake)
        await stream.open(self.open_render(request, stream.render, stream.on_finished))
        return stream


class _Stream(abc.ABC):
    """A stream of either direction: the handle, its loss, and its close."""

    _kind: ClassVar[str]
    _first_s: ClassVar[float] = SILENCE_S

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._request = request
        self._wake = wake
        self._bell = Doorbell(self._loop, self._answer)
        self._watch = DeviceWatch(self._loop, lambda: self.callbacks, self._silent, self._off_rate)
        self._handle: Handle
        self.info: StreamInfo
        self._closing: asyncio.Future[None] | None = None
        self._over = False
        self.error: DeviceError | None = None

    def __str__(self) -> str:
        return f"{self._kind} stream of {self.info.device}"

    @property
    def callbacks(self) -> int:
        """Callbacks so far: the device's signs of life."""
        return self.counts.calls

    def _answer(self) -> None:
        if self._closing is None:
            self._wake()

    def _notify(self) -> None:
        """Wake the loop. From any thread."""
        self._bell.ring()

    async def open(self, opening: Awaitable[Handle]) -> None:
        self._handle = await opening
        device = self.info = self._handle.info
        await self._check_channel(device)
        self._watch.expect(device.format.seconds(device.block), device.latency_s)
        if needs_conversion(device.format, self._request):
            self.info = describe_conversion(device, self._request)
            self._convert(device.format)
        register_stream(self)

    async def _check_channel(self, device: StreamInfo) -> None:
        try:
            check_channel(device, self._request)
        except DeviceError:
            await self._handle.close()
            raise

    @abc.abstractmethod
    def _convert(self, device: AudioFormat) -> None:
        """Convert between the device's format and the one that was asked for."""

    async def start(self) -> None:
        await self._handle.start()
        if self._closing is None and not self._over:
            block_s = self.info.format.seconds(self.info.block)
            limit_s = SILENCE_S + block_s
            self._watch.start(limit_s, max(limit_s, self._first_s), block_s)

    @property
    def stamps(self) -> Stamps:
        """The worth of the device's time stamps; empty: nobody judges them."""
        return stamps_of(self._handle)

    @property
    def counts(self) -> CallbackCounts:
        """The callbacks so far."""
        return self._watch.counts(underflows_of(self._handle))

    def on_finished(self, error: DeviceError | None) -> None:
        """Note the end of the callbacks: whatever the error says, the device is lost. For the driver."""
        if self._over or self._closing is not None:
            return
        if error is not None and not isinstance(error, DeviceLostError):
            error = DeviceLostError(str(error))
        self.error = error  # before `_over`: the loop must not take a loss for an input that ran out
        self._over = True
        self._bell.ring()

    def _silent(self, seconds: float) -> None:
        error = DeviceLostError(f"{self.info.device} is lost: no sign of it for {seconds:.1f} s")
        error.silent_s = seconds
        self.on_finished(error)

    def _off_rate(self, ratio: float) -> None:
        rate = self.info.taken.rate
        self.on_finished(
            DeviceLostError(
                f"{self.info.device} runs at about {ratio * rate:.0f} Hz, and was opened at {rate} Hz: "
                "its rate has changed"
            )
        )

    async def close(self) -> None:
        if self._closing is not None:
            await asyncio.shield(self._closing)
            return
        self._closing = self._loop.create_future()
        self._watch.stop()
        try:
            await self._handle.close()
        finally:
            unregister_stream(self)
            self._closing.set_result(None)


class CaptureStream(_Stream):
    """A microphone."""

    _kind = "input"
    _first_s = FIRST_S

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(request, wake)
        self.ring = CaptureRing(request.format, RING_S, self._notify)
        self._converter: BlockConverter | None = None
        self._given = 0
        """Samples that were read."""
        self._stopped = False

    def _convert(self, device: AudioFormat) -> None:
        self.ring = CaptureRing(device, RING_S, self._notify)
        name = f'the microphone "{printable(self.info.device)}"'
        self._converter = BlockConverter(device, self._request.format, self._request.channel, name)

    def on_captured(self, data: bytes, captured_s: float, missed: int) -> None:
        """Take the driver's callback."""
        self._watch.note_call()
        if missed:
            self.ring.skip(missed)
        if data:
            self.ring.store(data, captured_s)

    @property
    def channel_fault(self) -> str:
        """A sentence on what spoils the mix of the device's channels; empty: nothing."""
        return "" if self._converter is None else self._converter.channel_fault

    @property
    def exhausted(self) -> bool:
        """The input has run out, and everything was read."""
        return self._over and self.error is None and self._held == 0

    @property
    def _held(self) -> int:
        converter = self._converter
        return self.ring.held if converter is None else converter.scale(self.ring.held) + converter.held

    def read(self) -> Block | None:
        """Read the oldest block that waits, in the format that was asked for."""
        if self._converter is None:
            return self.ring.take()
        while (block := self._converter.take()) is None:
            raw = self.ring.take()
            if raw is not None:
                self._converter.put(raw)
            elif self._converter.is_begun and (self._stopped or self._over):
                self._converter.finish()
            else:
                return None
        self._given += len(block.data) // self._request.format.sample_bytes
        return block

    def stop(self) -> None:
        """Close the intake."""
        self.ring.close_intake()
        self._stopped = True

    async def finish(self) -> None:
        """Close the intake; all that was captured is here."""
        self.stop()

    def seam(self, name: str, dropped: dict[str, int]) -> SeamReport:
        """Return the ledger, in the format that was asked for."""
        ledger = self.ring.report(name, dropped)
        if self._converter is None:
            return ledger
        lost = dict(dropped)
        overflow = ledger.dropped.get(DropReason.MIC_OVERFLOW, 0) - dropped.get(DropReason.MIC_OVERFLOW, 0)
        if overflow:
            lost[DropReason.MIC_OVERFLOW] = lost.get(DropReason.MIC_OVERFLOW, 0) + self._converter.scale(
                overflow
            )
        # A change of rate rounds: what came in is what became of it.
        given, held = self._given - sum(dropped.values()), self._held
        return SeamReport(name, given + held + sum(lost.values()), given, held, lost)


class RenderStream(_Stream):
    """A speaker."""

    _kind = "output"

    def __init__(self, request: StreamRequest, wake: Callable[[], None]) -> None:
        super().__init__(request, wake)
        ring = PlaybackRing(request.format, self._bell.ring)
        self.ring: QueuedSound = ring
        self._pull = ring.pull
        self._tap: Tap | None = None
        self._record = SoundedRecord(request.format)
        if request.tap:
            self._tap = Tap(ring.pull, request.format, self._record.add, self._loop.time)
            self._pull = self._tap.pull
        self._news = asyncio.Event()

    async def open(self, opening: Awaitable[Handle]) -> None:
        """Await the handle, and learn its rate and latency. Raises: DeviceError."""
        await super().open(opening)
        if self._tap is not None:
            device = self._handle.info
            self._tap.expect(device.format.rate, device.latency_s)

    def _convert(self, device: AudioFormat) -> None:
        self._pull = Renderer(device, self._request.format, self._pull).render

    def render(self, samples: int, sounds_s: float | None = None) -> bytes:
        """Take the driver's callback."""
        self._watch.note_call()
        if self._tap is None:
            return self._pull(samples)
        return self._tap.render(self._pull, samples, sounds_s)

    def on_finished(self, error: DeviceError | None) -> None:
        """Note that the callbacks have ended: a speaker does not run out, so it is lost. For the driver."""
        super().on_finished(error or DeviceLostError(f"{self.info.device} is lost: it stopped playing"))

    def _answer(self) -> None:
        self._news.set()
        super()._answer()

    @property
    def position(self) -> int:
        """Samples handed to the device."""
        return self.ring.played

    @property
    def queued(self) -> int:
        """Samples that wait."""
        return self.ring.queued

    @property
    def asked_s(self) -> float | None:
        """The time of the device's last request for a block, as far as is known here, by the loop's clock."""
        return self._watch.last_s

    @property
    def dropped(self) -> int:
        """Samples that flushes took."""
        return self.ring.dropped

    @property
    def flushing(self) -> bool:
        """A flush has not taken effect yet."""
        return self.ring.flushing

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole samples."""
        self.ring.write(data)

    def notify_at(self, queued: int) -> None:
        """Wake once, when so few samples wait, or fewer."""
        self.ring.notify_at(queued)

    def flush(self) -> None:
        """Fade out, and forget the rest."""
        self.ring.flush()

    @property
    def reach(self) -> int:
        """The samples that the device may take before a rewrite arrives: none but for a present callback."""
        return 0

    def rewrite(self, position: int, data: bytes | memoryview) -> bool:
        """Replace what waits from there on; return False while a flush waits."""
        return self.ring.rewrite(position, data)

    def heard(self) -> Sounded | None:
        """Return the oldest block that the device took and that was not returned yet."""
        return self._record.take()

    async def drain(self) -> None:
        """Return when everything written has been heard. Raises: DeviceError."""
        while self.ring.queued:
            self.ring.notify_at(0)
            await self._next_news()
        await asyncio.sleep(self.info.sounded_s)  # zeros play meanwhile

    async def settle(self) -> None:
        """Return when no flush waits to take effect. Raises: DeviceError."""
        while self.ring.flushing:
            await self._next_news()

    async def _next_news(self) -> None:
        """Wait for the callback's bell. No ring is lost since the caller looked: the loop answers it."""
        if self.error is not None:
            raise self.error
        if self._closing is not None:
            raise DeviceError(f"the stream of {self.info.device} was closed meanwhile")
        self._news.clear()
        await self._news.wait()

    async def close(self) -> None:
        """Give the device back. A second call waits for the first."""
        self._news.set()  # nobody waits for callbacks that will not come
        await super().close()
