"""From a sound library's clock to ours: when a block was captured."""

from __future__ import annotations

__all__ = ["CaptureClock"]

OLDEST_S = 2.0
"""No block is older than that when it arrives; a clock that says so is another one."""
LEAK = 1e-3
"""The two clocks may drift apart by so much; ours is followed no faster."""
SET_S = 0.5
"""A larger change is of a clock that was set."""
_STEP_S = 1e-6


class CaptureClock:
    """Knows what the two clocks differ by, though each look at both comes late.

    A callback's thread looks at our clock some time behind the library, which looked at its own:
    microseconds, or, where another thread held Python's lock meanwhile, a hundred milliseconds. So the least
    difference that was seen is the true one.

    Args:
        latency_s: between the air and the callback, where the library does not know.
    """

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._difference_s: float | None = None
        self._looked_s = self._last_s = 0.0

    def capture_time_s(
        self, now_s: float, library_s: float, began_s: float, block_s: float
    ) -> tuple[float, float]:
        """Return the time at which a block's first sample was captured, by our clock and by the library's.

        Args:
            now_s: this moment, by our clock.
            library_s: and by the library's, which it looked at before.
            began_s: when the first sample was captured, by the library's.
            block_s: the length of the block.
        """
        if not 0.0 <= library_s - began_s <= OLDEST_S:  # the two are not on one clock
            began_s = library_s - self._latency_s - block_s
        captured_s = max(began_s + self._difference(now_s, now_s - library_s), self._last_s + _STEP_S)
        self._last_s = captured_s
        return captured_s, began_s

    def _difference(self, now_s: float, seen_s: float) -> float:
        before_s = self._difference_s
        if before_s is None or seen_s <= before_s or seen_s > before_s + SET_S:
            difference_s = seen_s
        else:
            difference_s = min(seen_s, before_s + LEAK * (now_s - self._looked_s))
        self._difference_s, self._looked_s = difference_s, now_s
        return difference_s
