"""Between the format of a device and that of the pipeline: rate and channels, in the stream's books."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from voicepipe.audio.convert import Converter, live_delay_s, mixes
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.rates.filter_plan import suits_short_filter
from voicepipe.devices.port import Block, StreamInfo, StreamRequest
from voicepipe_devices.formats import raise_if_missing

__all__ = ["BlockConverter", "Renderer", "check_channel", "describe_conversion", "needs_conversion"]

SETTLED_S = 0.1
"""After so much silence there is nothing else in a converter: it reaches back a fraction of that."""


def check_channel(device: StreamInfo, request: StreamRequest) -> None:
    """Raise DeviceFormatError where the device lacks the channel that was asked for."""
    if request.channel is not None:
        raise_if_missing(device.device, device.format.channels, request.channel)


def needs_conversion(device: AudioFormat, request: StreamRequest) -> bool:
    """Return whether a stream over a device in that format has to convert."""
    return device != request.format or (request.channel is not None and device.channels > 1)


def describe_conversion(device: StreamInfo, request: StreamRequest) -> StreamInfo:
    """Return the stream's info where it converts from the device's format to the one that was asked for."""
    latency_s = device.latency_s + live_delay_s(device.format.rate, request.format.rate)
    return replace(
        device,
        format=request.format,
        block=request.block,
        latency_s=latency_s,
        device_rate=device.format.rate,
        device_channels=device.format.channels,
    )


class BlockConverter:
    """Captured blocks in the device's format become blocks in the pipeline's, at the same moments.

    A jump of positions ends the stretch before it: what the converter held comes out, and a
    new stretch begins.
    """

    def __init__(
        self, device: AudioFormat, wanted: AudioFormat, channel: int | None = None, name: str = ""
    ) -> None:
        mixer = None
        if mixes(device, wanted, channel):
            from voicepipe.audio.channel_mixer import ChannelMixer  # here, for it brings numpy

            mixer = ChannelMixer(device, name)
        self._mixer = mixer
        self._converter = Converter(device, wanted, channel=channel, mixer=mixer)
        self._ready: deque[Block] = deque()
        self._next = 0
        """The position of the device's next sample, unless some are lost."""
        self._anchor = (0, 0.0)
        """A position of the device's, and when it was captured."""
        self._position = 0
        """The position of the pipeline's next sample."""
        self.is_begun = False
        """Something went in since it last finished."""

    @property
    def channel_fault(self) -> str:
        """A sentence on what spoils the mix of the device's channels; empty: nothing."""
        return "" if self._mixer is None else self._mixer.fault

    @property
    def held(self) -> int:
        """Samples, in the pipeline's rate, that went in and did not come out."""
        size = self._converter.target.sample_bytes
        return self._converter.held + sum(len(block.data) // size for block in self._ready)

    def scale(self, samples: int) -> int:
        """Convert a number of the device's samples to the pipeline's rate."""
        return samples * self._converter.target.rate // self._converter.source.rate

    def put(self, block: Block) -> None:
        """Take one block of the device's."""
        if block.position != self._next:
            self.finish()
            self._position = max(self._position, self.scale(block.position))
        self.is_begun = True
        self._anchor = (block.position, block.captured_s)
        self._next = block.position + len(block.data) // self._converter.source.sample_bytes
        self._give(self._converter.convert(block.data))

    def finish(self) -> None:
        """End the stretch, before a gap or at the end: what is held can be taken."""
        self.is_begun = False
        self._give(self._converter.flush())

    def take(self) -> Block | None:
        """Take the oldest block in the pipeline's format, or None."""
        return self._ready.popleft() if self._ready else None

    def _give(self, data: bytes) -> None:
        if data:
            device, wanted = self._converter.source, self._converter.target
            at, at_s = self._anchor
            captured_s = at_s + self._position / wanted.rate - at / device.rate
            self._ready.append(Block(data, self._position, captured_s))
            self._position += len(data) // wanted.sample_bytes


class Renderer:
    """Converts what the pipeline wrote to the format of the device. For the device's callback.

    It runs on zeros while nothing is written, so that what it holds back is heard too. Zeros after zeros
    are zeros, without any work: a service that listens is silent most of its time.
    """

    def __init__(self, device: AudioFormat, written: AudioFormat, pull: Callable[[int], bytes]) -> None:
        self._converter = Converter(written, device)
        self._pull = pull
        self._ready = b""
        self._silent = 0
        """Samples of silence that went in, since the last that was none."""
        self._settled = written.samples(SETTLED_S)
        self._is_prompt = suits_short_filter(written.rate, device.rate)
        """True where samples come out soon: no more go in than are lacking. soxr may want many pieces."""

    def render(self, samples: int) -> bytes:
        """Return the next samples for the device."""
        size = self._converter.target.sample_bytes
        wanted = samples * size
        while len(self._ready) < wanted:
            lacking = samples - len(self._ready) // size
            self._ready += self._next(lacking if self._is_prompt else samples)
        data, self._ready = self._ready[:wanted], self._ready[wanted:]
        return data

    def _next(self, samples: int) -> bytes:
        """Take what was written for so many samples of the device, and return what is ready."""
        source, target = self._converter.source, self._converter.target
        taken, over = divmod(samples * source.rate, target.rate)
        taken += over > 0
        data = self._pull(taken)
        is_silent = not data.strip(b"\0")
        if is_silent and not over and self._silent >= self._settled:
            return bytes(samples * target.sample_bytes)
        self._silent = self._silent + taken if is_silent else 0
        return self._converter.convert(data)
