"""The seat of a stage in one run: its label, ledger and child tasks; and the seat of an inline stage."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from types import CoroutineType
from typing import Any, TypeVar

from voicepipe.awaitables import refuse_coroutine
from voicepipe.errors import DeviceLostError
from voicepipe.frames import AudioFrame, EndFrame, Frame, FrameDirection, StartFrame, TranscriptionFrame
from voicepipe.params import StartParams
from voicepipe.pipeline.hook_checks import hook_name
from voicepipe.pipeline.hook_task import HookTask
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.link import Call, Element, Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.processor import InlineProcessor, Outlet, Processor, overrides
from voicepipe.pipeline.route import describe_no_frames, way_from
from voicepipe.pipeline.stage_task import escaped_from, start_task
from voicepipe.report import DropReason, SeamReport
from voicepipe.text import class_name

__all__ = ["InlineSeat", "StageSeat"]

T = TypeVar("T")
_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM


class StageSeat(Element):
    """The place of one stage in one run. The run makes it and takes it away."""

    opened = False
    """True once `on_start` has begun, so that `cleanup` must be called."""
    ended = False
    """True once EndFrame has passed."""
    hooks: HookTask | None = None
    """The task of the stage's hooks, if they need one."""
    _children: set[asyncio.Task[Any]] | None = None
    _past_down: Outlet | None = None
    _past_up: Outlet | None = None

    def __init__(self, processor: Processor, label: str, run: RunHandle, ledger: Ledger) -> None:
        self.processor = processor
        self.label = label
        self.run = run
        self.ledger = ledger

    @property
    def past_down(self) -> Outlet:
        """The way downstream from here."""
        if self._past_down is None:
            self._past_down = way_from(self, _DOWN)
        return self._past_down

    @property
    def past_up(self) -> Outlet:
        """The way upstream from here. Many stages never push upstream, and need none."""
        if self._past_up is None:
            self._past_up = way_from(self, _UP)
        return self._past_up

    @property
    def children(self) -> Collection[asyncio.Task[Any]]:
        """The stage's own tasks that are not done."""
        return self._children or ()

    def attach(self) -> None:
        """Give the stage its seat."""
        self.processor._seat = self

    def detach(self) -> None:
        """Take the seat away, so that the stage can be used again."""
        self.processor._seat = None

    @property
    def opens(self) -> bool:
        """True if the stage needs a task for its hooks, because it has something to open."""
        return overrides(self.processor, "on_start")

    def open(self, params: StartParams) -> HookTask | None:
        """Begin to open the stage. Return the task that runs `on_start`; None if there is nothing to open."""
        if self.opens:
            self.hooks = HookTask(self, params)
        else:
            self.opened = True
        return self.hooks

    def create_task(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task of the stage. Its failure counts as a failure of the stage."""
        task = start_task(self.run.loop, coroutine, self.run.task_name(self.label, name or "task"))
        if self._children is None:
            self._children = set()
        self._children.add(task)
        task.add_done_callback(self._child_done)
        return task

    def _child_done(self, task: asyncio.Task[Any]) -> None:
        if self._children is not None:
            self._children.discard(task)
        error = escaped_from(task)
        if error is not None:
            self.handle_error(error)

    def handle_soon(self, error: BaseException) -> None:
        """Handle an error of the stage in the next step of the loop. From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: there is no run left to fail
            self.run.loop.call_soon_threadsafe(self.handle_error, error)

    def report_error(self, error: BaseException) -> None:
        """Report an exception after which the stage goes on, whatever its error policy is."""
        self.run.stage_reported(self.label, error, self.past_up.send)

    def handle_error(self, error: BaseException) -> None:
        """Handle an exception that escaped the stage, by the stage's error policy."""
        if self.processor.on_error == "report":
            self.report_error(error)
        else:
            self.disable(reason_of(error))
            self.run.stage_failed(self.label, error)

    def interrupt(self) -> None:
        """Drop the interruptible frames at once, for an interruption."""
        self._call_at_once("on_interruption")

    def tell_fact(self, fact: Frame, direction: FrameDirection) -> None:
        """Tell the stage of a fact at once."""
        if type(self.processor).on_fact is not Processor.on_fact:
            self._call_at_once("on_fact", fact, direction)

    def push_fact(self, fact: Frame, direction: FrameDirection) -> Congestion | None:
        """Pass on a fact that the stage made. What the stage passes on itself is on its way already.

        Returns:
            The place for which the pusher waits, if the fact has raised a question.
        """
        run = self.run
        if not self.ended:
            before = run.hold.count
            run.facts.push(self, fact, direction)
            return run.hold if run.hold.count > before else None
        if not run.facts.is_known(fact, direction):
            self.ledger.refuse(fact, DropReason.SHUTDOWN)
        return None

    def hold_sources(self) -> None:
        """Let the sources that can wait do so, until `release_sources` was called as often."""
        self.run.hold.begin()

    def release_sources(self) -> None:
        """Let the sources go on."""
        self.run.hold.end()

    def push_words(self, words: TranscriptionFrame, send: Receive) -> Congestion | None:
        """Send the user's words on, now or when they may go; return the congested place, if any."""
        return self.run.take_words(words, send)

    def announce_end(self) -> None:
        """Tell the stage that an end was requested."""
        if overrides(self.processor, "on_ending"):
            self._call_at_once("on_ending")

    def _call_at_once(self, hook: str, *arguments: object) -> None:
        if self.cleans_up:
            return
        try:
            result = getattr(self.processor, hook)(*arguments)
            if result is not None:
                refuse_coroutine(hook_name(self.processor, hook), result)
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.handle_error(error)

    @property
    def cleans_up(self) -> bool:
        """True once a stage with a task of its own cleans up. No other hook comes after that."""
        return self.hooks is not None and self.hooks.cleans_up

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """Cut the stage off: its data is dropped and counted, and EndFrame passes by it.

        Args:
            reason: the drop reason, for the ledger.
            forward: pass on the life-cycle frames that wait here. False when the run is cancelled.
        """
        raise NotImplementedError

    def seams(self) -> list[SeamReport]:
        """Return the present counts of the seat's ledger, and of those that the stage keeps itself."""
        if not self.processor._keeps_ledgers:  # as nearly always
            return [self.ledger.report(self.label)]
        return [self.ledger.report(self.label), *self._own_seams()]

    def _own_seams(self) -> list[SeamReport]:
        if not self.opened:  # they belong to the run before
            return []
        return self._ask(self.processor.seams, list[SeamReport]())

    def _ask(self, question: Callable[[], T], otherwise: T) -> T:
        """Ask the stage for a part of the report. A stage that raises has an error, in the next step."""
        try:
            return refuse_coroutine(hook_name(self.processor, question.__name__), question())
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.handle_soon(error)
            return otherwise


class InlineSeat(StageSeat):
    """The seat of an inline stage: one call in every route that leads through it."""

    processor: InlineProcessor

    def __init__(self, processor: InlineProcessor, label: str, run: RunHandle) -> None:
        super().__init__(processor, label, run, Ledger())
        self._call: Call | None = None
        """The call that has taken the place of `process`, once the stage takes no more frames."""
        self._routes: tuple[list[Call], ...] = ()
        """The calls of the routes that lead through here."""
        self._places: tuple[int, ...] = ()
        """The position of this stage's call in each route."""
        self.disabled = False

    def inline(self) -> InlineSeat:
        """Return this seat."""
        return self

    def join(self, calls: list[Call]) -> None:
        """Append the stage's call to the calls of a route, and keep it up to date there."""
        self._routes += (calls,)
        self._places += (len(calls),)
        # The bound methods of one route are made in a row, so that they lie side by side: with thousands of
        # sessions, each frame finds them far from the processor.
        calls.append(self._call or self.processor.process)

    def take_flow(self, frame: Flow) -> bool:
        """Let the frame pass. At EndFrame, send the frames that the stage still holds first."""
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
            held = self.frames_of(self.processor.on_end(), "on_end")
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self.handle_error(error)
        else:
            self._send(held, _DOWN)

    def _send(self, frames: Iterable[Frame], direction: FrameDirection) -> None:
        """Send frames that the stage made, when nobody can wait."""
        for frame in frames:
            route = self.past_down if direction is _DOWN else self.past_up
            if frame.is_fact:
                self.push_fact(frame, direction)
            elif isinstance(frame, TranscriptionFrame):
                self.push_words(frame, route.send)
            else:
                route.send(frame)

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Let the stage process a fact. Whether it passes the fact on makes no difference."""
        if not (self.disabled or self.ended):
            self.tell_fact(fact, direction)
            try:
                made = self.frames_of(self.processor.process(fact, direction))
            except BaseException as error:  # a stage's failure becomes a PipelineError
                self.handle_error(error)
            else:
                own = [frame for frame in made if frame is not fact]
                if own:
                    self.run.facts.send_later(lambda: self._send(own, direction))
        return self.next(direction)

    def frames_of(self, out: Iterable[Frame], hook: str = "process") -> list[Frame]:
        """Check the frames that the stage made; pass its requests to the task, and return the others.

        Args:
            out: the result of the hook.
            hook: the name of the hook, for the error.

        Raises:
            TypeError: `out` is not an iterable of frames.
            ValueError: it contains a StartFrame.
        """
        if not isinstance(out, Iterable):
            raise TypeError(describe_no_frames(hook_name(self.processor, hook), out))
        return [frame for frame in list(out) if not self.is_request(frame)]

    def refuse_twice(self, frame: Frame, made: Sequence[Frame]) -> None:
        """Check that the stage passes the frame that it took on once. Raises: RuntimeError."""
        if sum(result is frame for result in made) > 1:
            raise RuntimeError(describe_second_push(self.label, frame))

    def is_request(self, frame: Frame) -> bool:
        """Pass a request of the stage to the task; return True if the frame was one."""
        return pass_request(self.run, frame, self.label)

    def fail(self, frame: Frame, error: BaseException) -> None:
        """Drop the frame for which the stage raised an exception, and handle the exception."""
        self.ledger.refuse(frame, DropReason.PROCESSOR_ERROR)
        self.handle_error(error)

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """Replace the stage's call by one that drops and counts data."""
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
        self._call = call
        for calls, place in zip(self._routes, self._places, strict=True):
            calls[place] = call


def _pass_by(frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
    return (frame,)


def pass_request(run: RunHandle, frame: Frame, label: str) -> bool:
    """Pass a stage's own request to the task; return True if the frame was one.

    Raises:
        TypeError: `frame` is not a frame.
        ValueError: `frame` is a StartFrame; only the task sends it.
    """
    if not isinstance(frame, Frame):
        if isinstance(frame, CoroutineType):
            frame.close()
        raise TypeError(
            f"{label} must push or return frames, not {class_name(frame)}: use a class derived from Frame"
        )
    if not frame.is_request or frame.is_fact or run.is_passing(frame):
        return False
    if isinstance(frame, TranscriptionFrame):
        return False  # it is data, which the run only notes
    if isinstance(frame, StartFrame):
        raise ValueError(f"{label} must not push a StartFrame: only the task sends it")
    run.take_request(frame, label)
    return True


def describe_second_push(label: str, frame: Frame) -> str:
    """Return an error message for a stage that passes the frame in progress on twice."""
    kind = type(frame).__name__
    return (
        f"{label} passed the same {kind} on twice: call super().process_frame() or push_frame(), not both; "
        "to send a frame twice, push a copy of it (copy.copy)"
    )


def reason_of(error: BaseException) -> str:
    """Return the drop reason for data that a stage cannot handle because of this error."""
    lost = issubclass(type(error), DeviceLostError)
    return DropReason.DEVICE_LOST if lost else DropReason.PROCESSOR_ERROR


def audio_samples(frame: Frame) -> int:
    """Return the number of samples of an audio frame; 0 for any other frame."""
    return frame.num_samples if isinstance(frame, AudioFrame) else 0
