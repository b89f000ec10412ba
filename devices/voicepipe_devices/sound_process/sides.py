"""The microphone or the speaker that a sound process holds: a driver's handle, and the ring before it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from voicepipe.devices.callback_counts import CallbackCounter
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe_devices.driver import stamps_of, underflows_of
from voicepipe_devices.ring import RING_S, CaptureRing, PlaybackRing
from voicepipe_devices.sound_process.answers import Answers
from voicepipe_devices.sound_process.messages import (
    BLOCK_HEAD,
    COUNTS,
    FLUSH_BODY,
    REWRITE_HEAD,
    STAMPS,
    Kind,
    error_message,
    message,
)
from voicepipe_devices.sound_process.priority import take_real_time, without_real_time
from voicepipe_devices.sound_process.shared_page import Progress, SharedPage
from voicepipe_devices.sound_process.sound_pipe import SoundPipe
from voicepipe_devices.tap import Tap

if TYPE_CHECKING:
    from voicepipe_devices.driver import BlockingDriver, BlockingHandle

__all__ = ["CaptureSide", "RenderSide"]


class CaptureSide:
    """A microphone. Its blocks go out in the device's own format."""

    def __init__(self, driver: BlockingDriver, request: StreamRequest, answers: Answers) -> None:
        self._answers = answers
        self._counter = CallbackCounter()
        self.handle: BlockingHandle = driver.open_capture(request, self._on_captured, self._over)
        self.info = self.handle.info
        self._counter.expect(self.info.format.seconds(self.info.block), self.info.latency_s)
        self._ring = CaptureRing(self.info.format, RING_S, answers.ring)

    def start(self) -> None:
        """Start without real time, which begins with the first block: until it comes, PortAudio may spin.

        The monitor of an idle null sink of PulseAudio takes two seconds; a real-time thread that spins so
        long keeps the one that fetches the block from doing so.
        """
        with without_real_time():
            self.handle.start()

    def _on_captured(self, data: bytes, captured_s: float, missed: int) -> None:
        if self._counter.last_s is None:
            take_real_time()
        self._counter.note_call()
        if missed:
            self._ring.skip(missed)
        if data:
            self._ring.store(data, captured_s)

    def _over(self, error: DeviceError | None) -> None:
        self._answers.send(error_message(Kind.OVER, error))

    def news(self) -> bytes:
        """Return a message for every block that waits."""
        blocks = []
        counts = COUNTS.pack(*self._counter.counts())
        stamps = STAMPS.index(stamps_of(self.handle))
        while (block := self._ring.take()) is not None:
            head = BLOCK_HEAD.pack(block.position, block.captured_s, stamps)
            blocks.append(message(Kind.BLOCK, head + counts + block.data))
        return b"".join(blocks)

    def take(self, kind: int, body: bytes) -> None:
        """Serve STOP: close the intake."""
        self._ring.close_intake()
        self._answers.send(message(Kind.STOPPED))


class RenderSide:
    """A speaker. Its ring is here, so that what was written is heard whatever the program does meanwhile.

    The callback does all the work: it fetches what has come of the sound, and nobody else wakes up for it.
    """

    def __init__(
        self, driver: BlockingDriver, request: StreamRequest, answers: Answers, sound: int, page: SharedPage
    ) -> None:
        self._answers = answers
        self._ring = PlaybackRing(request.format, _do_nothing)
        self._tap: Tap | None = None
        self._pull = self._ring.pull
        if request.tap:
            page.keep_record(request)
            self._tap = Tap(self._ring.pull, request.format, self._note, time.monotonic)
            self._pull = self._tap.pull
        self._orders: deque[Callable[[], object]] = deque()
        """The requests that the callback has not carried out."""
        self._sound = SoundPipe(sound, request.format.sample_bytes)
        self._page = page
        self._flushes_told = 0
        self._has_news = False
        self._counter = CallbackCounter()
        self.handle: BlockingHandle = driver.open_render(request, self._on_call, self._over)
        device = self.handle.info
        self._counter.expect(device.format.seconds(device.block), device.latency_s)
        if self._tap is not None:
            self._tap.expect(device.format.rate, device.latency_s)
        self.info = device
        if device.format != request.format:
            self.info = self._convert(device, request)

    def _convert(self, device: StreamInfo, request: StreamRequest) -> StreamInfo:
        from voicepipe_devices.conversion import Renderer, describe_conversion  # numpy may be needed

        self._pull = Renderer(device.format, request.format, self._pull).render
        return describe_conversion(device, request)

    def start(self) -> None:
        """Start; the first call comes at once."""
        self.handle.start()

    def _on_call(self, samples: int, sounds_s: float | None = None) -> bytes:
        while self._orders:  # first: what was written before them has come by then
            self._orders.popleft()()
        for data in self._sound.read():
            self._ring.write(data)
        tap = self._tap
        data = self._pull(samples) if tap is None else tap.render(self._pull, samples, sounds_s)
        self._counter.note_call()
        self._note_progress()
        return data

    def _note(self, data: bytes, position: int, sounds_s: float) -> None:
        """Record what the device took."""
        if self._page.record is not None:
            self._page.record.add(data, position, sounds_s, STAMPS.index(stamps_of(self.handle)))

    def _note_progress(self) -> None:
        ring, counter = self._ring, self._counter
        counts = counter.counts(underflows_of(self.handle))
        self._page.note(
            Progress(
                counts.calls,
                ring.played,
                ring.dropped,
                ring.overrun,
                ring.flushes_done,
                counts.late,
                counts.underflows,
                int(counts.longest_wait_s * 1e9),
                int((counter.last_s or 0.0) * 1e9),
            )
        )
        reached = self._page.reaches_wish(ring.played + ring.dropped - ring.overrun)
        if reached or ring.flushes_done != self._flushes_told:
            self._flushes_told = ring.flushes_done
            self._has_news = True
            self._answers.ring()

    def _over(self, error: DeviceError | None) -> None:
        self._answers.send(error_message(Kind.OVER, error))

    def news(self) -> bytes:
        """Return a message, if the program waits for the progress."""
        has_news, self._has_news = self._has_news, False
        return message(Kind.PROGRESS) if has_news else b""

    def take(self, kind: int, body: bytes) -> None:
        """Serve FLUSH: fade out, and forget the rest. Serve REWRITE: replace what waits."""
        if kind == Kind.REWRITE:
            position, came, overrun = REWRITE_HEAD.unpack_from(body)
            data = memoryview(body)[REWRITE_HEAD.size :]
            self._orders.append(lambda: self._ring.rewrite(position, data, came=came, overrun=overrun))
        else:
            (until,) = FLUSH_BODY.unpack(body)
            self._orders.append(lambda: self._ring.flush(until))


def _do_nothing() -> None:
    """Wait for nothing: the callback itself looks at what has come of the ring."""
