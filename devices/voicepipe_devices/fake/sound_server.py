"""The simulated sound server behind a side, and calls that take their time as calls into C do."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from voicepipe.checks import check_seconds

__all__ = ["SoundServer", "call_of"]


class SoundServer:
    """The sound server behind one side: it runs, or has stopped until a time, or until further notice."""

    def __init__(self) -> None:
        self._back_s = -math.inf
        self._answers = True
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def runs(self) -> bool:
        """True while it runs."""
        return asyncio.get_running_loop().time() >= self._back_s

    @property
    def answers(self) -> bool:
        """True where a request returns, though it may fail."""
        return self._answers or self.runs

    def stop(self, seconds: float, *, answers: bool = True) -> None:
        """Stop for so long; without `answers` no request returns meanwhile."""
        if seconds != math.inf:
            check_seconds("seconds", seconds)
        self._back_s, self._answers = asyncio.get_running_loop().time() + seconds, answers

    def go_on(self) -> None:
        """Run again."""
        self._back_s = -math.inf
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def is_back(self) -> None:
        """Return when it runs. Cannot be cancelled, as a call into C."""
        await _call_until(lambda: self._back_s, self._waiting)


async def call_of(seconds: float) -> None:
    """Take so long, as a call into C does: it cannot be cancelled, and raises that when it is back."""
    back_s = asyncio.get_running_loop().time() + seconds
    await _call_until(lambda: back_s, set())


async def _call_until(back_s: Callable[[], float], waiting: set[asyncio.Future[None]]) -> None:
    """Do the same until a time, which may change: then the futures in `waiting` are completed."""
    cancelled: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    while (left := back_s() - loop.time()) > 0:
        changed = loop.create_future()
        waiting.add(changed)
        try:
            await asyncio.wait([changed], timeout=None if left == math.inf else left)
        except asyncio.CancelledError as error:
            cancelled = error
        finally:
            waiting.discard(changed)
    if cancelled is not None:
        raise cancelled
