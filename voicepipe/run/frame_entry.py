"""The entry of a program's own frames: kept before the start of the run, then sent."""

from __future__ import annotations

import asyncio
from collections import deque

from voicepipe.frames import Frame
from voicepipe.pipeline.link import Receive
from voicepipe.pipeline.mailbox import Congestion, has_room
from voicepipe.run.run import Run

__all__ = ["MOST_AT_ONCE", "FrameEntry"]

_MOST_EARLY = 256
_PAUSE_S = 0.02
MOST_AT_ONCE = 64
"""The number of frames sent in a row before other tasks get the loop.

A pipeline of inline stages never waits by itself."""


_NONE: deque[Frame] = deque()
"""An empty deque that all tasks share until a frame comes before the start. It is never changed."""


class FrameEntry:
    """The frames kept before the start, and the wait of the sender. In the loop's thread."""

    __slots__ = ("early", "loop", "send", "since_break", "thread")

    def __init__(self) -> None:
        self.early = _NONE
        """The frames that wait for the start."""
        self.loop: asyncio.AbstractEventLoop
        self.thread: int
        self.send: Receive | None = None
        """The function that sends a frame straight in; None while frames may have to wait or are refused.

        While there is one, `loop` and `thread` are those of the run."""
        self.since_break = 0
        """The number of frames sent since other tasks had the loop."""

    def keep(self, frame: Frame) -> None:
        """Keep a frame for the start.

        Raises:
            RuntimeError: 256 frames wait already.
        """
        if len(self.early) >= _MOST_EARLY:
            raise RuntimeError(
                f"{_MOST_EARLY} frames wait for the start already; call run() before you queue more"
            )
        if self.early is _NONE:
            self.early = deque()
        self.early.append(frame)

    async def pause(self) -> None:
        """Let other tasks run, because a sender may never look at the answer; slow it down in the end."""
        self.since_break += 1
        if self.since_break < MOST_AT_ONCE:
            await asyncio.sleep(0)
        else:
            self.since_break = 0
            await asyncio.sleep(_PAUSE_S)

    async def wait(self, run: Run, full: Congestion | None) -> None:
        """Wait for room, and let other tasks run. Raises: RuntimeError, as `StageWork.wait_to_enter`."""
        work = None if full is None else run.current_work()
        if work is not None and full is not None:
            await work.wait_to_enter(full)
        elif full is not None:
            self.since_break = 0
            await asyncio.sleep(0)  # in a flood, a turn of the loop makes room, for less than a future costs
            while not has_room(full):
                waiter = run.loop.create_future()
                full.add_waiter(waiter)
                try:
                    await waiter
                finally:
                    full.remove_waiter(waiter)
        if self.since_break >= MOST_AT_ONCE:
            self.since_break = 0
            await asyncio.sleep(0)
