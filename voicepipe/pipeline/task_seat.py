"""The seat of a stage that may wait: its mailbox, its task, and the ways from it."""

from __future__ import annotations

from voicepipe.frames import EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.link import Flow, Receive, RunHandle
from voicepipe.pipeline.mailbox import Congestion, Mailbox
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.pipeline.route import Route
from voicepipe.pipeline.seat import Held, Sealed, StageSeat, ask, audio_samples, reason_of
from voicepipe.pipeline.stage_work import StageWork
from voicepipe.report import DropReason, SeamReport

__all__ = ["TaskSeat"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM


class TaskSeat(StageSeat):
    """One mailbox and one task. The run starts the task when it opens the stage."""

    processor: FrameProcessor

    def __init__(self, processor: FrameProcessor, label: str, run: RunHandle) -> None:
        super().__init__(processor, label, run)
        self.box = Mailbox(self.ledger, processor.mailbox_size)
        self.work = StageWork(self)
        self.down: Route | Sealed | Held = Held(label)
        """Where the stage's own frames go downstream; held back until StartFrame has passed."""
        self.up: Route | Sealed | Held = Held(label)
        self.pushed = 0
        """Counts the stage's pushes: a stage whose counts stand still is stuck."""

    def attach(self) -> None:
        """Give the stage its seat."""
        super().attach()
        self.processor._mailbox_seat = self

    def detach(self) -> None:
        """Take the seat away: the stage may be used again."""
        super().detach()
        self.processor._mailbox_seat = None

    # -- the chain -----------------------------------------------------------

    def receiver(self, direction: FrameDirection) -> Receive:
        """Routes end in the mailbox."""
        return self.box.put_down if direction is _DOWN else self.box.put_up

    def take_flow(self, frame: Flow) -> bool:
        """Put it into the mailbox, behind the data; past it where the stage takes no more."""
        if self.box.bypass is None:
            self.box.put_down(frame)
            return False
        return self._may_pass(frame)

    def _may_pass(self, frame: Flow) -> bool:
        """Tell whether it goes on: EndFrame does so once."""
        if isinstance(frame, EndFrame):
            if self.ended:
                return False
            self.ended = True
        return True

    def _pass(self, frame: Flow) -> None:
        if self._may_pass(frame):
            self.pass_flow(frame)

    def pass_on(self, frame: Flow) -> None:
        """Hand StartFrame or EndFrame on: the stage has done with it."""
        if isinstance(frame, EndFrame):
            self._close(DropReason.SHUTDOWN)
        self._pass(frame)
        if isinstance(frame, StartFrame):
            self._release()

    def _release(self) -> None:
        """Send what was pushed before StartFrame passed: it follows."""
        held = [(self.past_down, self.down), (self.past_up, self.up)]
        self.down, self.up = self.past_down, self.past_up
        for route, pushed in held:
            if isinstance(pushed, Held):
                route.send_all(pushed.frames)

    def _seal(self, reason: str) -> None:
        """Drop what the stage pushes from now on, or pushed before StartFrame passed."""
        early = [f for route in (self.down, self.up) if isinstance(route, Held) for f in route.frames]
        for frame in early:
            self.ledger.refuse(frame, reason)
        self.down, self.up = Sealed(self, reason), Sealed(self, reason)

    # -- what the stage asks -------------------------------------------------

    def push_unusual(self, frame: Frame, direction: FrameDirection) -> None:
        """Push something that is a request, or no frame at all. Raises as `push_frame`."""
        if not ask(self.run, frame, self.label):
            (self.down if direction is _DOWN else self.up).send(frame)

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room, handling the system frames that arrive meanwhile."""
        await self.work.wait_for_room(full)

    def hand_over(self) -> None:
        """Count the frame in progress as given: it is in the stage's own books now."""
        self.work.hand_over()

    # -- the task ------------------------------------------------------------

    def open(self) -> None:
        """Make the stage's task."""
        super().open()
        self.work.begin()

    def task_ended(self, error: BaseException | None) -> None:
        """Make a failure of it: no stage dies in silence, whatever ended its task."""
        if self.box.bypass is None:
            error = error or RuntimeError(f"the task of {self.label} ended before its time")
            self.disable(reason_of(error))  # whatever its policy: without a task it cannot go on
            self.run.stage_failed(self.label, error)

    def raised(self, error: BaseException) -> None:
        """Do the same as for any stage; and where it fails outside its own task, stop that task."""
        passing = self.work.is_passing  # then the task passes it on, and ends
        super().raised(error)
        failed = self.box.bypass is not None
        if failed and not passing and not self.work.is_current:
            self.work.stop()

    def interrupt(self) -> None:
        """Drop what may be dropped, and cancel the frame in progress where it may be."""
        for frame in self.box.purge(lambda frame: frame.interruptible):
            self.ledger.drop(frame, DropReason.INTERRUPTED)
        super().interrupt()
        self.work.cut_current()

    # -- taking no more ------------------------------------------------------

    def disable(self, reason: str, *, forward: bool = True) -> None:
        """Take nothing more; what waits is dropped and counted, End passes by."""
        if self.box.bypass is not None:
            return
        waiting = self._close(reason)
        for frame in waiting:
            if forward:
                self._pass(frame)

    def pass_by(self) -> None:
        """Take a stuck stage out: stop its task, and let the End past it, even out of its hands."""
        held = self.work.current
        self.disable(DropReason.SHUTDOWN)
        self.work.stop()
        if isinstance(held, (StartFrame, EndFrame)):
            self._pass(held)

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
        """Return the mailbox's, and those that the stage itself keeps."""
        mailbox = self.ledger.report(self.label, self.box.held + self.work.held)
        if self.opened and isinstance(self.processor, DeviceStage):  # else they are of the run before
            return [mailbox, *self.processor.seams()]
        return [mailbox]
