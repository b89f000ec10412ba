"""What a run's chain is made of, and what its elements may ask of the run.

For one run a pipeline is laid out as a chain of elements: a node for every stage, and
the framework's own ends and junctions between them. Data takes the routes that are
compiled from the chain; StartFrame and EndFrame go through it element by element.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.mailbox import Congestion

if TYPE_CHECKING:
    from voicepipe.pipeline.seat import InlineNode, Node

__all__ = ["Call", "Element", "Flow", "Receive", "RunHandle", "link"]

Flow = StartFrame | EndFrame
Call = Callable[[Frame, FrameDirection], Iterable[Frame]]
Receive = Callable[[Frame], Congestion | None]


class RunHandle(Protocol):
    """What the mechanism asks of the run it belongs to. All for the loop's thread."""

    loop: asyncio.AbstractEventLoop
    driver: asyncio.Task[None] | None
    """The run's own task."""
    depth: int
    """Stages that run inside each other just now."""

    def asked(self, frame: Frame, stage: str) -> None:
        """A stage pushed an EndFrame, CancelFrame or InterruptionFrame of its own."""

    def is_passing(self, frame: Frame) -> bool:
        """The frame is one that the task itself sent on its way (an InterruptionFrame)."""
        ...

    def stage_failed(self, node: Node, error: BaseException) -> None:
        """An exception escaped a stage whose policy is to fail."""

    def stage_reported(self, node: Node, error: BaseException) -> None:
        """An exception escaped a stage whose policy is to report: an ErrorFrame goes up."""

    def surfaced(self, frame: Frame, direction: FrameDirection) -> None:
        """A frame left the pipeline at one of its outer ends."""

    def task_name(self, label: str, what: str) -> str:
        """A name for a task that says whose it is."""
        ...


class Element:
    """One link of the chain."""

    after: Element | None = None
    """The element towards the speaker."""
    before: Element | None = None
    """The element towards the microphone."""

    def take_flow(self, frame: Flow) -> bool:
        """StartFrame or EndFrame arrives, in its turn behind the data; whether it goes on at once."""
        return True

    def pass_flow(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame to the elements behind this one, as far as it goes at once."""
        element = self.after
        while element is not None and element.take_flow(frame):
            element = element.after

    def inline(self) -> InlineNode | None:
        """The synchronous stage that a route runs here, if this is one."""
        return None

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Where a route in this direction ends; None where data passes through."""
        return None

    def connect(self) -> None:
        """The chain is complete: compile the routes that begin here."""


def link(*elements: Element) -> None:
    """Make the elements neighbours, in this order."""
    for first, second in pairwise(elements):
        first.after, second.before = second, first
