"""The work of a stage's task: frame by frame, until the framework cuts it short."""

from __future__ import annotations

import asyncio
import enum
import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol

from voicepipe.frames import AudioFrame, DataFrame, EndFrame, Frame, FrameDirection
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.hook_checks import check_result, hook_name
from voicepipe.pipeline.hook_task import HookTask
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.link import RunHandle
from voicepipe.pipeline.mailbox import Congestion, Mailbox, has_room
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.pipeline.seat import audio_samples, reason_of
from voicepipe.pipeline.stage_task import is_running
from voicepipe.report import DropReason

__all__ = ["NOTHING", "StageWork", "WorkSeat"]

_DOWN = FrameDirection.DOWNSTREAM
NOTHING = object()
"""The mark of a stage that has no frame in hand. Not None, which a stage could push by mistake."""


class _Cut(enum.Enum):
    """The reasons for which the framework cancels the stage's task."""

    FRAME = "an interruption: only the frame in progress"
    STOP = "the stage is to stop"


class WorkSeat(Protocol):
    """The seat, as its work sees it."""

    label: str
    run: RunHandle
    ledger: Ledger
    box: Mailbox
    processor: FrameProcessor
    in_hand: object

    def handle_error(self, error: BaseException) -> None:
        """Handle an exception that escaped the stage, by the stage's error policy."""

    def pass_on(self, frame: EndFrame) -> None:
        """Hand EndFrame on, after the stage has handled it."""


