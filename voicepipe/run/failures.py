"""A log that repeats itself at most once a second, and says how often it held its tongue."""

from __future__ import annotations

import logging
from collections.abc import Callable

from voicepipe.errors import VoicepipeError
from voicepipe.report import StageError
from voicepipe.text import printable

__all__ = ["ErrorBook", "LimitedLog", "brief", "named"]


_MOST = 100


class ErrorBook:
    """Keeps the first hundred errors. The first failure is what `run()` raises; the others are logged."""

    def __init__(self, run_id: str, clock: Callable[[], float]) -> None:
        self._run_id = run_id
        self._log = LimitedLog(logging.getLogger("voicepipe"), clock)
        self.errors: list[StageError] = []
        self.failure: tuple[str, BaseException] | None = None
        """The stage and the exception that make the run a failure."""

    def fail(self, stage: str, error: BaseException, *, may_fail: bool) -> bool:
        """An exception escaped. Whether it is the one that makes the run a failure."""
        self.note(stage, named(error), error)
        if self.failure is None and may_fail:
            self.failure = (stage, error)
            return True
        self.log(stage, named(error))
        return False

    def report(self, stage: str, error: BaseException) -> None:
        """An exception that the run goes on after."""
        self.note(stage, named(error), error)
        self.log(stage, named(error))

    def note(self, stage: str, message: str, error: BaseException | None = None) -> None:
        """Keep it for the report."""
        if len(self.errors) < _MOST:
            self.errors.append(StageError(stage, printable(message), error))

    def log(self, stage: str, message: str) -> None:
        """A warning, at most one a second for each stage."""
        self._log.warning(stage, "%s: %s: %s", self._run_id, stage, message)


def named(error: BaseException) -> str:
    """An error in one line, with its class."""
    return printable(f"{type(error).__name__}: {error}")


def brief(error: BaseException) -> str:
    """An error in one line; the class only where the text does not speak for itself."""
    return printable(error) if isinstance(error, (VoicepipeError, TimeoutError)) else named(error)


class LimitedLog:
    """At most one line a second for each key; the next line counts what was left out."""

    _most_keys = 256

    def __init__(self, logger: logging.Logger, clock: Callable[[], float], every_s: float = 1.0) -> None:
        self._logger = logger
        self._clock = clock
        self._every_s = every_s
        self._last: dict[str, tuple[float, int]] = {}

    def warning(self, key: str, message: str, *args: object) -> None:
        """Log a warning, unless this key had one within the last second."""
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
