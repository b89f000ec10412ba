"""The two ends of a pipeline: Source towards the microphone, Sink towards the speaker."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.link import Element, Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.processor import Outlet
from voicepipe.pipeline.route import way_from

__all__ = ["Sink", "Source"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM


class Source(Element):
    """The end of a pipeline towards the microphone.

    The task's frames enter at the outermost Source; upstream frames leave there.
    Frames pass through the Source of a nested pipeline.
    """

    def __init__(self, run: RunHandle | None = None) -> None:
        self._run = run
        self.down: Outlet

    def connect(self) -> None:
        """Find the way into the pipeline."""
        if self._run is not None:
            self.down = way_from(self, _DOWN)

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Show a fact to the subscribers at the outermost Source."""
        if self._run is not None:
            self._run.emit(fact, direction)
        return self.next(direction)

    def outlet(self, direction: FrameDirection) -> Outlet | None:
        """Return this end for upstream frames at the outermost Source; else None."""
        return None if self._run is None or direction is _DOWN else self

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the exit for upstream frames at the outermost Source; else None."""
        return None if self._run is None or direction is _DOWN else self.send

    def send(self, frame: Frame) -> Congestion | None:
        """Let an upstream frame out of the pipeline."""
        assert self._run is not None, "frames pass through the Source of a nested pipeline"
        self._run.emit(frame, _UP)
        return None


class Sink(Element):
    """The end of a pipeline towards the speaker.

    The outermost Sink has the task's down queue. It tells the task that StartFrame or
    EndFrame has passed the whole pipeline. Frames pass through the Sink of a nested pipeline.
    """

    def __init__(
        self, run: RunHandle | None = None, down_queue: Callable[[Flow], None] | None = None
    ) -> None:
        self._run = run
        self._down_queue = down_queue

    def take_flow(self, frame: Flow) -> bool:
        """Tell the task that the frame has arrived, and let it pass."""
        if self._down_queue is not None:
            self._down_queue(frame)
        return True

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Show a fact to the subscribers at the outermost Sink."""
        if self._run is not None:
            self._run.emit(fact, direction)
        return self.next(direction)

    def outlet(self, direction: FrameDirection) -> Outlet | None:
        """Return this end for downstream frames at the outermost Sink; else None."""
        return None if self._run is None or direction is _UP else self

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the exit for downstream frames at the outermost Sink; else None."""
        return None if self._run is None or direction is _UP else self.send

    def send(self, frame: Frame) -> Congestion | None:
        """Let a downstream frame out of the pipeline."""
        assert self._run is not None, "frames pass through the Sink of a nested pipeline"
        self._run.emit(frame, _DOWN)
        return None
