"""The processor over a speaker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from voicepipe.audio import AudioFormat
from voicepipe.checks import check_number
from voicepipe.devices import Backend, OutputStream, StreamRequest, open_backend
from voicepipe.errors import AudioFormatError, DeviceError, DeviceLostError
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    OutputAudioFrame,
)
from voicepipe.ledger import DropReason, SeamReport
from voicepipe.params import StartParams
from voicepipe.processor import FrameProcessor

__all__ = ["SpeakerOutput"]

_UP = FrameDirection.UPSTREAM
PAUSE_S = 0.3
"""Silence for so long ends the program's speech; less is a gap between two frames."""


class SpeakerOutput(FrameProcessor):
    """Plays every `OutputAudioFrame`; passes other frames on.

    At most `max_queue_s` of audio waits for the device; a longer frame goes in slices. The
    End passes on after the last sample has sounded. An interruption or a cancel fades out
    within the next block that the device asks for. `BotStartedSpeakingFrame` and
    `BotStoppedSpeakingFrame` go both ways.

    Args:
        backend: a back end, or the name of one.
        device: a device's name, or a unique part of it; empty: the default one.
        block_s: seconds of audio in a block of the device.
        latency: "low", "high", or seconds.
        max_queue_s: how much audio may wait for the device, in seconds.

    Raises:
        TypeError, ValueError: an argument is out of its bounds.
        BackendMissingError: as `open_backend`.
    """

    works_when_idle = True

    def __init__(
        self,
        backend: Backend | str,
        *,
        device: str = "",
        block_s: float = 0.02,
        latency: str | float = "low",
        max_queue_s: float = 1.0,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._backend = open_backend(backend) if isinstance(backend, str) else backend
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency)
        self._max_queue_s = check_number("max_queue_s", max_queue_s, at_least=0.05, at_most=60.0)
        self._stream: OutputStream | None = None
        self._reset()

    def _reset(self) -> None:
        self._taken = 0
        self._written = 0
        self._pending = memoryview(b"")
        self._dropped: Counter[str] = Counter()
        self._flushed = 0
        self._speaking = self._cut = False
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._left_for = DropReason.SHUTDOWN
        self._last_seam: SeamReport | None = None

    async def on_start(self, params: StartParams) -> None:
        """Open the device and let it run on zeros. Raises: DeviceError."""
        self._reset()
        self._news = asyncio.Event()
        wish = self._wish
        request = StreamRequest(params.output, wish.device, wish.block_s, wish.latency)
        self._stream = await self._backend.open_output(request, self._wake)
        await self._stream.start()

    def _wake(self) -> None:
        self._news.set()
        self.wake_up()

    def progress(self) -> object:
        """What has been played."""
        return self._stream.position if self._stream is not None else None

    # -- playing -----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play output audio; pass everything else on."""
        if isinstance(frame, OutputAudioFrame) and direction is not _UP and self._stream is not None:
            await self._play(frame, self._stream)
        else:
            await self.push_frame(frame, direction)

    async def _play(self, frame: OutputAudioFrame, stream: OutputStream) -> None:
        if frame.format != stream.info.format:
            raise AudioFormatError(
                f"{self.name} plays {stream.info.format}, and got {frame!r}: convert it before"
            )
        await self._tell_if_cut(stream)
        self._pending = memoryview(frame.data)
        self._taken += frame.num_samples
        self.take_charge()
        if frame.num_samples and not self._speaking:
            self._speaking = True
            await self._tell(BotStartedSpeakingFrame(self._written))
        await self._feed(stream)

    async def _feed(self, stream: OutputStream) -> None:
        """Hand slices to the device as it has room."""
        audio = stream.info.format
        most = audio.samples(self._max_queue_s)
        while self._pending:
            self._check(stream)
            size = max(0, most - stream.queued) * audio.sample_bytes
            part, self._pending = self._pending[:size], self._pending[size:]
            stream.write(part)
            self._written += len(part) // audio.sample_bytes
            if self._pending:
                self._news.clear()
                stream.notify_at(most // 2)
                await self._news.wait()
        self._quiet_since = None
        stream.notify_at(0)

    def _check(self, stream: OutputStream) -> None:
        """A lost device takes what was queued for it along, and says so at once."""
        if stream.error is not None:
            self._left_for = DropReason.DEVICE_LOST
            raise stream.error

    async def on_end(self) -> None:
        """Return when the last sample has sounded."""
        stream = self._stream
        if stream is not None:
            try:
                await stream.drain()
            except DeviceLostError:
                self._left_for = DropReason.DEVICE_LOST
                raise
            await self._tell_stopped(stream)

    # -- flushing ----------------------------------------------------------------

    def on_interruption(self) -> None:
        """Fade out in the next block, and forget what waits."""
        stream = self._stream
        if stream is not None and (self._pending or stream.queued):
            self._drop_pending(DropReason.INTERRUPTED)
            stream.flush()
            self._cut = True
            self._news.set()

    async def on_cancel(self) -> None:
        """Fade out in the next block; do not wait for a device that gives none."""
        stream = self._stream
        if stream is not None:
            self._account(stream, DropReason.INTERRUPTED)
            self._left_for = DropReason.CANCELLED
            stream.flush()
            patience_s = 2 * stream.info.format.seconds(stream.info.block) + 0.1
            with contextlib.suppress(TimeoutError, DeviceError):
                await asyncio.wait_for(stream.settle(), patience_s)

    def _drop_pending(self, reason: str) -> None:
        pending, self._pending = self._pending, memoryview(b"")
        if pending and self._stream is not None:
            self._dropped[reason] += len(pending) // self._stream.info.format.sample_bytes

    def _account(self, stream: OutputStream, reason: str) -> None:
        """Book what flushes took since the last look."""
        if stream.dropped > self._flushed:
            self._dropped[reason] += stream.dropped - self._flushed
            self._flushed = stream.dropped

    # -- facts ---------------------------------------------------------------------

    async def work_when_idle(self) -> bool:
        """Notice the loss of the device, and the end of speech."""
        stream = self._stream
        if stream is None:
            return False
        self._check(stream)
        if await self._tell_if_cut(stream):
            return True
        if not self._speaking or stream.queued:
            return False
        return await self._quiet(stream)

    async def _tell_if_cut(self, stream: OutputStream) -> bool:
        if not self._cut or stream.flushing:
            return False
        self._cut = False
        self._account(stream, DropReason.INTERRUPTED)
        await self._tell_stopped(stream, interrupted=True)
        return True

    async def _quiet(self, stream: OutputStream) -> bool:
        """Nothing waits to be played: after a pause the speech counts as over."""
        now = asyncio.get_running_loop().time()
        if self._quiet_since is None:
            self._quiet_since = now
        if now - self._quiet_since >= PAUSE_S:
            await self._tell_stopped(stream)
            return True
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._quiet_since + PAUSE_S, self._look_again)
        return False

    def _look_again(self) -> None:
        self._timer = None
        self._wake()

    async def _tell_stopped(self, stream: OutputStream, *, interrupted: bool = False) -> None:
        if self._speaking:
            self._speaking = False
            await self._tell(BotStoppedSpeakingFrame(stream.position, interrupted))

    async def _tell(self, frame: Frame) -> None:
        await self.push_frame(frame)
        await self.push_frame(frame, _UP)

    # -- closing -------------------------------------------------------------------

    async def cleanup(self) -> None:
        """Give the device back."""
        stream, timer = self._stream, self._timer
        self._timer = None
        if timer is not None:
            timer.cancel()
        if stream is not None:
            try:
                await stream.close()
            finally:
                self._account(stream, self._left_for)
                self._drop_pending(self._left_for)
                if stream.queued:
                    self._dropped[self._left_for] += stream.queued
                self._last_seam = self._seam(stream, held=0)
                self._stream = None

    def _seam(self, stream: OutputStream, held: int) -> SeamReport:
        return SeamReport(f"{self.name} device", self._taken, stream.position, held, dict(self._dropped))

    def seams(self) -> list[SeamReport]:
        """The device's own seam, besides the mailbox."""
        stream = self._stream
        if stream is None:
            return [self._last_seam] if self._last_seam else []
        self._account(stream, DropReason.INTERRUPTED)
        held = stream.queued + len(self._pending) // stream.info.format.sample_bytes
        return [self._seam(stream, held)]
