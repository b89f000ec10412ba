"""Tasks that run a stage's code and contain whatever it raises."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["StageExitError", "error_of", "future_of", "is_running", "start_task", "unwrap"]

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
    return error.__cause__ or error if isinstance(error, StageExitError) else error


def is_running(task: asyncio.Task[Any] | None) -> bool:
    """Return True if the event loop is running this task now. Without a loop, it is not."""
    try:
        return task is not None and asyncio.current_task() is task
    except RuntimeError:
        return False


def future_of(task: asyncio.Task[Any]) -> asyncio.Future[None]:
    """Return a future that is done when the task is done. Cancelling it does not affect the task.

    `asyncio.wait` would create a dozen objects that stay for as long as the task runs.
    """
    told: asyncio.Future[None] = task.get_loop().create_future()

    def tell(_: asyncio.Task[Any]) -> None:
        if not told.done():
            told.set_result(None)

    task.add_done_callback(tell)
    return told


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
            raise StageExitError(repr(error)) from error

    def throw(self, *raised: Any) -> Any:
        """Run the next step, beginning with an exception."""
        if self._is_due:
            return self.send(None)
        try:
            return self._inner.throw(*raised)
        except (KeyboardInterrupt, SystemExit) as error:
            raise StageExitError(repr(error)) from error

    def close(self) -> None:
        """Close the inner coroutine."""
        self._inner.close()
