"""The framework's own elements: the two ends of a pipeline, and the junctions of parallel branches."""

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

    The outermost one is where the task's frames come in, and where upstream frames leave.
    In a nested pipeline frames pass through it.
    """

    def __init__(self, run: RunHandle | None = None) -> None:
        self._run = run
        self.down: Route

    def connect(self) -> None:
        """Compile the way in."""
        if self._run is not None:
            self.down = Route(self, _DOWN)

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Upstream frames leave the outermost Source."""
        run = self._run
        if run is None or direction is _DOWN:
            return None

        def leave(frame: Frame) -> Congestion | None:
            run.surfaced(frame, _UP)
            return None

        return leave


class Sink(Element):
    """The end of a pipeline towards the speaker.

    The outermost one has the task's down queue, by which the task learns that StartFrame
    and EndFrame have gone all the way. A nested one hands on to whatever stands behind
    its pipeline.
    """

    def __init__(
        self, run: RunHandle | None = None, down_queue: Callable[[Flow], None] | None = None
    ) -> None:
        self._run = run
        self._down_queue = down_queue

    def take_flow(self, frame: Flow) -> bool:
        """Tell the task, and pass it on: terminal frames travel through everything, the Sink included."""
        if self._down_queue is not None:
            self._down_queue(frame)
        return True

    def receiver(self, direction: FrameDirection) -> Receive | None:
        """Downstream frames leave the outermost Sink."""
        run = self._run
        if run is None or direction is _UP:
            return None

        def leave(frame: Frame) -> Congestion | None:
            run.surfaced(frame, _DOWN)
            return None

        return leave
