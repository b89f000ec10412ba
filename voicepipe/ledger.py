"""The ledger of a seam: every sample that went in came out, is held, or was dropped for a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from voicepipe.frames import AudioFrame, Frame

__all__ = ["DropReason", "Ledger", "SeamReport"]


class DropReason:
    """Why audio was dropped: the keys of `dropped`."""

    MIC_OVERFLOW = "mic_overflow"
    """The pipeline took longer than the microphone's ring could wait."""
    MUTED = "muted"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    SHUTDOWN = "shutdown"
    """It came after the End, or its stage did not let go of it while the pipeline drained."""
    DEVICE_LOST = "device_lost"
    PROCESSOR_ERROR = "processor_error"
    NEVER_STARTED = "never_started"
    DRIFT = "drift"
    LATE = "late"
    """Live sound that a standstill had made late: a steady speaker leaves it out."""
    UPSTREAM_OVERFLOW = "upstream_overflow"
    """More than a mailbox's worth of upstream data waited at a stage: the oldest went."""


@dataclass(frozen=True, slots=True)
class SeamReport:
    """One seam at one moment, in that seam's own samples."""

    name: str
    taken: int
    """Samples that came in."""
    given: int
    """Samples that went out: handled by the stage, or heard."""
    held: int
    """Samples inside at that moment."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Samples dropped, by reason."""
    dropped_frames: dict[str, int] = field(default_factory=dict)
    """Frames dropped, by reason: those without audio too."""

    @property
    def balanced(self) -> bool:
        """in == out + held + dropped."""
        return self.taken == self.given + self.held + sum(self.dropped.values())

    def __str__(self) -> str:
        lost = ", ".join(f"{n} {reason}" for reason, n in self.dropped.items()) or "none"
        return f"{self.name}: {self.taken} in, {self.given} out, {self.held} held, dropped: {lost}"


_NONE: Mapping[str, int] = MappingProxyType({})
"""One for all ledgers: in nearly every run nearly every stage drops nothing."""


class Ledger:
    """Counts one seam. One owner; not thread-safe."""

    __slots__ = ("dropped", "dropped_frames", "given", "taken")

    def __init__(self) -> None:
        self.taken = 0
        self.given = 0
        self.dropped = _NONE
        self.dropped_frames = _NONE

    def drop(self, frame: Frame, reason: str) -> None:
        """A frame that had been taken is dropped."""
        self.dropped_frames = _more(self.dropped_frames, reason, 1)
        if isinstance(frame, AudioFrame):
            self.dropped = _more(self.dropped, reason, frame.num_samples)

    def refuse(self, frame: Frame, reason: str) -> None:
        """A frame is dropped where it would have come in."""
        if isinstance(frame, AudioFrame):
            self.taken += frame.num_samples
        self.drop(frame, reason)

    def report(self, name: str, held: int = 0) -> SeamReport:
        """The seam as it stands."""
        return SeamReport(name, self.taken, self.given, held, dict(self.dropped), dict(self.dropped_frames))


def _more(counts: Mapping[str, int], reason: str, count: int) -> Mapping[str, int]:
    return {**counts, reason: counts.get(reason, 0) + count}
