"""The search for stages that hold up a draining run, by lack of progress, never by total time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicepipe.awaitables import refuse_coroutine
from voicepipe.census.stack import where
from voicepipe.checks import check_seconds
from voicepipe.frames import kind_of
from voicepipe.pipeline.hook_checks import hook_name
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.report import SlowStage
from voicepipe.text import quote

__all__ = ["Holder", "StallWatch", "check_may_take_s", "holders"]

_LEAST_S = 0.001
"""The shortest wait until the next look. A rounding error could otherwise make it zero for ever."""


class Holder(NamedTuple):
    """A stage that holds a frame and does not wait for room downstream."""

    stage: str
    mark: object
    """A value that changes as soon as the stage makes progress."""
    where: str
    """The line of code at which its task stands."""
    may_take_s: float = 0.0
    """The time that the stage says it may take; 0: it says nothing."""
    deaf: bool = False
    """True if its mailbox holds all the live audio that it may, so that the next block costs the oldest."""


def holders(seats: Sequence[TaskSeat]) -> list[Holder]:
    """Return the stages that may be holding up others at this moment."""
    return [
        Holder(seat.label, _mark(seat), where(seat.work.task), _limit_s(seat, 0.0), seat.box.is_deaf)
        for seat in seats
        if _holds(seat)
    ]


def check_may_take_s(processor: FrameProcessor, default_s: float) -> float:
    """Return the time that a stage may take without progress.

    Raises:
        TypeError, ValueError: the stage's `may_take_s` is no time in seconds.
    """
    may_take_s = processor.may_take_s
    return default_s if may_take_s is None else check_seconds("may_take_s", may_take_s)


class StallWatch:
    """A regular look at the stages, which finds those that hold a frame without progress.

    A stage that says how long it may take (`may_take_s`) has that time in place of the limit.
    Time in which a stage waits for room downstream does not count, because another stage is at
    fault. Time in which the event loop was blocked does not count either.
    """

    def __init__(self, seats: Sequence[TaskSeat], limit_s: float, now: float) -> None:
        self._seats = seats
        self._limit_s = limit_s
        self._every_s = max(limit_s / 20, 0.01)
        self._seen: dict[TaskSeat, tuple[object, float]] = {}
        self._looked_s = now
        self._lived_s = 0.0
        """The seconds in which the loop was not blocked. The times in this class are on this clock."""
        self._all_idle_since = 0.0

    def look(self, now: float) -> tuple[list[tuple[TaskSeat, SlowStage]], float]:
        """Return the stages that are stuck for the limit, and the time of the next look."""
        self._lived_s += min(now - self._looked_s, 2 * self._every_s)
        self._looked_s = now
        stuck: list[tuple[TaskSeat, SlowStage]] = []
        wait_s = self._every_s
        for seat in self._seats:
            still_s = self._idle_s(seat)
            if still_s is None:
                continue
            self._all_idle_since = self._lived_s
            limit_s = _limit_s(seat, self._limit_s)
            if still_s >= limit_s:
                stuck.append((seat, _describe(seat, still_s)))
            else:
                wait_s = min(wait_s, limit_s - still_s)
        return stuck, now + max(wait_s, _LEAST_S)

    @property
    def lost(self) -> bool:
        """True if no stage has held a frame for the limit, although EndFrame has not arrived."""
        return self._lived_s - self._all_idle_since >= self._limit_s

    def _idle_s(self, seat: TaskSeat) -> float | None:
        """Return the seconds without progress of a stage; None if it holds no frame."""
        now, work = self._lived_s, seat.work
        if work.blocked or not seat.box.is_empty:
            self._all_idle_since = now
        if work.current is None or not _holds(seat):
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
    work = seat.work
    # The call itself, not its id, which a later one could have as well.
    return seat.pushed, work.handled, work.call, _progress_of(seat), id(work.current), id(seat.in_hand)


def _limit_s(seat: TaskSeat, default_s: float) -> float:
    try:
        return check_may_take_s(seat.processor, default_s)
    except BaseException as error:  # a stage's failure becomes a PipelineError
        seat.handle_error(error)
        return default_s


def _progress_of(seat: TaskSeat) -> object:
    try:
        mark = refuse_coroutine(hook_name(seat.processor, "progress"), seat.processor.progress())
    except BaseException as error:  # a stage's failure becomes a PipelineError
        seat.handle_error(error)
        return None
    # Whatever else it is: to compare it, or even to ask if it is true, may raise (an array does).
    return mark if mark is None or type(mark) in (int, float, str) else quote(mark)


def _describe(seat: TaskSeat, seconds: float) -> SlowStage:
    return SlowStage(seat.label, seconds, where(seat.work.task), kind_of(seat.work.current))
