"""The last seconds of what a speaker played."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["History"]

_Ints: TypeAlias = npt.NDArray[np.int16]
_Floats: TypeAlias = npt.NDArray[np.float32]
_SCALE = np.float32(1 / 32_768)


class History:
    """Keeps the last samples of a mono stream, by their position. Silence takes no memory.

    Args:
        keep: the samples that it keeps at least.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._kept: _Ints | None = None
        """Room for twice as many, so that no read is in two pieces. None while all is silent."""
        self._begin = 0
        """The position of the first sample in `_kept`."""
        self.end = 0
        """The position behind the last sample."""
        self.loud_end = -keep
        """The position behind the last sound, as whoever puts it in says."""

    def skip(self, end: int) -> None:
        """Go on at that position; what lies between is silent, or unknown."""
        if end <= self.end:
            return
        if self._kept is not None:
            if end - self.loud_end > self._keep:
                self._kept = None
            else:
                self._make_room(end)
                self._kept[self.end - self._begin : end - self._begin] = 0
        self.end = end

    def put(self, at: int, samples: _Ints) -> None:
        """Add samples that begin at that position: the end, behind it, or a little before it."""
        self.skip(at)
        end = at + len(samples)
        if self._kept is None:
            self._kept = np.zeros(2 * self._keep, np.int16)
            self._begin = at - self._keep
        self._make_room(end)
        self._kept[at - self._begin : end - self._begin] = samples
        self.end = end

    def read(self, begin: int, end: int) -> _Floats:
        """Return the samples from `begin` to `end`, full scale at -1 and 1; zeros where it has none."""
        first, last = max(begin, self._begin), min(end, self.end)
        if self._kept is None or first >= last:
            return np.zeros(end - begin, np.float32)
        known = self._kept[first - self._begin : last - self._begin] * _SCALE
        if last - first == end - begin:
            return known
        out = np.zeros(end - begin, np.float32)
        out[first - begin : last - begin] = known
        return out

    def _make_room(self, end: int) -> None:
        """Move what is kept to the front, if there is no room up to `end`."""
        assert self._kept is not None
        if end - self._begin <= len(self._kept):
            return
        begin = end - self._keep
        old = self._kept[begin - self._begin : self.end - self._begin]
        self._kept[: len(old)] = old.copy()
        self._begin = begin
