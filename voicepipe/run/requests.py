"""The requests to a run, from any thread: kept before the run starts, then passed to its event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from voicepipe.lifecycle import Request
from voicepipe.run.course import Course

__all__ = ["Requests"]

_MOST_KEPT = 8
_lock = threading.Lock()
"""One for all: it is held for a few instructions."""


class Requests:
    """The way of requests from the program to its run. From any thread; never raises."""

    __slots__ = ("_course", "_kept")

    def __init__(self) -> None:
        self._kept: tuple[tuple[Request, str], ...] = ()
        self._course: Course | None = None

    @property
    def are_kept(self) -> bool:
        """True if an end or a cancel was requested before the run."""
        return bool(self._kept)

    def go_to(self, course: Course) -> None:
        """Pass the kept requests, and all later ones, to this course."""
        with _lock:
            self._course = course
            for request, reason in self._kept:
                course.ask(request, reason)

    def ask(self, request: Request, reason: str) -> None:
        """Request an end or a cancel."""
        with _lock:
            course = self._course
            if course is None:
                self._kept = (*self._kept, (request, reason))[-_MOST_KEPT:]
                return
        _in_loop(course, lambda: course.ask(request, reason))

    def ask_interruption(self) -> None:
        """Request an interruption. Without effect before the run."""
        course = self._course
        if course is not None:
            _in_loop(course, course.ask_interruption)

    def do(self, call: Callable[[], None]) -> None:
        """Make a call in the run's loop; at once before the run, and after it."""
        course = self._course
        if course is None or course.state.is_final or course.loop.is_closed():
            call()
        else:
            _in_loop(course, call)


def _in_loop(course: Course, call: Callable[[], None]) -> None:
    if _running_loop() is course.loop:
        call()
    elif not course.state.is_final:
        try:
            course.loop.call_soon_threadsafe(call)
        except RuntimeError:
            pass  # the loop was closed meanwhile: there is no run left to act on


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
