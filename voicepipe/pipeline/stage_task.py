"""Tasks that run a stage's code and contain whatever it raises."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from voicepipe.census.stack import raised_at
from voicepipe.text import printable, quote

__all__ = [
    "StageExitError",
    "error_of",
    "escaped_from",
    "is_running",
    "start_task",
    "unwrap",
]

T = TypeVar("T")


class StageExitError(Exception):
    """The error of a stage's task that raised KeyboardInterrupt or SystemExit, which is its cause."""


def start_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], name: str, *, always: bool = False
) -> asyncio.Task[T]:
    """Start a task in which KeyboardInterrupt and SystemExit are errors like any other.

    asyncio would raise them out of the event loop, and the run would not be closed.

    Args:
        always: begin the coroutine even if the task is cancelled before its first step, for example
            when `asyncio.run` ends. That cancellation is forgotten.
    """
    return loop.create_task(_Contained(coroutine, always), name=name)


def error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """Return the exception of a task that is done; a CancelledError if it was cancelled."""
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    return None if error is None else unwrap(error)


def unwrap(error: BaseException) -> BaseException:
    """Return the KeyboardInterrupt or SystemExit behind a StageExitError; any other error itself."""
    cause = error.__cause__ if type(error) is StageExitError else None
    return error if cause is None else cause


def escaped_from(task: asyncio.Task[Any]) -> BaseException | None:
    """Return the error with which a task ended; None if it ended well, or somebody has cancelled it.

    A CancelledError that nobody asked for is an error. The task awaited something that was
    cancelled, or raised it, and its work is not done.
    """
    if not task.cancelled():
        return error_of(task)
    if task.cancelling():
        return None
    error = RuntimeError(f"the task {task.get_name()} ended without a request")
    try:
        task.result()
    except asyncio.CancelledError as stray:
        place = raised_at(stray)
        error = RuntimeError(
            f"the task {printable(task.get_name())} ended by a CancelledError that nobody asked for"
            f"{place and f', at {place}'}: it awaited something that was cancelled"
        )
        error.__cause__ = stray
    return error


def is_running(task: asyncio.Task[Any] | None) -> bool:
    """Return True if the event loop is running this task now. Without a loop, it is not."""
    try:
        return task is not None and asyncio.current_task() is task
    except RuntimeError:
        return False


class _Contained(Coroutine[Any, Any, T]):
    """A coroutine that is run step by step, with its exits contained.

    A wrapper coroutine would not do. If it were cancelled before its first step, the inner one
    would never be awaited, and the census would show the wrapper's name.
    """

    def __init__(self, inner: Coroutine[Any, Any, T], always: bool) -> None:
        self._inner = inner
        self._is_due = always
        """True until the first step, if the coroutine must begin in any case."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # its name, and where it stands

    def __await__(self) -> Generator[Any, Any, T]:
        return self._inner.__await__()

    def send(self, value: Any) -> Any:
        """Run the next step."""
        self._is_due = False
        try:
            return self._inner.send(value)
        except (KeyboardInterrupt, SystemExit) as error:
            raise StageExitError(quote(error)) from error

    def throw(self, *raised: Any) -> Any:
        """Run the next step, beginning with an exception."""
        if self._is_due:
            return self.send(None)
        try:
            return self._inner.throw(*raised)
        except (KeyboardInterrupt, SystemExit) as error:
            raise StageExitError(quote(error)) from error

    def close(self) -> None:
        """Close the inner coroutine."""
        self._inner.close()
