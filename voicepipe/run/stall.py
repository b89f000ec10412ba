"""Who holds a draining run up: lack of progress, never total time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from voicepipe.census.stack import where
from voicepipe.pipeline.task_seat import Worker
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


def holders(workers: Sequence[Worker]) -> list[Holder]:
    """Who may be holding others up at this moment."""
    return [Holder(w.label, _mark(w), where(w.task)) for w in workers if _holds(w)]


class StallWatch:
    """Looks at the stages now and then, and names those that stand still with a frame in hand.

    A stage that waits for room downstream is not at fault, and its time does not count. Neither does the
    time in which the event loop itself stood still: nobody could have got on with anything.
    """

    def __init__(self, workers: Sequence[Worker], limit_s: float, now: float) -> None:
        self._workers = workers
        self._limit_s = limit_s
        self._every_s = max(limit_s / 20, 0.01)
        self._seen: dict[Worker, tuple[object, float]] = {}
        self._looked_s = now
        self._lived_s = 0.0
        """How long the loop has lived since the beginning. What follows is in this time."""
        self._all_idle_since = 0.0

    def look(self, now: float) -> tuple[list[tuple[Worker, SlowStage]], float]:
        """Those stuck for the limit, and when to look again."""
        self._lived_s += min(now - self._looked_s, 2 * self._every_s)
        self._looked_s = now
        stuck: list[tuple[Worker, SlowStage]] = []
        wait_s = self._every_s
        for worker in self._workers:
            still_s = self._stood_still(worker)
            if still_s is None:
                continue
            self._all_idle_since = self._lived_s
            if still_s >= self._limit_s:
                stuck.append((worker, _describe(worker, still_s)))
            else:
                wait_s = min(wait_s, self._limit_s - still_s)
        return stuck, now + max(wait_s, _LEAST_S)

    @property
    def lost(self) -> bool:
        """Nobody has held anything for the limit, and yet the End is not here."""
        return self._lived_s - self._all_idle_since >= self._limit_s

    def _stood_still(self, worker: Worker) -> float | None:
        """How long a stage has made no progress; None where it holds nothing."""
        now = self._lived_s
        if worker.blocked or not worker.box.is_empty:
            self._all_idle_since = now
        if not _holds(worker):
            self._seen.pop(worker, None)
            return None
        mark = _mark(worker)
        seen, since = self._seen.get(worker, (None, now))
        if mark != seen:
            since = now
            self._seen[worker] = (mark, now)
        return now - since


def _holds(worker: Worker) -> bool:
    return worker.box.bypass is None and worker.current is not None and not worker.blocked


def _mark(worker: Worker) -> tuple[object, ...]:
    return worker.progress, _progress_of(worker), worker.current


def _progress_of(worker: Worker) -> object:
    try:
        return worker.processor.progress()
    except BaseException as error:  # a stage's failure becomes a PipelineError
        worker.raised(error)
        return None


def _describe(worker: Worker, seconds: float) -> SlowStage:
    return SlowStage(worker.label, seconds, where(worker.task), repr(worker.current))
