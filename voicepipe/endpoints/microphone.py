"""The stage that captures audio from a microphone."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from voicepipe.audio.amplify import amplify, check_gain
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import Level
from voicepipe.canceller.half_duplex.half_duplex import silence_of
from voicepipe.devices.backends import backend_of, settings_of
from voicepipe.devices.port import Backend, Block, InputStream, StreamRequest
from voicepipe.endpoints.captured import Captured
from voicepipe.endpoints.kept_device import KeptDevice, OnLoss, check_device, check_on_loss
from voicepipe.endpoints.own_sound import OwnSound
from voicepipe.endpoints.silence import LIMIT_S, DigitalSilence
from voicepipe.frames import EndFrame, Frame, InputAudioFrame
from voicepipe.log import logger_of
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.place import Place
from voicepipe.report import (
    DeviceKind,
    DeviceState,
    DeviceStatistics,
    DropReason,
    EchoState,
    SeamReport,
)
from voicepipe.settings.sound import SoundSettings
from voicepipe.text import printable, quote

if TYPE_CHECKING:
    from voicepipe.canceller.guard import EchoGuard

__all__ = ["MicrophoneInput"]

_log = logger_of("voicepipe")

IN_A_ROW = 8
"""A microphone lets other tasks run after so many blocks, as after a standstill many may wait."""


class MicrophoneInput(DeviceStage):
    """A microphone. It pushes an `InputAudioFrame` for every captured block, and passes other frames on.

    Capture begins when StartFrame has reached the Sink. At an end, the microphone stops its intake,
    pushes all audio captured before, and lets EndFrame follow. If the input runs out, it requests
    an end. It never blocks the device.

    A microphone is live: it waits for no stage. A stage that is too slow loses the oldest audio of its own
    mailbox, counted as `overflow`. While the whole program stands still, a ring buffer holds 2 s of
    audio. After that the oldest is dropped and counted as `mic_overflow`, and `position` jumps. A file
    waits for every stage, and loses nothing.

    If the microphone is lost, the run goes on, and the device is opened again as soon as possible.
    `DeviceLostFrame` and `DeviceRestoredFrame` go in both directions. `position` jumps by the missed
    time, and the gap is counted as `device_lost`.

    Args:
        backend: a back end, or its name.
        device: the name of a device, or a unique part of it; empty: the one of the settings, or the default.
        block_s: the duration of one frame, in seconds.
        latency: "low" (the default), "high", or seconds. With PipeWire, use 0.04 to 0.06; "low" means 0.04
            there.
        channel: the channel of the device to use, counted from 1; None: a mix of all channels, or the best
            of them where they should not be mixed.
        gain_db: a gain in decibels, -60 to 60, for all that is heard of it; 0: every sample stays as it is.
            For a quiet microphone, so that a recording or a recogniser has enough; voice detection has no
            need of it. Audio is clipped at full scale. The default is 0.
        cancel: cancel the echo of the run's speakers, so that the user can talk over the program. Frames
            then have an `ear`. None: cancel if the back end is sound hardware, whose microphone hears its
            speaker, and no `EchoCanceller` stands behind. Where it cannot be cancelled, or too little of
            it, the microphone is half-duplex: see `mute`.
        mute: half-duplex: while a speaker of the run sounds, drop what is no louder than its echo; counted as
            `muted`. None: mute where the microphone hears the speaker and nothing cancels. False: never. With
            headphones, use `cancel=False, mute=False`.
        on_loss: "wait" until the device is back, "end" the run after the captured audio, or "fail".
            A file that can no longer be read does not come back; "wait" then means "fail".

    What is left out is taken from the settings of the user, if `open_backend()` was called without a name.

    Raises:
        TypeError, ValueError: an argument has the wrong type, or is out of its bounds.
        BackendMissingError: as `open_backend`.
    """

    takes: tuple[type[Frame], ...] | None = ()
    """Nothing: what the program queues passes by, so that it never makes the microphone wait."""
    makes: ClassVar[tuple[type[Frame], ...]] = (InputAudioFrame,)
    kind: ClassVar[DeviceKind | None] = "microphone"

    def __init__(
        self,
        backend: Backend | str,
        *,
        device: str = "",
        block_s: float = 0.02,
        latency: str | float | None = None,
        channel: int | None = None,
        gain_db: float | None = None,
        cancel: bool | None = None,
        mute: bool | None = None,
        on_loss: OnLoss = "wait",
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        self._backend = backend_of(backend)
        asked = settings_of(self._backend)
        self._own_sound = OwnSound(self._backend, asked, cancel, mute)
        device = asked.mic or "" if device == "" else device
        latency = asked.latency if latency is None else latency
        latency = "low" if latency is None else latency
        channel = asked.mic_channel if channel is None else channel
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency, channel)
        self._muted = False
        self.gain_db = (asked.gain_db or 0.0) if gain_db is None else gain_db
        self._on_loss: OnLoss = check_on_loss(on_loss, self._backend)
        self._live = not self._backend.lost_for_good
        """True if the device goes on by itself. A file waits."""
        self._origin = ""
        """The label of the stage in its run."""
        self._context = copy_context()
        """The context in which blocks are pushed outside of the stage's task."""
        self._reset()

    def _reset(self) -> None:
        self._device: KeptDevice[InputStream] | None = None
        self._ready: deque[InputAudioFrame] = deque()
        """Frames that are made and not pushed yet."""
        self._captured = Captured()
        self._silence = self._new_silence()
        self._rest_reason = DropReason.SHUTDOWN
        self._last = b""
        """The last block that was pushed."""
        self._taken = 0
        """The number of blocks that were read, whether pushed or not."""
        self._hidden = 0
        """The position behind the last block that was captured while the user had muted the microphone."""

    def _new_silence(self) -> DigitalSilence:
        """Return the count of zeros for a run; the simulation has one of shorter limits."""
        return DigitalSilence()

    @property
    def mutes(self) -> bool:
        """True if the microphone drops what it hears while a speaker of the run sounds: half-duplex."""
        return self._own_sound.mutes

    @property
    def cancels_echo(self) -> bool:
        """True if the microphone is to cancel the echo of the run's speakers."""
        return self._own_sound.cancels

    @property
    def echo(self) -> EchoState | None:
        """The echo of the run's speakers at the microphone; None: no speaker of the run shares its air."""
        return self._own_sound.state

    def check_place(self, place: Place) -> tuple[()]:
        """Look for a stage behind that cancels the echo in its place. Raises: as the back end's check."""
        self._own_sound.look_behind(place)
        if check := getattr(self._backend, "check_input", None):  # not every back end derives from the port
            check(self._wish)
        return ()

    async def on_start(self, params: StartParams) -> None:
        """Open the device. Raises: DeviceError."""
        self._reset()
        self._context = copy_context()
        self._origin = self._seat.label if self._seat is not None else self.name
        self._own_sound.begin(params.input, params.speakers, self._origin)
        request = replace(self._wish, format=params.input)
        self._device = KeptDevice(
            self,
            "microphone",
            request.device,
            self._on_loss,
            open_stream=lambda name, wake: self._backend.open_input(replace(request, device=name), wake),
            on_news=self._on_news,
            on_lost=self._captured.lose,
            on_found=self._on_found,
        )
        await self._device.open(patient=params.patient)

    async def on_running(self) -> None:
        """Begin to capture. Raises: DeviceError."""
        device = self._device
        if device is not None and device.stream is not None:
            self._captured.begin(device.stream, asyncio.get_running_loop().time())
            await device.stream.start()
            device.watch()

    async def _on_found(self, stream: InputStream) -> None:
        """Do nothing: the first block of the stream will show that it works."""

    # -- capturing -----------------------------------------------------------------

    def _on_news(self) -> None:
        """Push what was captured at once, where nothing else is to be done; otherwise let the task do it."""
        device = self._device
        stream = None if device is None or not device.is_settled else device.stream
        if stream is None or not (self._live and self.is_idle) or self._captured.has_lost_streams:
            self.wake_up()
            return
        try:
            is_done = self._context.run(self._push_captured, stream)
        except Exception as error:  # it would be the device's, whose news it is
            if self._seat is not None:
                self._seat.handle_soon(error)
        else:
            if not is_done or self._silence.reopening_is_due or stream.exhausted:
                self.wake_up()

    def _push_captured(self, stream: InputStream) -> bool:
        """Push the blocks that wait; return False if there may be more."""
        for _ in range(IN_A_ROW):
            raw = stream.read()
            if raw is None:
                return True
            for frame in self._frames_of(self._captured.place(raw, stream)):
                self.push_now(frame)
        return False

    async def work_when_idle(self) -> bool:
        """Push one captured block. A loss is handled after all blocks of the lost device."""
        device = self._device
        if device is None:
            return False
        if await self._push_block(device):
            return True
        if self._silence.reopening_is_due:  # all that was captured is read, so nobody speaks now
            self._reopen(device)
        if device.check() and device.stream is not None and device.stream.exhausted:
            await self.push_frame(EndFrame(f"{device.stream.info.device} has run out"))
        return False

    async def _push_block(self, device: KeptDevice[InputStream]) -> bool:
        if self._ready:
            await self._push(self._ready.popleft())
            return True
        captured = self._captured
        block = captured.next_lost_block()
        if block is None and (stream := device.stream) is not None and (raw := stream.read()) is not None:
            block = captured.place(raw, stream)
            try:
                await device.confirm()
            except asyncio.CancelledError:
                captured.drop(block, self._rest_reason)
                raise
        if block is None:
            return False
        self._ready += self._frames_of(block)
        return True

    def _frames_of(self, block: Block) -> Sequence[InputAudioFrame]:
        """Return what may be heard after a block: its frame, or what the canceller has done by now."""
        self._taken += 1
        audio = self._captured.format
        samples = len(block.data) // audio.sample_bytes
        end_s = block.captured_s + audio.seconds(samples)
        guard = self._own_sound.guard
        is_deaf = self._own_sound.is_deaf(block.captured_s, end_s)
        if is_deaf or self._muted:
            if not self._silence.are_zeros(block.data):
                self._silence.note_sound()
        elif self._silence.has_lasted(block.data, audio.seconds(samples)):
            self._warn_of_silence()
        if is_deaf and guard is None:
            self._captured.dropped[DropReason.MUTED] += samples
            return ()
        if self._muted:
            self._hidden = block.position + samples
        if guard is not None:
            guard.hides = self._muted
            return self._let_out(guard, guard.put(self._make_frame(block, block.data)))
        if self._muted:
            self._count_silence(samples)
            frame = self._make_frame(block, bytes(len(block.data)))
        else:
            frame = self._make_frame(block, amplify(block.data, self._gain_db))
        self._last = frame.data
        return (frame,)

    def _make_frame(self, block: Block, data: bytes) -> InputAudioFrame:
        audio = self._captured.format
        return InputAudioFrame(
            data,
            audio.rate,
            audio.channels,
            block.position,
            block.captured_s,
            live=self._live,
            origin=self._origin,
        )

    def _count_silence(self, samples: int) -> None:
        """Count silence that takes the place of audio, so that a turn in progress ends as at any pause."""
        self._captured.dropped[DropReason.MUTED] += samples
        self._captured.silence += samples

    def _let_out(self, guard: EchoGuard, frames: list[InputAudioFrame]) -> list[InputAudioFrame]:
        """Return frames of the guard, muted or amplified; count what half-duplex did not let through.

        They come later than they were captured: behind a mute, what is of its time stays silent.
        """
        muted = guard.take_muted()
        self._captured.dropped[DropReason.MUTED] += muted.dropped
        hidden = sum(frame.num_samples for frame in frames if self._is_hidden(frame))
        heard = sum(frame.num_samples for frame in frames) - hidden
        self._count_silence(hidden + min(muted.silenced, heard))
        frames = [self._as_heard(frame) for frame in frames]
        if frames:
            self._last = frames[-1].ear or frames[-1].data
        return frames

    def _is_hidden(self, frame: InputAudioFrame) -> bool:
        return self._muted or frame.position < self._hidden

    def _as_heard(self, frame: InputAudioFrame) -> InputAudioFrame:
        if self._is_hidden(frame):
            return silence_of(frame)
        return _amplify(frame, self._gain_db) if self._gain_db else frame

    async def _push(self, frame: InputAudioFrame) -> None:
        """Push a block: a live one waits for nobody, that of a file for everybody."""
        if not self._live:
            await self.push_frame(frame)
            return
        self.push_now(frame)
        if self._taken % IN_A_ROW == 0:
            await asyncio.sleep(0)

    def _warn_of_silence(self) -> None:
        device = self._device
        name = "" if device is None or device.stream is None else f' "{printable(device.stream.info.device)}"'
        _log.warning(
            "the microphone%s has delivered only zeros for %g s: it may be muted in the mixer or by a "
            "switch, be a virtual device without input, or be held by another program; on macOS, allow "
            "this program to use the microphone in the privacy settings",
            name,
            LIMIT_S,
        )

    def _reopen(self, device: KeptDevice[InputStream]) -> None:
        """Open the device again after long zeros, if its back end can."""
        stream, silent_s = device.stream, self._silence.silent_s
        if stream is None or self._backend.lost_for_good or not device.reopen(_finish):
            return
        level = logging.INFO if self._silence.note_reopening() else logging.DEBUG
        _log.log(
            level,
            'the microphone "%s" has delivered only zeros for %.0f s: it is opened again, '
            "because its stream may be dead",
            printable(stream.info.device),
            silent_s,
        )

    # -- requests of the program ---------------------------------------------------

    @property
    def muted(self) -> bool:
        """True if silence takes the place of all audio, which is counted as `muted`.

        Can be set at any time, from any thread.
        """
        return self._muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        if not isinstance(muted, bool):
            raise TypeError(f"muted must be True or False, not {quote(muted)}")
        self._muted = muted

    @property
    def gain_db(self) -> float:
        """The gain in decibels, -60 to 60. Can be set at any time, from any thread."""
        return self._gain_db

    @gain_db.setter
    def gain_db(self, gain_db: float) -> None:
        self._gain_db = check_gain(gain_db)

    @property
    def device(self) -> str:
        """The name of the device in use, or else the requested one; empty: the default device."""
        return self._wish.device if self._device is None else self._device.in_use

    @property
    def is_live(self) -> bool:
        """True if the device goes on by itself, as a sound card does and a file does not."""
        return self._live

    @property
    def settings(self) -> SoundSettings:
        """The user's settings, as its back end carries them."""
        return settings_of(self._backend)

    def check_device(self, name: str) -> None:
        """Check the name of another device. Raises: TypeError, ValueError."""
        check_device(name, self._backend)

    def change_device(self, name: str) -> None:
        """Use another device from now on. In the loop's thread, or before the run.

        What the present one has captured is pushed before; the gap is counted as `device_lost`. If the
        other one does not open, the present one stays in use, and an ErrorFrame goes upstream.

        Raises:
            TypeError, ValueError: it is no name, or the back end has no other devices.
        """
        self.check_device(name)
        if self._device is None or not self._device.change(name, _finish):
            self._wish = replace(self._wish, device=name)

    # -- closing -------------------------------------------------------------------

    def _close_intake(self) -> None:
        if self._device is not None:
            self._device.stop()
            if self._device.stream is not None:
                self._device.stream.stop()

    def on_ending(self) -> None:
        """Close the intake, so that later audio cannot push earlier audio out of the ring buffer."""
        self._close_intake()

    async def on_end(self) -> None:
        """Close the intake, and push the audio that was captured before."""
        device = self._device
        if device is not None:
            if device.stream is not None:
                with device.tolerate_loss():
                    await device.stream.finish()
            while await self._push_block(device):
                pass
            if (guard := self._own_sound.guard) is not None:
                self._ready += self._let_out(guard, guard.end())
            while self._ready:
                await self._push(self._ready.popleft())
            device.retire()

    async def on_cancel(self) -> None:
        """Close the intake."""
        self._rest_reason = DropReason.CANCELLED
        self._close_intake()
        if self._device is not None:
            self._device.retire()

    async def cleanup(self) -> None:
        """Close the device, and count the unread audio as dropped."""
        device, captured, reason = self._device, self._captured, self._rest_reason
        if device is not None:
            self._wish = replace(self._wish, device=device.device)
            if device.stream is not None:
                device.stream.stop()
            captured.drop_rest(device.stream, reason)
            captured.dropped[reason] += self._held
            self._own_sound.end()
            self._ready.clear()
            try:
                await device.close()
            finally:  # its thread may have been storing a block when the intake closed
                captured.drop_rest(device.stream, reason)

    def waits_for(self) -> str:
        """Return the reason why the start still waits for the device; empty if it does not wait."""
        return "" if self._device is None else self._device.waits_for

    def device_state(self) -> DeviceState | None:
        """Return the state of the microphone; None if none was opened. In the loop's thread."""
        device = self._device
        if device is None or not (device.stream or self._captured.any_lost or device.awaits_the_first):
            return None
        level_db = Level.of(self._last).rms_db if self._last else None
        return replace(device.state(), level_db=level_db, taken=self._taken, echo=self.echo)

    @property
    def _held(self) -> int:
        """The samples that were read and not pushed yet."""
        return self._own_sound.held + sum(frame.num_samples for frame in self._ready)

    def seams(self) -> list[SeamReport]:
        """Return the ledger of the device over all its streams, in addition to the mailbox's."""
        device = self._device
        if device is None or (device.stream is None and not self._captured.any_lost):
            return []
        return [self._captured.seam(f"{self.name} device", device.stream, held=self._held)]

    def device_statistics(self) -> DeviceStatistics | None:
        """Return the counts of the microphone; None before it was opened. In the loop's thread."""
        device = self._device
        if device is None:
            return None
        seam = self._captured.seam("", device.stream, heard=True, held=self._held)
        statistics = device.statistics(seam)
        return None if statistics is None else replace(statistics, echo=self.echo)


def _amplify(frame: InputAudioFrame, gain_db: float) -> InputAudioFrame:
    ear = None if frame.ear is None else amplify(frame.ear, gain_db)
    return replace(frame, data=amplify(frame.data, gain_db), ear=ear)


async def _finish(stream: InputStream) -> None:
    """Close the intake of a stream that another one replaces. What it has captured can then be read."""
    await stream.finish()
