"""The requirements on every stage, as a function that tests a stage in every situation."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import Any, Literal

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_count
from voicepipe.errors import PipelineError
from voicepipe.frames import ControlFrame, DataFrame, Frame, FrameDirection, SystemFrame
from voicepipe.lifecycle import RunState
from voicepipe.params import Limits
from voicepipe.pipeline.processor import FrameProcessor, Processor
from voicepipe.pipeline.unawaited import owner_of
from voicepipe.testing.conversation_checks import ConversationChecks
from voicepipe.testing.leftovers import nothing_left
from voicepipe.testing.processing import Neighbour, Processed, Script, Stand, refuse_running_loop
from voicepipe.testing.rules import RuleError, expect
from voicepipe.testing.steps import SteppingLoop
from voicepipe.testing.virtual import VirtualClockError

__all__ = ["check_processor"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
Stop = Literal["end", "cancel", "interrupt", "outer cancel"]
STOPS: tuple[Stop, ...] = ("end", "cancel", "interrupt", "outer cancel")
_SLOW_S = 0.05


def check_processor(
    make_processor: Callable[[], Processor],
    frames: Script = (),
    *,
    passes_on: bool = True,
    steps: int = 40,
    only: str = "",
    input: AudioFormat | None = None,  # noqa: A002  # as PipelineTask
    output: AudioFormat | None = None,
    limits: Limits | None = None,
) -> None:
    """Test a processor (or a pipeline) in every situation, each in its own run in virtual time.

    The cases are:

    - a plain run with `frames`, after which no coroutine of a stage may be kept without an await;
    - a run without frames, and two runs of the same object;
    - a slow stage behind it, and system frames that arrive while it waits;
    - facts in both directions, while a stage behind it stands for 30 s;
    - frames of all classes that it does not take, if it has `takes`: each must pass by once;
    - the frames again after an interruption: a stage that answered before must answer then;
    - frames of unknown classes, and neighbours that raise an exception;
    - an end, a cancel, an interruption and an outer cancellation, at the steps of the plain run.

    In every case the rules of a run must hold, and nothing may be left open.

    Args:
        make_processor: makes a new processor for each run.
        frames: a script as for `run_processor`. It should contain every kind of frame that the
            processor handles, and pauses.
        passes_on: True if the processor passes on frames of unknown classes, as a stage should.
        steps: the number of moments of the plain run at which to stop it, for each kind of stop.
            They are spread evenly.
        only: the name of a single case to run, as in an error message.
        input, output, limits: as for `PipelineTask`.

    Raises:
        RuleError: a check failed; names the case, the moment, the fault, and the argument that runs
            this case alone.
        ValueError: `only` is not the name of a case.
        RuntimeError: an event loop is running.
    """
    check_count("steps", steps, at_least=1)
    refuse_running_loop("check_processor makes its own loops; call it from a plain function")
    checks = _Checks(make_processor, list(frames), input, output, limits)
    cases = checks.cases(passes_on)
    if only:
        checks.attempt(only, *checks.case_of(only, cases))
        return
    plain_steps = checks.attempt("plain", cases.pop("plain"))
    for name, case in cases.items():
        checks.attempt(name, case)
    moments = sorted({1 + plain_steps * n // steps for n in range(steps)})
    for stop in STOPS:
        for step in moments:
            checks.attempt(f"{stop}{_AT}{step}", partial(checks.stop_at_step, stop), step)


Case = Callable[[], Coroutine[Any, Any, None]]
_AT = " at step "


@dataclass(frozen=True, slots=True, eq=False)
class UnknownDataFrame(DataFrame):
    """A data frame of a class that no stage knows."""


@dataclass(frozen=True, slots=True, eq=False)
class UnknownControlFrame(ControlFrame):
    """A control frame of a class that no stage knows."""


@dataclass(frozen=True, slots=True, eq=False)
class UnknownSystemFrame(SystemFrame):
    """A system frame of a class that no stage knows."""


class _Raises(FrameProcessor):
    """A neighbour that fails on the first downstream frame."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is _DOWN:
            raise ValueError("a neighbour's failure")
        await self.push_frame(frame, direction)


