"""The processor over a speaker."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from voicepipe.air import Air
from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number
from voicepipe.devices.backends import backend_of
from voicepipe.devices.port import Backend, OutputStream, StreamRequest
from voicepipe.drift.drift import DriftCompensator
from voicepipe.endpoints.kept_device import Keeper, OnLoss, check_on_loss
from voicepipe.endpoints.playback import Playback
from voicepipe.errors import AudioFormatError, DeviceError, DeviceLostError
from voicepipe.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    OutputAudioFrame,
)
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.report import DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.text import shown

__all__ = ["SpeakerOutput"]

_UP = FrameDirection.UPSTREAM
PAUSE_S = 0.3
"""Silence for so long ends the program's speech; less is a gap between two frames."""
ROOM_S = 0.3
"""So long after its last sample a room is quiet, and a latency that was reported too short has passed."""
FADE_S = 0.3
"""A cancel waits no longer for its fade to be heard; a device may hold seconds."""


class SpeakerOutput(DeviceStage):
    """Plays every `OutputAudioFrame`; passes other frames on.

    At most `max_queue_s` of audio waits for the device; a longer frame goes in slices. The
    End passes on after the last sample has sounded. An interruption or a cancel fades out
    within the next block that the device asks for. `BotStartedSpeakingFrame` and
    `BotStoppedSpeakingFrame` go both ways, once for every stretch of speech; their
    positions count the samples handed to the device since the start.

    A speaker that is lost is looked for until it is back, and the run goes on meanwhile:
    `DeviceLostFrame` and `DeviceRestoredFrame` go both ways. What waits for it, and what comes
    while it is away, is dropped at once and counted as `device_lost`.

    Args:
        backend: a back end, or the name of one.
        device: a device's name, or a unique part of it; empty: the default one.
        block_s: seconds of audio in a block of the device.
        latency: "low", "high", or seconds. Behind PipeWire 0.04 to 0.06 is right; there "low" is 0.04.
        max_queue_s: how much audio may wait for the device, in seconds; at least two blocks.
        steady: for live sound over hours, from a microphone that has another clock: hold the queue
            steady by playing at most 500 ppm faster or slower, and begin live sound with silence, so
            that there is something to hold: a block and 25 ms, as it is just before the device takes
            one, and so that the delay is the same each time. What that takes out or makes is
            counted as `drift` (negative: made). While the clocks agree samples pass as they are. What
            a standstill has made late by more than a quarter of a second is left out, so that what
            follows is in time again, and counted as `late`. A file has no clock: there it does nothing.
        on_loss: "wait" until it is back, "end" the run, or "fail". A file that cannot be written
            any more does not come back: it fails instead of waiting.

    Raises:
        TypeError, ValueError: an argument is not of its kind, or out of its bounds.
        BackendMissingError: as `open_backend`.
    """

    def __init__(
        self,
        backend: Backend | str,
        *,
        device: str = "",
        block_s: float = 0.02,
        latency: str | float = "low",
        max_queue_s: float = 1.0,
        steady: bool = False,
        on_loss: OnLoss = "wait",
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._backend = backend_of(backend)
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency)
        self._max_queue_s = check_number("max_queue_s", max_queue_s, at_least=0.05, at_most=60.0)
        # It is filled again when it is half empty: a block must be left then.
        if self._max_queue_s < 2 * block_s:
            raise ValueError(
                f"max_queue_s must be a number from {2 * block_s:g} on (two blocks of block_s={block_s:g}), "
                f"not {shown(max_queue_s)}"
            )
        if not isinstance(steady, bool):
            raise TypeError(f"steady must be True or False, not {shown(steady)}")
        self._steady = steady and not self._backend.lost_for_good
        self._on_loss: OnLoss = check_on_loss(on_loss, self._backend)
        self._reset()

    def _reset(self) -> None:
        self._keeper: Keeper[OutputStream] | None = None
        self._playback: Playback | None = None
        self._air: Air | None = None
        self._speaking = False
        self._cut = False
        """What waited was taken away, and nobody has been told yet how much was heard."""
        self._quiet_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def on_start(self, params: StartParams) -> None:
        """Open the device and let it run on zeros. Raises: DeviceError."""
        self._reset()
        self._news = asyncio.Event()
        self._air = params.air
        request = replace(self._wish, format=params.output)
        self._keeper = keeper = Keeper(
            self,
            "speaker",
            request.device,
            self._on_loss,
            opens=lambda wake: self._backend.open_output(request, wake),
            news=self._wake,
            lost=self._lost,
            found=self._found,
        )
        stream = await keeper.open(patient=params.patient)
        self._playback = Playback(keeper, stream, self._compensator(stream) if self._steady else None)
        await stream.start()

    def _compensator(self, stream: OutputStream) -> DriftCompensator:
        audio = stream.info.format
        block_s = audio.seconds(stream.info.block)
        return DriftCompensator(audio, block_s, limit_s=min(0.4, 0.4 * self._max_queue_s))

    async def on_running(self) -> None:
        """From now on a loss does not fail the start any more. Raises: DeviceError."""
        if self._playback is not None:
            self._playback.keeper.watch()

    def _wake(self) -> None:
        self._news.set()
        self.wake_up()

    def progress(self) -> object:
        """What has been played."""
        return self._playback.position if self._playback is not None else None

    # -- playing -----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play output audio; pass everything else on."""
        if isinstance(frame, OutputAudioFrame) and direction is not _UP and self._playback is not None:
            await self._play(frame, self._playback)
        else:
            await self.push_frame(frame, direction)

    async def _play(self, frame: OutputAudioFrame, playback: Playback) -> None:
        if frame.format != playback.format:
            raise AudioFormatError(
                f"{self.name} plays {playback.format}, and got {frame.format}: convert {frame!r} before it"
            )
        if not frame.num_samples:
            return
        playback.take(frame, asyncio.get_running_loop().time())
        self.take_charge()
        await self._tell_if_cut(playback)
        if not playback.keeper.check():
            playback.drop_pending(DropReason.DEVICE_LOST)
            return
        await playback.keeper.confirm()
        if playback.pending and not self._speaking:
            self._speaking = True
            if self._air is not None:
                self._air.begin(self, asyncio.get_running_loop().time())
            await self._tell(BotStartedSpeakingFrame(playback.next_position))
        await self._feed(playback)

    async def _feed(self, playback: Playback) -> None:
        """Hand slices to the device as it has room."""
        most = playback.format.samples(self._max_queue_s)
        while playback.pending and playback.keeper.check():
            playback.write(most - playback.queued)
            if playback.pending:
                self._news.clear()
                playback.notify_at(most // 2)
                await self._news.wait()
        self._quiet_since = None
        playback.notify_at(0)

    async def on_end(self) -> None:
        """Return when the last sample has sounded, or the device is lost."""
        playback = self._playback
        if playback is not None:
            if not playback.pending:
                playback.take_the_rest()
                await self._feed(playback)
            await playback.drain()
            await self._tell_if_cut(playback)
            await self._tell_stopped(playback)
            await playback.keeper.told()
            playback.keeper.retire()

    # -- cutting short -------------------------------------------------------------

    def on_interruption(self) -> None:
        """Fade out in the next block, and forget what waits."""
        playback = self._playback
        if playback is not None and (playback.pending or playback.queued):
            playback.interrupt()
            self._cut = True

    async def on_cancel(self) -> None:
        """Fade out in the next block, and let that be heard; do not wait for a device that asks for none."""
        playback = self._playback
        if playback is not None:
            playback.keeper.retire()
            playback.cancel()
            patience_s = 2 * playback.block_s + 0.1
            with contextlib.suppress(TimeoutError, DeviceError):
                await asyncio.wait_for(playback.settle(), patience_s)
                if self._speaking:
                    # Closing takes away what the device holds: the fade, and what was counted as heard.
                    await asyncio.sleep(min(FADE_S, playback.sounded_s))

    # -- loss and return -------------------------------------------------------------

    def on_ending(self) -> None:
        """A device that is lost now is not waited for any more."""
        if self._playback is not None:
            self._playback.keeper.stop()

    def _lost(self, stream: OutputStream) -> None:
        """Let go of what was to be played on it."""
        if self._playback is not None:
            self._playback.lose(stream)
            self._cut = self._speaking
            error = stream.error
            self._leave_air(self._playback, error.silent_s if isinstance(error, DeviceLostError) else 0.0)

    async def _found(self, stream: OutputStream) -> None:
        """It works when it has asked for a block."""
        stream.flush()
        await stream.settle()
        if self._playback is not None:
            self._playback.adopt(stream)

    # -- facts ---------------------------------------------------------------------

    async def work_when_idle(self) -> bool:
        """Notice the loss of the device and its return, and the end of speech."""
        playback = self._playback
        if playback is None:
            return False
        playback.keeper.check()
        await playback.keeper.confirm()
        if self._cut:
            if playback.flushing:
                return False
            await self._tell_if_cut(playback)
            return True
        if not self._speaking or playback.queued:
            return False
        return await self._quiet(playback)

    async def _tell_if_cut(self, playback: Playback) -> None:
        """After an interruption: when the device has let go of what waited, say how much was heard.

        Nothing is written before that, so the position is exact. Raises: DeviceError.
        """
        if self._cut:
            await playback.settle()
            self._cut = False
            await self._tell_stopped(playback, interrupted=True)

    async def _quiet(self, playback: Playback) -> bool:
        """Nothing waits to be played: after a pause in what is heard, the speech counts as over."""
        loop = asyncio.get_running_loop()
        if self._quiet_since is None:
            self._quiet_since = loop.time()
        over_s = self._quiet_since + playback.latency_s + PAUSE_S
        if loop.time() >= over_s:
            await self._tell_stopped(playback)
            return True
        if self._timer is None:
            self._timer = loop.call_at(over_s, self._look_again)
        return False

    def _look_again(self) -> None:
        self._timer = None
        self._wake()

    async def _tell_stopped(self, playback: Playback, *, interrupted: bool = False) -> None:
        if self._speaking:
            self._speaking = False
            self._leave_air(playback)
            await self._tell(BotStoppedSpeakingFrame(playback.position, interrupted))

    def _leave_air(self, playback: Playback, silent_s: float = 0.0) -> None:
        """The last sample was handed to the device by now, or so long ago."""
        quiet_s = self._quiet_since
        last_s = asyncio.get_running_loop().time() - silent_s if quiet_s is None else quiet_s
        if self._air is not None:
            self._air.end(self, last_s + playback.latency_s + ROOM_S)

    async def _tell(self, frame: Frame) -> None:
        await self.push_frame(frame, _UP)  # first, as it never waits
        await self.push_frame(frame)

    # -- closing -------------------------------------------------------------------

    async def cleanup(self) -> None:
        """Give the device back."""
        if self._timer is not None:
            self._timer.cancel()
        if self._playback is not None:
            self._playback.closed = True
            await self._playback.keeper.close()

    def waits_for(self) -> str:
        """Why its device cannot be had, while the start waits for it."""
        return "" if self._keeper is None else self._keeper.waits_for

    def device_state(self) -> DeviceState | None:
        """How its device stands; None where none was opened. In the loop's thread."""
        keeper = self._keeper
        if keeper is None or not (self._playback or keeper.awaits_the_first):
            return None
        return keeper.state()

    def seams(self) -> list[SeamReport]:
        """The device's own seam, besides the mailbox: over all streams there were."""
        return [] if self._playback is None else [self._playback.seam(f"{self.name} device")]

    def device_statistics(self) -> DeviceStatistics | None:
        """How the speaker is doing; None before it was opened. In the loop's thread."""
        playback = self._playback
        return None if playback is None else playback.keeper.statistics(playback.seam(""))
