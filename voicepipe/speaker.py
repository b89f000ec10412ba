"""The processor over a speaker."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import replace

from voicepipe.air import Air
from voicepipe.audio import AudioFormat
from voicepipe.checks import check_number
from voicepipe.devices import Backend, OutputStream, StreamRequest, backend_of
from voicepipe.errors import AudioFormatError, DeviceError
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
ROOM_S = 0.3
"""So long after its last sample a room is quiet, and a latency that was reported too short has passed."""


class SpeakerOutput(FrameProcessor):
    """Plays every `OutputAudioFrame`; passes other frames on.

    At most `max_queue_s` of audio waits for the device; a longer frame goes in slices. The
    End passes on after the last sample has sounded. An interruption or a cancel fades out
    within the next block that the device asks for. `BotStartedSpeakingFrame` and
    `BotStoppedSpeakingFrame` go both ways, once for every stretch of speech; their
    positions count the samples handed to the device since the start.

    Args:
        backend: a back end, or the name of one.
        device: a device's name, or a unique part of it; empty: the default one.
        block_s: seconds of audio in a block of the device.
        latency: "low", "high", or seconds.
        max_queue_s: how much audio may wait for the device, in seconds; at least two blocks.

    Raises:
        TypeError, ValueError: an argument is not of its kind, or out of its bounds.
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
        self._backend = backend_of(backend)
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency)
        # It is filled again when it is half empty: a block must be left then.
        at_least = max(0.05, 2 * block_s)
        self._max_queue_s = check_number("max_queue_s", max_queue_s, at_least=at_least, at_most=60.0)
        self._reset()

    def _reset(self) -> None:
        self._playback: _Playback | None = None
        self._air: Air | None = None
        self._speaking = False
        self._cut = False
        """An interruption took what waited, and nobody has been told yet how much was heard."""
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def on_start(self, params: StartParams) -> None:
        """Open the device and let it run on zeros. Raises: DeviceError."""
        self._reset()
        self._news = asyncio.Event()
        self._air = params.air
        request = replace(self._wish, format=params.output)
        stream = await self._backend.open_output(request, self._wake)
        self._playback = _Playback(stream)
        await stream.start()

    def _wake(self) -> None:
        self._news.set()
        self.wake_up()

    def progress(self) -> object:
        """What has been played."""
        return self._playback.stream.position if self._playback is not None else None

    # -- playing -----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play output audio; pass everything else on."""
        playback = self._playback
        if isinstance(frame, OutputAudioFrame) and direction is not _UP and playback is not None:
            await self._play(frame, playback)
        else:
            await self.push_frame(frame, direction)

    async def _play(self, frame: OutputAudioFrame, playback: _Playback) -> None:
        wanted = playback.stream.info.format
        if frame.format != wanted:
            raise AudioFormatError(
                f"{self.name} plays {wanted}, and got {frame.format}: convert {frame!r} before it"
            )
        if not frame.num_samples:
            return
        playback.take(frame)
        self.take_charge()
        await self._tell_if_cut(playback)
        _check(playback.stream)
        if playback.pending and not self._speaking:
            self._speaking = True
            if self._air is not None:
                self._air.begin(self, asyncio.get_running_loop().time())
            await self._tell(BotStartedSpeakingFrame(playback.next_position))
        await self._feed(playback)

    async def _feed(self, playback: _Playback) -> None:
        """Hand slices to the device as it has room."""
        stream = playback.stream
        most = stream.info.format.samples(self._max_queue_s)
        while playback.pending:
            _check(stream)
            playback.write(most - stream.queued)
            if playback.pending:
                self._news.clear()
                stream.notify_at(most // 2)
                await self._news.wait()
        self._quiet_since = None
        stream.notify_at(0)

    async def on_end(self) -> None:
        """Return when the last sample has sounded."""
        playback = self._playback
        if playback is not None:
            await playback.stream.drain()
            await self._tell_if_cut(playback)
            await self._tell_stopped(playback)

    # -- cutting short -------------------------------------------------------------

    def on_interruption(self) -> None:
        """Fade out in the next block, and forget what waits."""
        playback = self._playback
        if playback is not None and (playback.pending or playback.stream.queued):
            playback.drop_pending(DropReason.INTERRUPTED)
            playback.stream.flush()
            self._cut = True

    async def on_cancel(self) -> None:
        """Fade out in the next block; do not wait for a device that asks for none."""
        playback = self._playback
        if playback is not None:
            stream = playback.stream
            playback.cancel()
            patience_s = 2 * stream.info.format.seconds(stream.info.block) + 0.1
            with contextlib.suppress(TimeoutError, DeviceError):
                await asyncio.wait_for(stream.settle(), patience_s)

    # -- facts ---------------------------------------------------------------------

    async def work_when_idle(self) -> bool:
        """Notice the loss of the device, and the end of speech."""
        playback = self._playback
        if playback is None:
            return False
        stream = playback.stream
        _check(stream)
        if self._cut:
            if stream.flushing:
                return False
            await self._tell_if_cut(playback)
            return True
        if not self._speaking or stream.queued:
            return False
        return await self._quiet(playback)

    async def _tell_if_cut(self, playback: _Playback) -> None:
        """After an interruption: when the device has let go of what waited, say how much was heard.

        Nothing is written before that, so the position is exact. Raises: DeviceError.
        """
        if self._cut:
            await playback.stream.settle()
            self._cut = False
            await self._tell_stopped(playback, interrupted=True)

    async def _quiet(self, playback: _Playback) -> bool:
        """Nothing waits to be played: after a pause in what is heard, the speech counts as over."""
        loop = asyncio.get_running_loop()
        if self._quiet_since is None:
            self._quiet_since = loop.time()
        over_s = self._quiet_since + playback.stream.info.latency_s + PAUSE_S
        if loop.time() >= over_s:
            await self._tell_stopped(playback)
            return True
        if self._timer is None:
            self._timer = loop.call_at(over_s, self._look_again)
        return False

    def _look_again(self) -> None:
        self._timer = None
        self._wake()

    async def _tell_stopped(self, playback: _Playback, *, interrupted: bool = False) -> None:
        if self._speaking:
            self._speaking = False
            self._leave_air(playback)
            await self._tell(BotStoppedSpeakingFrame(playback.stream.position, interrupted))

    def _leave_air(self, playback: _Playback) -> None:
        quiet_s = self._quiet_since
        last_s = asyncio.get_running_loop().time() if quiet_s is None else quiet_s
        if self._air is not None:
            self._air.end(self, last_s + playback.stream.info.latency_s + ROOM_S)

    async def _tell(self, frame: Frame) -> None:
        await self.push_frame(frame, _UP)  # first, as it never waits
        await self.push_frame(frame)

    # -- closing -------------------------------------------------------------------

    async def cleanup(self) -> None:
        """Give the device back."""
        playback, timer = self._playback, self._timer
        if timer is not None:
            timer.cancel()
        if playback is not None:
            playback.closed = True
            await playback.stream.close()

    def seams(self) -> list[SeamReport]:
        """The device's own seam, besides the mailbox."""
        return [] if self._playback is None else [self._playback.seam(f"{self.name} device")]


class _Playback:
    """One opened stream, and the books of what became of every sample that was to be heard."""

    def __init__(self, stream: OutputStream) -> None:
        self.stream = stream
        self.pending = memoryview(b"")
        """What was taken, and not written yet."""
        self.closed = False
        """Whatever still waits is not heard any more."""
        self._taken = 0
        self._written = 0
        self._cancelled = False
        self._dropped: Counter[str] = Counter()
        """What never reached the stream, and what flushes took until the cancel."""
        self._booked = 0
        """Of the samples that flushes took: those in `_dropped`."""

    @property
    def next_position(self) -> int:
        """Where the next sample written will stand. Exact while no flush is waiting."""
        return self._written - self.stream.dropped

    def take(self, frame: OutputAudioFrame) -> None:
        """Its audio is to be heard next. Only when nothing is pending."""
        self.pending = memoryview(frame.data)
        self._taken += frame.num_samples

    def write(self, most: int) -> None:
        """Hand up to so many samples of what is pending to the stream."""
        size = self.stream.info.format.sample_bytes
        part, self.pending = self.pending[: max(0, most) * size], self.pending[max(0, most) * size :]
        self.stream.write(part)
        self._written += len(part) // size

    def drop_pending(self, reason: str) -> None:
        """Forget what is pending."""
        self._dropped[reason] += self._pending_samples()
        self.pending = memoryview(b"")

    def cancel(self) -> None:
        """Flush; from now on what is not heard is not heard for the cancel."""
        taken_by_flushes = self.stream.dropped
        self._dropped[DropReason.INTERRUPTED] += taken_by_flushes - self._booked
        self._booked, self._cancelled = taken_by_flushes, True
        self.stream.flush()

    def seam(self, name: str) -> SeamReport:
        """Its ledger. The stream's numbers are looked at once: its callback may be changing them."""
        position, taken_by_flushes = self.stream.position, self.stream.dropped
        held = self._pending_samples() + self._written - position - taken_by_flushes
        dropped = Counter(self._dropped)
        flushed_for = DropReason.CANCELLED if self._cancelled else DropReason.INTERRUPTED
        dropped[flushed_for] += taken_by_flushes - self._booked
        if self.closed:
            dropped[self._rest_is()] += held
            held = 0
        return SeamReport(name, self._taken, position, held, dict(+dropped))

    def _rest_is(self) -> str:
        """Why what waited when it closed was not heard."""
        if self.stream.error is not None:
            return DropReason.DEVICE_LOST
        return DropReason.CANCELLED if self._cancelled else DropReason.SHUTDOWN

    def _pending_samples(self) -> int:
        return len(self.pending) // self.stream.info.format.sample_bytes


def _check(stream: OutputStream) -> None:
    """Raises: DeviceError, where the device is lost; what waits for it is lost with it."""
    if stream.error is not None:
        raise stream.error
