"""The errors of a run: kept for its report, and logged at most once a second for each stage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from voicepipe.census.stack import users_line
from voicepipe.errors import VoicepipeError
from voicepipe.log import logger_of
from voicepipe.report import StageError
from voicepipe.text import LONGEST_ERROR, class_name, printable

__all__ = ["ErrorBook", "LimitedLog", "describe", "describe_briefly", "place_of"]


_MOST = 100


class ErrorBook:
    """The first hundred errors of a run. `run()` raises the first failure; the others are logged."""

    __slots__ = ("_clock", "_log", "_run_id", "errors", "failure")

    def __init__(self, run_id: str, clock: Callable[[], float]) -> None:
        self._run_id = run_id
        self._clock = clock
        self._log: LimitedLog | None = None
        self.errors: tuple[StageError, ...] = ()
        self.failure: tuple[str, BaseException] | None = None
        """The label of the stage and the exception that made the run fail. None if it did not fail."""

    def fail(self, stage: str, error: BaseException, *, may_fail: bool) -> bool:
        """Keep an exception that escaped a stage; return True if it is the one that makes the run fail."""
        is_the_first = self.failure is None and may_fail
        if is_the_first:
            self.errors = self.errors[: _MOST - 1]  # it is in the report, however many there were before
        self.note(stage, describe(error), error)
        if is_the_first:
            self.failure = (stage, error)
            return True
        self.log(stage, describe(error) + place_of(error))
        return False

    def report(self, stage: str, error: BaseException) -> None:
        """Keep and log an exception after which the run goes on."""
        self.note(stage, describe(error), error)
        self.log(stage, describe(error) + place_of(error))

    def note(self, stage: str, message: str, error: BaseException | None = None) -> None:
        """Keep an error for the report."""
        if len(self.errors) < _MOST:
            self.errors += (StageError(printable(stage), printable(message), error),)

    def log(self, stage: str, message: str) -> None:
        """Log a warning, at most one a second for each stage."""
        if self._log is None:
            self._log = LimitedLog(logger_of("voicepipe"), self._clock)
        self._log.warning(stage, "%s: %s: %s", self._run_id, stage, message)


def describe(error: BaseException) -> str:
    """Return an error in one line, with its class. Never raises, whatever the error's own code does."""
    return printable(_with_class(error, _words_of(error)))


def describe_briefly(error: BaseException) -> str:
    """Return an error in one line; only the class of an error that nobody expects is named."""
    kind = type(error)  # not isinstance, which asks the error for its `__class__`
    if issubclass(kind, VoicepipeError):
        return printable(error, LONGEST_ERROR)
    if kind in _OF_FILES and (file := _file_and_reason(error)):
        return file
    return printable(error) if issubclass(kind, TimeoutError) else describe(error)


def _file_and_reason(error: BaseException) -> str:
    """Return the file and the system's words of an OSError; empty if it has none."""
    assert isinstance(error, OSError)
    is_whole = error.filename is not None and error.strerror
    return f"{printable(error.filename)}: {printable(error.strerror)}" if is_whole else ""


_OF_FILES = (FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
"""The system's own classes alone: a class that derives from one may make anything of its attributes."""


def place_of(error: BaseException) -> str:
    """Return the line of the user's code that raised an error, as " at bot.py:12"; empty if none did."""
    line = users_line(error)
    return f" at {printable(line)}" if line else ""


def _with_class(error: BaseException, words: str) -> str:
    return f"{class_name(error)}: {words}" if words else class_name(error)


def _words_of(error: BaseException) -> str:
    words = printable(error)
    if issubclass(type(error), asyncio.CancelledError):
        return f"{words} ({_STRAY})" if words else _STRAY
    inner = _first_of(error)
    return words if inner is None else f"{words}: {_with_class(inner, printable(inner))}"


def _first_of(error: BaseException) -> BaseException | None:
    """Return the first error in a group, or in the groups in it; None if the error is no group."""
    inner = error
    while issubclass(type(inner), BaseExceptionGroup):
        inner = _MEMBERS(inner)[0]
    return None if inner is error else inner


_STRAY = "nobody asked for it; the stage awaited something that was cancelled"
_MEMBERS: Callable[[BaseException], tuple[BaseException, ...]] = vars(BaseExceptionGroup)[
    "exceptions"
].__get__
"""The errors in a group, whatever its class makes of `exceptions`."""


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
