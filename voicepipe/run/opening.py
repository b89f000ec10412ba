"""The opening of a run: stages from last to first, then StartFrame, then capture; under one limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from voicepipe.awaitables import refuse_coroutine
from voicepipe.errors import PipelineStartError
from voicepipe.frames import StartFrame
from voicepipe.lifecycle import Request, RunState
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.device_stage import DeviceStage
from voicepipe.pipeline.era import leave_era
from voicepipe.pipeline.hook_checks import check_result, hook_name
from voicepipe.pipeline.processor import FrameProcessor, Processor, overrides
from voicepipe.pipeline.seat import StageSeat
from voicepipe.pipeline.stage_task import error_of
from voicepipe.run.advice import advise, check_place, has_something_to_check, watch_for_deafness
from voicepipe.run.course import Course
from voicepipe.run.failures import describe_briefly, place_of
from voicepipe.run.stall import check_may_take_s

__all__ = ["Opening"]

_BEGIN = "begin"
_RETURN = ": let on_running() return, and work in self.create_task()"
_RAISE = ": if it has so much to load, raise the limit with PipelineTask(..., limits=Limits(start_s={:g}))"
_LOOK_S = 1.0
"""The interval at which a patient run checks whether a stage still waits for an absent device."""


class Adopt(Protocol):
    """A function that starts a task which the close of the run cancels and awaits."""

    def __call__(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start the task."""
        ...


