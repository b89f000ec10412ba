"""The sound that a loudspeaker makes, by time: the clock of its device has gaps, jumps and an error."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from voicepipe_devices.fake.fractional import half_width, interpolate

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["SoundTrack"]

_JOINED_S = 1e-6
"""Blocks that are closer to each other belong together."""


class _Piece:
    """Samples without a gap, at one rate."""

    def __init__(self, begins_s: float, hz: float) -> None:
        self.begins_s = begins_s
        self.hz = hz
        self._room = np.zeros(1 << 14)
        self._begin = self._end = 0

    @property
    def sound(self) -> npt.NDArray[np.float64]:
        """The samples that are kept; the first sounds at `begins_s`."""
        return self._room[self._begin : self._end]

    @property
    def ends_s(self) -> float:
        """The time at which the next sample would sound."""
        return self.begins_s + (self._end - self._begin) / self.hz

    def add(self, sound: npt.NDArray[np.float64]) -> None:
        """Add what follows."""
        if self._end + len(sound) > len(self._room):
            kept = self.sound.copy()
            if 2 * (len(kept) + len(sound)) > len(self._room):
                self._room = np.zeros(4 * (len(kept) + len(sound)))
            self._room[: len(kept)] = kept
            self._begin, self._end = 0, len(kept)
        self._room[self._end : self._end + len(sound)] = sound
        self._end += len(sound)

    def forget_before(self, time_s: float) -> None:
        """Let go of what sounded before."""
        gone = min(self._end - self._begin, int((time_s - self.begins_s) * self.hz))
        if gone > 0:
            self._begin += gone
            self.begins_s += gone / self.hz

    def end_at(self, time_s: float) -> None:
        """Let nothing sound from then on."""
        kept = int(np.ceil((time_s - self.begins_s) * self.hz - 1e-3))
        self._end = self._begin + max(0, min(self._end - self._begin, kept))


class SoundTrack:
    """The record of what sounds, by time. It keeps the last few seconds."""

    def __init__(self, keep_s: float) -> None:
        self._keep_s = keep_s
        self._pieces: deque[_Piece] = deque()
        self._loud_until_s = -np.inf

    def add(self, sound: npt.NDArray[np.float64], sounds_s: float, hz: float) -> None:
        """Add samples, the first of which sounds at that time. They replace what would sound later."""
        last = self._pieces[-1] if self._pieces else None
        if last is None or last.hz != hz or abs(last.ends_s - sounds_s) > _JOINED_S:
            self.end_at(sounds_s)
            last = _Piece(sounds_s, hz)
            self._pieces.append(last)
        last.add(sound)
        if np.any(sound):
            self._loud_until_s = last.ends_s
        self._forget(sounds_s - self._keep_s)

    def is_silent(self, from_s: float) -> bool:
        """Return True if nothing sounds from then on, as far as is known."""
        return from_s >= self._loud_until_s

    def read(self, from_s: float, hz: float, count: int) -> npt.NDArray[np.float64]:
        """Read so many values, the first at that time, at a rate of `hz`."""
        out = np.zeros(count)
        for piece in self._pieces:
            margin_s = half_width(piece.hz / hz) / piece.hz
            if piece.begins_s - margin_s < from_s + count / hz and from_s < piece.ends_s + margin_s:
                out += interpolate(piece.sound, (from_s - piece.begins_s) * piece.hz, piece.hz / hz, count)
        return out

    def end_at(self, time_s: float) -> None:
        """Let nothing sound from then on."""
        for piece in self._pieces:
            piece.end_at(time_s)

    def _forget(self, before_s: float) -> None:
        while len(self._pieces) > 1 and self._pieces[0].ends_s < before_s:
            self._pieces.popleft()
        self._pieces[0].forget_before(before_s)
