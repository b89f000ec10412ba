"""Notices that a device runs at another rate than it was opened at.

A Bluetooth headset goes over to telephone quality when its microphone is opened, and nobody says so: the
callbacks come slower, or faster, and the sound has another pitch.
"""

from __future__ import annotations

__all__ = ["RateWatch"]

SLOWEST, FASTEST = 0.7, 1.4
"""Beside the rate at which it was opened. No clock is so wrong, no busy machine so slow for long."""
WINDOW_S = 1.0
LONGEST_S = 1.5
"""A window that lasted longer proves nothing: we were held up ourselves."""
WINDOWS = 3
"""In a row, all too slow or all too fast, before it is believed."""


class RateWatch:
    """Looks at how many callbacks there were, from time to time.

    Args:
        block_s: how long a block lasts at the rate at which the device was opened, in seconds.
    """

    def __init__(self, block_s: float) -> None:
        self._block_s = block_s
        self._began: tuple[float, int] | None = None
        self._ratios: list[float] = []

    def look(self, now_s: float, calls: int) -> float | None:
        """How fast it runs, where that is certain and wrong: 0.5 is half the rate. Otherwise None."""
        if self._began is None:
            self._began = now_s, calls
            return None
        passed_s, called = now_s - self._began[0], calls - self._began[1]
        if passed_s < WINDOW_S:
            return None
        self._began = now_s, calls
        ratio = called * self._block_s / passed_s
        if passed_s > LONGEST_S or SLOWEST <= ratio <= FASTEST:
            self._ratios.clear()
            return None
        if self._ratios and (ratio < 1) != (self._ratios[-1] < 1):
            self._ratios.clear()
        self._ratios.append(ratio)
        return sum(self._ratios) / WINDOWS if len(self._ratios) == WINDOWS else None
