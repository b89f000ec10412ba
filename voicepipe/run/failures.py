"""The errors of a run: kept for its report, and logged at most once a second for each stage."""

from __future__ import annotations

import logging
from collections.abc import Callable

from voicepipe.errors import VoicepipeError
from voicepipe.report import StageError
from voicepipe.text import LONGEST_ERROR, printable

__all__ = ["ErrorBook", "LimitedLog", "describe", "describe_briefly"]


_MOST = 100


class ErrorBook:
    """The first hundred errors of a run. `run()` raises the first failure; the others are logged."""

    def __init__(self, run_id: str, clock: Callable[[], float]) -> None:
        self._run_id = run_id
        self._log = LimitedLog(logging.getLogger("voicepipe"), clock)
        self.errors: list[StageError] = []
        self.failure: tuple[str, BaseException] | None = None
        """The label of the stage and the exception that made the run fail. None if it did not fail."""

    def fail(self, stage: str, error: BaseException, *, may_fail: bool) -> bool:
        """Keep an exception that escaped a stage; return True if it is the one that makes the run fail."""
        self.note(stage, describe(error), error)
        if self.failure is None and may_fail:
            self.failure = (stage, error)
            return True
        self.log(stage, describe(error))
        return False

    def report(self, stage: str, error: BaseException) -> None:
        """Keep and log an exception after which the run goes on."""
        self.note(stage, describe(error), error)
        self.log(stage, describe(error))

    def note(self, stage: str, message: str, error: BaseException | None = None) -> None:
        """Keep an error for the report."""
        if len(self.errors) < _MOST:
            self.errors.append(StageError(stage, printable(message), error))

    def log(self, stage: str, message: str) -> None:
        """Log a warning, at most one a second for each stage."""
        self._log.warning(stage, "%s: %s: %s", self._run_id, stage, message)


def describe(error: BaseException) -> str:
    """Return an error in one line, with its class."""
    return printable(f"{type(error).__name__}: {error}")


def describe_briefly(error: BaseException) -> str:
    """Return an error in one line, without the class of a VoicepipeError or a TimeoutError."""
    if isinstance(error, VoicepipeError):
        return printable(error, LONGEST_ERROR)
    return printable(error) if isinstance(error, TimeoutError) else describe(error)


class LimitedLog:
    """A log with at most one line a second for each key. The next line counts the omitted ones."""

    _most_keys = 256

    def __init__(self, logger: logging.Logger, clock: Callable[[], float], every_s: float = 1.0) -> None:
        self._logger = logger
        self._clock = clock
        self._every_s = every_s
        self._last: dict[str, tuple[float, int]] = {}

    def warning(self, key: str, message: str, *args: object) -> None:
        """Log a warning, unless the key had one within the last second."""
        now = self._clock()
        when, held_back = self._last.get(key, (now - self._every_s, 0))
        if now - when < self._every_s:
            self._last[key] = (when, held_back + 1)
            return
        if len(self._last) >= self._most_keys:
            self._last.clear()
        self._last[key] = (now, 0)
        if held_back:
            message, args = message + " (and %d more like it)", (*args, held_back)
        self._logger.warning(message, *args)
