"""The playback of a speaker: the fate of every sample, over all streams that the speaker has had."""

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
    """The present stream, the audio that waits for it, and the ledger over all streams."""

    def __init__(
        self, device: KeptDevice[OutputStream], stream: OutputStream, drift: DriftCompensator | None = None
    ) -> None:
        self.device = device
        self._stream: OutputStream | None = stream
        """The present stream; None while the device is lost."""
        self.format: AudioFormat = stream.info.format
        self.latency_s = stream.info.latency_s
        """The output latency of the present device, or of the last one, in seconds."""
        self.sounded_s = stream.info.sounded_s
        self.block_s = self.format.seconds(stream.info.block)
        self._drift = drift
        self._lateness = Lateness()
        self.pending = memoryview(b"")
        """The audio that was taken but not written yet."""
        self.closed = False
        """True after the close. Audio that still waits will not be played."""
        self._taken = 0
        self._given = 0
        """The samples that earlier streams handed to their device."""
        self._written = 0
        """The samples written to the present stream."""
        self._cancelled = False
        self._dropped: Counter[str] = Counter()
        """Dropped samples by reason: never written, held by lost streams, or taken by booked flushes."""
        self._booked = 0
        """The samples taken by flushes of the present stream that are already in `_dropped`."""

    @property
    def position(self) -> int:
        """The number of samples handed to a device so far, over all streams."""
        return self._given + (0 if self._stream is None else self._stream.position)

    @property
    def next_position(self) -> int:
        """The position of the next sample to write. Exact while no flush waits for the device."""
        return self._given + self._written - (0 if self._stream is None else self._stream.dropped)

    @property
    def queued(self) -> int:
        """The number of samples that wait for the device."""
        return 0 if self._stream is None else self._stream.queued

    @property
    def flushing(self) -> bool:
        """True while a flush waits for the device."""
        return self._stream is not None and self._stream.flushing

    def take(self, frame: OutputAudioFrame, now_s: float) -> None:
        """Take the audio to play next. Only while no audio is pending."""
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
        """Return the seconds since the device took a block; None if unknown or too long ago.

        Too long means two blocks, or half of the device's latency. A device that really waited
        longer would soon run dry, so the reported time is late.
        """
        asked_s = None if self._stream is None else self._stream.asked_s
        longest_s = max(2 * self.block_s, self.latency_s / 2)
        return None if asked_s is None or now_s - asked_s > longest_s else now_s - asked_s

    def take_the_rest(self) -> None:
        """Take the audio that the drift compensator still holds, because no more follows."""
        if self._drift is not None:
            self.pending = memoryview(self._drift.flush())

    def write(self, most: int) -> None:
        """Write at most `most` samples of the pending audio to the stream, if there is one."""
        size = self.format.sample_bytes
        part, self.pending = self.pending[: max(0, most) * size], self.pending[max(0, most) * size :]
        if self._stream is not None:
            self._stream.write(part)
            self._written += len(part) // size

    def notify_at(self, queued: int) -> None:
        """Request one wake-up call for when at most `queued` samples wait."""
        if self._stream is not None:
            self._stream.notify_at(queued)

    async def drain(self) -> None:
        """Wait until all written audio was played or lost. Raises: DeviceError."""
        if self.device.check() and self._stream is not None:
            with self.device.tolerate_loss():
                await self._stream.drain()

    async def settle(self) -> None:
        """Wait until no flush waits for the device. Raises: DeviceError."""
        if self._stream is not None:
            with self.device.tolerate_loss():
                await self._stream.settle()

    def interrupt(self) -> None:
        """Fade out, and drop the waiting audio."""
        self.drop_pending(DropReason.INTERRUPTED)
        if self._stream is not None:
            self._stream.flush()

    def drop_pending(self, reason: str) -> None:
        """Drop the pending audio, and count it under this reason."""
        self._dropped[reason] += self._pending_samples()
        self.pending = memoryview(b"")
        if self._drift is not None:
            self._dropped[reason] += self._drift.reset()

    def cancel(self) -> None:
        """Flush, and count all audio that is not played from now on as cancelled."""
        if self._stream is not None:
            self._book_flushes(self._stream.dropped)
            self._stream.flush()
        self._cancelled = True

    def lose(self, stream: OutputStream) -> None:
        """Let go of a lost stream, and count the audio that waits for it as dropped."""
        position, taken_by_flushes = stream.position, stream.dropped
        self._book_flushes(taken_by_flushes)
        self._dropped[DropReason.DEVICE_LOST] += self._written - position - taken_by_flushes
        self.drop_pending(DropReason.DEVICE_LOST)
        self._given += position
        self._written = self._booked = 0
        self._stream = None

    def adopt(self, stream: OutputStream) -> None:
        """Write to this stream from now on. Only while there is no stream."""
        self._stream, self.latency_s = stream, stream.info.latency_s
        self.sounded_s = stream.info.sounded_s
        self.block_s = self.format.seconds(stream.info.block)

    def seam(self, name: str) -> SeamReport:
        """Return the ledger. The stream's counts are read once, because its callback may change them."""
        position = taken_by_flushes = 0
        if self._stream is not None:
            position, taken_by_flushes = self._stream.position, self._stream.dropped
        held = self._pending_samples() + self._written - position - taken_by_flushes
        dropped = Counter(self._dropped)
        if self._drift is not None:
            held += self._drift.held
            dropped[DropReason.DRIFT] += self._drift.removed  # negative, where samples were made
        dropped[self._flush_reason()] += taken_by_flushes - self._booked
        if self.closed:
            dropped[self._rest_reason()] += held
            held = 0
        return SeamReport(
            name, self._taken, self._given + position, held, {reason: n for reason, n in dropped.items() if n}
        )

    def _book_flushes(self, taken: int) -> None:
        self._dropped[self._flush_reason()] += taken - self._booked
        self._booked = taken

    def _flush_reason(self) -> str:
        return DropReason.CANCELLED if self._cancelled else DropReason.INTERRUPTED

    def _rest_reason(self) -> str:
        """Return the drop reason for the audio that waited at the close."""
        if self._stream is not None and self._stream.error is not None:
            return DropReason.DEVICE_LOST
        return DropReason.CANCELLED if self._cancelled else DropReason.SHUTDOWN

    def _pending_samples(self) -> int:
        return len(self.pending) // self.format.sample_bytes
