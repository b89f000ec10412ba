"""The close of a run: tasks stop and stages clean up, each within a limit.

A task that does not stop within its limit is abandoned, and the report names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, NamedTuple

from voicepipe.census.census import abandon
from voicepipe.census.stack import where
from voicepipe.lifecycle import Request
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.hook_checks import check_result
from voicepipe.pipeline.processor import overrides
from voicepipe.pipeline.seat import StageSeat
from voicepipe.pipeline.stage_task import error_of, start_task
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.report import Abandoned
from voicepipe.run.course import Course

__all__ = ["Closing"]

_LAST_WORD_S = 0.1
"""The part of the clean-up time that is left for hooks that are cancelled because they take too long."""
_LOOK_S = 0.05
"""The interval between two looks at the clock. A longer interval means that the event loop was blocked."""
_STEPS_S = 0.01
"""The least time to wait: enough for a few steps of the loop."""


class _Part(NamedTuple):
    """One piece of work that must end before the close can go on."""

    task: asyncio.Task[Any]
    """The task that does it."""
    seat: StageSeat | None
    """The stage to which it belongs; None for a task of the run."""
    cancel: Callable[[], object]
    """The function that cuts it short."""
    over: asyncio.Future[Any]
    """A future that is done when the work is over: the task, or one that stands for a part of it."""


class Closing:
    """The clean-up of everything that the run made, on every way out."""

    __slots__ = ("_adopted", "_chain", "_course", "_cut", "_for_cancel", "abandoned", "forced")

    def __init__(self, course: Course, chain: Chain) -> None:
        self._course = course
        self._chain = chain
        self._adopted: tuple[asyncio.Task[Any], ...] = ()
        self._cut: set[asyncio.Task[Any]]
        """The tasks that the close has cut short."""
        self._for_cancel = False
        """True if a cancel began the close, not an end or a failure."""
        self.forced: tuple[str, ...] = ()
        """The names of tasks that still ran after a clean end. An entry means a bug in voicepipe."""
        self.abandoned: tuple[Abandoned, ...] = ()
        """The tasks that did not stop within their limit."""

    def adopt(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task of the run, which `close` cancels and awaits."""
        task = start_task(self._course.loop, coroutine, name)
        self._adopted += (task,)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._adopted = tuple(each for each in self._adopted if each is not task)

    async def close(self, reason: str) -> None:
        """Stop every task, then clean up every opened stage, within the run's limits.

        Args:
            reason: the drop reason for data that still waits.
        """
        course, limits = self._course, self._course.limits
        self._cut = set()
        cancelled = self._for_cancel = course.request is Request.CANCEL
        if course.drained:
            self._note_forced()
        for seat in self._chain.seats:
            seat.disable(reason, forward=False)
        unused_s = await self._stop_tasks(cancelled, limits.cancel_s / 2)
        await self._clean_up(limits.cancel_s / 2 + unused_s if cancelled else limits.close_s)

    def _note_forced(self) -> None:
        for seat in self._chain.task_seats:
            task, work = seat.work.task, seat.work
            if task is not None and not task.done() and not work.is_over and not work.stopping:
                self.forced += (task.get_name(),)

    async def _stop_tasks(self, cancelled: bool, seconds: float) -> float:
        """Stop the tasks; return the part of the time that was not needed."""
        running = self._running()
        hooks = self._begin_cancels() if cancelled else []
        if not (running or hooks):
            return seconds
        self._cancel(running)
        left, unused_s = await self._wait(running + hooks, seconds / 2)
        if left:
            self._cancel(left)  # once more, for a stage that swallowed the first
            left, unused_s = await self._wait(left, seconds / 2)
        else:
            unused_s += seconds / 2
        self._abandon(left)
        self._take_errors(hooks)
        return unused_s

    def _running(self) -> list[_Part]:
        """Return all work that is not over: the run's tasks, the stages' own tasks, and their child tasks."""
        running = [self._part(task) for task in self._adopted if not task.done()]
        for seat in self._chain.seats:
            if seat.children:
                running += [self._part(task, seat) for task in seat.children if not task.done()]
            hooks = seat.hooks
            if isinstance(seat, TaskSeat):
                task = seat.work.task
                if task is not None and not task.done() and not seat.work.is_over:
                    over = task if hooks is None else hooks.rest()
                    running.append(_Part(task, seat, seat.work.stop, over))
            elif hooks is not None and not hooks.is_over:
                running.append(_Part(hooks.task, seat, hooks.cancel, hooks.rest()))
        return running

    async def _clean_up(self, seconds: float) -> None:
        hooks = self._begin_clean_ups()
        if not hooks:
            return
        left, _ = await self._wait(hooks, seconds - _LAST_WORD_S)
        if left:
            self._cancel(left)
            left, _ = await self._wait(left, _LAST_WORD_S)
        self._abandon(left)
        self._take_errors(hooks)

    def _begin_clean_ups(self) -> list[_Part]:
        """Begin the clean-up of every opened stage: in the task of its hooks, or else in a new one."""
        begun: list[_Part] = []
        for seat in self._chain.seats:
            if seat.hooks is not None and seat.hooks.order_clean_up():
                begun.append(self._part(seat.hooks.task, seat))
            elif seat.opened and overrides(seat.processor, "cleanup"):
                begun.append(self._begin("cleanup", seat))
        return begun

    def _begin_cancels(self) -> list[_Part]:
        """Call `on_cancel` of every opened stage."""
        return [
            self._begin("on_cancel", seat)
            for seat in self._chain.seats
            if seat.opened and overrides(seat.processor, "on_cancel")
        ]

    def _begin(self, hook: str, seat: StageSeat) -> _Part:
        """Start a task that runs one hook of a stage."""
        coroutine = _call(seat, hook)
        name = self._course.task_name(seat.label, hook)
        return self._part(start_task(self._course.loop, coroutine, name, always=True), seat)

    def _part(self, task: asyncio.Task[Any], seat: StageSeat | None = None) -> _Part:
        """Return the part that a task is as a whole."""

        def cut() -> None:
            self._cut.add(task)
            task.cancel()

        return _Part(task, seat, cut, task)

    async def _wait(self, parts: Sequence[_Part], seconds: float) -> tuple[Sequence[_Part], float]:
        """Wait until all parts are over, or the time is up; return the unfinished parts and the time left.

        Cannot be cancelled. Time in which the loop was blocked does not count, because no task could
        run. A task that needs only a few steps of the loop always gets them.
        """
        course, loop = self._course, self._course.loop
        seconds, hurried = max(seconds, _STEPS_S), self._for_cancel
        left = [part for part in parts if not part.over.done()]
        while left and seconds > 1e-6:  # a smaller rest is a rounding error
            if not hurried and course.request is Request.CANCEL:  # it came during an end
                seconds, hurried = min(seconds, course.limits.cancel_s / 2), True
            began_s, most_s = loop.time(), min(seconds, _LOOK_S)
            try:
                await asyncio.wait([part.over for part in left], timeout=most_s)
            except asyncio.CancelledError as outer:
                course.note_outer(outer)  # the close has its own limits
            seconds -= min(loop.time() - began_s, most_s)
            left = [part for part in left if not part.over.done()]
        return left, seconds

    @staticmethod
    def _cancel(parts: Iterable[_Part]) -> None:
        for part in parts:
            part.cancel()

    def _abandon(self, parts: Sequence[_Part]) -> None:
        self.abandoned += tuple([Abandoned(part.task.get_name(), where(part.task)) for part in parts])
        for part in parts:
            abandon(part.task)

    def _take_errors(self, hooks: Iterable[_Part]) -> None:
        for part in hooks:
            if not part.task.done() or part.task in self._cut:
                continue
            error = error_of(part.task)
            if error is not None and part.seat is not None:
                self._course.fail(part.seat.label, error)


async def _call(seat: StageSeat, hook: str) -> None:
    """Await a hook, unless the stage has cleaned up already.

    A hook that is not a coroutine function then fails in its task, not in `close`.
    """
    if not seat.cleans_up:
        await check_result(seat.processor, hook, getattr(seat.processor, hook)())