class _Checks:
    """The cases of one call of `check_processor`."""

    def __init__(
        self,
        make: Callable[[], Processor],
        script: list[Frame | float | tuple[Frame, FrameDirection]],
        input: AudioFormat | None,  # noqa: A002
        output: AudioFormat | None,
        limits: Limits | None,
    ) -> None:
        self._make = make
        self._script = script
        self._input, self._output, self._limits = input, output, limits
        self._conversation = ConversationChecks(
            make,
            script,
            lambda script, processor, behind: self._stand(script, processor=processor, behind=behind),
        )
        self._act: Callable[[], object] = lambda: None
        """The action at the step at which a case stops the run."""

    def cases(self, passes_on: bool) -> dict[str, Case]:
        """Return the cases that do not depend on steps, by name; the plain one first."""
        cases: dict[str, Case] = {
            "plain": self._plain,
            "no frames": self._no_frames,
            "twice": self._twice,
            "slow neighbour": self._slow_neighbour,
            "system frames while it waits": partial(self._system_frames, passes_on),
            "facts while it waits": self._conversation.facts_while_it_waits,
            "after an interruption": self._conversation.after_an_interruption,
            "frames it does not take": self._conversation.frames_it_does_not_take,
            "failure in front": partial(self._neighbour_fails, "in front"),
            "failure behind": partial(self._neighbour_fails, "behind"),
        }
        if passes_on:
            cases["unknown frames"] = self._unknown_frames
        return cases

    def case_of(self, name: str, cases: dict[str, Case]) -> tuple[Case, int]:
        """Return a case by its name, and its step.

        Raises:
            ValueError: no case has that name.
        """
        stop, _, step = name.partition(_AT)
        if name in cases:
            return cases[name], 0
        if stop in STOPS and step.isdigit():
            return partial(self.stop_at_step, stop), int(step)
        raise ValueError(
            f"unknown case {name!r}; choose one of: {', '.join(cases)}, or a step such as '{STOPS[0]}{_AT}7'"
        )

    def attempt(self, name: str, case: Case, step: int = 0) -> int:
        """Run one case in its own loop; return the number of its steps."""
        loop = SteppingLoop()
        self._act = lambda: None
        loop.count_from_here(step, lambda: self._act())
        try:
            with nothing_left(), asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(case())
        except (AssertionError, PipelineError, VirtualClockError) as error:
            raise RuleError(self._describe(name, error, loop)) from error
        except Exception as error:  # under any exception, the case should be known
            error.add_note(self._replay(name))
            raise
        return loop.steps

    def _describe(self, name: str, error: Exception, loop: SteppingLoop) -> str:
        called_s = loop.called_s
        moment = "" if called_s is None else f" ({called_s:.3f} s)"
        what = error if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
        return f"{name}{moment}: {what}\n{self._replay(name)}"

    @staticmethod
    def _replay(name: str) -> str:
        return f"to run this case alone: check_processor(..., only={name!r})"

    # -- the cases -------------------------------------------------------------------

    def _stand(
        self,
        script: Script | None = None,
        *,
        processor: Processor | None = None,
        before: Sequence[Processor] = (),
        behind: FrameProcessor | None = None,
    ) -> Stand:
        return Stand(
            processor or self._make(),
            self._script if script is None else script,
            before=before,
            behind=behind,
            input=self._input,
            output=self._output,
            limits=self._limits,
        )

    async def _plain(self) -> None:
        stand = self._stand()
        _expect_ended(await stand.run())
        kept = sorted(set(_unawaited_calls(stand.task.processors)))
        expect(not kept, f"these coroutines of a stage were kept and never awaited: {', '.join(kept)}")

    async def _no_frames(self) -> None:
        _expect_ended(await self._stand(()).run())

    async def _twice(self) -> None:
        processor = self._make()
        for _ in range(2):
            _expect_ended(await self._stand(processor=processor).run())

    async def _slow_neighbour(self) -> None:
        _expect_ended(await self._stand(behind=Neighbour(_SLOW_S, mailbox=1)).run())

    async def _system_frames(self, passes_on: bool) -> None:
        news = [UnknownSystemFrame() for _ in range(6)]
        script: list[Frame | float | tuple[Frame, FrameDirection]] = [*self._script]
        for frame in news:
            script += [(frame, _DOWN), (frame, _UP), _SLOW_S / 3]
        done = await self._stand(script, behind=Neighbour(_SLOW_S, mailbox=1)).run()
        _expect_ended(done)
        if passes_on:
            _expect_passed(done, news)

    async def _unknown_frames(self) -> None:
        unknown: list[Frame] = [UnknownDataFrame(), UnknownControlFrame(), UnknownSystemFrame()]
        script: list[Frame | float | tuple[Frame, FrameDirection]]
        script = [(frame, way) for way in (_DOWN, _UP) for frame in unknown]
        done = await self._stand([*script, *self._script]).run()
        _expect_ended(done)
        _expect_passed(done, unknown)

    async def _neighbour_fails(self, place: Literal["in front", "behind"]) -> None:
        """Check that the processor is ended and cleaned up as usual when a neighbour fails."""
        failing, script = _Raises(name="failing neighbour"), [*self._script, UnknownDataFrame()]
        if place == "behind":
            stand = self._stand(script, behind=failing)
        else:
            stand = self._stand(script, before=[failing])
        try:
            await stand.run()
        except PipelineError as error:
            if error.stage != failing.name:
                raise

    async def stop_at_step(self, how: Stop) -> None:
        """Do the plain run, and stop it at the step that was given to the loop."""
        stand = self._stand()
        running = asyncio.get_running_loop().create_task(stand.run(), name="check_processor:run")
        task = stand.task
        acts: dict[Stop, Callable[[], object]] = {
            "end": task.end,
            "cancel": task.cancel,
            "interrupt": task.interrupt,
            "outer cancel": running.cancel,
        }
        self._act = acts[how]
        await asyncio.wait([running])
        if running.cancelled():
            expect(how == "outer cancel", "the run was cancelled without a request")
        else:
            report = running.result().report
            expect(report.state is not RunState.FAILED, f"the run failed: {report}")


def _unawaited_calls(stages: Sequence[Processor]) -> Iterator[str]:
    """Yield the coroutines of these stages that have not begun, by name. A dropped one fails the run."""
    own = {id(stage) for stage in stages}
    for thing in gc.get_objects():
        waits = type(thing) is CoroutineType and getcoroutinestate(thing) == CORO_CREATED
        if waits and id(owner_of(thing)) in own:
            yield f"{thing.__name__}()"


def _expect_ended(done: Processed) -> None:
    expect(done.report.state is RunState.ENDED, f"the run must end normally: {done.report}")


def _expect_passed(done: Processed, frames: Sequence[Frame]) -> None:
    for frame in frames:
        for way, out in (("downstream", done.down), ("upstream", done.up)):
            times = sum(one is frame for one in out)
            expect(
                times == 1,
                f"{type(frame).__name__}, an unknown frame, must leave {way} once, not {times} times: "
                "pass unknown frames on in their direction, or use passes_on=False",
            )
