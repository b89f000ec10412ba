"""Named timers of one owner: a new one takes the place of the old one of its name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Timers"]


class Timers:
    """The timers of one stage. In the loop's thread."""

    def __init__(self) -> None:
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def start(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        """Call `act` in so many seconds, or in the next step of the loop if there are none."""
        self.stop(name)
        self._timers[name] = asyncio.get_running_loop().call_later(max(0.0, seconds), act)

    def stop(self, *names: str) -> None:
        """Cancel the timers of these names; without a name, all of them."""
        for name in names or tuple(self._timers):
            timer = self._timers.pop(name, None)
            if timer is not None:
                timer.cancel()
