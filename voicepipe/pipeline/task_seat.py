"""The seat of a stage that may wait: its mailbox, its task, and its routes."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from voicepipe.census.stack import where
from voicepipe.frames import (
    AudioFrame,
    EndFrame,
    Frame,
    FrameDirection,
    InterruptionFrame,
    TranscriptionFrame,
)
from voicepipe.log import logger_of
from voicepipe.params import StartParams
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.hook_checks import check_takes
from voicepipe.pipeline.hook_task import HookTask
from voicepipe.pipeline.link import Element, Flow, Receive, RunHandle
from voicepipe.pipeline.live_audio import describe_standing
from voicepipe.pipeline.mailbox import Congestion, Mailbox
from voicepipe.pipeline.outlets import Current, Held, Sealed
from voicepipe.pipeline.processor import FrameProcessor, Outlet, overrides
from voicepipe.pipeline.seat import (
    StageSeat,
    audio_samples,
    describe_second_push,
    pass_request,
    reason_of,
)
from voicepipe.pipeline.stage_work import NOTHING, StageWork
from voicepipe.report import DeviceStatistics, DropReason, SeamReport

__all__ = ["TaskSeat"]

_log = logger_of("voicepipe")

T = TypeVar("T")
_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
PUSHES_IN_A_ROW = 256
"""A stage lets other tasks run after so many pushes. A push upstream, or into inline stages, never waits."""
SEALED_IN_A_ROW, SEALED_S = 16, 0.02
"""A stage that pushes on after its end pauses after so many pushes, for so long. Nothing else slows it."""
_BOTH = object()
"""The mark of a frame in progress that the stage has pushed in both directions."""


class TaskSeat(StageSeat):
    """A seat with one mailbox and one task. The run starts the task when it opens the stage."""

    processor: FrameProcessor
    _up: Outlet | None = None
    in_hand: object = NOTHING
    """The frame in progress until it is pushed on; then the direction or directions of its pushes."""
    left = PUSHES_IN_A_ROW
    """The number of pushes of its own that the stage has left until it lets other tasks run."""
    _pushed_and_left = PUSHES_IN_A_ROW
    _spared = False
    """True if the handling in progress has asked for the interruption, which then does not cut it."""

    def __init__(self, processor: FrameProcessor, label: str, run: RunHandle) -> None:
        self.box = Mailbox(processor.mailbox_size, self)
        super().__init__(processor, label, run, self.box)
        self.work = StageWork(self)
        self.down: Outlet
        """The way downstream for the stage's own frames."""

    def attach(self) -> None:
        """Give the stage its seat."""
        self.down = self.past_down
        self.processor._seat = self
        self.processor._mailbox_seat = self  # pyright: ignore[reportAttributeAccessIssue]  # it takes a callable in a slot for a method

    def detach(self) -> None:
        """Take the seat away, so that the stage can be used again."""
        self.processor._seat = None
        self.processor._mailbox_seat = None

    @property
    def pushed(self) -> int:
        """The number of frames of its own that the stage has pushed. A stage that stands still is stuck."""
        return self._pushed_and_left - self.left

    @property
    def up(self) -> Outlet:
        """The way upstream for the stage's own frames. It is made for the first of them."""
        if self._up is None:
            if isinstance(self.down, Held):
                self._up = Held(self.label)
            else:
                self._up = Current(self, self.past_up) if isinstance(self.down, Current) else self.past_up
        return self._up

    # -- the chain -----------------------------------------------------------

    def outlet(self, direction: FrameDirection) -> Outlet | None:
        """Return the mailbox for downstream frames, if the stage takes all."""
        return self.box if direction is _DOWN and self.processor.takes is None else None

    def receiver(self, direction: FrameDirection) -> Receive:
        """Return the mailbox's entry for this direction, with a way past it if the stage takes only some."""
        put = self.box.put_down if direction is _DOWN else self.box.put_up
        takes = check_takes(self.processor)
        if takes is None:
            return put
        past, ledger = self.past_down if direction is _DOWN else self.past_up, self.ledger

        def receive(frame: Frame) -> Congestion | None:
            if isinstance(frame, takes):
                return put(frame)
            if isinstance(frame, AudioFrame):
                ledger.taken += frame.num_samples
                ledger.given += frame.num_samples
            return past.send(frame)

        return receive

    def take_fact(self, fact: Frame, direction: FrameDirection) -> Element | None:
        """Tell the stage of a fact, and put it into the mailbox; the fact goes on at once."""
        if self.box.bypass is None:
            self.tell_fact(fact, direction)
            takes = self.processor.takes
            if self.box.bypass is None and (takes is None or isinstance(fact, takes)):
                (self.box.put_down if direction is _DOWN else self.box.put_up)(fact)
        return self.next(direction)

    def take_flow(self, frame: Flow) -> bool:
        """Put EndFrame into the mailbox, behind the data. It passes if the stage takes no more.

        StartFrame always passes: nothing waits before it, as no stage has pushed anything yet.
        """
        if self.box.bypass is not None:
            return self._may_pass(frame)
        if isinstance(frame, EndFrame):
            self.box.put_end(frame)
            return False
        return True

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
        """Hand EndFrame on, after the stage has handled it."""
        if self.box.bypass is None:
            self._close(DropReason.SHUTDOWN)
        self._pass(frame)

    def hold(self) -> None:
        """Keep what the stage pushes until `release`, because StartFrame must be the first of all frames."""
        self.down = Held(self.label)

    def release(self) -> None:
        """Send the frames that were pushed before StartFrame had passed the whole pipeline."""
        down, up = self.down, self._up
        if isinstance(down, Held):
            self.down, self._up = self.past_down, None
            for frame in down.frames:
                self.down.send(frame)
            for frame in up.frames if isinstance(up, Held) else ():
                self.up.send(frame)

    def _seal(self, reason: str) -> Sealed:
        """Drop all later pushes of the stage, and those that still wait for StartFrame."""
        before = (self.down, self._up)
        self.down = self._up = sealed = Sealed(self, reason)
        for outlet in before:
            if isinstance(outlet, Held):
                for frame in outlet.frames:
                    sealed.send(frame)
        return sealed

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

    def push_unusual(self, frame: Frame, direction: FrameDirection) -> Congestion | None:
        """Push a request or a fact, or reject a value that is not a frame. Raises as `push_frame`."""
        if pass_request(self.run, frame, self.label):
            return self._ask_interruption() if isinstance(frame, InterruptionFrame) else None
        if frame.is_fact:
            return self.push_fact(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            return self.push_words(frame, lambda words: self._outlet(direction).send(words))
        return self._outlet(direction).send(frame)

    def _outlet(self, direction: FrameDirection) -> Outlet:
        return self.down if direction is _DOWN else self.up

    def push_now(self, frame: Frame) -> None:
        """Push a frame downstream, and wait for nobody. What stages make of it belongs to the present era."""
        self.run.eras.enter()
        full = self.down.send(frame)
        if full is not None:
            full.relieve()

    async def wait_for_room(self, full: Congestion | None) -> None:
        """Wait until there is room; handle the system frames that arrive meanwhile.

        Without a congested place, only let other tasks run.
        """
        sealed = isinstance(self.down, Sealed)
        if self.left <= 0:
            row = SEALED_IN_A_ROW if sealed else PUSHES_IN_A_ROW
            self._pushed_and_left, self.left = self.pushed + row, row
        current = self.work.current
        if full is not None and full is not self.run.interruption:
            if self._is_live(current):
                full.relieve()
                full = None
            elif not full.congested:  # much live audio waits there: its stage should have a turn
                full = None
        if full is None:
            await asyncio.sleep(SEALED_S if sealed else 0)
        else:
            await self.work.wait_for_room(full)

    def _is_live(self, frame: Frame | None) -> bool:
        """Return True for work on live audio in the stage's own task. It waits for nobody."""
        return isinstance(frame, AudioFrame) and frame.live and self.work.is_current

    def hand_over(self) -> None:
        """Count the frame in progress as given, because the stage's own seam counts it now."""
        self.work.hand_over()

    # -- the task ------------------------------------------------------------

    @property
    def opens(self) -> bool:
        """True if the hooks of the stage need its task, because they open or close something."""
        return overrides(self.processor, "on_start") or overrides(self.processor, "cleanup")

    def open(self, params: StartParams) -> HookTask | None:
        """Begin to open the stage. Return the task that runs `on_start`; None if there is nothing to open."""
        if self.opens:
            self.hooks = HookTask(self, params, self.work.run)
            self.work.begin_after(self.hooks)
        else:
            self.opened = True
        return self.hooks

    def begin(self) -> None:
        """Start the stage's task, unless that of its hooks does its work."""
        if self.hooks is None:
            self.work.begin()

    def task_ended(self, error: BaseException | None) -> None:
        """Treat the end of the task as a failure, unless the stage takes no more frames."""
        if self.box.bypass is None:
            if error is None:
                error = RuntimeError(f"the task of {self.label} ended unexpectedly")
            self.disable(reason_of(error))  # under either policy: without a task it cannot go on
            self.run.stage_failed(self.label, error)

    def handle_error(self, error: BaseException) -> None:
        """Apply the stage's error policy; stop its task if the stage failed outside that task."""
        passing = self.work.flow is not None  # then the task passes it on, and ends
        super().handle_error(error)
        failed = self.box.bypass is not None
        if failed and not passing and not self.work.is_current:
            self.work.stop()

    def _ask_interruption(self) -> Congestion | None:
        """Let the work that asked for an interruption go on in the era after it; return what it waits for."""
        waits = self.run.interruption
        if isinstance(self.down, Sealed) or not waits.congested:
            return None
        self.run.eras.enter_next()
        self._spared = self._spared or self.work.is_current
        return waits

    def _heed_new_era(self) -> None:
        """Let work of the era before make nothing heard from now on."""
        self.work.note_interruption()
        if not isinstance(self.down, (Held, Sealed, Current)):
            self.down, self._up = Current(self, self.past_down), None

    def interrupt(self) -> None:
        """Drop the interruptible frames; cancel the frame in progress if it is interruptible."""
        self._heed_new_era()
        spared, self._spared = self._spared, False
        for frame in self.box.purge(lambda frame: frame.interruptible):
            self.ledger.drop(frame, DropReason.INTERRUPTED)
        super().interrupt()
        if not spared:
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
        held = self.work.flow
        self.disable(DropReason.SHUTDOWN)
        self.work.stop()
        if held is not None:
            self._pass(held)

    def _close(self, reason: str) -> list[Flow]:
        """Take no more frames; return the life-cycle frames that waited."""
        self.box.close(self._seal(reason).bypass)
        self.work.drop_current(reason)
        flow: list[Flow] = []
        for frame, direction in self.box.empty():
            if isinstance(frame, EndFrame):
                flow.append(frame)
            elif frame.is_fact:
                pass  # it has gone on already
            elif direction is _UP or frame.is_system:
                self._hand_past(frame, direction)
            else:
                self.ledger.drop(frame, reason)
        self.box.wake()
        return flow

    def _hand_past(self, frame: Frame, direction: FrameDirection) -> None:
        self.ledger.given += audio_samples(frame)
        (self.past_down if direction is _DOWN else self.past_up).send(frame)

    @property
    def mailbox_s(self) -> float:
        """The seconds of live audio that may wait in the mailbox."""
        return self.processor.mailbox_s

    def tell_of_standing(self, seconds: float) -> None:
        """Warn of live audio that stands before the stage: name the line of code, and the cure."""
        at = where(self.work.task)
        _log.warning(describe_standing(self.label, seconds, self.work.current, at, self.mailbox_s))

    def seams(self) -> list[SeamReport]:
        """Return the ledger of the mailbox, and those that the stage keeps itself."""
        mailbox = self.ledger.report(self.label, self.box.held + self.work.held)
        return [mailbox, *self._own_seams()] if self.processor._keeps_ledgers else [mailbox]

    def statistics(self) -> DeviceStatistics | None:
        """Return the counts of the stage's device; None if it has none."""
        if self.opened and isinstance(self.processor, DeviceStage):
            return self._ask(self.processor.device_statistics, None)
        return None
