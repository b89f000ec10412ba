"""The processor over a speaker."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number
from voicepipe.devices.backends import backend_of
from voicepipe.devices.port import Backend, OutputStream, StreamRequest
from voicepipe.drift.drift import DriftCompensator
from voicepipe.endpoints.bot_speech import BotSpeech
from voicepipe.endpoints.kept_device import KeptDevice, OnLoss, check_on_loss
from voicepipe.endpoints.playback import Playback
from voicepipe.errors import AudioFormatError, DeviceError, DeviceLostError
from voicepipe.frames import Frame, FrameDirection, OutputAudioFrame
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.report import DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.text import shown

__all__ = ["SpeakerOutput"]

_UP = FrameDirection.UPSTREAM
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
        self._device: KeptDevice[OutputStream] | None = None
        self._playback: Playback | None = None
        self._speech: BotSpeech | None = None

    async def on_start(self, params: StartParams) -> None:
        """Open the device and let it run on zeros. Raises: DeviceError."""
        self._reset()
        self._news = asyncio.Event()
        request = replace(self._wish, format=params.output)
        self._device = device = KeptDevice(
            self,
            "speaker",
            request.device,
            self._on_loss,
            opens=lambda wake: self._backend.open_output(request, wake),
            news=self._wake,
            lost=self._lost,
            found=self._found,
        )
        stream = await device.open(patient=params.patient)
        self._playback = Playback(device, stream, self._compensator(stream) if self._steady else None)
        self._speech = BotSpeech(self._playback, params.air, tell=self._tell, wake=self._wake)
        await stream.start()

    def _compensator(self, stream: OutputStream) -> DriftCompensator:
        audio = stream.info.format
        block_s = audio.seconds(stream.info.block)
        return DriftCompensator(audio, block_s, limit_s=min(0.4, 0.4 * self._max_queue_s))

    async def on_running(self) -> None:
        """From now on a loss does not fail the start any more. Raises: DeviceError."""
        if self._playback is not None:
            self._playback.device.watch()

    def _wake(self) -> None:
        self._news.set()
        self.wake_up()

    def progress(self) -> object:
        """What has been played."""
        return self._playback.position if self._playback is not None else None

    # -- playing -----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play output audio; pass everything else on."""
        if isinstance(frame, OutputAudioFrame) and direction is not _UP and self._playback and self._speech:
            await self._play(frame, self._playback, self._speech)
        else:
            await self.push_frame(frame, direction)

    async def _play(self, frame: OutputAudioFrame, playback: Playback, speech: BotSpeech) -> None:
        if frame.format != playback.format:
            raise AudioFormatError(
                f"{self.name} plays {playback.format}, and got {frame.format}: convert {frame!r} before it"
            )
        if not frame.num_samples:
            return
        playback.take(frame, asyncio.get_running_loop().time())
        self.take_charge()
        await speech.end_if_cut()
        if not await playback.device.is_there():
            playback.drop_pending(DropReason.DEVICE_LOST)
            return
        await speech.begin()
        await self._feed(playback, speech)

    async def _feed(self, playback: Playback, speech: BotSpeech) -> None:
        """Hand slices to the device as it has room."""
        most = playback.format.samples(self._max_queue_s)
        while playback.pending and playback.device.check():
            playback.write(most - playback.queued)
            if playback.pending:
                self._news.clear()
                playback.notify_at(most // 2)
                await self._news.wait()
        speech.goes_on()
        playback.notify_at(0)

    async def on_end(self) -> None:
        """Return when the last sample has sounded, or the device is lost."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None:
            if not playback.pending:
                playback.take_the_rest()
                await self._feed(playback, speech)
            await playback.drain()
            await speech.end_if_cut()
            await speech.end()
            await playback.device.wait_until_told()
            playback.device.retire()

    # -- cutting short -------------------------------------------------------------

    def on_interruption(self) -> None:
        """Fade out in the next block, and forget what waits."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None and (playback.pending or playback.queued):
            playback.interrupt()
            speech.cut = True

    async def on_cancel(self) -> None:
        """Fade out in the next block, and let that be heard; do not wait for a device that asks for none."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None:
            playback.device.retire()
            playback.cancel()
            patience_s = 2 * playback.block_s + 0.1
            with contextlib.suppress(TimeoutError, DeviceError):
                await asyncio.wait_for(playback.settle(), patience_s)
                if speech.is_on:
                    # Closing takes away what the device holds: the fade, and what was counted as heard.
                    await asyncio.sleep(min(FADE_S, playback.sounded_s))

    # -- loss and return -------------------------------------------------------------

    def on_ending(self) -> None:
        """Wait no more for a device that is lost from now on."""
        if self._device is not None:
            self._device.stop()

    def _lost(self, stream: OutputStream) -> None:
        """Let go of what was to be played on it."""
        if self._playback is not None and self._speech is not None:
            self._playback.lose(stream)
            error = stream.error
            self._speech.lose(error.silent_s if isinstance(error, DeviceLostError) else 0.0)

    async def _found(self, stream: OutputStream) -> None:
        """Take the stream into use: it works when it has asked for a block."""
        stream.flush()
        await stream.settle()
        if self._playback is not None:
            self._playback.adopt(stream)

    # -- facts ---------------------------------------------------------------------

    async def work_when_idle(self) -> bool:
        """Notice the loss of the device and its return, and the end of speech."""
        playback, speech = self._playback, self._speech
        if playback is None or speech is None:
            return False
        await playback.device.is_there()
        if speech.cut:
            if playback.flushing:
                return False
            await speech.end_if_cut()
            return True
        if not speech.is_on or playback.queued:
            return False
        return await speech.pause()

    async def _tell(self, frame: Frame) -> None:
        await self.push_frame(frame, _UP)  # first, as it never waits
        await self.push_frame(frame)

    # -- closing -------------------------------------------------------------------

    async def cleanup(self) -> None:
        """Give the device back."""
        if self._speech is not None:
            self._speech.close()
        if self._playback is not None:
            self._playback.closed = True
            await self._playback.device.close()

    def waits_for(self) -> str:
        """Why its device cannot be had, while the start waits for it."""
        return "" if self._device is None else self._device.waits_for

    def device_state(self) -> DeviceState | None:
        """How its device stands; None where none was opened. In the loop's thread."""
        device = self._device
        if device is None or not (self._playback or device.awaits_the_first):
            return None
        return device.state()

    def seams(self) -> list[SeamReport]:
        """The device's own seam, besides the mailbox: over all streams there were."""
        return [] if self._playback is None else [self._playback.seam(f"{self.name} device")]

    def device_statistics(self) -> DeviceStatistics | None:
        """How the speaker is doing; None before it was opened. In the loop's thread."""
        playback = self._playback
        return None if playback is None else playback.device.statistics(playback.seam(""))
