"""What a run's chain is made of, and what its elements may ask of the run.

For one run a pipeline is laid out as a chain of elements: a seat for every stage, and
the framework's own ends and junctions between them. Data takes the routes that are
compiled from the chain; StartFrame and EndFrame go through it element by element.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Protocol

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.mailbox import Congestion

__all__ = ["Call", "Element", "Flow", "Receive", "RunHandle", "SynchronousStage", "link"]

Flow = StartFrame | EndFrame
Call = Callable[[Frame, FrameDirection], Iterable[Frame]]
Receive = Callable[[Frame], Congestion | None]


class RunHandle(Protocol):
    """What the mechanism asks of the run it belongs to. All for the loop's thread."""

    loop: asyncio.AbstractEventLoop

    def asked(self, frame: Frame, stage: str) -> None:
        """Take a request that a stage pushed: an EndFrame, CancelFrame or InterruptionFrame of its own."""

    def is_passing(self, frame: Frame) -> bool:
        """Tell whether the task itself sent this frame on its way (an InterruptionFrame)."""
        ...

    def stage_failed(self, stage: str, error: BaseException) -> None:
        """Take an exception that escaped a stage whose policy is to fail."""

    def stage_reported(self, stage: str, error: BaseException, upstream: Receive) -> None:
        """Take an exception that escaped a stage whose policy is to report.

        An ErrorFrame goes `upstream`, the way from that stage.
        """

    def surfaced(self, frame: Frame, direction: FrameDirection) -> None:
        """Take a frame that left the pipeline at one of its outer ends."""

    def task_name(self, label: str, what: str) -> str:
        """Return a name for a task that says whose it is."""
        ...


class SynchronousStage(Protocol):
    """What a route asks of a stage that it runs itself."""

    def join(self, calls: list[Call]) -> None:
        """Append the stage's call, and keep it up to date there."""

    def frames_of(self, out: Iterable[Frame]) -> list[Frame]:
        """Return the frames that the stage made, checked, without its requests."""
        ...

    def failed(self, frame: Frame, error: BaseException) -> None:
        """Take what the stage raised on a frame."""


class Element:
    """One link of the chain."""

    after: Element | None = None
    """The element towards the speaker."""
    before: Element | None = None
    """The element towards the microphone."""

    def take_flow(self, frame: Flow) -> bool:
        """Take StartFrame or EndFrame, in its turn behind the data; return whether it goes on at once."""
        return True

    def pass_flow(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame to the elements behind this one, as far as it goes at once."""
        element = self.after
        while element is not None and element.take_flow(frame):
            element = element.after

    def inline(self) -> SynchronousStage | None:
        """Return the synchronous stage that a route runs here, if this is one."""
        return None

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return where a route in this direction ends; None where data passes through."""
        return None

    def connect(self) -> None:
        """Compile the routes that begin here: the chain is complete."""


def link(*elements: Element) -> None:
    """Make the elements neighbours, in this order."""
    for first, second in pairwise(elements):
        first.after, second.before = second, first
