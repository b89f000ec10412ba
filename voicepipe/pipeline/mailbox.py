"""The bounded mailbox of a stage: what waits there, in which order, and who waits for room.

`put` never waits and never refuses: a frame belongs to the mailbox the moment it is put,
and a pusher that finds the mailbox over its limit waits *afterwards*. So no frame is ever
in limbo with a pusher that may be cancelled, synchronous stages can deliver, and the
overshoot is at most what each pusher puts at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from voicepipe.frames import AudioFrame, Frame, FrameDirection
from voicepipe.pipeline.ledger import Ledger
from voicepipe.report import DropReason

__all__ = ["CAPACITY", "UPSTREAM_CAPACITY", "Congestion", "Mailbox", "Waiter", "wake"]

CAPACITY = 32
"""Downstream frames that wait before a pusher does."""
UPSTREAM_CAPACITY = 256
"""Upstream data beyond this: the oldest is dropped, and counted."""
SYSTEM_CAPACITY = 64
"""System frames of one kind beyond this coalesce: the oldest of the kind goes."""

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
Waiter = asyncio.Future[None]

# What most mailboxes never need is one for all, and stays empty: a thousand sessions have thousands.
_NO_SYSTEM: deque[tuple[Frame, FrameDirection]] = deque()
_NO_UPSTREAM: deque[Frame] = deque()
_NOBODY: list[Waiter] = []


class Congestion(Protocol):
    """Somewhere downstream that is over its limit."""

    @property
    def congested(self) -> bool:
        """Still no room."""
        ...

    def add_waiter(self, waiter: Waiter) -> None:
        """Set this future's result when there may be room."""
        ...

    def remove_waiter(self, waiter: Waiter) -> None:
        """The future is not waited for any more."""
        ...


