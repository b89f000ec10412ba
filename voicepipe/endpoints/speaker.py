"""The stage that plays audio through a speaker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_number, check_seconds
from voicepipe.devices.backends import backend_of, settings_of
from voicepipe.devices.port import Backend, OutputStream, StreamRequest
from voicepipe.drift.drift import DriftCompensator
from voicepipe.endpoints.bot_speech import BackgroundSound, BotSpeech
from voicepipe.endpoints.controlled_speaker import ControlledSpeaker
from voicepipe.endpoints.delay import Growth
from voicepipe.endpoints.delay_warning import describe_growth, find_standing
from voicepipe.endpoints.fact_post import FactPost
from voicepipe.endpoints.kept_device import KeptDevice, OnLoss, check_device, check_on_loss
from voicepipe.endpoints.playback import GOES_ON_S, LIVE_QUEUE_S, RUN_GAP_S, Playback
from voicepipe.endpoints.played_change import PlayedChange
from voicepipe.endpoints.sentences import Sentences
from voicepipe.endpoints.source import Source
from voicepipe.endpoints.speaker_tap import StreamsTap
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.frames import BackgroundAudioFrame, Frame, FrameDirection, OutputAudioFrame, SpokenFrame
from voicepipe.log import logger_of
from voicepipe.params import StartParams
from voicepipe.pipeline.stage_mailbox import StageMailbox
from voicepipe.report import DeviceKind, DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.settings.sound import SoundSettings
from voicepipe.speakers import Speakers
from voicepipe.text import quote

__all__ = ["SpeakerOutput"]

_log = logger_of("voicepipe")
_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
FADE_S = 0.3
"""The longest wait of a cancel for its fade, in seconds. A device may hold seconds of audio."""
LONGEST_QUEUE_S = 300.0
MEANT_S = 5.0
"""A shorter queue is meant to hold whoever fills it: no warning."""


class SpeakerOutput(ControlledSpeaker):
    """A speaker. It plays every `OutputAudioFrame`, of any rate and channels, and passes other frames on.

    `process_frame` returns as soon as the audio is queued, up to `max_queue_s` of it. Beyond that the
    stage that made the sound waits. Live audio does not wait: where 3 s wait already, it is dropped and
    counted as `overflow`. About a second of the queue is with the device, so that a busy program makes
    no gap. EndFrame passes on after the last sample was played.

    `BotStartedSpeakingFrame` and `BotStoppedSpeakingFrame` go in both directions, once for each period
    of speech. A `SpokenFrame` gives the text of the audio behind it: `SpokenStartedFrame` and
    `SpokenStoppedFrame` tell when that began and ended to sound. Positions count the samples handed to
    the device since the start. An interruption or a cancel fades the voice out within the next block.

    `BackgroundAudioFrame`s are mixed under the voice. Each name is a queue of one second and a seam of its
    own. The methods of `SpeakerControls` change volume, or hold or cut one sound, while it plays.

    If the speaker is lost, the run goes on, and the device is opened again as soon as possible.
    `DeviceLostFrame` and `DeviceRestoredFrame` go in both directions. Audio that waits or arrives
    meanwhile is dropped at once and counted as `device_lost`.

    Args:
        backend: a back end, or its name.
        device: the name of a device, or a unique part of it; empty: the one of the settings, or the default.
        block_s: the duration of one block of the device, in seconds.
        latency: "low" (the default), "high", or seconds. With PipeWire, use 0.04 to 0.06; "low" means 0.04
            there.
        max_queue_s: the maximum duration of waiting audio, in seconds; at least two blocks. Use 1 behind a
            file or an endless generator, so that an End has little left to play.
        steady: keep the delay of live audio constant over hours, although the microphone has another
            clock. See "Steady playback" below.
        begin_s: a start buffer, in seconds, for a voice that comes about as fast as it is said. After
            silence, the voice waits until so much of it has come beside the last frame, or nothing
            came for so long. Live audio does not wait. At most `max_queue_s`; the default is 0.
        on_loss: "wait" until the device is back, "end" the run, or "fail". A file that can no longer be
            written does not come back; "wait" then means "fail".

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of its bounds.
        BackendMissingError: as `open_backend`.

    Live audio keeps its delay. What a standstill has made late is left out about a second later, in one
    piece, with a crossfade, and counted as `late`. Made speech is never cut for it. `changes` tells where.

    Steady playback: live audio begins with silence, so that the queue holds one block and 25 ms just
    before the device takes a block. The speaker then plays at most 500 ppm faster or slower to keep the
    queue at that length. The samples that this removes are counted as `drift`; added samples count as
    negative. While the two clocks agree, samples pass unchanged. Three dry runs within a minute make the
    queue longer by one block. A file has no clock, so `steady` has no effect there, nor on made speech.
    """

    takes = (OutputAudioFrame, SpokenFrame)
    kind: ClassVar[DeviceKind | None] = "speaker"

    def __init__(
        self,
        backend: Backend | str,
        *,
        device: str = "",
        block_s: float = 0.02,
        latency: str | float | None = None,
        max_queue_s: float = LONGEST_QUEUE_S,
        steady: bool = False,
        begin_s: float = 0.0,
        on_loss: OnLoss = "wait",
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._backend = backend_of(backend)
        asked = settings_of(self._backend)
        device = asked.speaker or "" if device == "" else device
        latency = asked.latency if latency is None else latency
        latency = "low" if latency is None else latency
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency)
        self._max_queue_s = check_number("max_queue_s", max_queue_s, at_least=0.05, at_most=3600.0)
        # The queue is filled again when it is half empty. One block must be left then.
        if self._max_queue_s < 2 * block_s:
            raise ValueError(
                f"max_queue_s must be at least {2 * block_s:g} (two blocks of block_s={block_s:g}), "
                f"not {quote(max_queue_s)}"
            )
        if not isinstance(steady, bool):
            raise TypeError(f"steady must be True or False, not {quote(steady)}")
        self._steady = steady and not self._backend.lost_for_good
        begin_s = check_seconds("begin_s", begin_s, at_most=3600.0)
        if begin_s > self._max_queue_s:
            raise ValueError(f"begin_s must be at most max_queue_s ({self._max_queue_s:g}), not {begin_s:g}")
        self._begin_s = 0.0 if self._backend.lost_for_good else begin_s  # a file has no clock
        self._on_loss: OnLoss = check_on_loss(on_loss, self._backend)
        self._reset()

    def _reset(self) -> None:
        self._device: KeptDevice[OutputStream] | None = None
        self._playback = None
        self._speech = None
        self._speakers: Speakers | None = None
        self._tap: StreamsTap | None = None
        self._has_warned = self._is_ending = self._has_left_out = self._has_said_made = False
        self._timer: asyncio.TimerHandle | None = None
        self._live_timer: asyncio.TimerHandle | None = None

    async def on_start(self, params: StartParams) -> None:
        """Open the device and start it; it plays zeros. Raises: DeviceError."""
        self._reset()
        self._box = StageMailbox(self)
        self._post = FactPost(self._box.tell)
        self._box.count_apart(BackgroundAudioFrame)
        request = replace(self._wish, format=params.output, tap=params.speakers.are_tapped)
        self._device = device = KeptDevice(
            self,
            "speaker",
            request.device,
            self._on_loss,
            open_stream=lambda name, wake: self._backend.open_output(replace(request, device=name), wake),
            on_news=self._wake,
            on_lost=self._on_lost,
            on_gone=self._on_gone,
            on_found=self._on_found,
        )
        stream = await device.open(patient=params.patient)
        drift = self._compensator(stream) if self._steady else None
        sentences = Sentences(self._post.tell)
        self._playback = playback = Playback(device, stream, sentences, self._max_queue_s, drift)
        playback.watch_delay(self._warn_of_delay)
        if self._begin_s:
            playback.begin_after(self._begin_s, self._wake)
        self._speech = BotSpeech(playback, params.speakers, tell=self._post.tell, wake=self._wake)
        self._background = BackgroundSound(playback, params.speakers)
        self._speakers = params.speakers
        params.speakers.controls.append(self)
        if request.tap:
            self._tap = StreamsTap()
            self._tap.follow(stream)
            params.speakers.taps += (self._tap,)
        self.set_volume(self._volume_db, 0.0)
        await stream.start()

    def _compensator(self, stream: OutputStream) -> DriftCompensator:
        audio = stream.info.format
        block_s = audio.seconds(stream.info.block)
        return DriftCompensator(audio, block_s)

    async def on_running(self) -> None:
        """Apply `on_loss` to a loss from now on. Raises: DeviceError."""
        if self._playback is not None:
            self._playback.device.watch()

    def _wake(self) -> None:
        self._look()
        self.wake_up()

    def _look(self) -> None:
        """Note what has sounded, write what the device has room for, and note what that begins or ends."""
        playback, speech = self._playback, self._speech
        if playback is None or speech is None or playback.closed:
            return
        playback.advance()
        speech.update()
        while playback.feed():
            speech.note_audio()
            if not playback.queue.has_sounded:
                break
            playback.advance()  # a file takes all at once
            speech.update()
        self._background.update()
        playback.notify()
        if playback.run_ends_soon and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(RUN_GAP_S, self._finish_runs, playback)
        if playback.goes_on and self._live_timer is None:
            self._expect_more(playback)
        self._post.send()

    def _finish_runs(self, playback: Playback) -> None:
        self._timer = None
        playback.finish_runs(asyncio.get_running_loop().time())
        self._look()

    def _expect_more(self, playback: Playback) -> None:
        """Look again once no more live audio has come. Until then nobody waits for the end of what came."""
        loop = asyncio.get_running_loop()
        due_s = playback.live_s + GOES_ON_S
        if playback.goes_on and loop.time() < due_s:
            self._live_timer = loop.call_at(due_s, self._expect_more, playback)
        else:
            self._live_timer, playback.goes_on = None, False
            self._look()

    def progress(self) -> object:
        """Return the number of samples played so far."""
        return self._playback.position if self._playback is not None else None

    # -- playing -----------------------------------------------------------------

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Play output audio; pass other frames on."""
        playback = self._playback
        if direction is _UP or playback is None:
            await self.push_frame(frame, direction)
        elif isinstance(frame, OutputAudioFrame):
            await self._play(frame, playback)
        else:
            await self._pass_on(frame, direction)

    async def _pass_on(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, SpokenFrame) and self._playback is not None:
            self._playback.mark(frame.text)
        await self.push_frame(frame, direction)

    async def _play(self, frame: OutputAudioFrame, playback: Playback) -> None:
        if not frame.num_samples:
            return
        self.take_charge()
        source = await self._take(frame, playback)
        if frame.live:
            self._tell_overflow(source)
        else:
            self._warn_of_made_speech(frame)
            await self._hold_pusher(playback, source)

    async def _take(self, frame: OutputAudioFrame, playback: Playback) -> Source:
        """Take audio into the queue of its source, or drop it while there is no device."""
        source = playback.take(frame, asyncio.get_running_loop().time())
        if playback.left_out:
            self._tell_late(playback.left_out / playback.format.rate)
        device = playback.device
        if device.is_settled or await device.is_there() or device.is_changing:
            is_last = not (frame.live and self._box.next_is(_is_live_audio))
            if is_last:  # what comes at once is written at once
                self._look()
        else:
            playback.drop_waiting(DropReason.DEVICE_LOST)
        return source

    async def _hold_pusher(self, playback: Playback, source: Source) -> None:
        """Wait until the queue of the source is within its limit. Other sources go on meanwhile."""
        while playback.is_full(source) and playback.device.check():
            self._warn_if_meant_otherwise(playback, source)
            frame = self._box.pick(lambda waiting: playback.may_overtake(waiting, source))
            if frame is None:
                await self._box.wait()
            elif isinstance(frame, OutputAudioFrame):
                await self._take(frame, playback)
            else:
                await self._pass_on(frame, _DOWN)

    def _warn_if_meant_otherwise(self, playback: Playback, source: Source) -> None:
        if source is playback.voice and self._max_queue_s >= MEANT_S:
            self._warn(
                self._max_queue_s, "whoever makes it waits; SpeakerOutput(max_queue_s=1) makes it wait sooner"
            )

    def _tell_overflow(self, source: Source) -> None:
        if source.dropped[DropReason.OVERFLOW]:
            self._warn(
                min(LIVE_QUEUE_S, self._max_queue_s),
                "live audio does not wait, and is dropped as `overflow`; the speaker is too slow for it",
            )

    def _tell_late(self, seconds: float) -> None:
        level = logging.DEBUG if self._has_left_out else logging.WARNING
        self._has_left_out = True
        _log.log(
            level,
            "%s: %.0f ms of live audio is left out, as it waits for longer than it needs to: the program or "
            "a device stood still, or the microphone's clock is faster. It is counted as `late`",
            self.name,
            1000 * seconds,
        )

    def _warn_of_made_speech(self, frame: OutputAudioFrame) -> None:
        if self._steady and not self._has_said_made and not isinstance(frame, BackgroundAudioFrame):
            self._has_said_made = True
            _log.warning(
                "%s: steady=True has no effect on audio that is not live, such as a voice or a file; frames "
                "that are made with live=True, or from a microphone's, have a clock to keep to",
                self.name,
            )

    def _warn(self, seconds: float, consequence: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning(
                "%s: more than %g s of audio waits to be played: %s", self.name, seconds, consequence
            )

    def _warn_of_delay(self, growth: Growth) -> None:
        _log.warning("%s", describe_growth(self.name, growth, find_standing(self)))

    async def on_end(self) -> None:
        """Wait until the last sample was played, or the device is lost."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None:
            playback.finish()
            playback.goes_on = False
            await playback.device.until_changed()
            self._look()
            while playback.has_audio and playback.device.check():
                await self._box.wait()
            await playback.drain()
            self._look()
            speech.end()
            self._post.send()
            await playback.device.wait_until_told()
            playback.device.retire()

    # -- cutting short -------------------------------------------------------------

    def on_interruption(self) -> None:
        """Fade the voice out in the next block, and drop the waiting audio. A hold or a duck ends."""
        self.cut()

    async def on_cancel(self) -> None:
        """Fade out in the next block, and wait briefly until the fade was played."""
        playback, speech = self._playback, self._speech
        if playback is not None and speech is not None:
            playback.device.retire()
            self._post.is_closed = True
            playback.cancel()
            patience_s = 2 * playback.block_s + 0.1
            with contextlib.suppress(TimeoutError, DeviceError):
                await asyncio.wait_for(playback.settle(), patience_s)
                if speech.is_on or self._background.is_on:
                    # A close discards the audio in the device: the fade, and audio counted as played.
                    await asyncio.sleep(min(FADE_S, playback.sounded_s))

    # -- another device ----------------------------------------------------------

    @property
    def settings(self) -> SoundSettings:
        """The user's settings, as its back end carries them."""
        return settings_of(self._backend)

    @property
    def device(self) -> str:
        """The name of the device in use, or else the requested one; empty: the default device."""
        return self._wish.device if self._device is None else self._device.in_use

    def check_device(self, name: str) -> None:
        """Check the name of another device. Raises: TypeError, ValueError."""
        check_device(name, self._backend)

    def change_device(self, name: str) -> None:
        """Use another device from now on. In the loop's thread, or before the run.

        What the present one has not taken yet is played by the other one. If that does not open, the
        present one stays in use, and an ErrorFrame goes upstream.

        Raises:
            TypeError, ValueError: it is no name, or the back end has no other devices.
        """
        self.check_device(name)
        if self._device is None or not self._device.change(name, _do_nothing):
            self._wish = replace(self._wish, device=name)

    # -- loss and return -------------------------------------------------------------

    def on_ending(self) -> None:
        """Stop waiting for a lost device, and let what is held be heard."""
        self._is_ending = True
        self.resume()
        if self._device is not None:
            self._device.stop()

    def _on_lost(self, stream: OutputStream) -> None:
        """Drop the audio that waits for the lost stream; keep it for another one that takes its place."""
        if self._tap is not None:
            self._tap.leave()
        if self._playback is not None and stream.error is None:
            self._playback.leave()
        elif self._playback is not None and self._speech is not None:
            error = stream.error
            silent_s = error.silent_s if isinstance(error, DeviceLostError) else 0.0
            self._playback.lose()
            self._speech.end(interrupted=True, silent_s=silent_s)
            self._background.update(silent_s)
            self._post.send()

    def _on_gone(self) -> None:
        """Drop the audio that was kept for another stream, as there is none."""
        if self._playback is not None and self._speech is not None:
            self._playback.drop_waiting(DropReason.DEVICE_LOST)
            self._speech.end(interrupted=True)
            self._background.update()
            self._post.send()

    async def _on_found(self, stream: OutputStream) -> None:
        """Wait until the stream has asked for a block, and use it from then on."""
        if self._tap is not None:
            self._tap.follow(stream)
        stream.flush()
        await stream.settle()
        if self._playback is not None:
            self._playback.adopt(stream)

    async def work_when_idle(self) -> bool:
        """Handle the loss and the return of the device, and the end of speech."""
        if self._playback is None:
            return False
        await self._playback.device.is_there()
        return False

    # -- closing -------------------------------------------------------------------

    async def cleanup(self) -> None:
        """Close the device."""
        if self._device is not None:
            self._wish = replace(self._wish, device=self._device.device)
        if self._speakers is not None and self in self._speakers.controls:
            self._speakers.controls.remove(self)
        if self._speakers is not None and self._tap is not None:
            self._speakers.taps = tuple(tap for tap in self._speakers.taps if tap is not self._tap)
        if self._speech is not None:
            self._post.is_closed = True
            self._speech.close()
        for timer in (self._timer, self._live_timer):
            if timer is not None:
                timer.cancel()
        if self._playback is not None:
            self._playback.close()
            await self._playback.device.close()

    def waits_for(self) -> str:
        """Return the reason why the start still waits for the device; empty if it does not wait."""
        return "" if self._device is None else self._device.waits_for

    def device_state(self) -> DeviceState | None:
        """Return the state of the speaker; None if none was opened. In the loop's thread."""
        device = self._device
        if device is None or not (self._playback or device.awaits_the_first):
            return None
        state = device.state()
        return state if self._playback is None else replace(state, delay_s=self._playback.delay_s)

    def seams(self) -> list[SeamReport]:
        """Return the ledger of the voice over all its streams, and one of each background sound."""
        return [] if self._playback is None else self._playback.seams(self.name)

    @property
    def changes(self) -> Sequence[PlayedChange]:
        """The last changes of what was played: the positions where live audio was left out, or made."""
        return () if self._playback is None else tuple(self._playback.changes)

    def device_statistics(self) -> DeviceStatistics | None:
        """Return the counts of the speaker; None before it was opened. In the loop's thread."""
        playback = self._playback
        statistics = None if playback is None else playback.device.statistics(playback.mix_seam())
        if playback is None or statistics is None:
            return None
        return playback.with_figures(statistics)


def _is_live_audio(frame: Frame) -> bool:
    return isinstance(frame, OutputAudioFrame) and frame.live


async def _do_nothing(stream: OutputStream) -> None:
    """Let a stream go at once: what it has not taken is written to another one."""
