"""The pace of a stream without hardware: at once, or by a clock as hardware has."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["AtOnce", "Clock", "Pace"]

BREATH = 32
"""Blocks that are taken in one go; then everybody else gets a turn."""


class Pace(Protocol):
    """Says how many blocks a device would have come to by now."""

    def start(self) -> None:
        """Begin. Called once."""

    def stop(self) -> None:
        """Stop: no more blocks from now on."""

    def more(self) -> bool:
        """Take one more block, if its time has come."""
        ...

    @property
    def waiting(self) -> int:
        """Blocks whose time has come, not taken yet."""
        ...


class AtOnce:
    """Every block's time has come; but after some of them the loop gets a turn.

    A pipeline of synchronous stages never waits: without this, nothing else would run until the
    file ends, the request to end it included.
    """

    def __init__(self, call_again: Callable[[], None]) -> None:
        self._call_again = call_again
        self._breath = BREATH
        self._running = False

    waiting = 0

    def start(self) -> None:
        """Begin."""
        self._running = True

    def stop(self) -> None:
        """Stop: no more blocks from now on."""
        self._running = False

    def more(self) -> bool:
        """Take one more; no, once in a while, and then it calls."""
        if not self._running:
            return False
        if not self._breath:
            self._breath = BREATH
            self._call_again()
            return False
        self._breath -= 1
        return True


class Clock:
    """A device's clock: a block is over at every multiple of its length since the start.

    Args:
        block_s: the length of a block, in seconds.
        tick: is called when a block is over; returns whether it wants to be called for the next one.
    """

    def __init__(self, block_s: float, tick: Callable[[], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._block_s = block_s
        self._tick = tick
        self._began_s = 0.0
        self._over = self._taken = 0
        self._running = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin. A second call does nothing."""
        if not self._running:
            self._began_s = self._loop.time()
            self._running = True
            self.tick_later()

    def stop(self) -> None:
        """Stop the blocks and the calls; blocks that are over can still be taken."""
        self._look()
        self._running = False
        if self._timer is not None:
            self._timer.cancel()

    def more(self) -> bool:
        """Take one block that is over."""
        if not self.waiting:
            return False
        self._taken += 1
        return True

    def skip(self) -> None:
        """Skip the blocks that are over."""
        self._taken += self.waiting

    @property
    def taken(self) -> int:
        """Blocks that were taken or skipped."""
        return self._taken

    def end_s(self, block: int) -> float:
        """Return the time at which the block of that number, counted from 0, is over, by the loop's clock."""
        return self._began_s + (block + 1) * self._block_s

    @property
    def waiting(self) -> int:
        """Blocks that are over, not taken yet."""
        self._look()
        return self._over - self._taken

    @property
    def is_ticking(self) -> bool:
        """The next tick is coming."""
        return self._timer is not None

    def tick_later(self) -> None:
        """Call `tick` once, when the next block is over."""
        self._look()
        if self._running and self._timer is None:
            self._timer = self._loop.call_at(self.end_s(self._over), self._ring, self._over + 1)

    def _ring(self, over: int) -> None:
        # A loop's timers may fire a moment early: the block they were for counts as over.
        self._over = max(self._over, over)
        self._timer = None
        if self._tick():
            self.tick_later()

    def _look(self) -> None:
        now = self._loop.time()
        while self._running and self.end_s(self._over) <= now:
            self._over += 1
