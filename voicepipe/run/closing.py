"""How a run closes: its tasks stop, its stages clean up, each with a limit; what refuses is named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from voicepipe.census.census import abandon
from voicepipe.census.stack import where
from voicepipe.lifecycle import Request
from voicepipe.pipeline.processor import overrides
from voicepipe.pipeline.seat import Node
from voicepipe.pipeline.stage_task import error_of, start_task
from voicepipe.pipeline.task_seat import Worker
from voicepipe.report import Abandoned

if TYPE_CHECKING:
    from voicepipe.run.run import Run

__all__ = ["Closing"]

_LAST_WORD_S = 0.1
"""Of the time for clean-up: for what is cancelled because it takes too long."""
_LOOK_S = 0.05
"""The clock is looked at so often: what passes beyond that, the loop stood still."""
_STEPS_S = 0.01
_Tasks = dict[asyncio.Task[Any], Node | None]


class Closing:
    """Cleans up what the run made, whatever happened to any frame."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._adopted: set[asyncio.Task[Any]] = set()
        self._cut: set[asyncio.Task[Any]] = set()
        self._for_cancel = False
        """A cancel began it, not an end or a failure."""
        self.forced: list[str] = []
        """What was still running after a clean end. A bug of ours, if there is any."""
        self.abandoned: list[Abandoned] = []
        """What did not stop within its limit."""

    def adopt(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task of the run's own, which closing will see to the end of."""
        task = start_task(self._run.loop, coroutine, name)
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)
        return task

    async def close(self, reason: str, *, drained: bool) -> None:
        """Stop every task, then clean up every stage that was opened. Bounded by the run's limits."""
        run, limits = self._run, self._run.limits
        cancelled = self._for_cancel = run.request is Request.CANCEL
        if drained:
            self._note_forced()
        for node in run.chain.nodes:
            node.disable(reason, forward=False)
        unused_s = await self._stop_tasks(cancelled, limits.cancel_s / 2)
        await self._clean_up(limits.cancel_s / 2 + unused_s if cancelled else limits.close_s)

    def _note_forced(self) -> None:
        for worker in self._run.chain.workers:
            if worker.task is not None and not worker.task.done() and not worker.stopping:
                self.forced.append(worker.task.get_name())

    async def _stop_tasks(self, cancelled: bool, seconds: float) -> float:
        """Returns how much of the time was not needed."""
        nodes = self._run.chain.nodes
        tasks: _Tasks = dict.fromkeys(self._adopted)
        for node in nodes:
            tasks.update(dict.fromkeys(node.children, node))
            if isinstance(node, Worker) and node.task is not None:
                tasks[node.task] = node
        running: _Tasks = {task: node for task, node in tasks.items() if not task.done()}
        hooks = self._hooks("on_cancel", nodes) if cancelled else {}
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
        hooks = self._hooks("cleanup", self._run.chain.nodes)
        left, _ = await self._wait(hooks, seconds - _LAST_WORD_S)
        if left:
            self._cancel(left)
            left, _ = await self._wait(left, _LAST_WORD_S)
        self._abandon(left)
        self._take_errors(hooks)

    def _hooks(self, hook: str, nodes: Iterable[Node]) -> _Tasks:
        """A task for each opened stage that has the hook."""
        hooks: _Tasks = {}
        for node in nodes:
            if node.opened and overrides(node.processor, hook):
                coroutine = _call(getattr(node.processor, hook))
                name = self._run.task_name(node.label, hook)
                hooks[start_task(self._run.loop, coroutine, name, always=True)] = node
        return hooks

    async def _wait(self, tasks: _Tasks, seconds: float) -> tuple[_Tasks, float]:
        """Until all are done, or for so long; returns those that are not, and the time left.

        Cannot be cancelled. What the loop stands still meanwhile does not count: nobody could have done
        anything. And what needs no more than some steps of the loop gets them, however little time there is.
        """
        loop = self._run.loop
        seconds, hurried = max(seconds, _STEPS_S), self._for_cancel
        left = {task: node for task, node in tasks.items() if not task.done()}
        while left and seconds > 1e-6:  # what is less is a rounding error
            if not hurried and self._run.request is Request.CANCEL:  # it came while an end was closing
                seconds, hurried = min(seconds, self._run.limits.cancel_s / 2), True
            began_s, most_s = loop.time(), min(seconds, _LOOK_S)
            try:
                await asyncio.wait(left, timeout=most_s)
            except asyncio.CancelledError:
                pass  # closing has its own limits; a second cancel cannot interrupt it
            seconds -= min(loop.time() - began_s, most_s)
            left = {task: node for task, node in left.items() if not task.done()}
        return left, seconds

    def _cancel(self, tasks: _Tasks) -> None:
        for task, node in tasks.items():
            if isinstance(node, Worker) and node.task is task:
                node.stop()
            else:
                self._cut.add(task)
                task.cancel()

    def _abandon(self, tasks: _Tasks) -> None:
        for task in tasks:
            self.abandoned.append(Abandoned(task.get_name(), where(task)))
            abandon(task)

    def _take_errors(self, hooks: _Tasks) -> None:
        for task, node in hooks.items():
            if not task.done() or task in self._cut:
                continue
            error = error_of(task)
            if error is not None and node is not None:
                self._run.stage_failed(node, error)


async def _call(hook: Callable[[], Awaitable[None]]) -> None:
    """A hook that is no coroutine function fails in its task, and not where the run closes."""
    await hook()
