"""From one audio format to another, as a stream: the rate by a filter, the channels by mixing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from voicepipe.audio.channels import pick_channel, set_channels
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.rates.filter_plan import suits_short_filter
from voicepipe.audio.rates.short_filter import ShortFilter
from voicepipe.checks import check_count

if TYPE_CHECKING:
    from voicepipe.audio.channel_mixer import ChannelMixer

__all__ = ["Converter", "Quality", "live_delay_s", "mixes"]

Quality = Literal["live", "LQ", "MQ", "HQ"]
"""The filter that changes the rate.

"live" is for sound that somebody waits for. Between rates whose ratio is one of small whole numbers, as among
8, 16, 24, 32 and 48 kHz, it is a short filter: 1 ms is held back (2 ms to and from 8 kHz), and no numpy
is needed. It takes 3 dB of 7 kHz at a rate of 16 kHz, and leaves at most -50 dB of what has no place. Between
other rates it is soxr's LQ.

The others are soxr's recipes, between all rates. They give out in bursts: between 44.1 and 16 kHz, LQ holds
back up to 22 ms, MQ and HQ 41; with 8 kHz it is twice as much. HQ is for files: it keeps 7 kHz, and adds
nothing above -90 dB. `tests/benchmarks/run.py --only resampling` measures them all.
"""

LQ_HELD = 352
"""The most samples of the lower rate that soxr's LQ holds back, measured from 44.1 kHz to the usual rates."""


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
        quality: Quality = "live",
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
        self._mixer = mixer if mixes(source, target, channel) else None
        self._taken = self._given = 0
        self._narrow = min(source.channels, target.channels) if self._picked is None else 1
        self._filter = _filter(source.rate, target.rate, self._narrow, quality)

    def convert(self, data: bytes | memoryview) -> bytes:
        """Convert so many whole samples, and return what can be given out; the rest follows later."""
        data = bytes(data)
        if not self.is_needed:
            return data
        self._taken += len(data) // self.source.sample_bytes
        # In the order of least work: narrow the channels, change the rate, widen the channels.
        narrow = self._narrow_channels(data)
        return self._give(narrow if self._filter is None else self._filter.convert(narrow))

    def flush(self) -> bytes:
        """End the stream, and return what is still inside. A later call of `convert` begins a new stream."""
        data = b""
        if self._taken and self._filter is not None:
            data = self._give(self._filter.flush())
        self._taken = self._given = 0
        return data

    @property
    def held(self) -> int:
        """Samples of the target that are inside, give or take one."""
        return max(0, self._taken * self.target.rate // self.source.rate - self._given)

    @property
    def lag(self) -> int:
        """Samples of the target that are always inside; 0 where their number changes, as soxr's does."""
        return self._filter.lag if isinstance(self._filter, ShortFilter) else 0

    def _narrow_channels(self, data: bytes) -> bytes:
        have = self.source.channels
        if self._picked is not None:
            return pick_channel(data, have, self._picked)
        if self._mixer is None:
            return set_channels(data, have, self._narrow)
        import numpy as np  # the mixer has brought it

        return self._mixer.mix(np.frombuffer(data, np.int16).reshape(-1, have)).tobytes()

    def _give(self, narrow: bytes) -> bytes:
        out = set_channels(narrow, self._narrow, self.target.channels)
        self._given += len(out) // self.target.sample_bytes
        return out


def mixes(source: AudioFormat, target: AudioFormat, channel: int | None = None) -> bool:
    """Return True where several channels become one."""
    return channel is None and source.channels > 1 == target.channels


def live_delay_s(source_rate: int, target_rate: int) -> float:
    """Return the most that a live change of rate holds back, in seconds."""
    if source_rate == target_rate:
        return 0.0
    if suits_short_filter(source_rate, target_rate):
        return ShortFilter(source_rate, target_rate).delay_s
    return LQ_HELD / min(source_rate, target_rate)


class _Filter(Protocol):
    """A change of rate."""

    def convert(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


def _filter(source_rate: int, target_rate: int, channels: int, quality: Quality) -> _Filter | None:
    if source_rate == target_rate:
        return None
    if quality == "live":
        if suits_short_filter(source_rate, target_rate):
            return ShortFilter(source_rate, target_rate, channels)
        quality = "LQ"
    from voicepipe.audio.rates.soxr_filter import SoxrFilter  # here, for it needs numpy and soxr

    return SoxrFilter(source_rate, target_rate, channels, quality)
