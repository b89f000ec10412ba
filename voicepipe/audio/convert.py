"""From one audio format to another, as a stream: the rate by soxr, the channels by mixing."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voicepipe.audio.channel_mixer import ChannelMixer
from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_count

__all__ = ["Converter", "Quality", "mixes"]

Quality = Literal["LQ", "MQ", "HQ", "VHQ"]
"""soxr's recipes: LQ for live sound, HQ for files.

LQ holds back at most 22 ms (MQ and HQ 41). It takes 13 dB of 7 kHz at a rate of 16 kHz, and adds nothing
above -98 dB (`tests/benchmarks/run.py --only resampling`).
"""

_Floats = npt.NDArray[np.float32]


class Converter:
    """Converts a stream of audio that comes in pieces. The result does not depend on where it is cut.

    Several channels become one by their mean, or one of them is picked; one becomes several by copying
    it; otherwise channels keep their places, and those that the source lacks are silent. Sample `n` of the
    target stands for the same moment as sample `n * source.rate / target.rate` of the source.

    Args:
        source: the format of what goes in.
        target: the format of what comes out. The same as `source`: everything passes as it is.
        quality: of the change of rate.
        channel: the one of the source's channels that is heard, counted from 1; None: all of them.
        mixer: makes one channel of several where all are heard; None: their mean, whatever they hold.

    Raises:
        ValueError: the source has no such channel.
    """

    def __init__(
        self,
        source: AudioFormat,
        target: AudioFormat,
        *,
        quality: Quality = "LQ",
        channel: int | None = None,
        mixer: ChannelMixer | None = None,
    ) -> None:
        if channel is not None:
            check_count("channel", channel, at_least=1, at_most=source.channels)
        self.source = source
        self.target = target
        self._picked = None if channel is None or source.channels == 1 else channel - 1
        self.is_needed = source != target or self._picked is not None
        """True where what comes out is not what goes in."""
        self._quality = quality
        self._mixer = mixer if mixes(source, target, channel) else None
        self._taken = self._given = 0
        self._narrow = min(source.channels, target.channels) if self._picked is None else 1
        self._resampler = self._new_resampler()

    def convert(self, data: bytes | memoryview) -> bytes:
        """Convert so many whole samples, and return what can be given out; the rest follows later."""
        if not self.is_needed:
            return bytes(data)
        audio = np.frombuffer(data, np.int16).reshape(-1, self.source.channels)
        self._taken += len(audio)
        return self._finish(audio, last=False)

    def flush(self) -> bytes:
        """End the stream, and return what is still inside. A later call of `convert` begins a new stream."""
        data = b""
        if self._taken:
            data = self._finish(np.empty((0, self.source.channels), np.int16), last=True)
            self._resampler = self._new_resampler()
        self._taken = self._given = 0
        return data

    @property
    def held(self) -> int:
        """Samples of the target that are inside, give or take one."""
        return max(0, self._taken * self.target.rate // self.source.rate - self._given)

    def _new_resampler(self) -> _Resampler | None:
        if self.source.rate == self.target.rate:
            return None
        return _Resampler(self.source.rate, self.target.rate, self._narrow, self._quality)

    def _finish(self, audio: npt.NDArray[np.int16], *, last: bool) -> bytes:
        """Convert in the order of least work: narrow the channels, change the rate, widen the channels."""
        if self._picked is not None:
            audio = audio[:, self._picked : self._picked + 1]
        narrow = _mix(audio, self._narrow) if self._mixer is None else self._mixer.mix(audio)
        if self._resampler is not None:
            narrow = self._resampler.process(narrow, last=last)
        out = _mix(narrow, self.target.channels)
        self._given += len(out)
        return out.tobytes()


def mixes(source: AudioFormat, target: AudioFormat, channel: int | None = None) -> bool:
    """Return True where several channels become one."""
    return channel is None and source.channels > 1 == target.channels


class _Resampler:
    """soxr on floats: it would add dither to integers, noise where there is silence."""

    def __init__(self, source_rate: int, target_rate: int, channels: int, quality: str) -> None:
        import soxr  # here, for a program whose rates agree needs none of it

        self._stream: Any = soxr.ResampleStream(source_rate, target_rate, channels, "float32", quality)

    def process(self, audio: npt.NDArray[np.int16], *, last: bool) -> npt.NDArray[np.int16]:
        floats: _Floats = self._stream.resample_chunk(audio.astype(np.float32), last)
        # In place, and without np.clip: on short blocks what is done around the samples is most of the work.
        np.rint(floats, out=floats)
        np.minimum(floats, 32767.0, out=floats)
        np.maximum(floats, -32768.0, out=floats)
        return floats.astype(np.int16)


def _mix(audio: npt.NDArray[np.int16], channels: int) -> npt.NDArray[np.int16]:
    """Mix audio of shape (samples, n) to (samples, channels)."""
    have = audio.shape[1]
    if have == channels:
        return audio
    if channels == 1:
        # A product: numpy's mean over short rows costs several times as much.
        mean = audio.astype(np.float32) @ np.full((have, 1), 1 / have, np.float32)
        return np.rint(mean).astype(np.int16)
    if have == 1:
        return np.repeat(audio, channels, axis=1)
    if have > channels:
        return audio[:, :channels]
    return np.pad(audio, ((0, 0), (0, channels - have)))
