"""The close of a run: tasks stop and stages clean up, each within a limit.

A task that does not stop within its limit is abandoned, and the report names it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from voicepipe.awaitables import awaitable
from voicepipe.census.census import abandon
from voicepipe.census.stack import where
from voicepipe.lifecycle import Request
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.hook_checks import hook_name
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
_Tasks = dict[asyncio.Task[Any], StageSeat | None]


class Closing:
    """The clean-up of everything that the run made, on every way out."""

    def __init__(self, course: Course, chain: Chain) -> None:
        self._course = course
        self._chain = chain
        self._adopted: set[asyncio.Task[Any]] = set()
        self._cut: set[asyncio.Task[Any]] = set()
        self._for_cancel = False
        """True if a cancel began the close, not an end or a failure."""
        self.forced: list[str] = []
        """The names of tasks that still ran after a clean end. An entry means a bug in voicepipe."""
        self.abandoned: list[Abandoned] = []
        """The tasks that did not stop within their limit."""

    def adopt(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task of the run, which `close` cancels and awaits."""
        task = start_task(self._course.loop, coroutine, name)
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)
        return task

    async def close(self, reason: str) -> None:
        """Stop every task, then clean up every opened stage, within the run's limits.

        Args:
            reason: the drop reason for data that still waits.
        """
        course, limits = self._course, self._course.limits
        cancelled = self._for_cancel = course.request is Request.CANCEL
        if course.drained:
            self._note_forced()
        for seat in self._chain.seats:
            seat.disable(reason, forward=False)
        unused_s = await self._stop_tasks(cancelled, limits.cancel_s / 2)
        await self._clean_up(limits.cancel_s / 2 + unused_s if cancelled else limits.close_s)

    def _note_forced(self) -> None:
        for work in (seat.work for seat in self._chain.task_seats):
            if work.task is not None and not work.task.done() and not work.stopping:
                self.forced.append(work.task.get_name())

    async def _stop_tasks(self, cancelled: bool, seconds: float) -> float:
        """Stop the tasks; return the part of the time that was not needed."""
        seats = self._chain.seats
        tasks: _Tasks = dict.fromkeys(self._adopted)
        for seat in seats:
            tasks.update(dict.fromkeys(seat.children, seat))
            if isinstance(seat, TaskSeat) and seat.work.task is not None:
                tasks[seat.work.task] = seat
        running: _Tasks = {task: seat for task, seat in tasks.items() if not task.done()}
        hooks = self._hooks("on_cancel", seats) if cancelled else {}
        self._cancel(running)
        left, unused_s = await self._wait(running | hooks, seconds / 2)
        if left:
            self._cancel(left)  # once more, for a stage that swallowed the first
            left, unused_s = await self._wait(left, seconds / 2)
        else:
            unused_s += seconds / 2
        self._abandon(left)
        self._take_errors(hooks)
        return unused_s

    async def _clean_up(self, seconds: float) -> None:
        hooks = self._hooks("cleanup", self._chain.seats)
        left, _ = await self._wait(hooks, seconds - _LAST_WORD_S)
        if left:
            self._cancel(left)
            left, _ = await self._wait(left, _LAST_WORD_S)
        self._abandon(left)
        self._take_errors(hooks)

    def _hooks(self, hook: str, seats: Iterable[StageSeat]) -> _Tasks:
        """Start a task for each opened stage that has the hook."""
        hooks: _Tasks = {}
        for seat in seats:
            if seat.opened and overrides(seat.processor, hook):
                coroutine = _call(hook_name(seat.processor, hook), getattr(seat.processor, hook))
                name = self._course.task_name(seat.label, hook)
                hooks[start_task(self._course.loop, coroutine, name, always=True)] = seat
        return hooks

    async def _wait(self, tasks: _Tasks, seconds: float) -> tuple[_Tasks, float]:
        """Wait until all tasks are done, or the time is up; return the unfinished tasks and the time left.

        Cannot be cancelled. Time in which the loop was blocked does not count, because no task could
        run. A task that needs only a few steps of the loop always gets them.
        """
        loop = self._course.loop
        seconds, hurried = max(seconds, _STEPS_S), self._for_cancel
        left = {task: seat for task, seat in tasks.items() if not task.done()}
        while left and seconds > 1e-6:  # a smaller rest is a rounding error
            if not hurried and self._course.request is Request.CANCEL:  # it came during an end
                seconds, hurried = min(seconds, self._course.limits.cancel_s / 2), True
            began_s, most_s = loop.time(), min(seconds, _LOOK_S)
            try:
                await asyncio.wait(left, timeout=most_s)
            except asyncio.CancelledError:
                pass  # closing has its own limits; a second cancel cannot interrupt it
            seconds -= min(loop.time() - began_s, most_s)
            left = {task: seat for task, seat in left.items() if not task.done()}
        return left, seconds

    def _cancel(self, tasks: _Tasks) -> None:
        for task, seat in tasks.items():
            if isinstance(seat, TaskSeat) and seat.work.task is task:
                seat.work.stop()
            else:
                self._cut.add(task)
                task.cancel()

    def _abandon(self, tasks: _Tasks) -> None:
        for task in tasks:
            self.abandoned.append(Abandoned(task.get_name(), where(task)))
            abandon(task)

    def _take_errors(self, hooks: _Tasks) -> None:
        for task, seat in hooks.items():
            if not task.done() or task in self._cut:
                continue
            error = error_of(task)
            if error is not None and seat is not None:
                self._course.fail(seat.label, error)


async def _call(name: str, hook: Callable[[], Awaitable[None]]) -> None:
    """Await a hook. A hook that is not a coroutine function then fails in its task, not in `close`."""
    await awaitable(name, hook())
