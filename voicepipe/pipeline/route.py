"""A compiled route through a chain: from an element, through inline stages, to the next receiver."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import AsyncGeneratorType, CoroutineType

from voicepipe.frames import Frame, FrameDirection, TranscriptionFrame, kind_of
from voicepipe.pipeline.link import Call, Element, Receive, SynchronousStage
from voicepipe.pipeline.mailbox import Congestion, Waiter
from voicepipe.pipeline.processor import Outlet

__all__ = ["Route", "Several", "way_from"]


_NO_CALLS: list[Call] = []
"""An empty list that all routes without a stage share. It is never changed."""


class Several:
    """Several congested places, waited for as one."""

    def __init__(self, places: list[Congestion]) -> None:
        self._places = places

    @property
    def congested(self) -> bool:
        """True while at least one place is over its limit."""
        return any(place.congested for place in self._places)

    def relieve(self) -> None:
        """Drop the oldest data where far too much waits."""
        for place in self._places:
            place.relieve()

    def add_waiter(self, waiter: Waiter) -> None:
        """Complete the future when one of the places has room."""
        for place in self._places:
            if place.congested:
                place.add_waiter(waiter)

    def remove_waiter(self, waiter: Waiter) -> None:
        """Forget a future that is no longer waited for."""
        for place in self._places:
            place.remove_waiter(waiter)


def both(first: Congestion | None, second: Congestion | None) -> Congestion | None:
    """Join the congestion of two deliveries; return None if neither is congested."""
    if first is None or first is second:
        return second
    return first if second is None else Several([first, second])


class Route:
    """The way of frames in one direction, from one element to the next receiver.

    The inline stages in between run here, one after another. Each stage returns before its
    results go on, so a stage is never entered twice at the same time.
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
        """The function that delivers one frame. It returns the congested place, if any. Never raises."""
        for stage in stages:
            stage.join(self.calls)

    def _through(self, frame: Frame) -> Congestion | None:
        """Deliver one frame through the stages of the route."""
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
            self.stages[calls.index(call)].fail(frame, error)
            return None
        return self.receive(frame)

    def _from(self, place: int, frame: Frame) -> Congestion | None:
        """Deliver a frame, beginning with the stage at `place`."""
        if place == len(self.calls):
            return self.receive(frame)
        try:
            out = self.calls[place](frame, self.direction)
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.stages[place].fail(frame, error)
            return None
        return self._spread(place, frame, out)

    def _spread(self, place: int, frame: Frame, out: Iterable[Frame]) -> Congestion | None:
        """Deliver the results of the stage at `place`, if they are not exactly one frame."""
        stage = self.stages[place]
        full: Congestion | None = None
        try:
            made = stage.frames_of(out)
            if len(made) > 1:
                stage.refuse_twice(frame, made)
        except BaseException as error:  # a generator's failure is its stage's
            stage.fail(frame, error)
            return None
        for result in made:
            if result.is_fact:
                full = both(full, stage.push_fact(result, self.direction))
            elif isinstance(result, TranscriptionFrame):
                full = both(full, stage.push_words(result, partial(self._from, place + 1)))
            else:
                full = both(full, self._from(place + 1, result))
        return full


def way_from(start: Element, direction: FrameDirection) -> Outlet:
    """Return the way of frames from an element: the next receiver itself, or a route to it."""
    neighbour = start.next(direction)
    assert neighbour is not None, "a chain ends in a receiver"
    return neighbour.outlet(direction) or Route(start, direction)  # pyright: ignore[reportReturnType]  # it takes a callable in a slot for a method


def describe_no_frames(what: str, out: object) -> str:
    """Return an error message for a stage's result that is not an iterable of frames.

    Args:
        what: the hook that returned it: "Stage.process".
    """
    if isinstance(out, CoroutineType):
        out.close()
        return f"{what} must be a plain def, not async def: derive from FrameProcessor to wait"
    if isinstance(out, AsyncGeneratorType):
        return f"{what} must be a plain def, not an async generator: derive from FrameProcessor to wait"
    if out is None:
        return f"{what} must not return None: return (frame,) to pass on, () to drop"
    return f"{what} must return an iterable of frames, not {kind_of(out)}"
