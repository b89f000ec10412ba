"""A run is asked to stop at every step of the loop in turn: opening, start, steady, drain, close.

An outer cancellation is tried at every step, the other requests at every fifth:
`VOICEPIPE_TIMES=10 pytest -n0 tests/properties/test_every_step.py` tries all of them at every step.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support.counts import FULL
from support.shapes import SHAPES, Shape
from voicepipe import Pipeline, PipelineError, PipelineTask, RunState
from voicepipe.census.census import assert_nothing_left, take_census
from voicepipe.testing import SteppingLoop


@dataclass
class Victim:
    """A run that something is done to."""

    task: PipelineTask
    running: asyncio.Task[object]
    test: asyncio.Task[object] | None

    def cancelled_from_outside(self) -> None:
        self.running.cancel()

    def ended(self) -> None:
        self.task.end()

    def cancelled(self) -> None:
        self.task.cancel()

    def interrupted(self) -> None:
        self.task.interrupt()

    def all_cancelled(self) -> None:
        """As `asyncio.run` does when its main coroutine has returned."""
        for task in asyncio.all_tasks() - {self.test}:
            task.cancel()

    def ended_and_cancelled(self) -> None:
        self.task.end()
        self.task.cancel()


ONCE: dict[str, Callable[[Victim], None]] = {
    "end": Victim.ended,
    "cancel": Victim.cancelled,
    "interrupt": Victim.interrupted,
    "end and cancel": Victim.ended_and_cancelled,
    "cancel every task": Victim.all_cancelled,
}
AGAIN_AND_AGAIN: dict[str, Callable[[Victim], None]] = {
    "end": Victim.ended,
    "cancel": Victim.cancelled,
    "outer cancellation": Victim.cancelled_from_outside,
    "interrupt": Victim.interrupted,
}


def try_at(step: int, shape: Shape, do: Callable[[Victim], None], *, again: bool = False) -> Victim | None:
    """Run it, and do it at that step, or again and again from there on; None where it was over before."""
    before = take_census()
    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SteppingLoop)
        victim = runner.run(_try_at(loop, step, shape, do, again))
    assert_nothing_left(before)
    return victim


async def _try_at(
    loop: SteppingLoop, step: int, shape: Shape, do: Callable[[Victim], None], again: bool
) -> Victim | None:
    before = take_census()
    task = PipelineTask(Pipeline(shape.stages))
    for frame in shape.queued:
        await task.queue_frame(frame)
    timers = [loop.call_later(when, call) for when, call in shape.happens(task)]
    timers.append(loop.call_later(shape.end_after_s, task.end))
    victim = Victim(task, asyncio.create_task(task.run()), asyncio.current_task())
    done = False

    def at_step() -> None:
        nonlocal done
        if victim.running.done():
            return
        done = True
        do(victim)
        if again:  # not at each step: time passes only at one where nothing is left to be done
            loop.count_from_here(11, at_step)

    loop.count_from_here(step, at_step)
    with contextlib.suppress(asyncio.CancelledError, PipelineError):
        await victim.running
    loop.count_from_here()
    for timer in timers:
        timer.cancel()
    await asyncio.sleep(0)
    assert_nothing_left(before)
    assert_clean(victim, shape)
    if do is not Victim.all_cancelled:
        assert_no_error(task, shape)
    return victim if done else None


def assert_clean(victim: Victim, shape: Shape) -> None:
    task = victim.task
    assert task.state.is_final or task.state is RunState.CREATED
    if task.report is not None and task.state is not RunState.CREATED:
        for seam in task.report.seams:
            assert seam.balanced, seam
            assert seam.held == 0, seam
        assert (task.report.abandoned, task.report.forced) == ((), ())
    for stage in shape.recorders():
        assert stage.events.count("cleanup") == stage.events.count("start") <= 1


def assert_no_error(task: PipelineTask, shape: Shape) -> None:
    assert task.state is not RunState.FAILED
    assert task.report is None or task.report.errors == ()
    if task.state is RunState.ENDED:
        assert all(stage.events.count("end") == 1 for stage in shape.recorders())


def at_every_step(
    shape: str, do: Callable[[Victim], None], *, again: bool = False, stride: int = 1
) -> Counter[RunState]:
    """How the runs ended."""
    states: Counter[RunState] = Counter()
    step = 1
    while (victim := try_at(step, SHAPES[shape](), do, again=again)) is not None:
        states[victim.task.state] += 1
        if do is Victim.cancelled_from_outside:
            assert victim.running.cancelled()
        step += stride
    assert step > 10
    return states


STRIDE = 1 if FULL else 5
every_shape = pytest.mark.parametrize("shape", SHAPES)


@pytest.mark.heavy
@every_shape
def test_outer_cancellation_at_any_step_leaves_nothing(shape: str) -> None:
    at_every_step(shape, Victim.cancelled_from_outside)


@every_shape
@pytest.mark.parametrize("request_", ONCE)
@pytest.mark.heavy(after=12)
def test_a_request_at_any_step_leaves_nothing(shape: str, request_: str) -> None:
    states = at_every_step(shape, ONCE[request_], stride=STRIDE)
    expected = {RunState.CANCELLED} if "cancel" in request_ else {RunState.ENDED}
    if request_ == "cancel every task":
        expected.add(RunState.FAILED)  # where a stage lost its task before the run heard of it
    # Every fifth of some twenty steps: by the order in which the tasks are cancelled, a late one may miss.
    assert sum(states[state] for state in expected) >= (3 if FULL else 2)
    assert RunState.CANCELLED not in states or "cancel" in request_


@pytest.mark.heavy
@every_shape
@pytest.mark.parametrize("request_", AGAIN_AND_AGAIN)
def test_a_request_again_and_again_from_any_step_on_leaves_nothing(shape: str, request_: str) -> None:
    at_every_step(shape, AGAIN_AND_AGAIN[request_], again=True, stride=STRIDE)
