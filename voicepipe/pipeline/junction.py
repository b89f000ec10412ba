"""Where parallel branches part and meet again."""

from __future__ import annotations

import weakref

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.ends import _DOWN, _UP
from voicepipe.pipeline.link import Element, Flow, Receive
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.route import Route, both

__all__ = ["Copies", "Junction", "Port"]


class Copies:
    """One object went into several branches: it leaves once.

    Known by identity, and only while the frame exists: nothing accumulates. The n-th
    return by any branch leaves if n-1 have left, so that an object that went in twice
    leaves twice. A frame that a branch made itself is not known here, and leaves as it comes.
    """

    def __init__(self, branches: int) -> None:
        self._branches = branches
        # By id, not by hash: a user's frame may be a dataclass that compares by value.
        self._counts: dict[int, tuple[weakref.ref[Frame], list[int]]] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def went_in(self, frame: Frame) -> None:
        """The frame is handed to every branch."""
        key = id(frame)
        if key not in self._counts:
            forget = weakref.ref(frame, lambda _: self._counts.pop(key, None))
            self._counts[key] = (forget, [0] * (self._branches + 1))

    def may_leave(self, frame: Frame, branch: int) -> bool:
        """The frame came out of a branch."""
        known = self._counts.get(id(frame))
        if known is None:
            return True
        counts = known[1]
        counts[branch] += 1
        if counts[branch] <= counts[-1]:
            return False
        counts[-1] += 1
        return True


class Port(Element):
    """Where one branch meets a junction: between the branch and everything outside."""

    def __init__(self, junction: Junction, branch: int) -> None:
        self._junction = junction
        self._branch = branch
        self._inward = _DOWN if junction.is_head else _UP
        self.route: Route

    def connect(self) -> None:
        """Compile the way into the branch."""
        self.route = Route(self, self._inward)

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """What comes out of the branch meets the others in the junction."""
        if direction is self._inward:
            return None
        return lambda frame: self._junction.merge(frame, self._branch)

    def take_flow(self, frame: Flow) -> bool:
        """Counted where it comes out of the branch; the last branch lets it out."""
        self._junction.flow_returned(frame)
        return False


class Junction(Element):
    """One end of a parallel pipeline. Frames split on one way through it, and merge on the other.

    Every branch gets the same object. StartFrame and EndFrame leave when every branch has
    returned them; a branch whose stage is stuck returns them when the framework passes
    them by that stage.
    """

    def __init__(self, branches: int, *, is_head: bool) -> None:
        self.is_head = is_head
        self.ports = [Port(self, branch) for branch in range(branches)]
        self._inward = _DOWN if is_head else _UP
        self._entering: Copies
        self._leaving: Copies
        self._returned: dict[type[Flow], int] = {StartFrame: 0, EndFrame: 0}
        self._waits_for_start: list[Frame] | None = None if is_head else []
        """What a branch lets out before the others have returned StartFrame; None once it has left."""
        self._out: Route

    @classmethod
    def pair(cls, branches: int) -> tuple[Junction, Junction]:
        """The head and the tail of one parallel pipeline."""
        head, tail = cls(branches, is_head=True), cls(branches, is_head=False)
        down, up = Copies(branches), Copies(branches)
        head._entering, head._leaving = down, up
        tail._entering, tail._leaving = up, down
        return head, tail

    def connect(self) -> None:
        """Compile the way out of the parallel pipeline."""
        self._out = Route(self, _UP if self.is_head else _DOWN)

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Frames that come from outside split here."""
        return self._split if direction is self._inward else None

    def _split(self, frame: Frame) -> Congestion | None:
        self._entering.went_in(frame)
        full: Congestion | None = None
        for port in self.ports:
            full = both(full, port.route.send(frame))
        return full

    def merge(self, frame: Frame, branch: int) -> Congestion | None:
        """A frame came out of a branch."""
        if not self._leaving.may_leave(frame, branch):
            return None
        if self._waits_for_start is not None:
            self._waits_for_start.append(frame)
            return None
        return self._out.send(frame)

    def take_flow(self, frame: Flow) -> bool:
        """Into every branch."""
        for port in self.ports:
            port.pass_flow(frame)
        return False

    def flow_returned(self, frame: Flow) -> None:
        """One branch has returned it; the last one lets it out."""
        self._returned[type(frame)] += 1
        if self._returned[type(frame)] == len(self.ports):
            self.pass_flow(frame)
            waiting, self._waits_for_start = self._waits_for_start, None
            self._out.send_all(waiting or ())
