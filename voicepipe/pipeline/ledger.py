"""The ledger of a seam: each sample taken was given, is held, or was dropped for a reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from voicepipe.frames import AudioFrame, Frame
from voicepipe.report import SeamReport

__all__ = ["Ledger"]


_NONE: Mapping[str, int] = MappingProxyType({})
"""An empty mapping that all ledgers share. Most stages never drop anything."""


class Ledger:
    """The counts of one seam. One owner; not thread-safe."""

    __slots__ = ("dropped", "dropped_frames", "given", "lost", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.given = 0
        self.lost = 0
        """The sum of `dropped`."""
        self.dropped = _NONE
        self.dropped_frames = _NONE

    def drop(self, frame: Frame, reason: str) -> None:
        """Count a dropped frame that was counted as taken before."""
        self.dropped_frames = _more(self.dropped_frames, reason, 1)
        if isinstance(frame, AudioFrame):
            self.dropped = _more(self.dropped, reason, frame.num_samples)
            self.lost += frame.num_samples

    def refuse(self, frame: Frame, reason: str) -> None:
        """Count a frame that is dropped at the entry: as taken and as dropped."""
        if isinstance(frame, AudioFrame):
            self.taken += frame.num_samples
        self.drop(frame, reason)

    def report(self, name: str, held: int = 0) -> SeamReport:
        """Return the present counts of the seam; `held` is in samples."""
        if self.dropped_frames is _NONE:  # as nearly always
            return SeamReport(name, self.taken, self.given, held, {}, {})
        return SeamReport(name, self.taken, self.given, held, dict(self.dropped), dict(self.dropped_frames))


def _more(counts: Mapping[str, int], reason: str, count: int) -> Mapping[str, int]:
    return {**counts, reason: counts.get(reason, 0) + count}
