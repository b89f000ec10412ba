"""One stage's seat in one run: its labels, ledger, child tasks, and, for an inline stage, its calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import cached_property
from typing import Any, TypeVar

from voicepipe.errors import DeviceLostError
from voicepipe.frames import AudioFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.link import Call, Element, Flow, RunHandle
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.processor import InlineProcessor, Processor
from voicepipe.pipeline.route import Route, describe_no_frames
from voicepipe.pipeline.stage_task import error_of, start_task
from voicepipe.report import DropReason, SeamReport

__all__ = ["InlineSeat", "StageSeat"]

T = TypeVar("T")
_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM


class StageSeat(Element):
    """What a run keeps for one stage. The run makes it, and takes it away."""

    def __init__(self, processor: Processor, label: str, run: RunHandle) -> None:
        self.processor = processor
        self.label = label
        self.run = run
        self.ledger = Ledger()
        self.opened = False
        """`on_start` has begun, so `cleanup` is owed."""
        self.ended = False
        """EndFrame has passed."""
        self._children: set[asyncio.Task[Any]] | None = None

    @cached_property
    def past_down(self) -> Route:
        """The way downstream from here."""
        return Route(self, _DOWN)

    @cached_property
    def past_up(self) -> Route:
        """The way upstream from here."""
        return Route(self, _UP)

    @property
    def children(self) -> Collection[asyncio.Task[Any]]:
        """The tasks of its own that are not done."""
        return self._children or ()

    def attach(self) -> None:
        """Give the stage its seat."""
        self.processor._seat = self

    def detach(self) -> None:
        """Take the seat away: the stage may be used again."""
        self.processor._seat = None

    def open(self) -> None:
        """Note that the stage is about to be opened."""
        self.opened = True

    def create_task(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """A task of the stage's own; its failure is the stage's."""
        task = start_task(self.run.loop, coroutine, self.run.task_name(self.label, name or "task"))
        if self._children is None:
            self._children = set()
        self._children.add(task)
        task.add_done_callback(self._child_done)
        return task

    def _child_done(self, task: asyncio.Task[Any]) -> None:
        if self._children is not None:
            self._children.discard(task)
        if not task.cancelled() and (error := error_of(task)) is not None:
            self.raised(error)

    def raised(self, error: BaseException) -> None:
        """An exception escaped the stage: what becomes of it is the stage's policy."""
        if self.processor.on_error == "report":
            self.run.stage_reported(self.label, error, self.past_up.send)
        else:
            self.disable(reason_of(error))
            self.run.stage_failed(self.label, error)

    def interrupt(self) -> None:
        """An interruption: drop what may be dropped, at once."""
        self._call_at_once(self.processor.on_interruption)

    def ending(self) -> None:
        """The End was asked for."""
        self._call_at_once(self.processor.on_ending)

    def _call_at_once(self, hook: Callable[[], None]) -> None:
        try:
            hook()
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.raised(error)

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """The stage gets nothing any more: data is dropped and counted, End passes by it.

        `forward`: life-cycle frames that wait here go on (not when the run is cancelled).
        """
        raise NotImplementedError

    def seams(self) -> list[SeamReport]:
        """The stage's ledgers as they stand."""
        return [self.ledger.report(self.label)]


class InlineSeat(StageSeat):
    """The seat of a synchronous stage: a call in every route that leads through it."""

    processor: InlineProcessor

    def __init__(self, processor: InlineProcessor, label: str, run: RunHandle) -> None:
        super().__init__(processor, label, run)
        self.call: Call = processor.process
        self._routes: tuple[list[Call], ...] = ()
        """The calls of the routes that lead through here."""
        self._places: tuple[int, ...] = ()
        """Where this one's call stands in each."""
        self.disabled = False

    def inline(self) -> InlineSeat:
        """Return this one."""
        return self

    def join(self, calls: list[Call]) -> None:
        """Append the stage's call to those of a route, and keep it up to date there."""
        self._routes += (calls,)
        self._places += (len(calls),)
        calls.append(self.call)

    def take_flow(self, frame: Flow) -> bool:
        """At the End, give out what the stage holds, and then the End."""
        if self.ended:
            return False
        if isinstance(frame, EndFrame):
            if not self.disabled:
                self._give_out()
            self.ended = True
            self._set_call(_pass_by)
        return True

    def _give_out(self) -> None:
        try:
            held = self.frames_of(self.processor.on_end())
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.raised(error)
        else:
            if held:
                self.past_down.send_all(held)

    def frames_of(self, out: Iterable[Frame]) -> list[Frame]:
        """What the stage made, checked; its requests are taken out and passed to the task.

        Raises:
            TypeError: it is no iterable of frames.
            ValueError: a StartFrame.
        """
        if not isinstance(out, Iterable):
            raise TypeError(describe_no_frames(out))
        return [frame for frame in list(out) if not self.is_request(frame)]

    def is_request(self, frame: Frame) -> bool:
        """Whether a frame of the stage's was meant for the task, which now has it."""
        return ask(self.run, frame, self.label)

    def failed(self, frame: Frame, error: BaseException) -> None:
        """The stage raised on a frame."""
        self.ledger.refuse(frame, DropReason.PROCESSOR_ERROR)
        self.raised(error)

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """Replace the stage by a call that drops and counts data."""
        if self.disabled or self.ended:
            return
        self.disabled = True

        def drop(frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            if frame.is_system:
                return (frame,)
            self.ledger.refuse(frame, reason)
            return ()

        self._set_call(drop)

    def _set_call(self, call: Call) -> None:
        self.call = call
        for calls, place in zip(self._routes, self._places, strict=True):
            calls[place] = call


def _pass_by(frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
    return (frame,)


def ask(run: RunHandle, frame: Frame, label: str) -> bool:
    """Whether a frame that a stage pushed is a request of its own; then the task has it now.

    Raises:
        TypeError: it is no frame.
        ValueError: a StartFrame; only the task starts.
    """
    if not isinstance(frame, Frame):
        raise TypeError(
            f"{label} pushed {frame!r}, which is no frame: push objects of a class derived from Frame"
        )
    if not frame.is_request or run.is_passing(frame):
        return False
    if isinstance(frame, StartFrame):
        raise ValueError(f"{label} pushed a StartFrame: only the task starts a run")
    run.asked(frame, label)
    return True


class Sealed:
    """In place of the route of a stage that has ended: what it still pushes is dropped and counted."""

    def __init__(self, seat: StageSeat, reason: str) -> None:
        self._seat = seat
        self._reason = reason

    def send(self, frame: Frame) -> Congestion | None:
        """Drop it."""
        self._seat.ledger.refuse(frame, self._reason)
        return None


class Held:
    """In place of the route of a stage that StartFrame has not passed: what it pushes waits for that."""

    limit = 256

    def __init__(self, label: str) -> None:
        self._label = label
        self.frames: list[Frame] = []

    def send(self, frame: Frame) -> Congestion | None:
        """Keep it until StartFrame has passed.

        Raises:
            RuntimeError: more than 256 frames before the start.
        """
        if len(self.frames) >= self.limit:
            raise RuntimeError(
                f"{self._label} pushed over {self.limit} frames before the start: use on_running()"
            )
        self.frames.append(frame)
        return None


def reason_of(error: BaseException) -> str:
    """Why data is dropped that a stage cannot handle because of this error."""
    lost = isinstance(error, DeviceLostError)
    return DropReason.DEVICE_LOST if lost else DropReason.PROCESSOR_ERROR


def audio_samples(frame: Frame) -> int:
    """The samples of an audio frame; 0 for any other."""
    return frame.num_samples if isinstance(frame, AudioFrame) else 0
