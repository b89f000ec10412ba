"""The elements of a run's chain, and the protocols between them and the run.

For one run, a pipeline is laid out as a chain of elements: a seat for every stage, and
the framework's own ends and junctions. Data takes the routes that are compiled from the
chain. StartFrame and EndFrame go through it element by element.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextvars import Context
from typing import Protocol

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame, TranscriptionFrame
from voicepipe.pipeline.era import Eras
from voicepipe.pipeline.hold import Hold
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.processor import Outlet

__all__ = ["Call", "Element", "Flow", "Receive", "RunHandle", "SynchronousStage"]

Flow = StartFrame | EndFrame
Call = Callable[[Frame, FrameDirection], Iterable[Frame]]
Receive = Callable[[Frame], Congestion | None]


class FactLine(Protocol):
    """The passing of facts, as the chain sees it."""

    def is_known(self, fact: Frame, direction: FrameDirection) -> bool:
        """Return True if the fact was pushed in this direction before."""
        ...

    def push(self, start: Element, fact: Frame, direction: FrameDirection) -> None:
        """Pass a fact on from an element, unless it was pushed in this direction before."""

    def send_later(self, send: Callable[[], None]) -> None:
        """Call this when the fact that is being passed has arrived everywhere."""


class RunHandle(Protocol):
    """The run, as the chain sees it. All methods are for the loop's thread."""

    loop: asyncio.AbstractEventLoop
    context: Context
    """A context in the first era of the run, apart from that of the run's caller."""

    @property
    def stage_task_ended(self) -> Callable[[asyncio.Task[None]], None]:
        """The function that is called with the task of each stage when it is over: one for all."""
        ...

    def take_request(self, frame: Frame, stage: str) -> None:
        """Take a request that a stage pushed: an EndFrame, CancelFrame or InterruptionFrame."""

    @property
    def facts(self) -> FactLine:
        """The facts of the run."""
        ...

    def take_words(self, words: TranscriptionFrame, send: Receive) -> Congestion | None:
        """Note words of the user that a stage pushed, and send them on, now or when they may go."""
        ...

    @property
    def hold(self) -> Hold:
        """The wait of the sources that can wait for a verdict."""
        ...

    @property
    def interruption(self) -> Congestion:
        """The place that is congested until a requested interruption was carried out."""
        ...

    @property
    def eras(self) -> Eras:
        """The eras of the run's work."""
        ...

    def is_passing(self, frame: Frame) -> bool:
        """Return True for an InterruptionFrame that the task itself sent."""
        ...

    def stage_failed(self, stage: str, error: BaseException) -> None:
        """Handle an exception that escaped a stage with `on_error="fail"`."""

    def stage_reported(self, stage: str, error: BaseException, upstream: Receive) -> None:
        """Handle an exception that escaped a stage with `on_error="report"`.

        `upstream` is the route from that stage; it takes the ErrorFrame.
        """

    def emit(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame that left the pipeline at one of its outer ends."""

    def task_name(self, label: str, what: str) -> str:
        """Return a task name that shows the run, the stage and the purpose."""
        ...


class SynchronousStage(Protocol):
    """An inline stage, as a route sees it."""

    def join(self, calls: list[Call]) -> None:
        """Append the stage's call to the list, and keep it up to date there."""

    def frames_of(self, out: Iterable[Frame], hook: str = "process") -> list[Frame]:
        """Check the frames that the stage made; return them without its requests."""
        ...

    def push_words(self, words: TranscriptionFrame, send: Receive) -> Congestion | None:
        """Send the user's words on, now or when they may go; return the congested place, if any."""
        ...

    def push_fact(self, fact: Frame, direction: FrameDirection) -> Congestion | None:
        """Take a fact that the stage made, which the framework passes on; return what it waits for."""
        ...

    def refuse_twice(self, frame: Frame, made: Sequence[Frame]) -> None:
        """Check that the stage passes the frame that it took on once. Raises: RuntimeError."""

    def fail(self, frame: Frame, error: BaseException) -> None:
        """Handle the exception that the stage raised for a frame."""


class Element:
    """One link of the chain."""

    after: Element | None = None
    """The element towards the speaker."""
    before: Element | None = None
    """The element towards the microphone."""

    def take_flow(self, frame: Flow) -> bool:
        """Take StartFrame or EndFrame, in its turn behind the data; return True if it goes on at once."""
        return True

    def pass_flow(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame to the elements behind this one, until one of them keeps it."""
        element = self.after
        while element is not None and element.take_flow(frame):
            element = element.after

    def next(self, direction: FrameDirection) -> Element | None:
        """Return the neighbour in this direction."""
        return self.after if direction is FrameDirection.DOWNSTREAM else self.before

    def pass_fact_from(self, fact: Frame, direction: FrameDirection, stop: Element | None = None) -> None:
        """Pass a fact to the elements behind this one, up to `stop` or to the end of the chain."""
        element = self.next(direction)
        while element is not None and element is not stop:
            element = element.take_fact(fact, direction)

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Take a fact; return the element that gets it next. Never raises."""
        return self.next(direction)

    def inline(self) -> SynchronousStage | None:
        """Return the synchronous stage that a route runs here; None if there is none."""
        return None

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the receiver of a route in this direction; None if data passes through."""
        return None

    def outlet(self, direction: FrameDirection) -> Outlet | None:
        """Return what takes frames of this direction here, without a route; None: nothing does."""
        return None

    def connect(self) -> None:
        """Compile the routes that begin here. Called when the chain is complete."""
