"""The work of a stage's task: frame by frame, until the framework cuts it short."""

from __future__ import annotations

import asyncio
import enum
from typing import Protocol

from voicepipe.frames import AudioFrame, DataFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.hook_task import HookTask
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.link import Flow, RunHandle
from voicepipe.pipeline.mailbox import Congestion, Mailbox
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

    def pass_on(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame on, after the stage has handled it."""

    def task_ended(self, error: BaseException | None) -> None:
        """Note that the task has ended, for any reason."""


class StageWork:
    """The loop that takes one frame after another from the mailbox and lets the stage handle it."""

    __slots__ = ("_cut", "_cut_outer", "_hooks", "_outer", "_seat", "blocked", "current", "handled", "task")

    def __init__(self, seat: WorkSeat) -> None:
        self._seat = seat
        self.task: asyncio.Task[None] | None = None
        self._hooks: HookTask | None = None
        """The owner of the task, if the stage's hooks run in it too."""
        self.current: Frame | None = None
        """The frame in progress."""
        self.handled = 0
        """The number of handled frames. A stage whose counts stand still is stuck."""
        self.blocked = 0
        """The number of pushes that wait for room downstream."""
        self._cut: _Cut | None = None
        self._outer: Frame | None = None
        """The frame whose push waits while a system frame is handled."""
        self._cut_outer = False

    # -- the task ------------------------------------------------------------

    def begin(self) -> None:
        """Start the task."""
        seat = self._seat
        name = seat.run.task_name(seat.label, "stage")
        self._begin_in(seat.run.loop.create_task(self.run(), name=name))

    def begin_after(self, hooks: HookTask) -> None:
        """Use the task of the stage's hooks, which calls `run` after `on_start`."""
        self._hooks = hooks
        self._begin_in(hooks.task)

    def _begin_in(self, task: asyncio.Task[None]) -> None:
        self.task = task
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._seat.task_ended(None if task.cancelled() else task.exception())

    async def run(self) -> None:
        """Handle frame after frame until the stage takes no more.

        Raises:
            asyncio.CancelledError: a cancel scope of the stage ended the task of its hooks.
        """
        seat = self._seat
        box, ledger, loop, processor = seat.box, seat.ledger, seat.run.loop, seat.processor
        process = processor.process_frame
        idle = processor.work_when_idle if isinstance(processor, DeviceStage) else None
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
                    seat.in_hand = frame
                    await process(frame, _DOWN)
                elif (entry := box.take()) is not None:
                    self.current, direction = entry
                    if direction is _DOWN and isinstance(self.current, (StartFrame, EndFrame)):
                        await self._take_life_cycle(self.current)
                        continue
                    seat.in_hand = self.current
                    await process(*entry)
                elif idle is not None and await idle():
                    pass
                elif box.is_empty:
                    await box.wait(loop)
                    continue
            except BaseException as error:  # a stage's failure becomes a PipelineError
                if isinstance(error, GeneratorExit) and not self.is_current:
                    raise  # the loop is gone, and the task with it
                if self._is_revoked(error):
                    raise
                self._handle_exception(error)
                continue
            self.handled += 1
            seat.in_hand = NOTHING
            done, self.current = self.current, None
            if isinstance(done, AudioFrame):
                ledger.given += done.num_samples
            if self._cut is not None and self._cut is _Cut.FRAME:  # the stage swallowed the cancellation
                self._forget_cut()

    async def _take_life_cycle(self, frame: Flow) -> None:
        try:
            if isinstance(frame, EndFrame):
                await self._seat.processor.on_end()
        finally:
            if self._cut is not _Cut.STOP:
                self.current = None
                self._seat.pass_on(frame)

    def _is_revoked(self, error: BaseException) -> bool:
        """Return True if somebody else than the framework has cancelled the task of the stage's hooks.

        A scope that the stage entered in `on_start` does so again in every turn of the loop. A frame
        in progress is dropped.
        """
        hooks = self._hooks
        cancelled = isinstance(error, asyncio.CancelledError) and self._cut is None
        if not cancelled or hooks is None or not hooks.is_cancelled_by_others:
            return False
        self.drop_current(DropReason.PROCESSOR_ERROR)
        return True

    def _handle_exception(self, error: BaseException) -> None:
        """Handle an exception that the stage's code raised in this task."""
        frame, self.current = self.current, None
        self._seat.in_hand = NOTHING
        interrupted = isinstance(error, asyncio.CancelledError)
        if isinstance(error, _FrameCutError):
            self._drop(frame, DropReason.INTERRUPTED)
        elif interrupted and self._cut is _Cut.FRAME:
            self._forget_cut()
            self._drop(frame, DropReason.INTERRUPTED)
        elif not (interrupted and self._cut is _Cut.STOP):
            self._drop(frame, reason_of(error))
            self._seat.handle_error(error)

    def _drop(self, frame: Frame | None, reason: str) -> None:
        if frame is not None and frame is not _HANDED_OVER:
            self._seat.ledger.drop(frame, reason)

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
    def is_passing(self) -> bool:
        """True while the frame in progress is StartFrame or EndFrame, which the task passes on."""
        return isinstance(self.current, (StartFrame, EndFrame))

    @property
    def held(self) -> int:
        """The number of audio samples in the frames in progress."""
        return sum(audio_samples(frame) for frame in (self.current, self._outer) if frame is not None)

    def hand_over(self) -> None:
        """Count the frame in progress as given, because the stage's own seam counts it now."""
        if self.current is not None:
            self._seat.ledger.given += audio_samples(self.current)
            self.current = _HANDED_OVER

    def drop_current(self, reason: str) -> None:
        """Drop the frame in progress and count it, unless it is StartFrame or EndFrame."""
        if not self.is_passing:
            self._drop(self.current, reason)
            self.current = None

    # -- waiting for room ----------------------------------------------------

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room; handle the system frames that arrive meanwhile."""
        box, loop = self._seat.box, self._seat.run.loop
        own = asyncio.current_task() is self.task and self._outer is None
        self.blocked += 1
        try:
            while full.congested:
                entry = box.take_system() if own else None
                if entry is not None:
                    await self._handle_meanwhile(*entry)
                    continue
                waiter = loop.create_future()
                full.add_waiter(waiter)
                if own:
                    box.expect_system(waiter)
                try:
                    await waiter
                finally:
                    full.remove_waiter(waiter)
        finally:
            self.blocked -= 1
            if own:
                box.expect_system(None)

    async def _handle_meanwhile(self, frame: Frame, direction: FrameDirection) -> None:
        seat = self._seat
        pushed, seat.in_hand = seat.in_hand, frame
        self._outer, self.current = self.current, frame
        try:
            await seat.processor.process_frame(frame, direction)
        finally:
            self.current, self._outer = self._outer, None
            seat.in_hand = pushed
        if self._cut_outer:
            self._cut_outer = False
            raise _FrameCutError

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


class _FrameCutError(asyncio.CancelledError):
    """The error that cuts a frame whose push waited while a system frame was handled."""


_HANDED_OVER = Frame()
