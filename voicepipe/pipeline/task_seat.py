"""The seat of a stage that may wait: its mailbox, its task, and its routes."""

from __future__ import annotations

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.hook_task import HookTask
from voicepipe.pipeline.link import Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion, Mailbox
from voicepipe.pipeline.processor import FrameProcessor, Processor
from voicepipe.pipeline.route import Route
from voicepipe.pipeline.seat import (
    Held,
    Sealed,
    StageSeat,
    audio_samples,
    describe_second_push,
    pass_request,
    reason_of,
)
from voicepipe.pipeline.stage_work import NOTHING, StageWork
from voicepipe.report import DropReason, SeamReport

__all__ = ["TaskSeat"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
_BOTH = object()
"""The mark of a frame in progress that the stage has pushed in both directions."""


class TaskSeat(StageSeat):
    """A seat with one mailbox and one task. The run starts the task when it opens the stage."""

    processor: FrameProcessor

    def __init__(self, processor: FrameProcessor, label: str, run: RunHandle) -> None:
        super().__init__(processor, label, run)
        self.box = Mailbox(self.ledger, processor.mailbox_size)
        self.work = StageWork(self)
        self.down: Route | Sealed | Held = Held(label)
        """The way downstream for the stage's own frames. They are held until StartFrame has passed."""
        self.up: Route | Sealed | Held = Held(label)
        self.in_hand: object = NOTHING
        """The frame in progress until it is pushed on; then the direction or directions of its pushes."""
        self.pushed = 0
        """The number of frames that the stage has pushed. A stage whose counts stand still is stuck."""

    def attach(self) -> None:
        """Give the stage its seat."""
        super().attach()
        self.processor._mailbox_seat = self  # pyright: ignore[reportAttributeAccessIssue]  # it takes a callable in a slot for a method

    def detach(self) -> None:
        """Take the seat away, so that the stage can be used again."""
        super().detach()
        self.processor._mailbox_seat = None

    # -- the chain -----------------------------------------------------------

    def receiver(self, direction: FrameDirection) -> Receive:
        """Return the mailbox's entry for this direction."""
        return self.box.put_down if direction is _DOWN else self.box.put_up

    def take_flow(self, frame: Flow) -> bool:
        """Put the frame into the mailbox, behind the data; let it pass if the stage takes no more."""
        if self.box.bypass is None:
            self.box.put_down(frame)
            return False
        return self._may_pass(frame)

    def _may_pass(self, frame: Flow) -> bool:
        """Return True if the frame goes on. EndFrame does so only once."""
        if isinstance(frame, EndFrame):
            if self.ended:
                return False
            self.ended = True
        return True

    def _pass(self, frame: Flow) -> None:
        if self._may_pass(frame):
            self.pass_flow(frame)

    def pass_on(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame on, after the stage has handled it."""
        if isinstance(frame, EndFrame):
            self._close(DropReason.SHUTDOWN)
        self._pass(frame)
        if isinstance(frame, StartFrame):
            self._release()

    def _release(self) -> None:
        """Send the frames that were pushed before StartFrame passed."""
        held = [(self.past_down, self.down), (self.past_up, self.up)]
        self.down, self.up = self.past_down, self.past_up
        for route, pushed in held:
            if isinstance(pushed, Held):
                route.send_all(pushed.frames)

    def _seal(self, reason: str) -> None:
        """Drop all later pushes of the stage, and those that still wait for StartFrame."""
        early = [f for route in (self.down, self.up) if isinstance(route, Held) for f in route.frames]
        for frame in early:
            self.ledger.refuse(frame, reason)
        self.down, self.up = Sealed(self, reason), Sealed(self, reason)

    # -- pushes of the stage ---------------------------------------------------

    def push_again(self, frame: Frame, direction: FrameDirection) -> None:
        """Note one more push of the frame in progress.

        Raises:
            RuntimeError: the stage has pushed it in this direction before. The usual cause is a stage
                that calls `super().process_frame()`, which pushes the frame, and `push_frame` as well.
        """
        before = self.in_hand
        if before is direction or before is _BOTH:
            raise RuntimeError(describe_second_push(self.label, frame))
        self.in_hand = _BOTH

    def push_unusual(self, frame: Frame, direction: FrameDirection) -> None:
        """Push a request frame, or reject a value that is not a frame. Raises as `push_frame`."""
        if not pass_request(self.run, frame, self.label):
            (self.down if direction is _DOWN else self.up).send(frame)

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room; handle the system frames that arrive meanwhile."""
        await self.work.wait_for_room(full)

    def hand_over(self) -> None:
        """Count the frame in progress as given, because the stage's own seam counts it now."""
        self.work.hand_over()

    # -- the task ------------------------------------------------------------

    def open(self, params: StartParams) -> HookTask | None:
        """Start the stage's task. Return the task if it runs `on_start`; None if the caller must run it."""
        kind = type(self.processor)
        if kind.on_start is not Processor.on_start or kind.cleanup is not Processor.cleanup:
            self.hooks = HookTask(self, params, self.work.run)
            self.work.begin_after(self.hooks)
        else:
            self.opened = True
            self.work.begin()
        return self.hooks

    def task_ended(self, error: BaseException | None) -> None:
        """Treat the end of the task as a failure, unless the stage takes no more frames."""
        if self.box.bypass is None:
            error = error or RuntimeError(f"the task of {self.label} ended unexpectedly")
            self.disable(reason_of(error))  # under either policy: without a task it cannot go on
            self.run.stage_failed(self.label, error)

    def handle_error(self, error: BaseException) -> None:
        """Apply the stage's error policy; stop its task if the stage failed outside that task."""
        passing = self.work.is_passing  # then the task passes it on, and ends
        super().handle_error(error)
        failed = self.box.bypass is not None
        if failed and not passing and not self.work.is_current:
            self.work.stop()

    def interrupt(self) -> None:
        """Drop the interruptible frames; cancel the frame in progress if it is interruptible."""
        for frame in self.box.purge(lambda frame: frame.interruptible):
            self.ledger.drop(frame, DropReason.INTERRUPTED)
        super().interrupt()
        self.work.cut_current()

    # -- taking no more ------------------------------------------------------

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """Take no more frames; drop and count the waiting ones. EndFrame passes by the stage."""
        if self.box.bypass is not None:
            return
        waiting = self._close(reason)
        for frame in waiting:
            if forward:
                self._pass(frame)

    def pass_by(self) -> None:
        """Take a stuck stage out: stop its task, and pass EndFrame on, even if the stage holds it."""
        held = self.work.current
        self.disable(DropReason.SHUTDOWN)
        self.work.stop()
        if isinstance(held, (StartFrame, EndFrame)):
            self._pass(held)

    def _close(self, reason: str) -> list[Flow]:
        """Take no more frames; return the life-cycle frames that waited."""

        def bypass(frame: Frame, direction: FrameDirection) -> Congestion | None:
            if direction is _UP:
                return self.past_up.send(frame)
            if frame.is_system:
                return self.past_down.send(frame)
            self.ledger.refuse(frame, reason)
            return None

        self.box.bypass = bypass
        self._seal(reason)
        self.work.drop_current(reason)
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
        """Return the ledger of the mailbox, and those that the stage keeps itself."""
        mailbox = self.ledger.report(self.label, self.box.held + self.work.held)
        if self.opened and isinstance(self.processor, DeviceStage):  # else they belong to the run before
            return [mailbox, *self.processor.seams()]
        return [mailbox]