class StageWork:
    """The loop that takes one frame after another from the mailbox and lets the stage handle it."""

    __slots__ = (
        "_cut",
        "_cut_outer",
        "_hooks",
        "_outer",
        "_seat",
        "_unsettled",
        "blocked",
        "call",
        "current",
        "handled",
        "task",
    )

    def __init__(self, seat: WorkSeat) -> None:
        self._seat = seat
        self.task: asyncio.Task[None] | None = None
        self._hooks: HookTask | None = None
        """The owner of the task, if the stage's hooks run in it too."""
        self.current: Frame | None = None
        """The frame in progress."""
        self.call: object = None
        """The call for the frame in progress. A stage is stuck while it is the same object."""
        self.handled = 0
        """The number of frames handled while the call stands, and of the works when idle."""
        self.blocked = 0
        """The number of pushes that wait for room downstream."""
        self._cut: _Cut | None = None
        self._unsettled = False
        """True after an interruption, until the handling that it met is over."""
        self._outer: Frame | None = None
        """The frame whose push waits while a system frame is handled. None while none is."""
        self._cut_outer = False

    # -- the task ------------------------------------------------------------

    def begin(self) -> None:
        """Start the task."""
        seat = self._seat
        name = seat.run.task_name(seat.label, "stage")
        self._begin_in(seat.run.loop.create_task(self.run(), name=name))

    def _end_quietly(self) -> None:
        """Let nobody be told of the end of the task: the stage takes no more, as is usual."""
        if self.task is not None and self._hooks is None:
            self.task.remove_done_callback(self._seat.run.stage_task_ended)

    def begin_after(self, hooks: HookTask) -> None:
        """Use the task of the stage's hooks, which calls `run` after `on_start`."""
        self._hooks = hooks
        self._begin_in(hooks.task)

    def _begin_in(self, task: asyncio.Task[None]) -> None:
        run = self._seat.run
        self.task = task
        task.add_done_callback(run.stage_task_ended, context=run.context)

    async def run(self) -> None:
        """Handle frame after frame until the stage takes no more.

        Raises:
            asyncio.CancelledError: a cancel scope of the stage ended the task of its hooks.
        """
        seat = self._seat
        box, ledger, loop, processor = seat.box, seat.ledger, seat.run.loop, seat.processor
        idle: Callable[[], Awaitable[bool]] | None
        idle = processor.work_when_idle if isinstance(processor, DeviceStage) else None
        data = box.data
        seat.run.eras.enter()
        while True:
            try:
                if data and box.is_plain:
                    self.current = seat.in_hand = frame = data.popleft()
                    direction = _DOWN
                else:
                    self.current = self.call = call = None
                    seat.in_hand = NOTHING
                    if self._unsettled:
                        self._settle()
                    if box.bypass is not None:
                        self._end_quietly()
                        return
                    entry = None if box.is_plain else box.take()
                    if entry is None:
                        if idle is not None and await idle():
                            self.handled += 1
                        elif idle is None or box.is_empty:
                            box.reader = waiter = loop.create_future()
                            await waiter
                        continue
                    frame, direction = entry
                    self.current = frame
                    if isinstance(frame, EndFrame) and direction is _DOWN:
                        await self._take_end(frame)
                        continue
                    seat.in_hand = NOTHING if frame.is_fact else frame
                self.call = call = processor.process_frame(frame, direction)
                await call
                if isinstance(done := self.current, AudioFrame):
                    ledger.given += done.num_samples
            except BaseException as error:  # a stage's failure becomes a PipelineError
                if type(error) is GeneratorExit and not self.is_current:
                    raise  # the loop is gone, and the task with it
                if self._is_revoked(error):
                    raise
                if isinstance(processor, DeviceStage) and self.current is None:
                    idle = _skip_once(processor.work_when_idle)  # at once, it could raise for ever
                self._handle_exception(self._name_plain_hook(error))

    async def _take_end(self, frame: EndFrame) -> None:
        try:
            processor = self._seat.processor
            await check_result(processor, "on_end", processor.on_end())
        finally:
            if self._cut is not _Cut.STOP:
                self.current = None
                self._seat.pass_on(frame)

    def _name_plain_hook(self, error: BaseException) -> BaseException:
        """Return a better error for a hook whose result could not be awaited in `run`; else this one."""
        if type(error) is not TypeError or error.__traceback__ is None or error.__traceback__.tb_next:
            return error
        processor = self._seat.processor
        hook = "process_frame" if self.current is not None else "work_when_idle"
        if inspect.iscoroutinefunction(getattr(processor, hook, None)):
            return error  # it takes other arguments, and Python's words say so
        named = TypeError(f"{hook_name(processor, hook)} must be async def, not a plain def: it is awaited")
        named.__cause__ = error
        return named

    def _is_revoked(self, error: BaseException) -> bool:
        """Return True if somebody else than the framework has cancelled the task of the stage's hooks.

        A scope that the stage entered in `on_start` does so again in every turn of the loop. A frame
        in progress is dropped.
        """
        hooks = self._hooks
        cancelled = self._cut is None and issubclass(type(error), asyncio.CancelledError)
        if not cancelled or hooks is None or not hooks.is_cancelled_by_others:
            return False
        self.drop_current(DropReason.PROCESSOR_ERROR)
        return True

    def _handle_exception(self, error: BaseException) -> None:
        """Handle an exception that the stage's code raised in this task."""
        frame, self.current = self.current, None
        self._seat.in_hand = NOTHING
        kind = type(error)  # not isinstance, which asks the error for its `__class__`
        cut, is_cancelled = self._cut, issubclass(kind, asyncio.CancelledError)
        if self._unsettled:  # also where the stage made another error of a cut
            self._settle()
        if kind is _FrameCutError or (is_cancelled and cut is _Cut.FRAME):
            self._drop(frame, DropReason.INTERRUPTED)
        elif not (is_cancelled and cut is _Cut.STOP):
            self._drop(frame, reason_of(error))
            self._seat.handle_error(error)

    def _drop(self, frame: Frame | None, reason: str) -> None:
        if frame is not None and frame is not _HANDED_OVER:
            self._seat.ledger.drop(frame, reason)

    def note_interruption(self) -> None:
        """Note that the work after the handling in progress belongs to another era."""
        self._unsettled = True
        self._seat.box.is_plain = False

    def _settle(self) -> None:
        """Begin the era after an interruption. The handling that it met is over."""
        self._unsettled = False
        self._seat.run.eras.enter()
        if self._cut is _Cut.FRAME:  # the stage swallowed the cancellation
            self._forget_cut()

    def _forget_cut(self) -> None:
        self._cut = None
        handle = self._hooks or self.task
        assert handle is not None
        handle.uncancel()

    @property
    def is_over(self) -> bool:
        """True once no more frames are handled in the stage's task."""
        if self._hooks is not None:
            return self._hooks.is_over
        return self.task is not None and self.task.done()

    @property
    def is_current(self) -> bool:
        """True while the stage's own task is the running one."""
        return is_running(self.task)

    # -- the frame in progress -----------------------------------------------

    @property
    def flow(self) -> EndFrame | None:
        """EndFrame while it is in progress. The task passes it on."""
        for frame in (self.current, self._outer):
            if isinstance(frame, EndFrame):
                return frame
        return None

    @property
    def held(self) -> int:
        """The number of audio samples in the frames in progress."""
        if self.current is None and self._outer is None:
            return 0
        return sum(audio_samples(frame) for frame in (self.current, self._outer) if frame is not None)

    def hand_over(self) -> None:
        """Count the frame in progress as given, because the stage's own seam counts it now."""
        if self.current is not None:
            self._seat.ledger.given += audio_samples(self.current)
            self.current = _HANDED_OVER

    def drop_current(self, reason: str) -> None:
        """Drop the frames in progress and count them, except EndFrame."""
        if self.current is None and self._outer is None:
            return
        if not isinstance(self.current, EndFrame):
            self._drop(self.current, reason)
            self.current = None
        if not isinstance(self._outer, EndFrame):
            self._drop(self._outer, reason)
            self._outer = None if self._outer is None else _HANDED_OVER

    # -- waiting for room ----------------------------------------------------

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room; handle the system frames that arrive meanwhile."""
        box, loop = self._seat.box, self._seat.run.loop
        own = asyncio.current_task() is self.task and self._outer is None
        await asyncio.sleep(0)  # in a flood, a turn of the loop makes room, for less than a future costs
        try:
            while True:
                if own and (entry := box.take_system()) is not None:
                    await self._handle_meanwhile(*entry)
                    continue
                if has_room(full):
                    return
                waiter = loop.create_future()
                full.add_waiter(waiter)
                if own:
                    box.expect_system(waiter)
                self.blocked += 1
                try:
                    await waiter
                finally:
                    self.blocked -= 1
                    full.remove_waiter(waiter)
        finally:
            if own:
                box.expect_system(None)

    async def _handle_meanwhile(self, frame: Frame, direction: FrameDirection) -> None:
        """Handle a system frame while the push of the frame in progress waits."""
        seat = self._seat
        pushed, seat.in_hand = seat.in_hand, NOTHING if frame.is_fact else frame
        self._outer = _HANDED_OVER if self.current is None else self.current
        self.current = frame
        try:
            await seat.processor.process_frame(frame, direction)
            self.handled += 1
        except BaseException as error:  # a failure of the system frame, not of the frame that waits
            self._fail_meanwhile(error)
        finally:
            self.current, self._outer = self._outer, None
            seat.in_hand = pushed
            cut, self._cut_outer = self._cut_outer, False
        if cut:
            raise _FrameCutError

    def _fail_meanwhile(self, error: BaseException) -> None:
        """Handle an exception of a system frame; raise it again if it is a cancellation of the task."""
        frame, self.current = self.current, None
        if isinstance(error, asyncio.CancelledError) and self.task is not None and self.task.cancelling():
            self._drop(frame, DropReason.INTERRUPTED)
            raise error
        if isinstance(error, GeneratorExit) and not self.is_current:
            raise error
        self._drop(frame, reason_of(error))
        self._seat.handle_error(error)
        self._cut_outer = self._cut_outer or self._seat.box.bypass is not None

    async def wait_to_enter(self, full: Congestion) -> None:
        """Wait until the beginning of the pipeline has room for frames that the stage queues there.

        Raises:
            RuntimeError: the stage's own mailbox is over its limit, so the wait would never end.
        """
        box, loop = self._seat.box, self._seat.run.loop
        while full.congested:
            if box.congested:
                raise RuntimeError(
                    f"{self._seat.label} queued more frames into its own run than fit, and only it can make "
                    "room: push them with self.push_frame(), or queue them in a task (self.create_task)"
                )
            waiter = box.wait(loop)
            full.add_waiter(waiter)
            self.blocked += 1
            try:
                await waiter
            finally:
                self.blocked -= 1
                box.reader = None
                full.remove_waiter(waiter)

    # -- cutting short -------------------------------------------------------

    def cut_current(self) -> None:
        """Cancel the handling of the frame in progress, if an interruption may do so."""
        task = self.task
        if task is None or self._cut is not None or self.is_current:
            return  # a stage that asks for the interruption itself goes on
        if self._outer is not None:
            self._cut_outer = self._may_cut(self._outer)
        elif self.current is not None and self._may_cut(self.current):
            self._cut = _Cut.FRAME
            (self._hooks or task).cancel()

    def _may_cut(self, frame: Frame) -> bool:
        data = isinstance(frame, DataFrame)
        return frame.interruptible or (data and self._seat.processor.cut_on_interruption)

    @property
    def stopping(self) -> bool:
        """True once the task was told to stop."""
        return self._cut is _Cut.STOP

    def stop(self) -> None:
        """Cancel the stage's task. A second call cancels it again, if it swallowed the first."""
        self._cut = _Cut.STOP
        handle = self._hooks or self.task
        if handle is not None:
            handle.cancel()


def _skip_once(idle: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    """Return a function that answers its first call with False, and passes on the later ones."""
    calls = 0

    async def call() -> bool:
        nonlocal calls
        calls += 1
        return calls > 1 and await idle()

    return call


class _FrameCutError(asyncio.CancelledError):
    """The error that ends the handling of a frame whose push waited while a system frame was handled."""


_HANDED_OVER = Frame()
"""Stands for a frame in progress that is counted elsewhere, or was none."""
