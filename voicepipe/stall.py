"""Who holds a draining run up: lack of progress, never total time."""

from __future__ import annotations

from collections.abc import Sequence

from voicepipe.element import where
from voicepipe.report import SlowStage
from voicepipe.worker import Worker

__all__ = ["StallWatch"]


class StallWatch:
    """Looks at the stages now and then, and names those that stand still with a frame in hand.

    A stage that waits for room downstream is not at fault, and its time does not count.
    """

    def __init__(self, workers: Sequence[Worker], limit_s: float, now: float) -> None:
        self._workers = workers
        self._limit_s = limit_s
        self._seen: dict[Worker, tuple[object, float]] = {}
        self._all_idle_since = now

    def look(self, now: float) -> tuple[list[tuple[Worker, SlowStage]], float]:
        """Those stuck for the limit, and when to look again."""
        stuck: list[tuple[Worker, SlowStage]] = []
        due = now + max(self._limit_s / 20, 0.01)
        busy = False
        for worker in self._workers:
            since = self._still_since(worker, now)
            if since is None:
                continue
            busy = True
            if now >= since + self._limit_s:  # as `due` is reckoned: rounding must not part the two
                stuck.append((worker, _describe(worker, now - since)))
            else:
                due = min(due, since + self._limit_s)
        if busy:
            self._all_idle_since = now
        return stuck, due

    def lost(self, now: float) -> bool:
        """Nobody has held anything for the limit, and yet the End is not here."""
        return now >= self._all_idle_since + self._limit_s

    def _still_since(self, worker: Worker, now: float) -> float | None:
        """Since when a stage has made no progress; None where it holds nothing."""
        if worker.blocked or not worker.box.is_empty:
            self._all_idle_since = now
        if worker.box.bypass is not None or worker.current is None or worker.blocked:
            self._seen.pop(worker, None)
            return None
        mark = (worker.progress, _progress_of(worker), worker.current)
        seen, since = self._seen.get(worker, (None, now))
        if mark != seen:
            since = now
            self._seen[worker] = (mark, now)
        return since


def _progress_of(worker: Worker) -> object:
    try:
        return worker.processor.progress()
    except BaseException as error:  # a stage's failure becomes a PipelineError
        worker.raised(error)
        return None


def _describe(worker: Worker, seconds: float) -> SlowStage:
    return SlowStage(worker.label, seconds, where(worker.task), repr(worker.current))
