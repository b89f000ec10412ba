"""The stage that plays audio through a speaker."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import ClassVar

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number
from voicepipe.devices.backends import backend_of, settings_of
from voicepipe.devices.port import Backend, OutputStream, StreamRequest
from voicepipe.drift.drift import DriftCompensator
from voicepipe.endpoints.bot_speech import BotSpeech
from voicepipe.endpoints.kept_device import KeptDevice, OnLoss, check_device, check_on_loss
from voicepipe.endpoints.playback import Playback
from voicepipe.errors import AudioFormatError, DeviceError, DeviceLostError
from voicepipe.frames import Frame, FrameDirection, OutputAudioFrame, kind_of
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.report import DeviceKind, DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.settings.sound import SoundSettings
from voicepipe.text import quote

__all__ = ["SpeakerOutput"]

_UP = FrameDirection.UPSTREAM
FADE_S = 0.3
"""The longest wait of a cancel for its fade, in seconds. A device may hold seconds of audio."""


class SpeakerOutput(DeviceStage):
    """A speaker. It plays every `OutputAudioFrame`, and passes other frames on.

    At most `max_queue_s` of audio waits for the device; a longer frame is written in parts.
    EndFrame passes on after the last sample was played. An interruption or a cancel fades out
    within the next block of the device. `BotStartedSpeakingFrame` and `BotStoppedSpeakingFrame`
    go in both directions, once for each period of speech. Their positions count the samples
    handed to the device since the start.

    If the speaker is lost, the run goes on, and the device is opened again as soon as possible.
    `DeviceLostFrame` and `DeviceRestoredFrame` go in both directions. Audio that waits or arrives
    meanwhile is dropped at once and counted as `device_lost`.

    Args:
        backend: a back end, or its name.
        device: the name of a device, or a unique part of it; empty: the one of the settings, or the default.
        block_s: the duration of one block of the device, in seconds.
        latency: "low" (the default), "high", or seconds. With PipeWire, use 0.04 to 0.06; "low" means 0.04
            there.
        max_queue_s: the maximum duration of waiting audio, in seconds; at least two blocks.
        steady: keep the delay of live audio constant over hours, although the microphone has another
            clock. See "Steady playback" below.
        on_loss: "wait" until the device is back, "end" the run, or "fail". A file that can no longer be
            written does not come back; "wait" then means "fail".

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of its bounds.
        BackendMissingError: as `open_backend`.

    Steady playback: live audio begins with silence, so that the queue holds one block and 25 ms just
    before the device takes a block. The speaker then plays at most 500 ppm faster or slower to keep the
    queue at that length. The samples that this removes are counted as `drift`; added samples count as
    negative. While the two clocks agree, samples pass unchanged. After a standstill, audio that is more
    than a quarter of a second late is dropped and counted as `late`. A file has no clock, so `steady`
    has no effect there.
    """

    kind: ClassVar[DeviceKind | None] = "speaker"

    def __init__(
        self,
        backend: Backend | str,
        *,
        device: str = "",
        block_s: float = 0.02,
        latency: str | float | None = None,
        max_queue_s: float = 1.0,
        steady: bool = False,
        on_loss: OnLoss = "wait",
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._backend = backend_of(backend)
        asked = settings_of(self._backend)
        device = asked.speaker or "" if device == "" else device
        wanted = asked.latency if latency is None else latency
        latency_s: str | float = "low" if wanted is None else wanted
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency_s)
        self._max_queue_s = check_number("max_queue_s", max_queue_s, at_least=0.05, at_most=60.0)
        # The queue is filled again when it is half empty. One block must be left then.
        if self._max_queue_s < 2 * block_s:
            raise ValueError(
                f"max_queue_s must be at least {2 * block_s:g} (two blocks of block_s={block_s:g}), "
                f"not {quote(max_queue_s)}"
            )
        if not isinstance(steady, bool):
            raise TypeError(f"steady must be True or False, not {quote(steady)}")
        self._steady = steady and not self._backend.lost_for_good
        self._on_loss: OnLoss = check_on_loss(on_loss, self._backend)
        self._reset()

    def _reset(self) -> None:
        self._device: KeptDevice[OutputStream] | None = None
        self._playback: Playback | None = None
        self._speech: BotSpeech | None = None

    async def on_start(self, params: StartParams) -> None:
        """Open the device and start it; it plays zeros. Raises: DeviceError."""
        self._reset()
        self._news = asyncio.Event()
        request = replace(self._wish, format=params.output)
        self._device = device = KeptDevice(
            self,
            "speaker",
            request.device,
            self._on_loss,
            open_stream=lambda name, wake: self._backend.open_output(replace(request, device=name), wake),
            on_news=self._wake,
            on_lost=self._on_lost,
            on_found=self._on_found,
        )
        stream = await device.open(patient=params.patient)
        self._playback = Playback(device, stream, self._compensator(stream) if self._steady else None)
        self._speech = BotSpeech(self._playback, params.speakers, tell=self._tell, wake=self._wake)
        await stream.start()

    def _compensator(self, stream: OutputStream) -> DriftCompensator:
        audio = stream.info.format
        block_s = audio.seconds(stream.info.block)
        return DriftCompensator(audio, block_s, limit_s=min(0.4, 0.4 * self._max_queue_s))

    async def on_running(self) -> None:
        """Apply `on_loss` to a loss from now on. Raises: DeviceError."""
        if self._playback is not None:
            self._playback.device.watch()

    def _wake(self) -> None:
        self._news.set()
        self.wake_up()

    def progress(self) -> object:
        """Return the number of samples played so far."""
        return self._playback.position if self._playback is not None else None

    # -- playing -----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play output audio; pass other frames on."""
        if isinstance(frame, OutputAudioFrame) and direction is not _UP and self._playback and self._speech:
            await self._play(frame, self._playback, self._speech)
        else:
            await self.push_frame(frame, direction)

    async def _play(self, frame: OutputAudioFrame, playback: Playback, speech: BotSpeech) -> None:
        if frame.format != playback.format:
            raise AudioFormatError(
                f"{self.name} plays {playback.format}, not {frame.format}: convert {kind_of(frame)} before it"
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
        """Write the pending audio in parts, as the device has room."""
        most = playback.format.samples(self._max_queue_s)
        while playback.pending and playback.device.check():
            playback.write(most - playback.queued)
            if playback.pending:
                self._news.clear()
                playback.notify_at(most // 2)
                await self._news.wait()
        speech.note_audio()
        playback.notify_at(0)

    async def on_end(self) -> None:
        """Wait until the last sample was played, or the device is lost."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None:
            if not playback.pending:
                playback.take_the_rest()
                await self._feed(playback, speech)
            await playback.device.until_changed()
            await playback.drain()
            await speech.end_if_cut()
            await speech.end()
            await playback.device.wait_until_told()
            playback.device.retire()

    # -- cutting short -------------------------------------------------------------

    def on_interruption(self) -> None:
        """Fade out in the next block, and drop the waiting audio."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None and (playback.pending or playback.queued):
            playback.interrupt()
            speech.cut = True

    async def on_cancel(self) -> None:
        """Fade out in the next block, and wait briefly until the fade was played."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None:
            playback.device.retire()
            playback.cancel()
            patience_s = 2 * playback.block_s + 0.1
            with contextlib.suppress(TimeoutError, DeviceError):
                await asyncio.wait_for(playback.settle(), patience_s)
                if speech.is_on:
                    # A close discards the audio in the device: the fade, and audio counted as played.
                    await asyncio.sleep(min(FADE_S, playback.sounded_s))

    # -- loss and return -------------------------------------------------------------

    def on_ending(self) -> None:
        """Stop waiting for a lost device."""
        if self._device is not None:
            self._device.stop()

    def _on_lost(self, stream: OutputStream) -> None:
        """Drop the audio that waits for the lost stream."""
        if self._playback is not None and self._speech is not None:
            self._playback.lose(stream)
            error = stream.error
            self._speech.lose(error.silent_s if isinstance(error, DeviceLostError) else 0.0)

    async def _on_found(self, stream: OutputStream) -> None:
        """Wait until the stream has asked for a block, and use it from then on."""
        stream.flush()
        await stream.settle()
        if self._playback is not None:
            self._playback.adopt(stream)

    # -- another device ----------------------------------------------------------

    @property
    def device(self) -> str:
        """The name of the device in use, or else the requested one; empty: the default device."""
        return self._wish.device if self._device is None else self._device.in_use

    @property
    def settings(self) -> SoundSettings:
        """The user's settings, as its back end carries them."""
        return settings_of(self._backend)

    def check_device(self, name: str) -> None:
        """Check the name of another device. Raises: TypeError, ValueError."""
        check_device(name, self._backend)

    def change_device(self, name: str) -> None:
        """Use another device from now on. In the loop's thread, or before the run.

        Audio that waits for the present device is dropped and counted as `device_lost`. If the other one
        does not open, the present one stays in use, and an ErrorFrame goes upstream.

        Raises:
            TypeError, ValueError: it is no name, or the back end has no other devices.
        """
        self.check_device(name)
        if self._device is None or not self._device.change(name, _let_play):
            self._wish = replace(self._wish, device=name)

    # -- facts ---------------------------------------------------------------------

    async def work_when_idle(self) -> bool:
        """Handle the loss and the return of the device, and the end of speech."""
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
        """Close the device."""
        if self._device is not None:
            self._wish = replace(self._wish, device=self._device.device)
        if self._speech is not None:
            self._speech.close()
        if self._playback is not None:
            self._playback.closed = True
            await self._playback.device.close()

    def waits_for(self) -> str:
        """Return the reason why the start still waits for the device; empty if it does not wait."""
        return "" if self._device is None else self._device.waits_for

    def device_state(self) -> DeviceState | None:
        """Return the state of the speaker; None if none was opened. In the loop's thread."""
        device = self._device
        if device is None or not (self._playback or device.awaits_the_first):
            return None
        return device.state()

    def seams(self) -> list[SeamReport]:
        """Return the ledger of the device over all its streams, in addition to the mailbox's."""
        return [] if self._playback is None else [self._playback.seam(f"{self.name} device")]

    def device_statistics(self) -> DeviceStatistics | None:
        """Return the counts of the speaker; None before it was opened. In the loop's thread."""
        playback = self._playback
        return None if playback is None else playback.device.statistics(playback.seam(""))


async def _let_play(stream: OutputStream) -> None:
    """Fade out the stream that another one replaces."""
    stream.flush()
    await stream.settle()
