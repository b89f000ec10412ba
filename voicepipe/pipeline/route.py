"""A compiled way through a chain: from one element, through synchronous stages, to the next receiver."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.link import Call, Element, Receive, SynchronousStage
from voicepipe.pipeline.mailbox import Congestion, Waiter

__all__ = ["Route", "Several"]


_NO_CALLS: list[Call] = []
"""One for all routes without a stage; never changed."""


class Several:
    """More than one place that is over its limit."""

    def __init__(self, places: list[Congestion]) -> None:
        self._places = places

    @property
    def congested(self) -> bool:
        """One of them still is."""
        return any(place.congested for place in self._places)

    def add_waiter(self, waiter: Waiter) -> None:
        """Complete the future when one of them has room."""
        for place in self._places:
            if place.congested:
                place.add_waiter(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """The future is not waited for any more."""
        for place in self._places:
            place.remove_waiter(waiter)


def both(first: Congestion | None, second: Congestion | None) -> Congestion | None:
    """The congestion of two deliveries."""
    if first is None or first is second:
        return second
    return first if second is None else Several([first, second])


class Route:
    """Carries frames in one direction from one element to the next receiver.

    The synchronous stages between them run here, one after the other. A stage has always
    returned before its results go on, so none is entered twice at a time.
    """

    __slots__ = ("calls", "direction", "receive", "send", "stages")

    def __init__(self, start: Element, direction: FrameDirection) -> None:
        self.direction = direction
        down = direction is FrameDirection.DOWNSTREAM
        stages: tuple[SynchronousStage, ...] = ()
        receive: Receive | None = None
        element = start.after if down else start.before
        while receive is None:
            assert element is not None, "a chain ends in a receiver"
            stage = element.inline()
            if stage is not None:
                stages += (stage,)
            else:
                receive = element.receiver(direction)
            element = element.after if down else element.before
        self.receive: Receive = receive
        self.stages = stages
        self.calls: list[Call] = [] if stages else _NO_CALLS
        self.send: Receive = self._through if stages else receive
        """Delivers one frame; returns where the pusher should wait for room. Never raises."""
        for stage in stages:
            stage.join(self.calls)

    def _through(self, frame: Frame) -> Congestion | None:
        """Deliver one frame through the stages on the way."""
        direction = self.direction
        calls = self.calls
        call = None
        try:
            for call in calls:
                out = call(frame, direction)
                if type(out) is tuple and len(out) == 1:
                    made = out[0]
                    if made is not frame:
                        if not isinstance(made, Frame) or made.is_request:
                            return self._spread(calls.index(call), frame, out)
                        frame = made
                else:
                    return self._spread(calls.index(call), frame, out)
        except BaseException as error:  # a stage's failure becomes a PipelineError
            assert call is not None
            self.stages[calls.index(call)].failed(frame, error)
            return None
        return self.receive(frame)

    def _from(self, place: int, frame: Frame) -> Congestion | None:
        """Deliver from the stage at `place` on."""
        if place == len(self.calls):
            return self.receive(frame)
        try:
            out = self.calls[place](frame, self.direction)
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.stages[place].failed(frame, error)
            return None
        return self._spread(place, frame, out)

    def _spread(self, place: int, frame: Frame, out: Iterable[Frame]) -> Congestion | None:
        """Deliver what the stage at `place` made of a frame, if it is not the plain case."""
        stage = self.stages[place]
        full: Congestion | None = None
        try:
            made = stage.frames_of(out)
        except BaseException as error:  # a generator's failure is its stage's
            stage.failed(frame, error)
            return None
        for result in made:
            full = both(full, self._from(place + 1, result))
        return full

    def send_all(self, frames: Iterable[Frame]) -> None:
        """Deliver several, for a caller that cannot wait."""
        for frame in frames:
            self.send(frame)


def describe_no_frames(out: object) -> str:
    """Why a stage's result is no iterable of frames."""
    if inspect.iscoroutine(out):
        out.close()
        return "process() is async: derive from FrameProcessor to wait, or make it a plain def"
    if out is None:
        return "process() returned None: return (frame,) to pass on, () to drop"
    return f"process() returned {out!r}: return an iterable of frames"
