"""One run of one pipeline, driven from its opening to its close by one task of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakSet

from voicepipe.errors import PipelineStartError
from voicepipe.frames import (
    CancelFrame,
    DataFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    InterruptionFrame,
)
from voicepipe.lifecycle import Event, Request, RunState
from voicepipe.params import Limits, StartParams
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.link import Flow, Receive
from voicepipe.pipeline.processor import Processor
from voicepipe.pipeline.seat import Node
from voicepipe.report import DeviceStatistics, DropReason, RunReport, SlowStage
from voicepipe.run.closing import Closing
from voicepipe.run.failures import ErrorBook
from voicepipe.run.opening import Opening
from voicepipe.run.stall import StallWatch
from voicepipe.run.transitions import next_state

__all__ = ["Observer", "Run"]

Observer = Callable[[Frame, FrameDirection], None]
_DOWN = FrameDirection.DOWNSTREAM
_MOST_TO_TELL = 100


class Run:
    """The engine behind `PipelineTask`. Everything here happens in the loop's thread.

    The driver is a task of its own, so that an outer cancellation of `run()` is one more
    request, and closing cannot be cut short by a second one.
    """

    def __init__(
        self,
        pipeline: Processor,
        params: StartParams,
        limits: Limits,
        observers: list[Observer],
        early: deque[Frame],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.params = params
        self.limits = limits
        self.state = RunState.CREATED
        self.request = Request.NONE
        self.reason = ""
        self.errors = ErrorBook(params.run_id, self.loop.time)
        self.slow: list[SlowStage] = []
        self.discarded: dict[str, int] = {}  # a Counter's `+= 1` takes three times as long
        self.began = self.loop.time()
        self._observers = observers
        self._early = early
        self._never_started = 0
        self.started = False
        """StartFrame has gone all the way."""
        self._to_tell: list[tuple[Node, ErrorFrame]] = []
        """What stages reported before StartFrame had gone all the way; the first of them."""
        self._drained = False
        self.driver: asyncio.Task[None] | None = None
        """The task that runs `drive`."""
        self.depth = 0
        self.interrupting = False
        """An interruption was asked for, and is about to be acted on."""
        self._interruptions: WeakSet[Frame] | None = None
        """Those on their way. One may be asked for while another is."""
        self._waiter: asyncio.Future[None] | None = None
        self.chain = Chain(pipeline, self, self._reached_sink)
        self.closing = Closing(self)
        self.send: Receive = self.chain.source.down.send
        """Takes a frame from the program; returns where it should wait for room."""

    # -- requests ------------------------------------------------------------

    def ask(self, request: Request, reason: str) -> None:
        """End or cancel; the harsher wins, and the first of each kind gives the reason."""
        if request > self.request and not self.state.is_final:
            self.request, self.reason = request, reason
            self.wake()

    def interrupt(self) -> None:
        """Drop what is queued to be said."""
        self.interrupting = True
        self.wake()

    def wake(self) -> None:
        """Make the driver look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- what the mechanism tells (RunHandle) ----------------------------------

    def asked(self, frame: Frame, stage: str) -> None:
        """A stage pushed a request of its own."""
        if isinstance(frame, InterruptionFrame):
            self.interrupt()
        elif isinstance(frame, (EndFrame, CancelFrame)):
            cancel = isinstance(frame, CancelFrame)
            self.ask(Request.CANCEL if cancel else Request.END, frame.reason or f"asked by {stage}")

    def is_passing(self, frame: Frame) -> bool:
        """The InterruptionFrame that the task sent is passed on like any other frame."""
        return type(frame) is InterruptionFrame and frame in (self._interruptions or ())

    def stage_failed(self, node: Node, error: BaseException) -> None:
        """The run fails: End goes to the other stages, and `run()` will raise."""
        self._fail(node.label, error)
        self.wake()

    def stage_reported(self, node: Node, error: BaseException) -> None:
        """The stage's policy is to report, and to go on. Nobody is told before StartFrame."""
        self.errors.report(node.label, error)
        told = ErrorFrame(f"{node.label}: {error!r}", node.label, error)
        if self.started:
            node.past_up.send(told)
        elif len(self._to_tell) < _MOST_TO_TELL:
            self._to_tell.append((node, told))

    def surfaced(self, frame: Frame, direction: FrameDirection) -> None:
        """A frame left the pipeline: shown to subscribers, or counted and discarded."""
        if isinstance(frame, ErrorFrame) and frame.exception is None:
            self.errors.note(frame.stage, frame.message)
        if self._observers:
            self.observe(frame, direction)
        elif isinstance(frame, DataFrame):
            where = "downstream" if direction is _DOWN else "upstream"
            self.discarded[where] = self.discarded.get(where, 0) + 1

    def task_name(self, label: str, what: str) -> str:
        """Names of a run's tasks begin with its id."""
        return f"{self.params.run_id}:{label}:{what}"

    def observe(self, frame: Frame, direction: FrameDirection) -> None:
        """Show a frame to the subscribers."""
        for observer in tuple(self._observers):
            try:
                observer(frame, direction)
            except BaseException as error:  # a subscriber's failure becomes a PipelineError
                name = getattr(observer, "__qualname__", repr(observer))
                self._fail(f"subscriber {name}", error)

    def start_failed(self, stage: str, error: BaseException, failure: PipelineStartError) -> None:
        """The run cannot start; `failure` is what `run()` will raise."""
        if self.errors.fail(stage, error, may_fail=self.request < Request.CANCEL):
            self.errors.failure = (stage, failure)
            self.reason = f"{stage} did not start"

    def _fail(self, stage: str, error: BaseException) -> None:
        if self.errors.fail(stage, error, may_fail=self.request < Request.CANCEL):
            self.ask(Request.END, f"{stage} failed")

    def _reached_sink(self, frame: Flow) -> None:
        """The task's down queue: StartFrame or EndFrame has gone all the way."""
        if isinstance(frame, EndFrame):
            self._drained = True
        else:
            self.started = True
        self.observe(frame, _DOWN)
        if self.started:
            to_tell, self._to_tell = self._to_tell, []
            for node, told in to_tell:
                node.past_up.send(told)
        self.wake()

    # -- the drive -------------------------------------------------------------

    async def drive(self) -> None:
        """From the opening to the close. Never raises for what a stage does."""
        self._move(Event.RUN)
        if await Opening(self).open():
            self._move(Event.STARTED)
            while self._early:
                self.send(self._early.popleft())
            await self.until(lambda: self.request > Request.NONE)
            if self.request is Request.END:
                self._move(Event.END)
                await self._drain()
        self._never_started = len(self._early)
        self._early.clear()
        self._move(Event.STOP)
        if self.request is Request.CANCEL:
            self.observe(CancelFrame(self.reason), _DOWN)
        await self.closing.close(self._drop_reason(), drained=self._drained)
        self._move(self._outcome())

    def _move(self, event: Event) -> None:
        self.state = next_state(self.state, event)

    def _outcome(self) -> Event:
        if self.errors.failure is not None:
            return Event.FAILED
        return Event.CANCELLED if self.request is Request.CANCEL and not self._drained else Event.ENDED

    def _drop_reason(self) -> str:
        if self.request is Request.CANCEL:
            return DropReason.CANCELLED
        return DropReason.SHUTDOWN if self.started else DropReason.NEVER_STARTED

    async def _drain(self) -> None:
        """Send the End, and see it through: whoever stands still is passed by."""
        for node in self.chain.nodes:
            node.ending()
        self.chain.source.pass_flow(EndFrame(self.reason))
        watch = StallWatch(self.chain.workers, self.limits.stall_s, self.loop.time())

        def over() -> bool:
            return self._drained or self.request is Request.CANCEL

        while not over():
            stuck, due = watch.look(self.loop.time())
            for worker, slow in stuck:
                self.slow.append(slow)
                self.errors.log(worker.label, str(slow))
                worker.pass_by()
            if watch.lost:
                self.closing.forced.append("the End was lost")
                return
            await self.until(over, due)

    async def until(self, condition: Callable[[], bool], deadline: float | None = None) -> None:
        """Wait for a condition, or for a time; interruptions are acted on meanwhile."""
        while not condition() and (deadline is None or self.loop.time() < deadline):
            if self.interrupting:
                self._interrupt()
                continue
            self._waiter = waiter = self.loop.create_future()
            timer = None if deadline is None else self.loop.call_at(deadline, self.wake)
            try:
                await waiter
            except asyncio.CancelledError:  # somebody cancels every task of the loop, the driver too
                self.ask(Request.CANCEL, "the run's own task was cancelled")
            finally:
                if timer is not None:
                    timer.cancel()

    def _interrupt(self) -> None:
        self.interrupting = False
        if self.state not in (RunState.RUNNING, RunState.DRAINING):
            return
        for node in self.chain.nodes:
            node.interrupt()
        interruption = InterruptionFrame()
        if self._interruptions is None:
            self._interruptions = WeakSet()
        self._interruptions.add(interruption)
        self.send(interruption)

    # -- the end ---------------------------------------------------------------

    def report(self) -> RunReport:
        """The run as it stands."""
        return RunReport(
            run_id=self.params.run_id,
            state=self.state,
            reason=self.reason,
            seconds=self.loop.time() - self.began,
            seams=tuple(seam for node in self.chain.nodes for seam in node.seams()),
            devices=self._devices(),
            discarded=dict(self.discarded),
            never_started=self._never_started,
            errors=tuple(self.errors.errors),
            slow=tuple(self.slow),
            forced=tuple(self.closing.forced),
            abandoned=tuple(self.closing.abandoned),
        )

    def _devices(self) -> tuple[DeviceStatistics, ...]:
        having = [node for node in self.chain.nodes if node.processor.has_device and node.opened]
        told = [node.processor.device_statistics() for node in having]
        return tuple([device for device in told if device is not None])
