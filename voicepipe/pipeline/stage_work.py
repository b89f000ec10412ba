"""The one task of a stage that may wait: frame by frame, and how the framework cuts it short."""

from __future__ import annotations

import asyncio
import enum
from typing import Protocol

from voicepipe.frames import AudioFrame, DataFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.link import Flow, RunHandle
from voicepipe.pipeline.mailbox import Congestion, Mailbox
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.pipeline.seat import audio_samples, reason_of
from voicepipe.report import DropReason

__all__ = ["StageWork", "WorkSeat"]

_DOWN = FrameDirection.DOWNSTREAM


class _Cut(enum.Enum):
    """Why the framework cancelled the stage's task."""

    FRAME = "an interruption: only the frame in progress"
    STOP = "the stage is to stop"


class WorkSeat(Protocol):
    """What the work asks of the seat that it belongs to."""

    label: str
    run: RunHandle
    ledger: Ledger
    box: Mailbox
    processor: FrameProcessor

    def raised(self, error: BaseException) -> None:
        """Take an exception that escaped the stage: its policy says what becomes of it."""

    def pass_on(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame on: the stage has done with it."""

    def task_ended(self, error: BaseException | None) -> None:
        """Take note that the task has ended, whatever ended it."""


class StageWork:
    """Takes one frame after the other out of the mailbox, and has the stage handle it."""

    __slots__ = ("_cut", "_cut_outer", "_outer", "_seat", "blocked", "current", "handled", "task")

    def __init__(self, seat: WorkSeat) -> None:
        self._seat = seat
        self.task: asyncio.Task[None] | None = None
        self.current: Frame | None = None
        """The frame in progress."""
        self.handled = 0
        """Counts the frames that were handled: a stage whose counts stand still is stuck."""
        self.blocked = 0
        """Pushes that wait for room downstream."""
        self._cut: _Cut | None = None
        self._outer: Frame | None = None
        """The frame whose push waits while a system frame is handled."""
        self._cut_outer = False

    # -- the task ------------------------------------------------------------

    def begin(self) -> None:
        """Start the task."""
        seat = self._seat
        name = seat.run.task_name(seat.label, "stage")
        self.task = seat.run.loop.create_task(self._run(), name=name)
        self.task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._seat.task_ended(None if task.cancelled() else task.exception())

    async def _run(self) -> None:
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
                    await box.wait(loop)
                    continue
            except BaseException as error:  # a stage's failure becomes a PipelineError
                if isinstance(error, GeneratorExit) and not self._has_the_loop():
                    raise  # the loop is gone, and the task with it
                self._escaped(error)
                continue
            self.handled += 1
            done, self.current = self.current, None
            if isinstance(done, AudioFrame):
                ledger.given += done.num_samples
            if self._cut is not None and self._cut is _Cut.FRAME:  # the stage kept the cancellation to itself
                self._forget_cut()

    def _has_the_loop(self) -> bool:
        """Tell whether this code runs because the loop runs the stage's task."""
        try:
            return asyncio.current_task() is self.task
        except RuntimeError:
            return False

    async def _take_life_cycle(self, frame: Flow) -> None:
        try:
            if isinstance(frame, EndFrame):
                await self._seat.processor.on_end()
        finally:
            if self._cut is not _Cut.STOP:
                self.current = None
                self._seat.pass_on(frame)

    def _escaped(self, error: BaseException) -> None:
        """Take what was raised where the stage's code runs."""
        frame, self.current = self.current, None
        interrupted = isinstance(error, asyncio.CancelledError)
        if isinstance(error, _FrameCutError):
            self._drop(frame, DropReason.INTERRUPTED)
        elif interrupted and self._cut is _Cut.FRAME:
            self._forget_cut()
            self._drop(frame, DropReason.INTERRUPTED)
        elif not (interrupted and self._cut is _Cut.STOP):
            self._drop(frame, reason_of(error))
            self._seat.raised(error)

    def _drop(self, frame: Frame | None, reason: str) -> None:
        if frame is not None and frame is not _HANDED_OVER:
            self._seat.ledger.drop(frame, reason)

    def _forget_cut(self) -> None:
        self._cut = None
        assert self.task is not None
        self.task.uncancel()

    @property
    def is_current(self) -> bool:
        """It is the stage's task that runs now."""
        return self.task is not None and asyncio.current_task() is self.task

    # -- the frame in progress -----------------------------------------------

    @property
    def is_passing(self) -> bool:
        """StartFrame or EndFrame is in its hands: the task passes it on."""
        return isinstance(self.current, (StartFrame, EndFrame))

    @property
    def held(self) -> int:
        """Samples of the frames in progress."""
        return sum(audio_samples(frame) for frame in (self.current, self._outer) if frame is not None)

    def hand_over(self) -> None:
        """Count the frame in progress as given: it is in the stage's own books now."""
        if self.current is not None:
            self._seat.ledger.given += audio_samples(self.current)
            self.current = _HANDED_OVER

    def drop_current(self, reason: str) -> None:
        """Drop the frame in progress, and count it; not a StartFrame or EndFrame."""
        if not self.is_passing:
            self._drop(self.current, reason)
            self.current = None

    # -- waiting for room ----------------------------------------------------

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room, handling the system frames that arrive meanwhile."""
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
        self._outer, self.current = self.current, frame
        try:
            await self._seat.processor.process_frame(frame, direction)
        finally:
            self.current, self._outer = self._outer, None
        if self._cut_outer:
            self._cut_outer = False
            raise _FrameCutError

    # -- cutting short -------------------------------------------------------

    def cut_current(self) -> None:
        """Cancel the handling of the frame in progress, where an interruption may."""
        task = self.task
        if task is None or self._cut is not None or self.is_current:
            return  # a stage that asks for the interruption itself goes on
        if self._outer is not None:
            self._cut_outer = self._may_cut(self._outer)
        elif self.current is not None and self._may_cut(self.current):
            self._cut = _Cut.FRAME
            task.cancel()

    def _may_cut(self, frame: Frame) -> bool:
        data = isinstance(frame, DataFrame)
        return frame.interruptible or (data and self._seat.processor.cut_on_interruption)

    @property
    def stopping(self) -> bool:
        """The task was told to stop."""
        return self._cut is _Cut.STOP

    def stop(self) -> None:
        """Cancel the stage's task; again, if it did not listen."""
        self._cut = _Cut.STOP
        if self.task is not None:
            self.task.cancel()


class _FrameCutError(asyncio.CancelledError):
    """An interruption came while a system frame was handled within the frame it cuts."""


_HANDED_OVER = Frame()
