"""The bounded mailbox of a stage: the waiting frames, their order, and the pushers that wait for room.

Putting a frame never waits and is never refused. The frame belongs to the mailbox at once.
If the mailbox is then over its limit, the pusher waits *afterwards*. Therefore a cancelled
pusher never loses a frame, and synchronous stages can deliver. The mailbox exceeds its
limit by at most one batch from each pusher.

Live audio has a limit of its own, in seconds, and nobody waits for it: beyond the limit its oldest is
dropped and counted. So a slow stage cannot make the others deaf.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from voicepipe.frames import AudioFrame, DataFrame, EndFrame, Frame, FrameDirection
from voicepipe.pipeline.fact_lane import drop_oldest_pair
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.live_audio import LiveAudio, LiveOwner
from voicepipe.report import DropReason

__all__ = ["CAPACITY", "UPSTREAM_CAPACITY", "Congestion", "Mailbox", "Waiter", "has_room", "wake"]

CAPACITY = 32
"""The number of waiting downstream frames above which a pusher waits."""
UPSTREAM_CAPACITY = 256
"""The limit for upstream data frames. Beyond it the oldest is dropped and counted."""
SYSTEM_CAPACITY = 64
"""The limit for system frames of one kind. Beyond it the oldest of the kind is dropped."""

RELIEF = 8
"""The multiple of the limit from which a pusher that must not wait drops the oldest frame."""

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
Waiter = asyncio.Future[None]

# Most mailboxes never need these, so all share one that stays empty: a thousand sessions have thousands.
_NO_SYSTEM: deque[tuple[Frame, FrameDirection]] = deque()
_NO_UPSTREAM: deque[Frame] = deque()
_NOBODY: list[Waiter] = []


class Congestion(Protocol):
    """A place downstream that may be over its limit."""

    @property
    def congested(self) -> bool:
        """True while there is no room."""
        ...

    def add_waiter(self, waiter: Waiter) -> None:
        """Set this future's result when there may be room."""
        ...

    def remove_waiter(self, waiter: Waiter) -> None:
        """Forget a future that is no longer waited for."""
        ...

    def relieve(self) -> None:
        """Drop the oldest data where far too much waits. For a pusher that must not wait."""
        ...


