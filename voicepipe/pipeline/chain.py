"""The chain of one run: a pipeline laid out flat, as elements that the run makes and keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from voicepipe.pipeline.ends import Sink, Source
from voicepipe.pipeline.hook_checks import check_hooks
from voicepipe.pipeline.junction import Junction
from voicepipe.pipeline.link import Element, Flow, RunHandle
from voicepipe.pipeline.pipeline import ParallelPipeline, Pipeline
from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor, Processor, label_of
from voicepipe.pipeline.seat import InlineSeat, StageSeat
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.pipeline.unawaited import begin_watch, end_watch
from voicepipe.text import quote

__all__ = ["Chain"]


class Chain:
    """All elements of one run. Nested pipelines are laid flat.

    The run is the only owner: it opens, ends and cleans up all `seats`, at whatever depth.
    """

    __slots__ = ("_run", "has_branches", "seats", "sink", "source", "task_seats")

    def __init__(self, pipeline: Processor, run: RunHandle, down_queue: Callable[[Flow], None]) -> None:
        self._run = run
        self.source, self.sink = Source(run), Sink(run, down_queue)
        inner = pipeline.processors if isinstance(pipeline, Pipeline) else (pipeline,)
        layout = _Layout(run)
        layout.string(self.source, *inner, self.sink)
        for end in layout.ends:
            end.connect()
        self.seats: Sequence[StageSeat] = tuple(layout.seats)
        """The stages, from the microphone to the speaker. Parallel branches follow one another."""
        self.task_seats: Sequence[TaskSeat] = tuple(layout.task_seats)
        """The stages that have a mailbox and a task."""
        self.has_branches = layout.has_branches
        """True if a part of the pipeline is parallel."""

    def attach(self) -> None:
        """Give every processor its seat in this run.

        Raises:
            RuntimeError: a processor has a seat in another run. Nothing is attached then.
            TypeError: a hook of a stage is async where it must be plain, or the other way round.
        """
        for seat in self.seats:
            check_hooks(seat.processor)
            if seat.processor._seat is not None:
                raise RuntimeError(
                    f"{seat.label} is already in a running pipeline; make another processor for this one"
                )
        for seat in self.seats:
            seat.attach()
        begin_watch()

    def hold(self) -> None:
        """Keep what the stages push before StartFrame has passed, because they are opened one by one."""
        for seat in self.task_seats:
            seat.hold()

    def release(self) -> None:
        """Send what the stages have pushed before StartFrame had passed, the last stage's first."""
        for seat in reversed(self.task_seats):
            seat.release()

    def begin(self) -> None:
        """Start the tasks of the stages, the first one first, so that a frame finds all of them at work."""
        self._run.context.run(self._begin)  # the tasks inherit the era

    def _begin(self) -> None:
        for seat in self.task_seats:
            seat.begin()

    def detach(self) -> None:
        """Take the seats away after the run, so that its processors can be used again."""
        end_watch()
        for seat in self.seats:
            seat.detach()


class _Layout:
    """The elements of a chain while it is laid out."""

    def __init__(self, run: RunHandle) -> None:
        self._run = run
        self._labels: dict[str, int] = {}
        self.seats: list[StageSeat] = []
        self.task_seats: list[TaskSeat] = []
        self.ends: list[Element] = []
        """The elements of the framework's own, from which routes begin."""
        self.has_branches = False

    def string(self, *parts: Element | Processor) -> tuple[Element, Element]:
        """Lay parts out in a row; return the first and the last element."""
        first, last = self._lay(parts[0])
        for part in parts[1:]:
            start, end = self._lay(part)
            last.after, start.before, last = start, last, end
        return first, last

    def _lay(self, part: Element | Processor) -> tuple[Element, Element]:
        if isinstance(part, (FrameProcessor, InlineProcessor)):
            seat = self._seat(part)
            self.seats.append(seat)
            return seat, seat
        if isinstance(part, Element):
            self.ends.append(part)
            return part, part
        if isinstance(part, Pipeline):
            return self.string(Source(), *part.processors, Sink())
        if isinstance(part, ParallelPipeline):
            return self._lay_branches(part)
        raise TypeError(f"{quote(part)} must derive from InlineProcessor or FrameProcessor")

    def _lay_branches(self, parallel: ParallelPipeline) -> tuple[Element, Element]:
        head, tail = Junction.pair(len(parallel.branches))
        for start, branch, end in zip(head.ports, parallel.branches, tail.ports, strict=True):
            self.string(start, branch, end)
        self.ends += [head, tail]
        self.has_branches = True
        return head, tail

    def _seat(self, processor: FrameProcessor | InlineProcessor) -> StageSeat:
        name = label_of(processor)
        self._labels[name] = nth = self._labels.get(name, 0) + 1
        label = name if nth == 1 else f"{name}#{nth}"
        if isinstance(processor, InlineProcessor):
            return InlineSeat(processor, label, self._run)
        seat = TaskSeat(processor, label, self._run)
        self.task_seats.append(seat)
        return seat
