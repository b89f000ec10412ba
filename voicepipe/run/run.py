"""One run of one pipeline, driven from its opening to its close by its own asyncio task."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from threading import get_ident
from typing import Protocol
from weakref import WeakSet

from voicepipe.awaitables import refuse_coroutine
from voicepipe.conversation.minutes import Minutes
from voicepipe.conversation.protection import protection_lines
from voicepipe.frames import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    InterruptionFrame,
    TranscriptionFrame,
)
from voicepipe.lifecycle import Event, Request, RunState
from voicepipe.log import logger_of
from voicepipe.params import Limits, StartParams
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.era import Eras
from voicepipe.pipeline.fact_passing import FactPassing
from voicepipe.pipeline.hold import Hold
from voicepipe.pipeline.link import Flow, Receive
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.stage_task import is_running
from voicepipe.pipeline.stage_work import StageWork
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.report import DeviceStatistics, DropReason, RunReport, SlowStage, TurnCounts
from voicepipe.run.closing import Closing
from voicepipe.run.course import Course
from voicepipe.run.opening import Opening
from voicepipe.run.stall import StallWatch, holders
from voicepipe.run.start_news import StartNews
from voicepipe.text import name_of, quote

__all__ = ["Observer", "Run"]

Observer = Callable[[Frame, FrameDirection], object]
_DOWN = FrameDirection.DOWNSTREAM
_MOST_TO_TELL = 100
_NO_TURNS = TurnCounts()
_log = logger_of("voicepipe")


class Entry(Protocol):
    """The entry of the program's own frames, as the run sees it."""

    early: deque[Frame]
    """The frames that wait for the start."""
    loop: asyncio.AbstractEventLoop
    """The event loop of the run."""
    thread: int
    """The thread of the loop."""
    send: Receive | None
    """The function that sends a frame straight in; None while frames may have to wait or are refused."""


