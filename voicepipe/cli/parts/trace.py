"""The course of a file, for a picture: waveform, score, level and noise, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat
from voicepipe.speech.stretch import Judgement

__all__ = ["Extremes", "Trace"]

_MOST = 32_768
"""Columns that are kept: 12 rows of a picture, each wider than a screen."""
_COLUMN_S = 0.0025
"""The length of a column of the waveform at first, in seconds: a picture of 3 s is sharp."""
_GATHERED = 4_096
"""Judgements that are gathered before they are put into columns."""
_FULL_SCALE = 32_768.0

Columns = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]


class Extremes:
    """The lowest and the highest of values, column by column. With many of them the columns become wider.

    Args:
        each: values in a column at first.
    """

    def __init__(self, each: int = 1) -> None:
        self.each = each
        self._lowest, self._highest = np.zeros(_MOST, np.float32), np.zeros(_MOST, np.float32)
        self._count = 0
        self._rest: npt.NDArray[Any] = np.zeros(0)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Add values behind the others."""
        values = np.concatenate([self._rest, values]) if self._rest.size else values
        while values.size >= self.each:
            count = min(values.size // self.each, _MOST - self._count)
            whole = values[: count * self.each].reshape(count, self.each)
            place = slice(self._count, self._count + count)
            self._lowest[place], self._highest[place] = whole.min(axis=1), whole.max(axis=1)
            self._count += count
            values = values[count * self.each :]
            if self._count == _MOST:
                self._halve()
        self._rest = values.copy()

    def between(self, begin: float, end: float, most: int) -> Columns:
        """Return the middles (counted in values), the lowest and the highest of at most so many columns."""
        first, last = int(begin / self.each), min(self._count, -(-int(end) // self.each))
        wide = max(1, -(-(last - first) // most))
        starts = np.arange(first, max(first, last), wide)
        if not starts.size:
            return starts, starts, starts
        lowest = np.minimum.reduceat(self._lowest[:last], starts)
        highest = np.maximum.reduceat(self._highest[:last], starts)
        return (starts + np.minimum(starts + wide, last)) / 2 * self.each, lowest, highest

    def _halve(self) -> None:
        half = _MOST // 2
        self._lowest[:half] = self._lowest.reshape(half, 2).min(axis=1)
        self._highest[:half] = self._highest.reshape(half, 2).max(axis=1)
        self._count, self.each = half, self.each * 2


class Trace:
    """The course of a file. `note` is an observer of a voice detector."""

    def __init__(self) -> None:
        self._wave: Extremes | None = None
        self._rate = 1
        self._windows: tuple[Extremes, Extremes, Extremes] = (Extremes(), Extremes(), Extremes())
        self._gathered: list[tuple[float, float, float]] = []
        self._judged = self._position = 0

    def hear(self, data: bytes, audio: AudioFormat) -> None:
        """Add audio behind the rest."""
        if self._wave is None:
            self._rate = audio.rate * audio.channels
            self._wave = Extremes(max(1, round(audio.rate * _COLUMN_S)) * audio.channels)
        self._wave.add(np.frombuffer(data, np.int16))

    def note(self, judgement: Judgement) -> None:
        """Add the result of a window."""
        self._gathered.append((judgement.score, judgement.level_db, judgement.noise_db))
        self._judged += 1
        self._position = judgement.position
        if len(self._gathered) == _GATHERED:
            self._put()

    def wave(self, begin_s: float, end_s: float, most: int) -> Columns:
        """Return the waveform of a part: times in seconds, and the lowest and the highest of full scale 1."""
        if self._wave is None:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        at, lowest, highest = self._wave.between(begin_s * self._rate, end_s * self._rate, most)
        return at / self._rate, lowest / _FULL_SCALE, highest / _FULL_SCALE

    def judgements(self, begin_s: float, end_s: float, most: int, rate: int) -> list[Columns]:
        """Return score, level and noise floor of a part, as `wave` does, each in its own unit."""
        self._put()
        window_s = self._position / rate / max(1, self._judged)
        parts = []
        for windows in self._windows:
            span = (begin_s / window_s, end_s / window_s) if window_s else (0.0, 0.0)
            at, lowest, highest = windows.between(*span, most)
            parts.append((at * window_s, lowest, highest))
        return parts

    def _put(self) -> None:
        if self._gathered:
            for windows, values in zip(self._windows, np.array(self._gathered).T, strict=True):
                windows.add(values)
        self._gathered = []
