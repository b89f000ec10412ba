"""How a run opens: its stages from the last to the first, then StartFrame, then capture; under one limit."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from voicepipe.errors import PipelineStartError
from voicepipe.frames import StartFrame
from voicepipe.lifecycle import Request, RunState
from voicepipe.pipeline.processor import overrides
from voicepipe.pipeline.seat import Node
from voicepipe.pipeline.stage_task import error_of
from voicepipe.run.failures import brief

if TYPE_CHECKING:
    from voicepipe.run.run import Run

__all__ = ["Opening"]

_LOOK_S = 1.0
"""So often it is looked whether what is being opened waits for a device that is absent."""


class Opening:
    """Opens a run. What it leaves half done, closing sees to."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._deadline = run.began + run.limits.start_s
        self._limit = f"the start limit of {run.limits.start_s:g} s"
        self._node: Node | None = None
        """What is being opened, or what was last."""

    async def open(self) -> bool:
        """Whether the run has started; False where a cancel, a failure or the limit cut it short."""
        nodes = self._run.chain.nodes
        if not await self._within_the_limit(self._open_stages(reversed(nodes)), "open"):
            return False
        if not await self._send_start():
            return False
        sources = [node for node in nodes if overrides(node.processor, "on_running")]
        return not sources or await self._within_the_limit(self._begin(sources), "begin")

    @property
    def _cut_short(self) -> bool:
        run = self._run
        if run.request is Request.CANCEL or run.errors.failure is not None:
            return True
        return run.params.patient and run.request is Request.END and self._waits  # else it is for later

    @property
    def _waits(self) -> bool:
        """What is being opened waits for a device that is absent."""
        node = self._node
        if node is None:
            return False
        try:
            return bool(node.processor.waits_for())
        except BaseException as error:  # a stage's failure becomes a PipelineError
            self._failed(node.label, error)
            return False

    @property
    def _is_over(self) -> bool:
        """The run has given this opening up: a stage that refused to be cancelled has come back."""
        return self._run.state is not RunState.OPENING

    async def _open_stages(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            if self._is_over:
                return
            self._node = node
            node.open()
            await node.processor.on_start(self._run.params)

    async def _send_start(self) -> bool:
        run = self._run
        run.chain.source.pass_flow(StartFrame(run.params))
        await run.until(lambda: run.started or self._cut_short, self._deadline)
        if not run.started and not self._cut_short:
            holders = (worker.label for worker in run.chain.workers if worker.current or worker.box.data)
            self._failed(
                next(holders, "the pipeline"), TimeoutError(f"it held StartFrame beyond {self._limit}")
            )
        return not self._cut_short

    async def _begin(self, sources: Iterable[Node]) -> None:
        for node in sources:
            if self._is_over:
                return
            self._node = node
            await node.processor.on_running()

    async def _within_the_limit(self, coroutine: Coroutine[Any, Any, None], what: str) -> bool:
        """Run a part of the opening in a task of its own, which can be left behind."""
        task = self._run.closing.adopt(coroutine, f"{self._run.params.run_id}:{what}")
        task.add_done_callback(lambda _: self._run.wake())

        def over() -> bool:
            return task.done() or self._cut_short

        if self._run.params.patient:
            await self._wait_patiently(over)
        else:
            await self._run.until(over, self._deadline)
        if not task.done():
            if not self._cut_short:
                self._failed(self._at, TimeoutError(f"it took longer than {self._limit}"))
        elif (error := error_of(task)) is not None:
            self._failed(self._at, error)
        return task.done() and not self._cut_short

    async def _wait_patiently(self, over: Callable[[], bool]) -> None:
        """The limit counts from when nothing is absent any more."""
        run = self._run
        while not over() and (now := run.loop.time()) < self._deadline:
            await run.until(over, min(self._deadline, now + _LOOK_S))
            if self._waits:
                self._deadline = run.loop.time() + run.limits.start_s

    @property
    def _at(self) -> str:
        return "the pipeline" if self._node is None else self._node.label

    def _failed(self, stage: str, error: BaseException) -> None:
        failure = PipelineStartError(f"{stage} did not start: {brief(error)}", stage=stage)
        failure.__cause__ = error
        self._run.start_failed(stage, error, failure)