class Run:
    """The driver behind `PipelineTask`. All methods are for the loop's thread.

    It runs in the task that awaits `run()`. Wherever it waits, it takes a cancellation of that task as a
    request. So a second one cannot cut the close short.
    """

    __slots__ = (
        "_closing",
        "_entry",
        "_facts",
        "_has_devices",
        "_hold",
        "_interruptions",
        "_minutes",
        "_never_started",
        "_news",
        "_observers",
        "_to_tell",
        "chain",
        "context",
        "course",
        "eras",
        "loop",
        "send",
        "slow",
        "stage_task_ended",
    )

    def __init__(
        self,
        pipeline: Pipeline,
        params: StartParams,
        limits: Limits,
        observers: tuple[Observer, ...],
        entry: Entry,
        news: StartNews,
    ) -> None:
        self.course = Course(params, limits, self)
        self.loop: asyncio.AbstractEventLoop = self.course.loop
        self.stage_task_ended: Callable[[asyncio.Task[None]], None] = self._note_end_of
        self.slow: list[SlowStage] = []
        self._entry = entry
        entry.loop, entry.thread = self.loop, get_ident()
        self._news = news
        self._never_started = 0
        self._to_tell: tuple[tuple[Receive, ErrorFrame], ...] = ()
        """ErrorFrames from before StartFrame had passed the whole pipeline; at most 100."""
        self._interruptions: WeakSet[Frame] | None = None
        """The InterruptionFrames on their way. One may be requested while another travels."""
        self._facts: FactPassing | None = None
        self._hold: Hold | None = None
        self.eras = Eras()
        self.context = copy_context()
        self.context.run(self.eras.enter)
        self.chain = Chain(pipeline, self, self._reached_sink)  # pyright: ignore[reportArgumentType]  # it takes a callable in a slot for a method
        self.show_to(observers)
        self._has_devices = bool(pipeline.devices)
        self._minutes: Minutes | None = None
        """The minutes of the conversation; None before there is one."""
        params.conversation.watch(self)
        self._closing = Closing(self.course, self.chain)
        self.send: Receive = self.chain.source.down.send
        """The function that sends a frame of the program. It returns the congested place, if any."""

    def note_change(self) -> None:
        """Let the program's frames go straight in, or no longer: the course has changed."""
        self._entry.send = self.send if self.course.is_plain else None

    # -- calls from the chain (RunHandle) --------------------------------------

    @property
    def facts(self) -> FactPassing:
        """The facts of the run."""
        if self._facts is None:
            self._facts = FactPassing(self._note_fact)
            if self.course.started:
                self._facts.open()
        return self._facts

    @property
    def hold(self) -> Hold:
        """The wait of the sources that can wait for a verdict."""
        if self._hold is None:
            self._hold = Hold()
        return self._hold

    def take_request(self, frame: Frame, stage: str) -> None:
        """Take a request that a stage pushed."""
        if isinstance(frame, InterruptionFrame):
            self.course.ask_interruption()
        elif isinstance(frame, (EndFrame, CancelFrame)):
            request = Request.CANCEL if isinstance(frame, CancelFrame) else Request.END
            self.course.ask(request, frame.reason or f"requested by {stage}")

    @property
    def interruption(self) -> Course:
        """The place that is congested until a requested interruption was carried out."""
        return self.course

    def take_words(self, words: TranscriptionFrame, send: Receive) -> Congestion | None:
        """Note words of the user that a stage pushed, and send them on, now or when they may go."""
        return self._keep_minutes().take_words(words, send)

    def push_fact(self, fact: Frame) -> Congestion | None:
        """Pass on a fact of the program; return the place for which it waits if it has raised a question."""
        before = self.hold.count
        self.facts.push(self.chain.source, fact, _DOWN)
        return self.hold if self.hold.count > before else None

    def _note_fact(self, fact: Frame) -> None:
        if (tracks := self.course.params.speakers.tracks) is not None:
            tracks.note_fact(fact)
        self._keep_minutes().note_fact(fact)

    def find_work(self, behind: object) -> Sequence[str]:
        """Return the labels of the stages at work on an answer, behind a stage if one is given."""
        return self._keep_minutes().work(behind)

    def _keep_minutes(self) -> Minutes:
        if self._minutes is None:
            self._minutes = Minutes(self.course.params, self.chain.seats)
        return self._minutes

    def is_passing(self, frame: Frame) -> bool:
        """Return True for an InterruptionFrame that the task itself sent."""
        return type(frame) is InterruptionFrame and frame in (self._interruptions or ())

    def stage_failed(self, stage: str, error: BaseException) -> None:
        """Fail the run: the other stages get EndFrame, and `run()` will raise."""
        self.course.fail(stage, error)
        self.course.wake()

    def _note_end_of(self, task: asyncio.Task[None], /) -> None:
        """Note that the task of a stage has ended. Most end because their stage takes no more frames."""
        is_cut = task.cancelled()
        error = None if is_cut else task.exception()
        if is_cut or error is not None:
            next(seat for seat in self.chain.task_seats if seat.work.task is task).task_ended(error)

    def stage_reported(self, stage: str, error: BaseException, upstream: Receive) -> None:
        """Send an ErrorFrame upstream, but not before StartFrame has passed the whole pipeline."""
        self.course.errors.report(stage, error)
        news = ErrorFrame(f"{stage}: {quote(error)}", stage, error)
        if self.course.started:
            upstream(news)
        elif len(self._to_tell) < _MOST_TO_TELL:
            self._to_tell += ((upstream, news),)

    def current_work(self) -> StageWork | None:
        """Return the work of the stage whose own task is the running one; None if it is another task."""
        current = asyncio.current_task()
        seats = self.chain.task_seats if current is not None else ()
        return next((seat.work for seat in seats if seat.work.task is current), None)

    def show_to(self, observers: tuple[Observer, ...]) -> None:
        """Show the frames that leave the pipeline to these subscribers from now on."""
        self._observers = observers
        self.chain.source.is_watched = self.chain.sink.is_watched = bool(observers)

    def emit(self, frame: Frame, direction: FrameDirection) -> None:
        """Show a frame that left the pipeline to the subscribers. Data comes here only if there are any."""
        if isinstance(frame, ErrorFrame) and frame.exception is None:
            self.course.errors.note(frame.stage, frame.message)
        self._observe(frame, direction)

    def _observe(self, frame: Frame, direction: FrameDirection) -> None:
        for observer in self._observers:
            try:
                if (result := observer(frame, direction)) is not None:
                    refuse_coroutine(f"the subscriber {name_of(observer)}", result)
            except BaseException as error:  # a subscriber's failure becomes a PipelineError
                self.course.fail(f"subscriber {name_of(observer)}", error)

    def _reached_sink(self, frame: Flow) -> None:
        """Note that StartFrame or EndFrame has passed the whole pipeline."""
        course = self.course
        if isinstance(frame, EndFrame):
            course.drained = True
        else:
            course.started = True
        self._observe(frame, _DOWN)
        if course.started:
            to_tell, self._to_tell = self._to_tell, ()
            for upstream, news in to_tell:
                upstream(news)
            if not isinstance(frame, EndFrame):
                if self._facts is not None:
                    self._facts.open()
                self.chain.release()
        course.wake()

    def task_name(self, label: str, what: str) -> str:
        """Return a name for a task of the run. It begins with the run's id."""
        return self.course.task_name(label, what)

    # -- the drive -------------------------------------------------------------

    async def drive(self) -> None:
        """Open, run and close. An error of a stage never escapes from here."""
        course, driver = self.course, asyncio.current_task()
        course.move(Event.RUN)
        try:
            if await Opening(course, self.chain, self._closing.adopt).open():
                self._begin()
                await course.until(course.is_asked)
                await self._drain()
        except BaseException as error:  # no object of a user may keep the run from its close
            if type(error) is GeneratorExit and not is_running(driver):
                raise  # the loop is gone, and the task with it
            course.fail("the run", error)
        await self._close()

    async def _close(self) -> None:
        """Close everything, whatever has happened."""
        course = self.course
        self._never_started = len(self._entry.early)
        self._entry.early.clear()
        course.move(Event.STOP)
        if course.request is Request.CANCEL:
            self._observe(CancelFrame(course.reason), _DOWN)
        if self._minutes is not None:
            self._minutes.close()
        await self._closing.close(self._drop_reason())
        if self._has_devices:
            await self._look_at_report()
        course.move(course.outcome())

    async def _look_at_report(self) -> None:
        """Let a stage that cannot report on its device fail now, while the run still can."""
        self.report()
        try:
            await asyncio.sleep(0)  # the error is handled in the next step
        except asyncio.CancelledError as outer:
            self.course.note_outer(outer)

    def _begin(self) -> None:
        """Tell that the run has started, and send what has waited for that."""
        self.course.move(Event.STARTED)
        self._news.tell()
        if self.course.params.speakers.are_there:
            self._tell_protection()
        self.context.run(self._send_early)

    def _send_early(self) -> None:
        """Send the frames that the program queued before the start."""
        early = self._entry.early
        while early:
            frame = early.popleft()
            if frame.is_fact:
                self.push_fact(frame)
            elif isinstance(frame, TranscriptionFrame):
                self.take_words(frame, self.send)
            else:
                self.send(frame)

    def _tell_protection(self) -> None:
        for level, line in protection_lines([seat.processor for seat in self.chain.seats]):
            _log.log(level, "%s", line)

    def _drop_reason(self) -> str:
        if self.course.request is Request.CANCEL:
            return DropReason.CANCELLED
        return DropReason.SHUTDOWN if self.course.started else DropReason.NEVER_STARTED

    async def _drain(self) -> None:
        """Send EndFrame and wait until it has arrived. It passes by stages that are stuck.

        Without effect if the run was cancelled. After the limit for the whole drain, the run is cancelled.
        """
        course = self.course
        if course.request is not Request.END:
            return
        course.move(Event.END)
        self._send_end()
        watch = StallWatch(self.chain.task_seats, course.limits.stall_s, self.loop.time())
        late_s = self.loop.time() + course.limits.drain_s

        def over() -> bool:
            return course.drained or course.request is Request.CANCEL

        while not over():
            stuck, due = watch.look(self.loop.time())
            for seat, slow in stuck:
                self._pass_by(seat, slow)
            if watch.lost:
                self._closing.forced += ("EndFrame was lost",)
                return
            await course.until(over, min(due, late_s))
            if not over() and self.loop.time() >= late_s:
                self._give_up_drain()

    def _send_end(self) -> None:
        for seat in self.chain.seats:
            seat.announce_end()
        self.chain.source.pass_flow(EndFrame(self.course.reason))

    def _give_up_drain(self) -> None:
        """Cancel the drain that has used up its limit; name the stages that are not done."""
        busy = " and ".join(f"{holder.stage} at {holder.where}" for holder in holders(self.chain.task_seats))
        limit_s = self.course.limits.drain_s
        what = f"busy: {busy}" if busy else "no stage holds a frame"
        _log.warning(
            "the end has taken %g s, the limit drain_s: cancelling (%s); Limits(drain_s=...) sets it",
            limit_s,
            what,
        )
        self.course.give_up_drain()

    def _pass_by(self, seat: TaskSeat, slow: SlowStage) -> None:
        """Take a stuck stage out. That is a failure, unless the limits say otherwise."""
        course = self.course
        self.slow.append(slow)
        course.errors.log(seat.label, str(slow))
        if course.limits.passed_by == "fail":
            course.fail(seat.label, TimeoutError(slow.advice))
        seat.pass_by()

    def interrupt(self) -> None:
        """Drop the queued output, and send an InterruptionFrame."""
        if self.course.state not in (RunState.RUNNING, RunState.DRAINING):
            return
        self.eras.change()
        for seat in self.chain.seats:
            seat.interrupt()
        interruption = InterruptionFrame()
        if (tracks := self.course.params.speakers.tracks) is not None:
            tracks.note_fact(interruption)
        if self._interruptions is None:
            self._interruptions = WeakSet()
        self._interruptions.add(interruption)
        self.send(interruption)

    # -- the end ---------------------------------------------------------------

    def report(self) -> RunReport:
        """Return the present report of the run."""
        course = self.course
        return RunReport(
            run_id=course.params.run_id,
            state=course.state,
            reason=course.reason,
            seconds=self.loop.time() - course.began,
            seams=tuple([seam for seat in self.chain.seats for seam in seat.seams()]),
            devices=self._devices(),
            discarded={
                end.exit.value: end.discarded for end in (self.chain.sink, self.chain.source) if end.discarded
            },
            never_started=self._never_started,
            errors=course.errors.errors,
            slow=tuple(self.slow),
            forced=self._closing.forced,
            abandoned=self._closing.abandoned,
            turns=() if self._minutes is None else self._minutes.turns.turns,
            turn_counts=_NO_TURNS if self._minutes is None else self._minutes.turns.counts,
            ended_late=course.late,
        )

    def _devices(self) -> tuple[DeviceStatistics, ...]:
        if not self._has_devices:
            return ()
        statistics = [
            seat.statistics() for seat in self.chain.task_seats if isinstance(seat.processor, DeviceStage)
        ]
        return tuple([device for device in statistics if device is not None])
