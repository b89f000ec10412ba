"""A run in which something stood still again and again, and what became of its delay."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from benchmarks.standing.plan import Standstill
from benchmarks.standing.tape import Tape

__all__ = ["AFTER_S", "BEFORE_S", "ROOM_S", "Delays", "Moment", "Run"]

BEFORE_S, AFTER_S, ROOM_S = 0.6, 2.0, 0.6
"""A delay is looked at so long before a standstill, and so long after it. Looking takes half a second."""
_SOON_S = 0.1


@dataclass(frozen=True, slots=True)
class Moment:
    """One standstill in the run; times in seconds since its tape begins."""

    standstill: Standstill
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Delays:
    """The delay around one standstill; None where nothing was found again."""

    before_ms: float | None
    soon_ms: float | None
    """As soon as sound goes on."""
    after_ms: float | None
    """Two seconds later."""

    first_ms: float | None
    """Before the first standstill of the run."""

    @property
    def grew_ms(self) -> float | None:
        """What is left of the standstill after two seconds: more delay than just before it, and at first."""
        known = [ms for ms in (self.before_ms, self.first_ms) if ms is not None]
        return _difference(max(known), self.after_ms) if known else None

    @property
    def rose_ms(self) -> float | None:
        """The difference that it has made at once."""
        return _difference(self.before_ms, self.soon_ms)


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


@dataclass(frozen=True)
class Run:
    """The tape of a run, its standstills, and what the program counted."""

    tape: Tape
    moments: tuple[Moment, ...]
    dropped_ms: dict[str, float]
    """By reason."""
    counts: bool = True
    """The program counts what it drops, and tells."""

    @cached_property
    def delays(self) -> tuple[Delays, ...]:
        """The delay around each standstill."""
        tape = self.tape
        first_ms = tape.delay_ms(self.moments[0].begin_s - BEFORE_S)
        return tuple(
            Delays(
                tape.delay_ms(moment.begin_s - BEFORE_S),
                tape.delay_ms(moment.end_s + _SOON_S),
                tape.delay_ms(moment.end_s + AFTER_S),
                first_ms,
            )
            for moment in self.moments
        )
