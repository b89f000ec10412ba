"""One run of one pipeline, as its program sees it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from voicepipe.audio.format import AudioFormat
from voicepipe.census.stack import where
from voicepipe.checks import check_callable
from voicepipe.errors import PipelineError, PipelineStartError
from voicepipe.frames import CancelFrame, EndFrame, Frame, InterruptionFrame, StartFrame
from voicepipe.lifecycle import Request, RunState
from voicepipe.params import Limits, StartParams
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import Processor
from voicepipe.pipeline.stage_task import finished
from voicepipe.report import RunReport, SlowStage
from voicepipe.run.frame_entry import MOST_AT_ONCE, FrameEntry
from voicepipe.run.requests import Requests
from voicepipe.run.run import Observer, Run
from voicepipe.run.stall import Holder, holders
from voicepipe.text import shown

__all__ = ["PipelineTask"]

_numbers = itertools.count(1)
_OPENING, _RUNNING = RunState.OPENING, RunState.RUNNING
_NONE = Request.NONE


class PipelineTask:
    """One run of one pipeline.

        task = PipelineTask(Pipeline([microphone, stage, speaker]))
        report = await task.run()

    Nothing is opened, and no asyncio task made, before `run()`. After it has returned or
    raised, by whatever way, nothing of the run is left.

    Args:
        pipeline: a `Pipeline`, or a single processor.
        name: names the run in logs, reports and task names; made up by default.
        input, output: what microphones deliver and speakers expect; 16 kHz mono by default.
        limits: how long the run waits for others.
        patient: a device that is absent at the start is waited for, as one that is lost later is (with
            `on_loss="wait"`); the start limit does not count meanwhile, and an end needs no start. None:
            where a service manager has started the program (`PipelineRunner` says so).

    Raises:
        TypeError: an argument is not of its kind.
    """

    def __init__(
        self,
        pipeline: Processor,
        *,
        name: str = "",
        input: AudioFormat | None = None,  # noqa: A002  # the pair is called input and output everywhere
        output: AudioFormat | None = None,
        limits: Limits | None = None,
        patient: bool | None = None,
    ) -> None:
        if not isinstance(pipeline, Processor):
            raise TypeError(f"a task runs a pipeline, not {shown(pipeline)}")
        for what, value, kind in (
            ("input", input, AudioFormat),
            ("output", output, AudioFormat),
            ("limits", limits, Limits),
        ):
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{what} must be {kind.__name__}, not {shown(value)}")
        self.name = name or f"run-{next(_numbers)}"
        """Names the run in logs, reports and task names."""
        self._pipeline = pipeline if isinstance(pipeline, Pipeline) else Pipeline([pipeline])
        self._formats = (input or AudioFormat(), output or AudioFormat())
        self._limits = limits or Limits()
        if patient is not None and not isinstance(patient, bool):
            raise TypeError(f"patient must be True, False or None, not {shown(patient)}")
        self.patient = patient
        """What is absent at the start is waited for; None: it was not said."""
        self._requests = Requests()
        self._observers: list[Observer] = []
        self._entry = FrameEntry()
        self._run: Run | None = None
        self._ran = False
        self._report: RunReport | None = None

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._run.course.state if self._run else RunState.CREATED

    @property
    def report(self) -> RunReport | None:
        """How the run ended, or, while it runs, how it stands; None before `run()`."""
        if self._report is None and self._run is not None:
            return self._run.report()
        return self._report

    @property
    def processors(self) -> tuple[Processor, ...]:
        """The stages of the run, from the microphone to the speaker; empty before `run()`."""
        return tuple(seat.processor for seat in self._run.chain.seats) if self._run else ()

    # -- the run ---------------------------------------------------------------

    async def run(self) -> RunReport:
        """Open the pipeline, let it run until it is ended or cancelled, and close it.

        Returns when everything is closed. An outer cancellation closes everything too, and
        is then raised again.

        Raises:
            PipelineStartError: a stage did not open, or not within the start limit.
            PipelineError: an exception escaped a stage; has `.stage` and `.report`.
            RuntimeError: the task ran before, or one of its processors is in a running pipeline.
        """
        if self._ran:
            raise RuntimeError(
                f"{self.name} has run: make a new PipelineTask (its processors may be used again)"
            )
        run = self._make_run()
        driver = run.loop.create_task(run.drive(), name=f"{self.name}:driver")
        outer: asyncio.CancelledError | None = None
        try:
            while not driver.done():
                try:
                    await finished(driver)
                except asyncio.CancelledError as cancelled:
                    outer = cancelled
                    run.course.ask(Request.CANCEL, "outer cancellation")
        finally:
            run.chain.detach()
        driver.result()
        self._report = report = run.report()
        if outer is not None:
            raise outer
        if run.course.errors.failure is not None:
            raise _pipeline_error(*run.course.errors.failure, report)
        return report

    def _make_run(self) -> Run:
        clock = asyncio.get_running_loop().time
        params = StartParams(*self._formats, clock, self.name, patient=bool(self.patient))
        run = Run(self._pipeline, params, self._limits, self._observers, self._entry.early)
        run.chain.attach()
        self._run, self._ran = run, True
        self._requests.go_to(run.course)
        return run

    # -- requests: any thread, any time, never raise ---------------------------

    def end(self, reason: str = "end() was called") -> None:
        """End the run when everything accepted so far has gone through and been heard.

        Returns at once. From any thread, at any time, as often as you like; before `run()`
        it ends the run when it has started. Also the answer to Ctrl-C.
        """
        self._requests.ask(Request.END, reason)

    def cancel(self, reason: str = "cancel() was called") -> None:
        """Stop the run at once; what is queued is counted as dropped. Overtakes a pending end.

        Returns at once; `run()` returns its report, with the state cancelled, when
        everything is closed. From any thread, at any time.
        """
        self._requests.ask(Request.CANCEL, reason)

    def interrupt(self) -> None:
        """The user speaks while the program speaks: forget what is queued to be said.

        Interruptible data is dropped and the handling of it cancelled, in every stage; then
        an InterruptionFrame travels downstream. From any thread; without effect unless running.
        """
        self._requests.ask_interruption()

    # -- frames ------------------------------------------------------------------

    async def queue_frame(self, frame: Frame) -> bool:
        """Send a frame into the pipeline at its beginning; waits where a mailbox is full.

        Frames queued before `run()` are sent when it has started, at most 256 of them.
        An EndFrame is `end()`, a CancelFrame `cancel()`, an InterruptionFrame `interrupt()`.
        In the run's event loop only.

        Returns:
            Whether the frame was accepted: not after an end or a cancel.

        Raises:
            TypeError: it is no frame.
            ValueError: a StartFrame; only the task starts.
            RuntimeError: too many frames before the start, or the wrong event loop.
        """
        if not isinstance(frame, Frame):
            raise TypeError(f"queue_frame takes a frame, not {shown(frame)}")
        if frame.is_request:
            return self._take_request(frame)
        run, entry = self._run, self._entry
        if run is None:
            return self._keep(frame, is_over=self._requests.are_kept)
        course = run.course
        if course.interrupting:
            await asyncio.sleep(0)  # what comes after an interruption is not to be dropped by it
        if course.state is _OPENING:
            return self._keep(frame, is_over=course.request is not _NONE)
        if course.state is not _RUNNING or course.request is not _NONE:
            return False
        if asyncio.get_running_loop() is not run.loop:
            raise RuntimeError(
                f"{self.name} runs in another event loop: use asyncio.run_coroutine_threadsafe"
            )
        full = run.send(frame)
        entry.since_break += 1
        if full is not None or entry.since_break >= MOST_AT_ONCE:
            await entry.wait(run.loop, full)
        return True

    def _keep(self, frame: Frame, *, is_over: bool) -> bool:
        if not is_over:
            self._entry.keep(frame)
        return not is_over

    def _take_request(self, frame: Frame) -> bool:
        if isinstance(frame, StartFrame):
            raise ValueError("only the task sends a StartFrame: call run()")
        if isinstance(frame, EndFrame):
            self.end(frame.reason or "an EndFrame was queued")
        elif isinstance(frame, CancelFrame):
            self.cancel(frame.reason or "a CancelFrame was queued")
        elif isinstance(frame, InterruptionFrame):
            self.interrupt()
        return not self.state.is_final

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Show `observer(frame, direction)` every frame that leaves the pipeline at its ends.

        That is what the last stage pushes downstream and the first upstream, then
        StartFrame and EndFrame when they have gone all the way, and a CancelFrame when the
        run is cancelled. Called in the loop's thread; must not wait. An exception in it
        fails the run.

        Returns:
            A function that ends the subscription.

        Raises:
            TypeError: it cannot be called.
        """
        check_callable("observer", observer)
        self._observers.append(observer)

        def unsubscribe() -> None:
            if observer in self._observers:
                self._observers.remove(observer)

        return unsubscribe

    def note_blocked_loop(self, stage: str, seconds: float, stack: str) -> None:
        """A watchdog saw the loop blocked: say so in the report. From any thread."""
        run = self._run
        if run is not None and len(run.slow) < 100:
            run.slow.append(SlowStage(stage, seconds, stack, "the event loop"))

    def holding(self) -> list[Holder]:
        """The stages with a frame in hand that wait for nobody downstream: one that stays is stuck."""
        return [] if self._run is None else holders(self._run.chain.task_seats)

    def where(self) -> list[str]:
        """Where each stage's task stands, for a log; empty when none runs."""
        if self._run is None:
            return []
        return [
            f"{seat.label} at {where(task)}"
            for seat in self._run.chain.task_seats
            if (task := seat.work.task) is not None and not task.done()
        ]


def _pipeline_error(stage: str, error: BaseException, report: RunReport) -> PipelineError:
    """What `run()` raises; the exception that escaped the stage is its cause."""
    if isinstance(error, PipelineStartError):
        error.report = report
        return error
    failure = PipelineError(
        f"{stage} failed: {report.errors[0].message if report.errors else error}", stage=stage, report=report
    )
    failure.__cause__ = error
    return failure
