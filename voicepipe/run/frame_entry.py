"""The way of a program's own frames into its pipeline: kept before the start, and sent."""

from __future__ import annotations

import asyncio
from collections import deque

from voicepipe.frames import Frame
from voicepipe.pipeline.mailbox import Congestion

__all__ = ["MOST_AT_ONCE", "FrameEntry"]

_MOST_EARLY = 256
MOST_AT_ONCE = 64
"""Frames sent in a row before others have the loop: a pipeline of inline stages never waits."""


class FrameEntry:
    """Frames before the start, and the waiting of whoever sends. In the loop's thread."""

    __slots__ = ("early", "since_break")

    def __init__(self) -> None:
        self.early: deque[Frame] = deque()
        """Frames that wait for the start."""
        self.since_break = 0
        """Frames that were sent since others had the loop."""

    def keep(self, frame: Frame) -> None:
        """Keep a frame for the start.

        Raises:
            RuntimeError: too many wait.
        """
        if len(self.early) >= _MOST_EARLY:
            raise RuntimeError(
                f"{_MOST_EARLY} frames wait for the start: queue more when run() has been called"
            )
        self.early.append(frame)

    async def wait(self, loop: asyncio.AbstractEventLoop, full: Congestion | None) -> None:
        """Wait for room, and let others have the loop."""
        while full is not None and full.congested:
            waiter = loop.create_future()
            full.add_waiter(waiter)
            await waiter
        if self.since_break >= MOST_AT_ONCE:
            self.since_break = 0
            await asyncio.sleep(0)
