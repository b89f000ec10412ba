"""How a run closes: its tasks stop, its stages clean up, each with a limit; what refuses is named."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from voicepipe.census import abandon
from voicepipe.element import where
from voicepipe.lifecycle import Request
from voicepipe.node import Node
from voicepipe.processor import overrides
from voicepipe.report import Abandoned
from voicepipe.worker import Worker

if TYPE_CHECKING:
    from voicepipe.run import Run

__all__ = ["Closing"]

_LAST_WORD_S = 0.1
"""Of the time for clean-up: for what is cancelled because it takes too long."""
_Tasks = dict[asyncio.Task[Any], Node | None]


class Closing:
    """Cleans up what the run made, whatever happened to any frame."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._adopted: set[asyncio.Task[Any]] = set()
        self._cut: set[asyncio.Task[Any]] = set()
        self.forced: list[str] = []
        """What was still running after a clean end. A bug of ours, if there is any."""
        self.abandoned: list[Abandoned] = []
        """What did not stop within its limit."""

    def adopt(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """A task of the run's own, which closing will see to the end of."""
        task = self._run.loop.create_task(coroutine, name=name)
        self._adopted.add(task)
        return task

    async def close(self, reason: str, *, drained: bool) -> None:
        """Stop every task, then clean up every stage that was opened. Bounded by the run's limits."""
        run, limits = self._run, self._run.limits
        cancelled = run.request is Request.CANCEL
        now = run.loop.time()
        if drained:
            self._note_forced()
        for node in run.chain.nodes:
            node.disable(reason, forward=False)
        begun = run.cancelled_at if cancelled else now
        await self._stop_tasks(cancelled, begun + limits.cancel_s / 2)
        now = run.loop.time()
        deadline = begun + limits.cancel_s if cancelled else now + limits.close_s
        await self._clean_up(max(deadline, now + _LAST_WORD_S))

    def _note_forced(self) -> None:
        given_up = {slow.stage for slow in self._run.slow}
        for worker in self._run.chain.workers:
            if worker.task is not None and not worker.task.done() and worker.label not in given_up:
                self.forced.append(worker.task.get_name())

    async def _stop_tasks(self, cancelled: bool, deadline: float) -> None:
        nodes = self._run.chain.nodes
        tasks: _Tasks = dict.fromkeys(self._adopted)
        for node in nodes:
            tasks.update(dict.fromkeys(node.children, node))
            if isinstance(node, Worker) and node.task is not None:
                tasks[node.task] = node
        running: _Tasks = {task: node for task, node in tasks.items() if not task.done()}
        hooks = self._hooks("on_cancel", nodes) if cancelled else {}
        self._cancel(running)
        now = self._run.loop.time()
        left = await self._wait(running | hooks, now + (deadline - now) / 2)
        if left:
            self._cancel(left)  # once more, for a stage that swallowed the first
            left = await self._wait(left, deadline)
        self._abandon(left)
        self._take_errors(hooks)

    async def _clean_up(self, deadline: float) -> None:
        hooks = self._hooks("cleanup", self._run.chain.nodes)
        left = await self._wait(hooks, deadline - _LAST_WORD_S)
        if left:
            self._cancel(left)
            left = await self._wait(left, deadline)
        self._abandon(left)
        self._take_errors(hooks)

    def _hooks(self, hook: str, nodes: Iterable[Node]) -> _Tasks:
        """A task for each opened stage that has the hook."""
        hooks: _Tasks = {}
        for node in nodes:
            if node.opened and overrides(node.processor, hook):
                coroutine = getattr(node.processor, hook)()
                name = self._run.task_name(node.label, hook)
                hooks[self._run.loop.create_task(coroutine, name=name)] = node
        return hooks

    async def _wait(self, tasks: _Tasks, deadline: float) -> _Tasks:
        """Until all are done, or the deadline; returns those that are not. Cannot be cancelled."""
        left = {task: node for task, node in tasks.items() if not task.done()}
        while left:
            seconds = deadline - self._run.loop.time()
            if seconds <= 0:
                break
            try:
                await asyncio.wait(left, timeout=seconds)
            except asyncio.CancelledError:
                pass  # closing has its own limits; a second cancel cannot interrupt it
            left = {task: node for task, node in left.items() if not task.done()}
        return left

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
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None and node is not None:
                self._run.stage_failed(node, error)