def wake(waiter: Waiter | None) -> None:
    """Complete a future that somebody may wait for."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class Mailbox:
    """System frames first, then upstream and downstream by turns. For the loop's thread only."""

    __slots__ = (
        "_system",
        "_system_reader",
        "_upstream",
        "_upstream_turn",
        "bypass",
        "capacity",
        "data",
        "ledger",
        "others",
        "pushers",
        "reader",
    )

    def __init__(self, ledger: Ledger, capacity: int = CAPACITY) -> None:
        self.data: deque[Frame] = deque()
        self.capacity = capacity
        self.ledger = ledger
        self.bypass: Callable[[Frame, FrameDirection], Congestion | None] | None = None
        """Set when the stage takes no more: where frames go instead."""
        self._system = _NO_SYSTEM
        self._upstream = _NO_UPSTREAM
        self._upstream_turn = False
        self.reader: Waiter | None = None
        """The stage waits for this, and nothing waits for the stage."""
        self.others = False
        """Something besides downstream data may wait: `take` knows whose turn it is."""
        self._system_reader: Waiter | None = None
        self.pushers = _NOBODY
        """Those who wait for room."""

    # -- in ------------------------------------------------------------------

    def put_down(self, frame: Frame) -> Congestion | None:
        """A downstream frame; returns this mailbox where the pusher should wait."""
        if self.bypass is not None:
            return self.bypass(frame, _DOWN)
        if frame.is_system:
            self._put_system(frame, _DOWN)
            return None
        data = self.data
        data.append(frame)
        if isinstance(frame, AudioFrame):
            self.ledger.taken += frame.num_samples
        reader = self.reader
        if reader is not None:
            self.reader = None
            if not reader.done():
                reader.set_result(None)
        return self if len(data) > self.capacity else None

    def put_up(self, frame: Frame) -> Congestion | None:
        """An upstream frame; its pusher never waits."""
        if self.bypass is not None:
            return self.bypass(frame, _UP)
        if frame.is_system:
            self._put_system(frame, _UP)
            return None
        if isinstance(frame, AudioFrame):
            self.ledger.taken += frame.num_samples
        if self._upstream is _NO_UPSTREAM:
            self._upstream = deque()
        self._upstream.append(frame)
        self.others = True
        if len(self._upstream) > UPSTREAM_CAPACITY:
            self.ledger.drop(self._upstream.popleft(), DropReason.UPSTREAM_OVERFLOW)
        self.wake()
        return None

    def _put_system(self, frame: Frame, direction: FrameDirection) -> None:
        if self._system is _NO_SYSTEM:
            self._system = deque()
        system = self._system
        if len(system) >= SYSTEM_CAPACITY:
            same = [entry for entry in system if entry[0].__class__ is frame.__class__]
            if len(same) >= SYSTEM_CAPACITY:
                system.remove(same[0])
                self.ledger.drop(same[0][0], "coalesced")
        system.append((frame, direction))
        self.others = True
        self.wake()
        wake(self._system_reader)

    # -- out -----------------------------------------------------------------

    def take(self) -> tuple[Frame, FrameDirection] | None:
        """The next frame, or None where nothing waits.

        Whoever finds `others` false may take from the left of `data` itself, and then calls
        `make_room` where there are `pushers`.
        """
        if self._system:
            return self._system.popleft()
        data = self.data
        if self._upstream and (self._upstream_turn or not data or data[0].is_request):
            self._upstream_turn = False
            return self._upstream.popleft(), _UP
        self.others = bool(self._upstream)
        if data:
            self._upstream_turn = True
            frame = data.popleft()
            if self.pushers:
                self.make_room()
            return frame, _DOWN
        return None

    def take_system(self) -> tuple[Frame, FrameDirection] | None:
        """The next system frame, or None."""
        return self._system.popleft() if self._system else None

    def wait(self, loop: asyncio.AbstractEventLoop) -> Waiter:
        """A future that is done when something was put, or `wake()` was called."""
        self.reader = reader = loop.create_future()
        return reader

    def wake(self) -> None:
        """Make the waiting reader look again."""
        reader, self.reader = self.reader, None
        wake(reader)

    def expect_system(self, waiter: Waiter | None) -> None:
        """Complete this future too when a system frame is put (the stage waits for room)."""
        self._system_reader = waiter

    def purge(self, drop: Callable[[Frame], bool]) -> list[Frame]:
        """Take out, in order, the waiting data for which `drop` says so."""
        gone: list[Frame] = []
        for queue in (self.data, self._upstream):
            kept: list[Frame] = []
            for frame in queue:
                (gone if drop(frame) else kept).append(frame)
            queue.clear()
            queue.extend(kept)
        self._wake_pushers()
        return gone

    def empty(self) -> list[tuple[Frame, FrameDirection]]:
        """Take out everything: system frames, then upstream, then downstream."""
        everything = [*self._system, *((f, _UP) for f in self._upstream), *((f, _DOWN) for f in self.data)]
        for queue in (self._system, self._upstream, self.data):
            queue.clear()
        self._wake_pushers()
        return everything

    @property
    def is_empty(self) -> bool:
        """Nothing waits."""
        return not (self.data or self._system or self._upstream)

    @property
    def held(self) -> int:
        """Samples that wait here."""
        return sum(f.num_samples for q in (self.data, self._upstream) for f in q if isinstance(f, AudioFrame))

    # -- room ----------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """Over the limit."""
        return len(self.data) > self.capacity

    def add_waiter(self, waiter: Waiter) -> None:
        """Set this future's result when half of the room is free."""
        if self.pushers is _NOBODY:
            self.pushers = []
        self.pushers.append(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """The future is not waited for any more."""
        if waiter in self.pushers:
            self.pushers.remove(waiter)

    def make_room(self) -> None:
        """A frame was taken: wake the pushers where half of the room is free."""
        if len(self.data) <= self.capacity // 2:
            self._wake_pushers()

    def _wake_pushers(self) -> None:
        pushers, self.pushers = self.pushers, _NOBODY
        for waiter in pushers:
            wake(waiter)
