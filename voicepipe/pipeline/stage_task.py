"""Tasks that run a stage's code: whatever it raises stays in its task."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

__all__ = ["error_of", "finished", "start_task"]

T = TypeVar("T")


class StageExitError(Exception):
    """A stage's task raised KeyboardInterrupt or SystemExit, which is the cause of this."""


def start_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T], name: str, *, always: bool = False
) -> asyncio.Task[T]:
    """A task whose KeyboardInterrupt or SystemExit is an error like any other.

    asyncio would throw either out of the event loop, past everything that closes the run.

    Args:
        always: the coroutine is begun though the task is cancelled before its first step, as by an
            `asyncio.run` that ends. That cancellation is forgotten.
    """
    return loop.create_task(_Contained(coroutine, always), name=name)


def error_of(task: asyncio.Task[Any]) -> BaseException | None:
    """What a task that is done has raised; a CancelledError where it was cancelled."""
    if task.cancelled():
        return asyncio.CancelledError()
    error = task.exception()
    return error.__cause__ if isinstance(error, StageExitError) else error


def finished(task: asyncio.Task[Any]) -> asyncio.Future[None]:
    """A future that is done when the task is. To cancel it does nothing to the task.

    `asyncio.wait` of the one task would be a dozen objects that stay for as long as the task runs.
    """
    told: asyncio.Future[None] = task.get_loop().create_future()

    def tell(_: asyncio.Task[Any]) -> None:
        if not told.done():
            told.set_result(None)

    task.add_done_callback(tell)
    return told


class _Contained(Coroutine[Any, Any, T]):
    """A coroutine, step by step. No coroutine around it: one that is cancelled before its first step
    would leave the inner one never awaited, and tell the census its own name."""

    def __init__(self, inner: Coroutine[Any, Any, T], always: bool) -> None:
        self._inner = inner
        self._is_due = always
        """It is to be begun, whatever comes."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)  # its name, and where it stands

    def __await__(self) -> Generator[Any, Any, T]:
        return self._inner.__await__()

    def send(self, value: Any) -> Any:
        """The next step."""
        self._is_due = False
        try:
            return self._inner.send(value)
        except (KeyboardInterrupt, SystemExit) as error:
            raise StageExitError(repr(error)) from error

    def throw(self, *raised: Any) -> Any:
        """The next step begins with an exception."""
        if self._is_due:
            return self.send(None)
        try:
            return self._inner.throw(*raised)
        except (KeyboardInterrupt, SystemExit) as error:
            raise StageExitError(repr(error)) from error

    def close(self) -> None:
        """There is no next step."""
        self._inner.close()
