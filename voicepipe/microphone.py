"""The processor over a microphone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from voicepipe.air import Air
from voicepipe.audio import AudioFormat
from voicepipe.devices import Backend, InputStream, StreamRequest, backend_of
from voicepipe.frames import EndFrame, InputAudioFrame
from voicepipe.ledger import DropReason, SeamReport
from voicepipe.params import StartParams
from voicepipe.processor import FrameProcessor

__all__ = ["MicrophoneInput"]


class MicrophoneInput(FrameProcessor):
    """Captures, and pushes an `InputAudioFrame` for every block. Passes other frames on.

    Capture begins when StartFrame has reached the Sink. At the End it closes its intake,
    pushes everything that was captured before, and the End follows. Where the input runs
    out, it asks for the End. It never blocks the device: while the pipeline is slow, a
    ring of 2 s absorbs, then the oldest audio goes, is counted as `mic_overflow`, and
    shows as a jump of `position`.

    Args:
        backend: a back end, or the name of one.
        device: a device's name, or a unique part of it; empty: the default one.
        block_s: seconds of audio in a frame.
        latency: "low", "high", or seconds.
        mute: drop what it hears while a speaker of the run sounds, counted as `muted`. None: where
            microphone and speaker share the air, as with sound hardware; with headphones, say False.

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
        mute: bool | None = None,
        name: str = "",
    ) -> None:
        super().__init__(name=name)
        if not isinstance(mute, bool | None):
            raise TypeError(f"mute must be True, False, or None for what the back end wants, not {mute!r}")
        self._backend = backend_of(backend)
        self._mutes = self._backend.shares_air if mute is None else mute
        self._wish = StreamRequest(AudioFormat(), device, block_s, latency)
        self._reset()

    def _reset(self) -> None:
        self._stream: InputStream | None = None
        self._air: Air | None = None
        self._dropped: Counter[str] = Counter()
        self._rest_is = DropReason.SHUTDOWN

    async def on_start(self, params: StartParams) -> None:
        """Open the device. Raises: DeviceError."""
        self._reset()
        self._air = params.air if self._mutes else None
        request = replace(self._wish, format=params.input)
        self._stream = await self._backend.open_input(request, self.wake_up)

    async def on_running(self) -> None:
        """Begin to capture. Raises: DeviceError."""
        if self._stream is not None:
            await self._stream.start()

    async def work_when_idle(self) -> bool:
        """Push one captured block. A device that is lost fails the run, when all it gave has been pushed."""
        stream = self._stream
        if stream is None:
            return False
        if await self._push_block(stream):
            return True
        if stream.error is not None:
            raise stream.error
        if stream.exhausted:
            await self.push_frame(EndFrame(f"{stream.info.device} has run out"))
        return False

    async def _push_block(self, stream: InputStream) -> bool:
        block = stream.read()
        if block is None:
            return False
        audio = stream.info.format
        if self._air is not None:
            seconds = audio.seconds(len(block.data) // audio.sample_bytes)
            if self._air.sounded(block.captured_s, block.captured_s + seconds):
                self._dropped[DropReason.MUTED] += len(block.data) // audio.sample_bytes
                return True
        await self.push_frame(
            InputAudioFrame(block.data, audio.rate, audio.channels, block.position, block.captured_s)
        )
        return True

    def on_ending(self) -> None:
        """Close the intake: what is captured from now on must not push out what was captured before."""
        if self._stream is not None:
            self._stream.stop()

    async def on_end(self) -> None:
        """Close the intake, and push what was captured before."""
        stream = self._stream
        if stream is not None:
            stream.stop()
            while await self._push_block(stream):
                pass

    async def on_cancel(self) -> None:
        """Close the intake."""
        self._rest_is = DropReason.CANCELLED
        if self._stream is not None:
            self._stream.stop()

    async def cleanup(self) -> None:
        """Give the device back."""
        stream, dropped, reason = self._stream, self._dropped, self._rest_is
        if stream is not None:
            stream.stop()
            _drop_rest(stream, dropped, reason)
            try:
                await stream.close()
            finally:  # its thread may have been storing a block when the intake closed
                _drop_rest(stream, dropped, reason)

    def seams(self) -> list[SeamReport]:
        """The device's own seam, besides the mailbox."""
        stream = self._stream
        return [] if stream is None else [stream.seam(f"{self.name} device", dict(self._dropped))]


def _drop_rest(stream: InputStream, dropped: Counter[str], reason: str) -> None:
    """Book what was captured and nobody will read."""
    while (block := stream.read()) is not None:
        dropped[reason] += len(block.data) // stream.info.format.sample_bytes
