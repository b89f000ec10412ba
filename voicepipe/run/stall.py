"""Who holds a draining run up: lack of progress, never total time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicepipe.census.stack import where
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.report import SlowStage

__all__ = ["Holder", "StallWatch", "holders"]

_LEAST_S = 0.001
"""However little is missing: a time that has come already, by rounding, would be looked at for ever."""


class Holder(NamedTuple):
    """A stage with a frame in hand, which waits for nobody downstream."""

    stage: str
    mark: object
    """Another one as soon as the stage has got on."""
    where: str
    """Where its task stands."""


def holders(seats: Sequence[TaskSeat]) -> list[Holder]:
    """Who may be holding others up at this moment."""
    return [Holder(seat.label, _mark(seat), where(seat.work.task)) for seat in seats if _holds(seat)]


class StallWatch:
    """Looks at the stages now and then, and names those that stand still with a frame in hand.

    A stage that waits for room downstream is not at fault, and its time does not count. Neither does the
    time in which the event loop itself stood still: nobody could have got on with anything.
    """

    def __init__(self, seats: Sequence[TaskSeat], limit_s: float, now: float) -> None:
        self._seats = seats
        self._limit_s = limit_s
        self._every_s = max(limit_s / 20, 0.01)
        self._seen: dict[TaskSeat, tuple[object, float]] = {}
        self._looked_s = now
        self._lived_s = 0.0
        """How long the loop has lived since the beginning. What follows is in this time."""
        self._all_idle_since = 0.0

    def look(self, now: float) -> tuple[list[tuple[TaskSeat, SlowStage]], float]:
        """Those stuck for the limit, and when to look again."""
        self._lived_s += min(now - self._looked_s, 2 * self._every_s)
        self._looked_s = now
        stuck: list[tuple[TaskSeat, SlowStage]] = []
        wait_s = self._every_s
        for seat in self._seats:
            still_s = self._stood_still(seat)
            if still_s is None:
                continue
            self._all_idle_since = self._lived_s
            if still_s >= self._limit_s:
                stuck.append((seat, _describe(seat, still_s)))
            else:
                wait_s = min(wait_s, self._limit_s - still_s)
        return stuck, now + max(wait_s, _LEAST_S)

    @property
    def lost(self) -> bool:
        """Nobody has held anything for the limit, and yet the End is not here."""
        return self._lived_s - self._all_idle_since >= self._limit_s

    def _stood_still(self, seat: TaskSeat) -> float | None:
        """How long a stage has made no progress; None where it holds nothing."""
        now = self._lived_s
        if seat.work.blocked or not seat.box.is_empty:
            self._all_idle_since = now
        if not _holds(seat):
            self._seen.pop(seat, None)
            return None
        mark = _mark(seat)
        seen, since = self._seen.get(seat, (None, now))
        if mark != seen:
            since = now
            self._seen[seat] = (mark, now)
        return now - since


def _holds(seat: TaskSeat) -> bool:
    work = seat.work
    return seat.box.bypass is None and work.current is not None and not work.blocked


def _mark(seat: TaskSeat) -> tuple[object, ...]:
    return seat.pushed, seat.work.handled, _progress_of(seat), seat.work.current


def _progress_of(seat: TaskSeat) -> object:
    try:
        return seat.processor.progress()
    except BaseException as error:  # a stage's failure becomes a PipelineError
        seat.raised(error)
        return None


def _describe(seat: TaskSeat, seconds: float) -> SlowStage:
    return SlowStage(seat.label, seconds, where(seat.work.task), repr(seat.work.current))
