"""The seat of a stage that may wait: its mailbox, its one task, and how that task is cut short."""

from __future__ import annotations

import asyncio
import contextvars
import enum
import inspect
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from voicepipe.frames import AudioFrame, DataFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.link import Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion, Mailbox, Waiter, wake
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.pipeline.route import Route
from voicepipe.pipeline.seat import Held, Node, Sealed, ask, audio_samples, reason_of
from voicepipe.report import DropReason, SeamReport

__all__ = ["Worker"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
_AT_ONCE = 32
"""Frames that an idle stage takes at once before the loop has a turn: who only pushes never waits."""
_MANY = 8
"""Frames found at one turn of the loop: more come than the loop has turns."""
_DEEPEST = 16
"""Stages that run inside each other at most."""


class _Cut(enum.Enum):
    """Why the framework cancelled the stage's task."""

    FRAME = "an interruption: only the frame in progress"
    STOP = "the stage is to stop"


class Worker(Node):
    """One mailbox and one task. The run starts the task when it opens the stage.

    A frame that comes while the stage waits for one is handled at once, inside its pusher but as the
    stage's own task, up to where the stage waits for something; the task goes on from there. So a hop
    between stages that have nothing to wait for needs no turn of the event loop.
    """

    processor: FrameProcessor

    def __init__(self, processor: FrameProcessor, label: str, run: RunHandle) -> None:
        super().__init__(processor, label, run)
        self.box = Mailbox(self.ledger, processor.mailbox_size)
        self.task: asyncio.Task[None] | None = None
        self.down: Route | Sealed | Held = Held(label)
        """Where the stage's own frames go downstream; held back until StartFrame has passed."""
        self.up: Route | Sealed | Held = Held(label)
        self.current: Frame | None = None
        """The frame in progress."""
        self.progress = 0
        """Counts handled and pushed frames: what stands still is stuck."""
        self.blocked = 0
        """Pushes that wait for room downstream."""
        self._turns = 0
        """Frames that may still be taken at once."""
        self._look = False
        """It was to look again, while it took a frame at once."""
        self._begun: _Begun | None = None
        """What was begun at once, and is for the task to go on with."""
        self._context: contextvars.Context
        self._process: Callable[[Frame, FrameDirection], Coroutine[Any, Any, None]]
        self._cut: _Cut | None = None
        self._outer: Frame | None = None
        """The frame whose push waits while a system frame is handled."""
        self._cut_outer = False

    # -- the chain -----------------------------------------------------------

    def receiver(self, direction: FrameDirection) -> Receive:
        """Routes end in the mailbox."""
        return self.box.put_down if direction is _DOWN else self.box.put_up

    def take_flow(self, frame: Flow) -> bool:
        """Into the mailbox, behind the data; past it where the stage takes no more."""
        if self.box.bypass is None:
            self.box.put_down(frame)
            return False
        return self._may_pass(frame)

    def _may_pass(self, frame: Flow) -> bool:
        """Whether it goes on: EndFrame does so once."""
        if isinstance(frame, EndFrame):
            if self.ended:
                return False
            self.ended = True
        return True

    def _pass(self, frame: Flow) -> None:
        if self._may_pass(frame):
            self.pass_flow(frame)

    def _release(self) -> None:
        """StartFrame has passed: what was pushed before it follows."""
        held = [(self.past_down, self.down), (self.past_up, self.up)]
        self.down, self.up = self.past_down, self.past_up
        for route, pushed in held:
            if isinstance(pushed, Held):
                route.send_all(pushed.frames)

    def _seal(self, reason: str) -> None:
        """What the stage pushes from now on, or pushed before StartFrame passed, is dropped."""
        early = [f for route in (self.down, self.up) if isinstance(route, Held) for f in route.frames]
        for frame in early:
            self.ledger.refuse(frame, reason)
        self.down, self.up = Sealed(self, reason), Sealed(self, reason)

    # -- the task ------------------------------------------------------------

    def open(self) -> None:
        """Make the stage's task."""
        super().open()
        process = self.processor.process_frame
        self._process = process if inspect.iscoroutinefunction(process) else _awaiting(process)
        self._context = contextvars.copy_context()
        name = self.run.task_name(self.label, "stage")
        self.task = self.run.loop.create_task(self._work(), name=name, context=self._context)
        self.task.add_done_callback(self._task_done)
        self.box.idler = self

    def _task_done(self, task: asyncio.Task[None]) -> None:
        """No stage dies in silence, whatever ended its task."""
        error = None if task.cancelled() else task.exception()
        if self.box.bypass is None:
            error = error or RuntimeError(f"the task of {self.label} ended before its time")
            self.disable(reason_of(error))  # whatever its policy: without a task it cannot go on
            self.run.stage_failed(self, error)

    def take_at_once(self, frame: Frame, direction: FrameDirection, reader: Waiter) -> bool:
        """The stage waits for a frame, and here is one: see the class."""
        run = self.run
        if frame.is_request or not self._turns or run.depth >= _DEEPEST or reader.done():
            return False
        box, loop, task = self.box, run.loop, self.task
        pusher = asyncio.current_task(loop)
        if pusher is run.driver or task is None:
            return False  # the run itself waits for no stage's code
        self._turns -= 1
        box.reader = None  # what is put meanwhile waits
        self._look = False
        self.current = frame
        if isinstance(frame, AudioFrame):
            self.ledger.taken += frame.num_samples
        if pusher is not None:
            _leave_task(loop, pusher)
        _enter_task(loop, task)
        run.depth += 1
        try:
            coroutine = self._process(frame, direction)
            waits_for = self._context.run(coroutine.send, None)
        except StopIteration:
            self._done()
        except BaseException as error:  # a stage's failure becomes a PipelineError
            wake(reader)  # before anybody else: a task that has failed ends first
            self._escaped(error)
        else:
            self._begun = _Begun(coroutine, waits_for)
        finally:
            run.depth -= 1
            _leave_task(loop, task)
            if pusher is not None:
                _enter_task(loop, pusher)
        if self._begun is None and box.bypass is None and box.is_empty and not self._look:
            box.reader = reader
        else:
            wake(reader)
        return True

    def look_again(self) -> None:
        """There may be something to do for a stage that works when idle."""
        self._look = True
        self.box.wake()

    async def _work(self) -> None:
        box, ledger, loop = self.box, self.ledger, self.run.loop
        process = self._process
        idle = self.processor.work_when_idle if self.processor.works_when_idle else None
        data = box.data
        while box.bypass is None:
            try:
                if data and not box.others:
                    self.current = frame = data.popleft()
                    if box.pushers:
                        box.make_room()
                    if frame.is_request and isinstance(frame, (StartFrame, EndFrame)):
                        await self._take_life_cycle(frame)
                        continue
                    await process(frame, _DOWN)
                elif (entry := box.take()) is not None:
                    self.current, direction = entry
                    if direction is _DOWN and isinstance(self.current, (StartFrame, EndFrame)):
                        await self._take_life_cycle(self.current)
                        continue
                    await process(*entry)
                elif idle is not None and await idle():
                    pass
                elif box.is_empty:
                    try:
                        await box.wait(loop)
                    except asyncio.CancelledError as error:
                        if self._begun is None:
                            raise
                        self._begun.cancelled = error
                    # Where frames come faster than the loop turns, it is cheaper to take many at a turn.
                    self._turns = _AT_ONCE if len(data) < _MANY else 0
                    if self._begun is None:
                        continue
                    begun, self._begun = self._begun, None
                    await begun
            except BaseException as error:  # a stage's failure becomes a PipelineError
                if isinstance(error, GeneratorExit) and not self._has_the_loop():
                    raise  # the loop is gone, and the task with it
                self._escaped(error)
                continue
            self.progress += 1
            done, self.current = self.current, None
            if isinstance(done, AudioFrame):
                ledger.given += done.num_samples
            if self._cut is not None and self._cut is _Cut.FRAME:
                self._forget_cut()

    def _has_the_loop(self) -> bool:
        """This code runs because the loop runs the stage's task."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:
            return False

    async def _take_life_cycle(self, frame: Flow) -> None:
        try:
            if isinstance(frame, EndFrame):
                await self.processor.on_end()
        finally:
            if self._cut is not _Cut.STOP:
                self.current = None
                if isinstance(frame, EndFrame):
                    self._close(DropReason.SHUTDOWN)
                self._pass(frame)
                if isinstance(frame, StartFrame):
                    self._release()

    def _done(self) -> None:
        """The frame in progress is handled."""
        self.progress += 1
        frame, self.current = self.current, None
        if isinstance(frame, AudioFrame):
            self.ledger.given += frame.num_samples
        if self._cut is _Cut.FRAME:  # the stage kept the cancellation to itself
            self._forget_cut()

    def _escaped(self, error: BaseException) -> None:
        """Something was raised where the stage's code runs."""
        frame, self.current = self.current, None
        interrupted = isinstance(error, asyncio.CancelledError)
        if isinstance(error, _FrameCutError):
            self._drop(frame, DropReason.INTERRUPTED)
        elif interrupted and self._cut is _Cut.FRAME:
            self._forget_cut()
            self._drop(frame, DropReason.INTERRUPTED)
        elif not (interrupted and self._cut is _Cut.STOP):
            self._drop(frame, reason_of(error))
            self.raised(error)

    def _drop(self, frame: Frame | None, reason: str) -> None:
        if frame is not None and frame is not _HANDED_OVER:
            self.ledger.drop(frame, reason)

    def _forget_cut(self) -> None:
        self._cut = None
        assert self.task is not None
        self.task.uncancel()

    def handed_over(self) -> None:
        """The frame in progress is in the stage's own books now; cutting its handling drops nothing here."""
        if self.current is not None:
            self.ledger.given += audio_samples(self.current)
            self.current = _HANDED_OVER

    # -- pushing -------------------------------------------------------------

    def push_unusual(self, frame: Frame, direction: FrameDirection) -> None:
        """A push of something that is a request, or no frame at all. Raises as `push_frame`."""
        if not ask(self.run, frame, self.label):
            (self.down if direction is _DOWN else self.up).send(frame)

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room, handling the system frames that arrive meanwhile."""
        own = asyncio.current_task() is self.task and self._outer is None
        self.blocked += 1
        try:
            while full.congested:
                entry = self.box.take_system() if own else None
                if entry is not None:
                    await self._handle_meanwhile(*entry)
                    continue
                waiter = self.run.loop.create_future()
                full.add_waiter(waiter)
                if own:
                    self.box.expect_system(waiter)
                try:
                    await waiter
                finally:
                    full.remove_waiter(waiter)
        finally:
            self.blocked -= 1
            if own:
                self.box.expect_system(None)

    async def _handle_meanwhile(self, frame: Frame, direction: FrameDirection) -> None:
        self._outer, self.current = self.current, frame
        try:
            await self.processor.process_frame(frame, direction)
        finally:
            self.current, self._outer = self._outer, None
        if self._cut_outer:
            self._cut_outer = False
            raise _FrameCutError

    # -- cutting short -------------------------------------------------------

    def interrupt(self) -> None:
        """Drop what may be dropped, and cancel the frame in progress where it may be."""
        for frame in self.box.purge(lambda frame: frame.interruptible):
            self.ledger.drop(frame, DropReason.INTERRUPTED)
        super().interrupt()
        self._cut_current()

    def _cut_current(self) -> None:
        task = self.task
        if task is None or self._cut is not None or task is asyncio.current_task():
            return  # a stage that asks for the interruption itself goes on
        if self._outer is not None:
            self._cut_outer = self._may_cut(self._outer)
        elif self.current is not None and self._may_cut(self.current):
            self._cut = _Cut.FRAME
            task.cancel()

    def _may_cut(self, frame: Frame) -> bool:
        data = isinstance(frame, DataFrame)
        return frame.interruptible or (data and self.processor.cut_on_interruption)

    def raised(self, error: BaseException) -> None:
        """The same as for any stage; and where it fails outside its own task, that task stops."""
        passing = isinstance(self.current, (StartFrame, EndFrame))  # the task passes it on, and ends
        super().raised(error)
        failed = self.box.bypass is not None
        if failed and not passing and asyncio.current_task() is not self.task:
            self.stop()

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """Take nothing more; what waits is dropped and counted, End passes by."""
        if self.box.bypass is not None:
            return
        waiting = self._close(reason)
        for frame in waiting:
            if forward:
                self._pass(frame)

    def pass_by(self) -> None:
        """It is stuck: take nothing more, stop its task, and let the End past it, even out of its hands."""
        held = self.current
        self.disable(DropReason.SHUTDOWN)
        self.stop()
        if isinstance(held, (StartFrame, EndFrame)):
            self._pass(held)

    @property
    def stopping(self) -> bool:
        """Its task was told to stop."""
        return self._cut is _Cut.STOP

    def stop(self) -> None:
        """Cancel the stage's task; again, if it did not listen."""
        self._cut = _Cut.STOP
        if self.task is not None:
            self.task.cancel()

    def _close(self, reason: str) -> list[Flow]:
        """Take nothing more. Returns the life-cycle frames that waited."""

        def bypass(frame: Frame, direction: FrameDirection) -> Congestion | None:
            if direction is _UP:
                return self.past_up.send(frame)
            if frame.is_system:
                return self.past_down.send(frame)
            self.ledger.refuse(frame, reason)
            return None

        self.box.bypass = bypass
        self._seal(reason)
        if not isinstance(self.current, (StartFrame, EndFrame)):  # else its task passes it on
            self._drop(self.current, reason)
            self.current = None
        flow: list[Flow] = []
        for frame, direction in self.box.empty():
            if isinstance(frame, (StartFrame, EndFrame)):
                flow.append(frame)
            elif direction is _UP or frame.is_system:
                self._hand_past(frame, direction)
            else:
                self.ledger.drop(frame, reason)
        self.box.wake()
        return flow

    def _hand_past(self, frame: Frame, direction: FrameDirection) -> None:
        self.ledger.given += audio_samples(frame)
        (self.past_down if direction is _DOWN else self.past_up).send(frame)

    def seams(self) -> list[SeamReport]:
        """The mailbox, and the seams that the stage itself keeps."""
        held = self.box.held + sum(audio_samples(f) for f in (self.current, self._outer) if f is not None)
        own = self.processor.seams() if self.opened else []  # else they are of the run before
        return [self.ledger.report(self.label, held), *own]


class _Begun:
    """A coroutine that ran its first part elsewhere, and is awaited for the rest."""

    __slots__ = ("_coroutine", "_waits_for", "cancelled")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for
        self.cancelled: asyncio.CancelledError | None = None
        """Came before the task could go on."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coroutine, name)  # where it stands

    def __await__(self) -> _Begun:
        return self

    def __iter__(self) -> _Begun:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """What it waits for: what it waited for already, to begin with."""
        cancelled, self.cancelled = self.cancelled, None
        waits_for, self._waits_for = self._waits_for, _NOTHING
        if cancelled is not None:
            return self.throw(cancelled)
        return self._coroutine.send(value) if waits_for is _NOTHING else waits_for

    def throw(self, *raised: Any) -> Any:
        """The wait ended in an exception."""
        return self._coroutine.throw(*raised)

    def close(self) -> None:
        """The wait does not end."""
        self._coroutine.close()


def _awaiting(
    process: Callable[[Frame, FrameDirection], Awaitable[None]],
) -> Callable[[Frame, FrameDirection], Coroutine[Any, Any, None]]:
    """A coroutine function of something that only returns what can be awaited."""

    async def awaiting(frame: Frame, direction: FrameDirection) -> None:
        await process(frame, direction)

    return awaiting


_NOTHING = object()


class _FrameCutError(asyncio.CancelledError):
    """An interruption came while a system frame was handled within the frame it cuts."""


_HANDED_OVER = Frame()
