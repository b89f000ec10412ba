"""The callbacks of a device, counted and timed by our own clock.

A library's flags do not tell of a callback that came late, and a device that works badly still works: so
somebody who looks for the cause of a stutter finds it here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass

__all__ = ["CallbackCounter", "CallbackCounts"]


class CallbackCounts(NamedTuple):
    """The callbacks of a stream so far."""

    calls: int = 0
    """The number of callbacks."""
    late: int = 0
    """The number of those so late that the device's buffer had run dry, or full, meanwhile."""
    underflows: int = 0
    """The number of times that the device itself said that it ran dry."""
    longest_wait_s: float = 0.0
    """The longest time between two of them, in seconds."""

    def and_then(self, later: CallbackCounts) -> CallbackCounts:
        """Add the counts of a later stream."""
        return CallbackCounts(
            self.calls + later.calls,
            self.late + later.late,
            self.underflows + later.underflows,
            max(self.longest_wait_s, later.longest_wait_s),
        )


class CallbackCounter:
    """Counts the callbacks of one stream. One writer, the callback; anybody may read."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls = self._late = 0
        self._longest_s = 0.0
        self._last_s = math.inf
        self._late_s = math.inf

    def expect(self, block_s: float, latency_s: float) -> None:
        """Expect a callback with every block, from a device that buffers so much."""
        self._late_s = block_s + max(block_s, latency_s)

    def note_call(self) -> None:
        """Count a callback. For the callback."""
        now_s = self._clock()
        waited_s = now_s - self._last_s
        self._last_s = now_s
        self._calls += 1
        if waited_s > self._longest_s:
            self._longest_s = waited_s
        if waited_s > self._late_s:
            self._late += 1

    @property
    def last_s(self) -> float | None:
        """The time of the last callback, by the clock; None: there was none."""
        return None if self._last_s == math.inf else self._last_s

    def counts(self, underflows: int = 0) -> CallbackCounts:
        """Return the counts as they are now."""
        return CallbackCounts(self._calls, self._late, underflows, self._longest_s)
