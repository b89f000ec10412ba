"""What became of every sample that was to be heard, over all streams that a speaker has had."""

from __future__ import annotations

from collections import Counter

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import OutputStream
from voicepipe.drift.drift import DriftCompensator
from voicepipe.drift.lateness import LIVE_S, Lateness
from voicepipe.endpoints.kept_device import KeptDevice
from voicepipe.frames import OutputAudioFrame
from voicepipe.report import DropReason, SeamReport

__all__ = ["Playback"]


class Playback:
    """The present stream, what waits before it, and the books."""

    def __init__(
        self, device: KeptDevice[OutputStream], stream: OutputStream, drift: DriftCompensator | None = None
    ) -> None:
        self.device = device
        self._stream: OutputStream | None = stream
        """None while the device is lost."""
        self.format: AudioFormat = stream.info.format
        self.latency_s = stream.info.latency_s
        """Of the present device, or of the last one."""
        self.sounded_s = stream.info.sounded_s
        self.block_s = self.format.seconds(stream.info.block)
        self._drift = drift
        self._lateness = Lateness()
        self.pending = memoryview(b"")
        """What was taken, and not written yet."""
        self.closed = False
        """Whatever still waits is not heard any more."""
        self._taken = 0
        self._given = 0
        """Samples handed to devices before the present stream."""
        self._written = 0
        """Samples written to the present stream."""
        self._cancelled = False
        self._dropped: Counter[str] = Counter()
        """What never reached a stream, what lost ones held, and what flushes took until the cancel."""
        self._booked = 0
        """Of the samples that the present stream's flushes took: those in `_dropped`."""

    @property
    def position(self) -> int:
        """Samples handed to a device so far, over all streams."""
        return self._given + (0 if self._stream is None else self._stream.position)

    @property
    def next_position(self) -> int:
        """Where the next sample written will stand. Exact while no flush is waiting."""
        return self._given + self._written - (0 if self._stream is None else self._stream.dropped)

    @property
    def queued(self) -> int:
        """Samples that wait for the device."""
        return 0 if self._stream is None else self._stream.queued

    @property
    def flushing(self) -> bool:
        """A flush waits for the device."""
        return self._stream is not None and self._stream.flushing

    def take(self, frame: OutputAudioFrame, now_s: float) -> None:
        """Its audio is to be heard next. Only when nothing is pending."""
        self._taken += frame.num_samples
        if self._drift is None or self._stream is None:
            self.pending = memoryview(frame.data)
            return
        fill_s = self.format.seconds(self.queued)
        since_s = self._since_s(now_s)
        excess_s = self._drift.excess_s(fill_s, since_s)
        if self._lateness.is_late(now_s, frame.captured_s, frame.duration_s, excess_s):
            self._dropped[DropReason.LATE] += frame.num_samples
            self._drift.skip()
            return
        live = frame.captured_s is not None and now_s - frame.captured_s < LIVE_S
        self.pending = memoryview(self._drift.process(frame.data, now_s, fill_s, since_s=since_s, live=live))

    def _since_s(self, now_s: float) -> float | None:
        """How long ago the device took a block. None: it is not known, or so long ago that what it says is
        late: a device that waited for more than half of what it buffers would soon run dry.
        """
        asked_s = None if self._stream is None else self._stream.asked_s
        longest_s = max(2 * self.block_s, self.latency_s / 2)
        return None if asked_s is None or now_s - asked_s > longest_s else now_s - asked_s

    def take_the_rest(self) -> None:
        """Nothing follows: what the compensator holds is to be heard too."""
        if self._drift is not None:
            self.pending = memoryview(self._drift.flush())

    def write(self, most: int) -> None:
        """Hand up to so many samples of what is pending to the stream, where there is one."""
        size = self.format.sample_bytes
        part, self.pending = self.pending[: max(0, most) * size], self.pending[max(0, most) * size :]
        if self._stream is not None:
            self._stream.write(part)
            self._written += len(part) // size

    def notify_at(self, queued: int) -> None:
        """Make the wake-up call once, when so few samples wait, or fewer."""
        if self._stream is not None:
            self._stream.notify_at(queued)

    async def drain(self) -> None:
        """Return when everything written has been heard, or lost. Raises: DeviceError."""
        if self.device.check() and self._stream is not None:
            with self.device.bears_loss():
                await self._stream.drain()

    async def settle(self) -> None:
        """Return when no flush waits for the device. Raises: DeviceError."""
        if self._stream is not None:
            with self.device.bears_loss():
                await self._stream.settle()

    def interrupt(self) -> None:
        """Fade out, and forget what waits."""
        self.drop_pending(DropReason.INTERRUPTED)
        if self._stream is not None:
            self._stream.flush()

    def drop_pending(self, reason: str) -> None:
        """Forget what is pending."""
        self._dropped[reason] += self._pending_samples()
        self.pending = memoryview(b"")
        if self._drift is not None:
            self._dropped[reason] += self._drift.reset()

    def cancel(self) -> None:
        """Flush; from now on what is not heard is not heard for the cancel."""
        if self._stream is not None:
            self._book_flushes(self._stream.dropped)
            self._stream.flush()
        self._cancelled = True

    def lose(self, stream: OutputStream) -> None:
        """The device is lost, and with it what waits for it."""
        position, taken_by_flushes = stream.position, stream.dropped
        self._book_flushes(taken_by_flushes)
        self._dropped[DropReason.DEVICE_LOST] += self._written - position - taken_by_flushes
        self.drop_pending(DropReason.DEVICE_LOST)
        self._given += position
        self._written = self._booked = 0
        self._stream = None

    def adopt(self, stream: OutputStream) -> None:
        """What is written from now on is for this stream. Only while there is none."""
        self._stream, self.latency_s = stream, stream.info.latency_s
        self.sounded_s = stream.info.sounded_s
        self.block_s = self.format.seconds(stream.info.block)

    def seam(self, name: str) -> SeamReport:
        """Its ledger. The stream's numbers are looked at once: its callback may be changing them."""
        position = taken_by_flushes = 0
        if self._stream is not None:
            position, taken_by_flushes = self._stream.position, self._stream.dropped
        held = self._pending_samples() + self._written - position - taken_by_flushes
        dropped = Counter(self._dropped)
        if self._drift is not None:
            held += self._drift.held
            dropped[DropReason.DRIFT] += self._drift.removed  # negative, where samples were made
        dropped[self._flushed_for()] += taken_by_flushes - self._booked
        if self.closed:
            dropped[self._rest_is()] += held
            held = 0
        return SeamReport(
            name, self._taken, self._given + position, held, {reason: n for reason, n in dropped.items() if n}
        )

    def _book_flushes(self, taken: int) -> None:
        self._dropped[self._flushed_for()] += taken - self._booked
        self._booked = taken

    def _flushed_for(self) -> str:
        return DropReason.CANCELLED if self._cancelled else DropReason.INTERRUPTED

    def _rest_is(self) -> str:
        """Why what waited when it closed was not heard."""
        if self._stream is not None and self._stream.error is not None:
            return DropReason.DEVICE_LOST
        return DropReason.CANCELLED if self._cancelled else DropReason.SHUTDOWN

    def _pending_samples(self) -> int:
        return len(self.pending) // self.format.sample_bytes
