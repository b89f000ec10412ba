"""The world outside the event loop, which ticks by its own clock whether the loop is busy or not.

A simulated card asks it to be called at set times, as a sound card's interrupt would call.
`ThreadedHardware` does that from a thread; a virtual clock has one in virtual time.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Hardware", "Tick", "ThreadedHardware"]


_REST_S = 1.0


class Tick:
    """A call that hardware will make. Cancelling it is safe from any thread, and more than once."""

    __slots__ = ("callback", "cancelled", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        """Do not make the call, unless it is being made."""
        self.cancelled = True


class Hardware(Protocol):
    """A clock, and calls at set times in a context that is not the event loop's."""

    def now(self) -> float:
        """Return the time in seconds, by the same clock as the event loop's `time()`. From any thread."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        """Make a call at that time, in the hardware's context. From any thread."""
        ...

    def rest(self) -> None:
        """Rest, for nothing more is due; return when no call is being made. Not from a call."""
        ...


class ThreadedHardware:
    """Ticks in real time, from one thread that exists only while calls are due."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._due: list[tuple[float, int, Tick]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        """The last one that was made."""
        self._ticking = False
        """True while it will look again at what is due."""
        self._calling = False

    def now(self) -> float:
        """Return the time of the monotonic clock, which is asyncio's too."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        """Make a call at that time, from the hardware's thread."""
        if self._process != os.getpid():
            self._begin()  # a forked child has no thread, and a lock that nobody may ever release
        tick = Tick(when, callback)
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), tick))
            if not self._ticking:
                self._thread = threading.Thread(target=self._tick, name="voicepipe:hardware", daemon=True)
                self._thread.start()
                self._ticking = True
            self._changed.notify_all()
        return tick

    def rest(self) -> None:
        """Make the thread see what was cancelled. Wait for its call, and for its end if nothing is due."""
        if self._process != os.getpid():
            return
        with self._changed:
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._calling, _REST_S)
            thread = self._thread
            idle = all(tick.cancelled for _, _, tick in self._due)
        if thread is not None and idle:
            thread.join(_REST_S)

    def _tick(self) -> None:
        while (tick := self._next()) is not None:
            tick.callback()

    def _next(self) -> Tick | None:
        """Wait for the next call to come due; None, and the thread's end, where there is none."""
        with self._changed:
            self._calling = False
            self._changed.notify_all()
            while True:
                while self._due and self._due[0][2].cancelled:
                    heapq.heappop(self._due)
                if not self._due:
                    self._ticking = False
                    return None
                seconds = self._due[0][0] - time.monotonic()
                if seconds <= 0:
                    self._calling = True
                    return heapq.heappop(self._due)[2]
                self._changed.wait(seconds)