def wake(waiter: Waiter | None) -> None:
    """Complete a future, unless it is None or done already."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


class Mailbox(Ledger):
    """The queue of one stage: system frames first, then upstream and downstream in turn.

    It keeps the ledger of its seam. For the loop's thread only.
    """

    __slots__ = (
        "_before_flow",
        "_ends",
        "_system",
        "_system_reader",
        "_upstream",
        "_upstream_turn",
        "apart",
        "bypass",
        "capacity",
        "data",
        "is_plain",
        "live",
        "owner",
        "pushers",
        "reader",
    )

    def __init__(self, capacity: int = CAPACITY, owner: LiveOwner | None = None) -> None:
        super().__init__()
        self.data: deque[Frame] = deque()
        self.capacity = capacity
        self.owner = owner
        self.live: LiveAudio | None = None
        """The account of the live audio that waits; None before any came."""
        self.apart: type[Frame] | None = None
        """A class of frames that are counted apart: whoever pushes others does not wait for their room."""
        self.bypass: Callable[[Frame, FrameDirection], Congestion | None] | None = None
        """The function that gets the frames instead, once the stage takes no more. Set by `close`."""
        self._system = _NO_SYSTEM
        self._upstream = _NO_UPSTREAM
        self._upstream_turn = False
        self._before_flow: int | None = None
        """The number of upstream frames that still go before the StartFrame or EndFrame at the head."""
        self._ends = False
        """True once EndFrame has come."""
        self.reader: Waiter | None = None
        """The future that the stage waits for while its mailbox is empty."""
        self.is_plain = True
        """True if nothing but downstream data waits, and nobody waits for room.

        The stage may then take from the left of `data` itself. Everything that is rare sets it to
        False, so that a frame on its usual way costs one question; `take` knows the order."""
        self._system_reader: Waiter | None = None
        self.pushers = _NOBODY
        """The futures of pushers that wait for room."""

    # -- in ------------------------------------------------------------------

    def put_down(self, frame: Frame) -> Congestion | None:
        """Put a downstream frame; return this mailbox if the pusher should wait."""
        if self.bypass is not None:
            return self.bypass(frame, _DOWN)
        if frame.is_system:
            self._put_system(frame, _DOWN)
            return None
        data = self.data
        data.append(frame)
        if isinstance(frame, AudioFrame):
            self.taken += frame.num_samples
            if frame.live and self._account_live(frame):
                self.wake()
                return self
        reader = self.reader
        if reader is not None:
            self.reader = None
            if not reader.done():
                reader.set_result(None)
        if len(data) <= self.capacity:
            return None
        if self.apart is not None:
            lane = Lane(self, self.apart, inside=isinstance(frame, self.apart))
            return lane if lane.congested else None
        return self if self.live is None or self.live.others > self.capacity else None

    send = put_down
    """The stage before this one pushes straight into the mailbox, if nothing stands between them."""

    def put_end(self, frame: EndFrame) -> None:
        """Put EndFrame, behind the data."""
        self.put_down(frame)
        self._ends = True
        self.is_plain = False

    def _account_live(self, frame: AudioFrame) -> bool:
        """Drop the oldest live audio, if more waits than may. Return True if much waits."""
        live = self.live
        if live is None:
            live = self.live = LiveAudio(self.data, self, self.owner)
        return live.add(frame)

    def put_up(self, frame: Frame) -> Congestion | None:
        """Put an upstream frame. Its pusher never waits."""
        if self.bypass is not None:
            return self.bypass(frame, _UP)
        if frame.is_system:
            self._put_system(frame, _UP)
            return None
        if isinstance(frame, AudioFrame):
            self.taken += frame.num_samples
        if self._upstream is _NO_UPSTREAM:
            self._upstream = deque()
        self._upstream.append(frame)
        self.is_plain = False
        if len(self._upstream) > UPSTREAM_CAPACITY:
            self.drop(self._upstream.popleft(), DropReason.UPSTREAM_OVERFLOW)
        self.wake()
        return None

    def _put_system(self, frame: Frame, direction: FrameDirection) -> None:
        if self._system is _NO_SYSTEM:
            self._system = deque()
        system = self._system
        if len(system) >= SYSTEM_CAPACITY and frame.is_fact:
            drop_oldest_pair(system, self, SYSTEM_CAPACITY)
        elif len(system) >= SYSTEM_CAPACITY:
            same = [entry for entry in system if entry[0].__class__ is frame.__class__]
            if len(same) >= SYSTEM_CAPACITY:
                del system[next(n for n, entry in enumerate(system) if entry is same[0])]  # not by equality
                self.drop(same[0][0], DropReason.COALESCED)
        system.append((frame, direction))
        self.is_plain = False
        self.wake()
        wake(self._system_reader)

    # -- out -----------------------------------------------------------------

    def take(self) -> tuple[Frame, FrameDirection] | None:
        """Take the next frame; return None if no frame waits.

        While `is_plain` is True, a caller may take from the left of `data` itself.
        """
        data = self.data
        entry: tuple[Frame, FrameDirection] | None = None
        if self._system:
            entry = self._system.popleft()
        elif self._upstream and (self._upstream_turn or not data or self._goes_before(data[0])):
            self._upstream_turn = False
            entry = self._upstream.popleft(), _UP
        else:
            self._upstream_turn = True
            if data:
                entry = data.popleft(), _DOWN
            if self.pushers:
                self.make_room()
        self.is_plain = not (self._system or self._upstream or self._ends or self.pushers or self.bypass)
        return entry

    def _goes_before(self, frame: Frame) -> bool:
        """Return True if upstream data goes before this downstream frame, although it is not its turn.

        All that waits goes before EndFrame. What comes later does not, or a stage that pushes upstream
        for ever would keep the End away.
        """
        if not frame.is_request:
            return False
        if self._before_flow is None:
            self._before_flow = len(self._upstream)
        if self._before_flow > 0:
            self._before_flow -= 1
            return True
        self._before_flow = None
        return False

    def pick(self, wanted: Callable[[Frame], bool]) -> Frame | None:
        """Take the first waiting downstream frame for which `wanted` returns True, and count it as given."""
        for at, frame in enumerate(self.data):
            if wanted(frame):
                del self.data[at]
                if isinstance(frame, AudioFrame):
                    self.given += frame.num_samples
                if self.live is not None:
                    self.live.forget()
                self.make_room()
                return frame
        return None

    def take_system(self) -> tuple[Frame, FrameDirection] | None:
        """Take the next system frame; return None if there is none."""
        return self._system.popleft() if self._system else None

    def wait(self, loop: asyncio.AbstractEventLoop) -> Waiter:
        """Return a future that is done after the next put, or after `wake()`."""
        self.reader = reader = loop.create_future()
        return reader

    @property
    def is_awaited(self) -> bool:
        """True while nothing waits here, and the stage waits for something."""
        reader = self.reader
        return reader is not None and not reader.done() and self.is_empty

    def wake(self) -> None:
        """Make the waiting reader look again."""
        reader, self.reader = self.reader, None
        wake(reader)

    def expect_system(self, waiter: Waiter | None) -> None:
        """Complete this future as well when a system frame is put, while the stage waits for room."""
        self._system_reader = waiter

    def purge(self, drop: Callable[[Frame], bool]) -> list[Frame]:
        """Take out the waiting data frames for which `drop` returns True; keep their order."""
        gone: list[Frame] = []
        for queue in (self.data, self._upstream):
            kept: list[Frame] = []
            for frame in queue:
                (gone if drop(frame) else kept).append(frame)
            queue.clear()
            queue.extend(kept)
        if self.live is not None:
            self.live.forget()
        self._wake_pushers()
        return gone

    def close(self, bypass: Callable[[Frame, FrameDirection], Congestion | None]) -> None:
        """Take no more frames: this function gets them from now on."""
        self.bypass = bypass
        self.is_plain = False

    def empty(self) -> list[tuple[Frame, FrameDirection]]:
        """Take out all frames: system, then upstream, then downstream."""
        self._wake_pushers()
        if self.is_empty:
            return []
        everything = [*self._system, *((f, _UP) for f in self._upstream), *((f, _DOWN) for f in self.data)]
        for queue in (self._system, self._upstream, self.data):
            queue.clear()
        return everything

    @property
    def is_empty(self) -> bool:
        """True if no frame waits."""
        return not (self.data or self._system or self._upstream)

    @property
    def held(self) -> int:
        """The number of audio samples that wait here."""
        if not (self.data or self._upstream):
            return 0
        return sum(f.num_samples for q in (self.data, self._upstream) for f in q if isinstance(f, AudioFrame))

    @property
    def is_deaf(self) -> bool:
        """True if as much live audio waits as may, so that the next block costs the oldest."""
        return self.live is not None and self.live.is_full

    # -- room ----------------------------------------------------------------

    @property
    def congested(self) -> bool:
        """True while the mailbox is over its limit."""
        return self._waiting() > self.capacity

    def _waiting(self) -> int:
        """Return the number of waiting downstream frames that are no live audio."""
        return len(self.data) if self.live is None else self.live.others

    def relieve(self) -> None:
        """Drop the oldest data frame, if many times more wait than may. For a pusher that must not wait."""
        last = self.data[-1] if self.data else None
        if isinstance(last, AudioFrame) and last.live:
            return  # it has a limit of its own, and must not cost what others have pushed
        if self._waiting() > RELIEF * self.capacity:
            for at, frame in enumerate(self.data):
                if isinstance(frame, DataFrame):
                    del self.data[at]
                    self.drop(frame, DropReason.OVERFLOW)
                    break
            if self.live is not None:
                self.live.forget()

    def add_waiter(self, waiter: Waiter) -> None:
        """Set this future's result when half of the room is free."""
        if self.pushers is _NOBODY:
            self.pushers = []
        self.pushers.append(waiter)
        self.is_plain = False

    def remove_waiter(self, waiter: Waiter) -> None:
        """Forget a future that is no longer waited for."""
        if waiter in self.pushers:
            self.pushers.remove(waiter)

    def make_room(self) -> None:
        """Wake the pushers if half of the room is free. Called after a frame was taken."""
        if self.is_half_free:
            self._wake_pushers()

    @property
    def is_half_free(self) -> bool:
        """True if half of the room is free."""
        half = self.capacity // 2
        return len(self.data) <= half or (self.live is not None and self.live.others <= half)

    def _wake_pushers(self) -> None:
        pushers, self.pushers = self.pushers, _NOBODY
        for waiter in pushers:
            wake(waiter)


class Lane:
    """One of two kinds of frames in a mailbox, each with the whole limit: those of a class, or all others."""

    __slots__ = ("_box", "_inside", "_kind")

    def __init__(self, box: Mailbox, kind: type[Frame], *, inside: bool) -> None:
        self._box = box
        self._kind = kind
        self._inside = inside

    @property
    def congested(self) -> bool:
        """True while too many frames of this kind wait."""
        waiting = sum(isinstance(frame, self._kind) is self._inside for frame in self._box.data)
        return waiting > self._box.capacity

    def add_waiter(self, waiter: Waiter) -> None:
        """Set this future's result when there may be room."""
        self._box.add_waiter(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Forget a future that is no longer waited for."""
        self._box.remove_waiter(waiter)

    def relieve(self) -> None:
        """Drop the oldest data where far too much waits."""
        self._box.relieve()


def has_room(full: Congestion) -> bool:
    """Return True if a pusher that waits for this place may go on.

    In a mailbox, half of the room must be free. Otherwise it would wait for each frame anew.
    """
    return full.is_half_free if isinstance(full, Mailbox) else not full.congested
