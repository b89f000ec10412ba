"""The processor over a microphone."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from voicepipe.air import Air
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.level import Level
from voicepipe.devices.backends import backend_of
from voicepipe.devices.port import Backend, InputStream, StreamRequest
from voicepipe.endpoints.captured import Captured
from voicepipe.endpoints.kept_device import KeptDevice, OnLoss, check_on_loss
from voicepipe.endpoints.silence import LIMIT_S, DigitalSilence
from voicepipe.frames import EndFrame, InputAudioFrame
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.report import DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.text import printable, shown

__all__ = ["MicrophoneInput"]

_log = logging.getLogger("voicepipe")


class MicrophoneInput(DeviceStage):
    """Captures, and pushes an `InputAudioFrame` for every block. Passes other frames on.

    Capture begins when StartFrame has reached the Sink. At the End it closes its intake,
    pushes everything that was captured before, and the End follows. Where the input runs
    out, it asks for the End. It never blocks the device: while the pipeline is slow, a
    ring of 2 s absorbs, then the oldest audio goes, is counted as `mic_overflow`, and
    shows as a jump of `position`.

    A microphone that is lost is looked for until it is back, and the run goes on meanwhile:
    `DeviceLostFrame` and `DeviceRestoredFrame` go both ways, `position` jumps by the time that
    passed, and the gap is counted as `device_lost`.

    Args:
        backend: a back end, or the name of one.
        device: a device's name, or a unique part of it; empty: the default one.
        block_s: seconds of audio in a frame.
        latency: "low", "high", or seconds. Behind PipeWire 0.04 to 0.06 is right; there "low" is 0.04.
        channel: the one of the device's channels that is heard, counted from 1; None: all of them, mixed.
        mute: drop what it hears while a speaker of the run sounds, counted as `muted`. None: where
            microphone and speaker share the air, as with sound hardware; with headphones, say False.
        on_loss: "wait" until it is back, "end" the run with what was captured, or "fail". A file
            that cannot be read any more does not come back: it fails instead of waiting.

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
        channel: int | None = None,
        mute: bool | None = None,
        on_loss: OnLoss = "wait",
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        if not isinstance(mute, bool | None):
            raise TypeError(f"mute must be True, False, or None (what the back end wants), not {shown(mute)}")
        self._backend = backend_of(backend)
        self._mutes = self._backend.shares_air if mute is None else mute
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency, channel)
        self._on_loss: OnLoss = check_on_loss(on_loss, self._backend)
        self._reset()

    def _reset(self) -> None:
        self._device: KeptDevice[InputStream] | None = None
        self._air: Air | None = None
        self._captured = Captured()
        self._silence = DigitalSilence()
        self._rest_is = DropReason.SHUTDOWN
        self._last = b""
        """The last block that was pushed."""
        self._taken = 0
        """Blocks that were read, pushed or not."""

    async def on_start(self, params: StartParams) -> None:
        """Open the device. Raises: DeviceError."""
        self._reset()
        self._air = params.air if self._mutes else None
        request = replace(self._wish, format=params.input)
        self._device = KeptDevice(
            self,
            "microphone",
            request.device,
            self._on_loss,
            opens=lambda wake: self._backend.open_input(request, wake),
            news=self.wake_up,
            lost=self._captured.lose,
            found=self._found,
        )
        await self._device.open(patient=params.patient)

    async def on_running(self) -> None:
        """Begin to capture. Raises: DeviceError."""
        device = self._device
        if device is not None and device.stream is not None:
            self._captured.begin(device.stream, asyncio.get_running_loop().time())
            await device.stream.start()
            device.watch()

    async def _found(self, stream: InputStream) -> None:
        """The first block that it brings says that it works."""

    # -- capturing -----------------------------------------------------------------

    async def work_when_idle(self) -> bool:
        """Push one captured block. A lost device is one when all it gave has been pushed."""
        device = self._device
        if device is None:
            return False
        if await self._push_block(device):
            return True
        if device.check() and device.stream is not None and device.stream.exhausted:
            await self.push_frame(EndFrame(f"{device.stream.info.device} has run out"))
        return False

    async def _push_block(self, device: KeptDevice[InputStream]) -> bool:
        captured = self._captured
        block = captured.next_of_the_lost()
        if block is None and (stream := device.stream) is not None and (raw := stream.read()) is not None:
            block = captured.place(raw, stream)
            await device.confirm()
        if block is None:
            return False
        self._taken += 1
        audio = captured.format
        samples = len(block.data) // audio.sample_bytes
        seconds = audio.seconds(samples)
        if self._air is not None and self._air.sounded(block.captured_s, block.captured_s + seconds):
            captured.dropped[DropReason.MUTED] += samples
            return True
        if self._silence.has_lasted(block.data, seconds):
            self._warn_of_silence(device)
        self._last = block.data
        await self.push_frame(
            InputAudioFrame(block.data, audio.rate, audio.channels, block.position, block.captured_s)
        )
        return True

    def _warn_of_silence(self, device: KeptDevice[InputStream]) -> None:
        name = "it" if device.stream is None else printable(device.stream.info.device)
        _log.warning(
            "the microphone %s has delivered nothing but zeros for %g s: it may be muted in the mixer or "
            "by a switch, be a virtual device that nobody feeds, or be held by another program; on macOS, "
            "allow this program to use the microphone in the privacy settings",
            name,
            LIMIT_S,
        )

    # -- closing -------------------------------------------------------------------

    def _close_intake(self) -> None:
        if self._device is not None:
            self._device.stop()
            if self._device.stream is not None:
                self._device.stream.stop()

    def on_ending(self) -> None:
        """Close the intake: what is captured from now on must not push out what was captured before."""
        self._close_intake()

    async def on_end(self) -> None:
        """Close the intake, and push what was captured before."""
        device = self._device
        if device is not None:
            if device.stream is not None:
                with device.bears_loss():
                    await device.stream.finish()
            while await self._push_block(device):
                pass
            device.retire()

    async def on_cancel(self) -> None:
        """Close the intake."""
        self._rest_is = DropReason.CANCELLED
        self._close_intake()
        if self._device is not None:
            self._device.retire()

    async def cleanup(self) -> None:
        """Give the device back."""
        device, captured, reason = self._device, self._captured, self._rest_is
        if device is not None:
            if device.stream is not None:
                device.stream.stop()
            captured.drop_rest(device.stream, reason)
            try:
                await device.close()
            finally:  # its thread may have been storing a block when the intake closed
                captured.drop_rest(device.stream, reason)

    def waits_for(self) -> str:
        """Why its device cannot be had, while the start waits for it."""
        return "" if self._device is None else self._device.waits_for

    def device_state(self) -> DeviceState | None:
        """How its device stands; None where none was opened. In the loop's thread."""
        device = self._device
        if device is None or not (device.stream or self._captured.any_lost or device.awaits_the_first):
            return None
        level_db = Level.of(self._last).rms_db if self._last else None
        return replace(device.state(), level_db=level_db, taken=self._taken)

    def seams(self) -> list[SeamReport]:
        """The device's own seam, besides the mailbox: over all streams there were."""
        device = self._device
        if device is None or (device.stream is None and not self._captured.any_lost):
            return []
        return [self._captured.seam(f"{self.name} device", device.stream)]

    def device_statistics(self) -> DeviceStatistics | None:
        """How the microphone is doing; None before it was opened. In the loop's thread."""
        device = self._device
        return None if device is None else device.statistics(self._captured.seam("", device.stream))
