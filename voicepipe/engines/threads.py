"""Threads for calls that wait for a process: a thread for each, so that none waits for another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

__all__ = ["Threads"]

P = ParamSpec("P")
T = TypeVar("T")
_LAST_LINES_S = 0.2


class Threads(Executor):
    """An executor whose threads are daemons: unlike others they keep no program from ending.

    A virtual clock stands still during the jobs of an executor, so an engine can be asked in virtual time.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start a thread that makes this call."""
        future = Future[T]()
        thread = threading.Thread(target=_work, args=(future, fn, args, kwargs), name=self._name, daemon=True)
        self._threads = [other for other in self._threads if other.is_alive()]
        self._threads.append(thread)
        thread.start()
        return future

    def join(self) -> None:
        """Wait for the last lines of threads whose calls have returned. One that still waits is left."""
        for thread in self._threads:
            thread.join(_LAST_LINES_S)
        self._threads = []


def _work(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # is raised where the call is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
