"""From a speaker's format to mono at the microphone's rate, without much delay at any ratio of rates."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.audio.convert import Converter
from voicepipe.audio.format import AudioFormat
from voicepipe.audio.rates.filter_plan import ratio_of, suits_short_filter

__all__ = ["MonoConverter"]

REACH = 16
"""The samples of the lower rate that the filter sees on each side: it holds back 1 ms at 16 kHz."""
PASS = 0.9
"""The part of the lower rate's band that passes."""
KAISER_BETA = 7.0

_Floats: TypeAlias = npt.NDArray[np.float32]


class MonoConverter:
    """Converts a stream that comes in pieces. Sample `n * rate / source.rate` is sample `n` of the source.

    Between most rates `Converter` does it. Where the ratio is an odd one, as from 22,050 to 16,000 Hz, soxr
    would hold back 22 ms, and what sounds now would not be there yet. A filter of its own holds back 1 ms.

    Args:
        source: the format of what goes in.
        rate: of what comes out.
    """

    def __init__(self, source: AudioFormat, rate: int) -> None:
        suits = source.rate == rate or suits_short_filter(source.rate, rate)
        self._narrow = Converter(source, AudioFormat(rate if suits else source.rate))
        self._filter = None if suits else _SincFilter(*ratio_of(source.rate, rate))

    def convert(self, data: bytes) -> bytes:
        """Convert so many whole samples, and return what can be given out; the rest follows later."""
        mono = self._narrow.convert(data)
        return mono if self._filter is None else self._filter.convert(mono)

    def flush(self) -> bytes:
        """End the stream, and return what is still inside. A later call of `convert` begins a new stream."""
        return self._narrow.flush() if self._filter is None else self._filter.flush()


class _SincFilter:
    """A change of rate by a windowed sinc for each place between two samples of the source."""

    def __init__(self, up: int, down: int) -> None:
        self._up, self._down = up, down
        self._filters, self._reach = _filters(up, down)
        self._taps = np.arange(2 * self._reach)
        self._begin()

    def _begin(self) -> None:
        self._taken = self._given = 0
        self._waiting: _Floats = np.zeros(self._reach - 1, np.float32)
        """Samples of the source, from that on which the next result begins."""
        self._first = 1 - self._reach
        """The place of the first of them."""

    def convert(self, data: bytes) -> bytes:
        samples = np.frombuffer(data, np.int16).astype(np.float32)
        self._taken += len(samples)
        return self._put(samples, (self._taken - self._reach) * self._up // self._down)

    def flush(self) -> bytes:
        end = -(-self._taken * self._up // self._down)
        rest = self._put(np.zeros(self._reach + self._down, np.float32), end)
        self._begin()
        return rest

    def _put(self, samples: _Floats, end: int) -> bytes:
        """Add samples, and return the results up to that one."""
        self._waiting = np.concatenate((self._waiting, samples))
        if end <= self._given:
            return b""
        places, phases = np.divmod(np.arange(self._given, end) * self._down, self._up)
        near = self._waiting[(places + 1 - self._reach - self._first)[:, None] + self._taps]
        values = np.einsum("nt,nt->n", self._filters[phases], near)
        self._given = end
        gone = end * self._down // self._up + 1 - self._reach - self._first
        self._waiting, self._first = self._waiting[gone:], self._first + gone
        out: bytes = np.clip(np.rint(values), -32_768, 32_767).astype(np.int16).tobytes()
        return out


@lru_cache(maxsize=4)
def _filters(up: int, down: int) -> tuple[_Floats, int]:
    """Return a row of taps for each place between two samples, and the samples on each side that it sees."""
    narrow = min(1.0, up / down)
    reach = round(REACH / narrow)
    at = np.arange(1 - reach, reach + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (at / reach) ** 2, 0, 1))) / np.i0(KAISER_BETA)
    filters = np.sinc(PASS * narrow * at) * window
    return (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32), reach
