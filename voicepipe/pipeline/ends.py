"""The two ends of a pipeline: Source towards the microphone, Sink towards the speaker."""

from __future__ import annotations

from collections.abc import Callable

from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.link import Element, Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.route import Route

__all__ = ["Sink", "Source"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM


class Source(Element):
    """The end of a pipeline towards the microphone.

    The task's frames enter at the outermost Source; upstream frames leave there.
    Frames pass through the Source of a nested pipeline.
    """

    def __init__(self, run: RunHandle | None = None) -> None:
        self._run = run
        self.down: Route

    def connect(self) -> None:
        """Compile the route into the pipeline."""
        if self._run is not None:
            self.down = Route(self, _DOWN)

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Show a fact to the subscribers at the outermost Source."""
        if self._run is not None:
            self._run.emit(fact, direction)
        return self.next(direction)

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the exit for upstream frames at the outermost Source; else None."""
        run = self._run
        if run is None or direction is _DOWN:
            return None

        def leave(frame: Frame) -> Congestion | None:
            run.emit(frame, _UP)
            return None

        return leave


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

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Return the exit for downstream frames at the outermost Sink; else None."""
        run = self._run
        if run is None or direction is _UP:
            return None

        def leave(frame: Frame) -> Congestion | None:
            run.emit(frame, _DOWN)
            return None

        return leave