class Opening:
    """The opening of one run. `Closing` cleans up an opening that was cut short."""

    def __init__(self, course: Course, chain: Chain, adopt: Adopt) -> None:
        self._course = course
        self._chain = chain
        self._adopt = adopt
        self._deadline = course.began + course.limits.start_s
        self._limit = f"the start limit of {course.limits.start_s:g} s"
        self._seat: StageSeat | None = None
        """The stage that is being opened, or that was opened last."""
        self._begun: list[tuple[StageSeat, float]] = []
        """The stages that have begun to open, each with the time."""

    async def open(self) -> bool:
        """Open the run; return False if a cancel, a failure or the limit cut it short."""
        seats = self._chain.seats
        needs_advice = has_something_to_check(self._chain)
        if needs_advice and not self._are_in_place(seats):
            return False
        if needs_advice:
            self._announce_speakers(seats)
        if not await self._open_all(seats[::-1]):
            return False
        self._chain.source.pass_flow(StartFrame(self._course.params))
        if self._cut_short:
            return False
        self._chain.begin()
        sources = [seat for seat in seats if overrides(seat.processor, "on_running")]
        if sources and not await self._within_the_limit(self._begin(sources), _BEGIN):
            return False
        watch = watch_for_deafness(self._chain) if needs_advice else None
        if watch is not None:
            self._adopt(watch, f"{self._course.params.run_id}:watch for deafness")
        return True

    def _announce_speakers(self, seats: Iterable[StageSeat]) -> None:
        """Tell all stages that the run has a speaker, and let it keep a record if one minds its echo.

        A speaker opens before the microphone that asks for the record.
        """
        speakers = self._course.params.speakers
        speakers.are_there = any(getattr(seat.processor, "kind", None) == "speaker" for seat in seats)
        speakers.are_tapped = speakers.are_there and (
            speakers.tracks is not None
            or any(
                getattr(seat.processor, "cancels_echo", False) or getattr(seat.processor, "mutes", False)
                for seat in seats
            )
        )

    async def _open_all(self, seats: Sequence[StageSeat]) -> bool:
        """Open the stages; return True on success. If none has to open anything, this needs no task."""
        if any(seat.opens for seat in seats):
            self._chain.hold()
            return await self._within_the_limit(self._open_stages(seats), "open")
        return self._open_at_once(seats)

    def _are_in_place(self, seats: Iterable[StageSeat]) -> bool:
        """Return True if every stage can work where it stands; log the traps that show before the start."""
        for seat in seats:
            try:
                check_place(seat)
            except Exception as error:  # a stage's failure becomes a PipelineError
                self._fail(seat.label, error)
                return False
        advise(self._chain)
        return True

    @property
    def _cut_short(self) -> bool:
        course = self._course
        if course.request is Request.CANCEL or course.errors.failure is not None:
            return True
        return course.params.patient and course.request is Request.END and self._waits  # else after the start

    @property
    def _waits(self) -> bool:
        """True while the stage that is being opened waits for an absent device."""
        seat = self._seat
        if seat is None or not isinstance(seat.processor, DeviceStage):
            return False
        try:
            waits_for = hook_name(seat.processor, "waits_for")
            return bool(refuse_coroutine(waits_for, seat.processor.waits_for()))
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self._fail(seat.label, error)
            return False

    @property
    def _is_over(self) -> bool:
        """True if the run has given up this opening, and a stage that resisted its cancel has returned."""
        return self._course.state is not RunState.OPENING

    async def _open_stages(self, seats: Iterable[StageSeat]) -> None:
        time = self._course.loop.time
        for seat in seats:
            if self._is_over:
                return
            self._seat = seat
            self._begun.append((seat, time()))
            hooks = seat.open(self._course.params)
            if hooks is not None:
                await hooks.wait_until_open()
            _check_time(seat.processor)

    def _open_at_once(self, seats: Iterable[StageSeat]) -> bool:
        """Open stages that have nothing to open; return True on success."""
        for seat in seats:
            self._seat = seat
            seat.opened = True
            try:
                _check_time(seat.processor)
            except BaseException as error:  # a stage's failure becomes a PipelineError
                self._fail(seat.label, error)
                return False
        return not self._cut_short

    async def _begin(self, sources: Iterable[StageSeat]) -> None:
        """Call `on_running` of these stages, one after another.

        The loop turns between two of them only where one waits: a speaker must heed a loss as soon as
        the display before it has said that the program listens.
        """
        leave_era()
        for seat in sources:
            if self._is_over:
                return
            self._seat = seat
            if not seat.cleans_up:
                await check_result(seat.processor, "on_running", seat.processor.on_running())

    async def _within_the_limit(self, coroutine: Coroutine[Any, Any, None], what: str) -> bool:
        """Run a part of the opening in its own task, which can be left behind; return True on success."""
        task = self._adopt(coroutine, f"{self._course.params.run_id}:{what}")
        task.add_done_callback(lambda _: self._course.wake())

        def over() -> bool:
            return task.done() or self._cut_short

        if self._course.params.patient:
            await self._wait_patiently(over)
        else:
            await self._course.until(over, self._deadline)
        if not task.done():
            if not self._cut_short:
                stage, advice = (self._at, _RETURN) if what == _BEGIN else self._find_slow_stage()
                self._fail(stage, TimeoutError(f"it took longer than {self._limit}{advice}"))
        elif (error := error_of(task)) is not None:
            self._fail(self._at, error)
        return task.done() and not self._cut_short

    def _find_slow_stage(self) -> tuple[str, str]:
        """Return the stage that took most of the time, and how to give it more."""
        ends_s = [*(began_s for _, began_s in self._begun[1:]), self._course.loop.time()]
        spent = [(end_s - began_s, seat) for (seat, began_s), end_s in zip(self._begun, ends_s, strict=True)]
        # One that has opened at last may have left no time to the others.
        slow = max(spent, key=lambda each: each[0])[1] if spent else None
        if slow is None or isinstance(slow.processor, DeviceStage):
            return self._at, ""
        return slow.label, _RAISE.format(max(30.0, 2 * self._course.limits.start_s))

    async def _wait_patiently(self, over: Callable[[], bool]) -> None:
        """Wait until the part is over. The limit counts only while no device is absent."""
        course = self._course
        while not over() and (now := course.loop.time()) < self._deadline:
            await course.until(over, min(self._deadline, now + _LOOK_S))
            if self._waits:
                self._deadline = course.loop.time() + course.limits.start_s

    @property
    def _at(self) -> str:
        return "the pipeline" if self._seat is None else self._seat.label

    def _fail(self, stage: str, error: BaseException) -> None:
        words = f"{describe_briefly(error)}{place_of(error)}"
        failure = PipelineStartError(f"{stage} did not start: {words}", stage=stage)
        failure.__cause__ = error
        self._course.fail_to_start(stage, error, failure)


def _check_time(stage: Processor) -> None:
    """Check the time that a stage says it may take. Raises: TypeError, ValueError."""
    if isinstance(stage, FrameProcessor):
        check_may_take_s(stage, 0.0)
