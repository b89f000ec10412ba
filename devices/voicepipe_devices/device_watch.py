"""A watch on a device: it notices that callbacks fail to come, or come at another rate.

A driver's word that it is active means nothing. And a Bluetooth headset goes over to telephone quality when
its microphone is opened, and nobody says so: the callbacks come slower, or faster, and the pitch changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicepipe.devices.callback_counts import CallbackCounter

__all__ = ["DeviceWatch", "RateWatch"]

SLOWEST, FASTEST = 0.7, 1.4
"""Beside the rate at which it was opened. No clock is so wrong, no busy machine so slow for long."""
WINDOW_S = 1.0
LONGEST_S = 1.5
"""A window that lasted longer proves nothing: we were held up ourselves."""
WINDOWS = 3
"""In a row, all too slow or all too fast, before it is believed."""


class DeviceWatch(CallbackCounter):
    """Notices by our own clock that no callback comes, or that they come at another rate.

    A driver's word that it is active means nothing.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        all_calls: Callable[[], int],
        lost: Callable[[float], None],
        changed: Callable[[float], None],
    ) -> None:
        super().__init__(loop.time)
        self._loop = loop
        self._all_calls = all_calls
        self._lost = lost
        self._changed = changed
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0
        self._looked_s = self._silent_s = 0.0
        self._limit_s = self._first_limit_s = 0.0
        self._rate: RateWatch

    def start(self, limit_s: float, first_limit_s: float, block_s: float) -> None:
        """Begin to watch: a device that is silent for `limit_s` is lost, and so is one whose rate changes."""
        self._limit_s = limit_s
        self._first_limit_s = first_limit_s
        self._rate = RateWatch(block_s)
        self._looked_s = self._loop.time()
        self._look_later()

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        self._timer = self._loop.call_later(self._limit_s / 4, self._look)

    def _look(self) -> None:
        now, calls = self._loop.time(), self._all_calls()
        # Where this process itself was held up (a held GIL, SIGSTOP), the callbacks were too: a
        # late look proves little, and counts for half the limit at most.
        self._silent_s += min(now - self._looked_s, self._limit_s / 2)
        if calls != self._seen:
            self._silent_s = 0.0
        self._seen, self._looked_s = calls, now
        if self._silent_s >= (self._limit_s if calls else self._first_limit_s):
            self._lost(self._silent_s)
        elif (ratio := self._rate.look(now, calls)) is not None:
            self._changed(ratio)
        else:
            self._look_later()


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
        """Return the speed of the device where it is surely wrong (0.5 is half the rate), otherwise None."""
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
