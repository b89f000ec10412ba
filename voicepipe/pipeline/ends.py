"""The two ends of a pipeline: Source towards the microphone, Sink towards the speaker."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.frames import DataFrame, Frame, FrameDirection
from voicepipe.pipeline.link import Element, Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.processor import Outlet
from voicepipe.pipeline.route import way_from

__all__ = ["Sink", "Source"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM

_SMALL = 250
"""CPython has the whole numbers up to 256 once for all."""


class End(Element):
    """One end of a pipeline. Frames pass through the ends of a nested pipeline."""

    exit: FrameDirection
    """The direction of the frames that leave here."""

    def __init__(self, run: RunHandle | None = None) -> None:
        self._run = run
        """The run, for an outermost end."""
        self.is_watched = False
        """True if there are subscribers, who see every frame that leaves."""
        self._unseen = 0
        """The number of data frames that left unseen. A small number is no object of its own."""
        self._unseen_before = 0
        """The number of those that left before."""

    @property
    def discarded(self) -> int:
        """The number of data frames that left unseen."""
        return self._unseen_before + self._unseen

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Show a fact to the subscribers at an outermost end."""
        if self._run is not None:
            self._run.emit(fact, direction)
        return self.next(direction)

    def outlet(self, direction: FrameDirection) -> Outlet | None:
        """Return this end for the frames that leave at an outermost one; else None."""
        return None if self._run is None or direction is not self.exit else self

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the exit for the frames that leave at an outermost end; else None."""
        return None if self._run is None or direction is not self.exit else self.send

    def send(self, frame: Frame) -> Congestion | None:
        """Let a frame out of the pipeline. Data that nobody sees is only counted."""
        if self.is_watched or not isinstance(frame, DataFrame):
            assert self._run is not None, "frames pass through the ends of a nested pipeline"
            self._run.emit(frame, self.exit)
        else:
            self._unseen += 1
            if self._unseen > _SMALL:
                self._unseen_before += self._unseen
                self._unseen = 0
        return None


class Source(End):
    """The end of a pipeline towards the microphone.

    The task's frames enter at the outermost Source; upstream frames leave there.
    """

    exit = _UP

    def __init__(self, run: RunHandle | None = None) -> None:
        super().__init__(run)
        self.down: Outlet

    def connect(self) -> None:
        """Find the way into the pipeline."""
        if self._run is not None:
            self.down = way_from(self, _DOWN)


class Sink(End):
    """The end of a pipeline towards the speaker.

    The outermost Sink has the task's down queue. It tells the task that StartFrame or
    EndFrame has passed the whole pipeline.
    """

    exit = _DOWN

    def __init__(
        self, run: RunHandle | None = None, down_queue: Callable[[Flow], None] | None = None
    ) -> None:
        super().__init__(run)
        self._down_queue = down_queue

    def take_flow(self, frame: Flow) -> bool:
        """Tell the task that the frame has arrived, and let it pass."""
        if self._down_queue is not None:
            self._down_queue(frame)
        return True
