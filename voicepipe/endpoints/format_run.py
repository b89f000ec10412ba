"""A run of frames of one format, in the format of the speaker, without an edge at its ends.

A change of rate sees silence before the first sample and behind the last one, and rings where the sound
begins or ends at once: two rates that meet would click. So the run is continued a little at both ends, by
its own sound turned about the end, and what comes of that is left out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.audio.convert import Converter
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.rates.filter_plan import suits_short_filter

__all__ = ["FormatRun"]

CONTINUED_S = 0.01
"""The least continuation at each end. The filter of soxr's HQ reaches over a few milliseconds."""
LIVE_CONTINUED_S = 0.004
"""The same for the short filter of live audio, whose first frames wait for so much."""


class FormatRun:
    """Converts audio that comes in pieces. The run gives as many samples as last as long as it does.

    Args:
        source: the format of the frames.
        target: the format of the speaker.
        live: the audio has just been captured, and somebody waits for it.
    """

    def __init__(self, source: AudioFormat, target: AudioFormat, *, live: bool = False) -> None:
        self.source = source
        self._target = target
        self._converter = Converter(source, target, quality="live" if live else "HQ")
        is_short = live and suits_short_filter(source.rate, target.rate)
        continued_s = LIVE_CONTINUED_S if is_short else CONTINUED_S
        self._continued = _continuation(source.rate, target.rate, continued_s)
        self._skip = round(self._continued * target.rate / source.rate)
        """Samples of the target that the continuation before the first sample makes."""
        self._taken = self._given = 0
        self._begun = False
        self._first = b""
        """The first samples, until they are enough for the continuation."""
        self._last = b""
        """The last samples, for the continuation behind them."""

    @property
    def held(self) -> int:
        """Samples of the target that `finish` would give."""
        return self._due - self._given

    @property
    def _due(self) -> int:
        return (self._taken * self._target.rate + self.source.rate // 2) // self.source.rate

    def convert(self, data: bytes) -> bytes:
        """Convert whole samples, and return those that are ready."""
        size = self.source.sample_bytes
        self._taken += len(data) // size
        if not self._continued:
            return self._give(self._converter.convert(data))
        enough = (self._continued + 1) * size
        self._last = (self._last + data)[-enough:]
        if not self._begun:
            self._first += data
            if len(self._first) < enough:
                return b""
            data = self._begin()
        return self._give(self._converter.convert(data))

    def finish(self) -> bytes:
        """End the run, and return the samples that are still inside."""
        if not self._taken or not self._continued:
            return b""
        data = b"" if self._begun else self._begin()
        data += self._turn(self._last, 0, self._continued)[len(self._last) :]
        return self._give(self._converter.convert(data) + self._converter.flush())

    def _begin(self) -> bytes:
        self._begun = True
        data, self._first = self._first, b""
        return self._turn(data, self._continued, 0)

    def _turn(self, data: bytes, before: int, behind: int) -> bytes:
        """Continue the sound at its ends, turned about the first and the last sample."""
        audio = np.frombuffer(data, np.int16).reshape(-1, self.source.channels).astype(np.int32)
        longer: npt.NDArray[np.int32] = np.pad(
            audio, ((before, behind), (0, 0)), "reflect", reflect_type="odd"
        )
        return np.clip(longer, -32_768, 32_767).astype(np.int16).tobytes()

    def _give(self, data: bytes) -> bytes:
        size = self._target.sample_bytes
        skipped = min(self._skip, len(data) // size)
        self._skip -= skipped
        data = data[skipped * size : (skipped + self.held) * size]
        self._given += len(data) // size
        return data


def _continuation(source: int, target: int, least_s: float) -> int:
    """Return the samples of the source to continue a run by; 0: its rate does not change.

    Both rates meet on a sample there, or nearly so.
    """
    if source == target:
        return 0
    least = round(least_s * source)
    return min(range(least, 3 * least), key=lambda samples: _off_a_sample(samples * target, source))


def _off_a_sample(numerator: int, denominator: int) -> int:
    rest = numerator % denominator
    return min(rest, denominator - rest)
