"""The points where parallel branches split and merge."""

from __future__ import annotations

import weakref
from copy import copy
from dataclasses import dataclass

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.ends import _DOWN, _UP
from voicepipe.pipeline.link import Element, Flow, Receive
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.route import Route, both

__all__ = ["Copies", "Junction", "Port"]


@dataclass(slots=True)
class Known:
    """An object that entered the branches, once or several times."""

    forget: weakref.ref[Frame]
    """The reference whose call-back forgets the object when it is gone."""
    leaves_as: Frame | None
    """The object that leaves instead; None if it leaves itself."""
    returns: list[int]
    """The number of returns by each branch."""
    entries: int = 1
    left: int = 0

    @property
    def is_settled(self) -> bool:
        """True if every branch has returned the object for each of its entries, so that no more is due."""
        return min(self.returns) == max(self.returns) == self.entries


class Copies:
    """The frames that entered several branches as one object, each of which leaves once.

    Frames are known by identity, and only while they exist, so nothing accumulates. The n-th
    return by any branch leaves if n-1 have left. A frame that a branch made itself is not known
    here, and always leaves.

    An object may enter again while a branch still has it or has dropped it. The branches then get
    a copy, which leaves as the object itself. Otherwise a return could not be told from that of
    the entry before: of two branches that pass on every other frame, half of the returns would
    be taken for the second copies of one frame.
    """

    def __init__(self, branches: int) -> None:
        self._branches = branches
        # By id, not by hash: a user's frame may be a dataclass that compares by value.
        self._known: dict[int, Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def enter(self, frame: Frame) -> Frame:
        """Note an entry; return the object for the branches: the frame, or a copy of it."""
        known = self._known.get(id(frame))
        if known is None:
            self._note(frame, None)
            return frame
        if not known.is_settled:
            try:
                made = copy(frame)
            except Exception:
                made = frame  # a class of the user's that cannot be copied: the entries cannot be told apart
            if made is not frame:
                self._note(made, known.leaves_as or frame)
                return made
        known.entries += 1
        return frame

    def _note(self, frame: Frame, leaves_as: Frame | None) -> None:
        key = id(frame)
        forget = weakref.ref(frame, lambda _: self._known.pop(key, None))
        self._known[key] = Known(forget, leaves_as, [0] * self._branches)

    def leave(self, frame: Frame, branch: int) -> Frame | None:
        """Note that the frame came out of a branch; return the frame that leaves, or None."""
        known = self._known.get(id(frame))
        if known is None:
            return frame
        known.returns[branch] += 1
        if known.returns[branch] <= known.left:
            return None
        known.left += 1
        return known.leaves_as or frame


class Port(Element):
    """The connection of one branch to a junction."""

    def __init__(self, junction: Junction, branch: int) -> None:
        self._junction = junction
        self._branch = branch
        self._inward = _DOWN if junction.is_head else _UP
        self.route: Route

    def connect(self) -> None:
        """Compile the route into the branch."""
        self.route = Route(self, self._inward)

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the way into the junction for frames that come out of the branch."""
        if direction is self._inward:
            return None
        return lambda frame: self._junction.merge(frame, self._branch)

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Let a fact that was made in the branch out of the junction."""
        return self._junction.next(direction)

    def take_flow(self, frame: Flow) -> bool:
        """Count the frame as returned by the branch. The junction passes it on after the last branch."""
        self._junction.count_returned(frame)
        return False


class Junction(Element):
    """One end of a parallel pipeline. Frames split in one direction and merge in the other.

    Every branch gets the same object. StartFrame and EndFrame leave when every branch has
    returned them. If a stage of a branch is stuck, the framework passes them by that stage.
    """

    def __init__(self, branches: int, *, is_head: bool) -> None:
        self.is_head = is_head
        self.ports = [Port(self, branch) for branch in range(branches)]
        self._inward = _DOWN if is_head else _UP
        self._entering: Copies
        self._leaving: Copies
        self._returned: dict[type[Flow], int] = {StartFrame: 0, EndFrame: 0}
        self._out: Route
        self._other: Junction
        """The other end of the parallel pipeline."""

    @classmethod
    def pair(cls, branches: int) -> tuple[Junction, Junction]:
        """Make the head and the tail of one parallel pipeline."""
        head, tail = cls(branches, is_head=True), cls(branches, is_head=False)
        down, up = Copies(branches), Copies(branches)
        head._entering, head._leaving = down, up
        tail._entering, tail._leaving = up, down
        head._other, tail._other = tail, head
        return head, tail

    def connect(self) -> None:
        """Compile the route out of the parallel pipeline."""
        self._out = Route(self, _UP if self.is_head else _DOWN)

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the entry at which frames from outside split."""
        return self._split if direction is self._inward else None

    def _split(self, frame: Frame) -> Congestion | None:
        frame = self._entering.enter(frame)
        full: Congestion | None = None
        for port in self.ports:
            full = both(full, port.route.send(frame))
        return full

    def merge(self, frame: Frame, branch: int) -> Congestion | None:
        """Pass on a frame that came out of a branch, unless it has already left."""
        leaving = self._leaving.leave(frame, branch)
        if leaving is None:
            return None
        return self._out.send(leaving)

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Pass a fact through every branch. It leaves once, at the other end."""
        for port, end in zip(self.ports, self._other.ports, strict=True):
            port.pass_fact_from(fact, direction, end)
        return self._other.next(direction)

    def take_flow(self, frame: Flow) -> bool:
        """Hand the frame to every branch."""
        for port in self.ports:
            port.pass_flow(frame)
        return False

    def count_returned(self, frame: Flow) -> None:
        """Count a branch that has returned the frame; pass the frame on after the last one."""
        self._returned[type(frame)] += 1
        if self._returned[type(frame)] == len(self.ports):
            self.pass_flow(frame)
