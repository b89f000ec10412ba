"""The course of one run: its state, what is asked of it, and who waits for it to change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicepipe.errors import PipelineStartError
from voicepipe.lifecycle import Event, Request, RunState
from voicepipe.params import Limits, StartParams
from voicepipe.run.failures import ErrorBook
from voicepipe.run.transitions import next_state

__all__ = ["Course"]


class Course:
    """What opening, running and closing have in common. In the loop's thread.

    Args:
        interrupt: acts on an interruption; called from `until`, when one was asked for.
    """

    __slots__ = (
        "_interrupt",
        "_waiter",
        "began",
        "drained",
        "errors",
        "interrupting",
        "limits",
        "loop",
        "params",
        "reason",
        "request",
        "started",
        "state",
    )

    def __init__(self, params: StartParams, limits: Limits, interrupt: Callable[[], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.params = params
        self.limits = limits
        self.state = RunState.CREATED
        self.request = Request.NONE
        self.reason = ""
        self.errors = ErrorBook(params.run_id, self.loop.time)
        self.began = self.loop.time()
        self.started = False
        """StartFrame has gone all the way."""
        self.drained = False
        """EndFrame has gone all the way."""
        self.interrupting = False
        """An interruption was asked for, and is about to be acted on."""
        self._interrupt = interrupt
        self._waiter: asyncio.Future[None] | None = None

    # -- requests ------------------------------------------------------------

    def ask(self, request: Request, reason: str) -> None:
        """End or cancel; the harsher wins, and the first of each kind gives the reason."""
        if request > self.request and not self.state.is_final:
            self.request, self.reason = request, reason
            self.wake()

    def ask_interruption(self) -> None:
        """Have what is queued to be said dropped."""
        self.interrupting = True
        self.wake()

    # -- failures ------------------------------------------------------------

    def fail(self, stage: str, error: BaseException) -> None:
        """End the run for an exception that escaped, unless it is cancelled already."""
        if self.errors.fail(stage, error, may_fail=self.request < Request.CANCEL):
            self.ask(Request.END, f"{stage} failed")

    def fail_to_start(self, stage: str, error: BaseException, failure: PipelineStartError) -> None:
        """Note that the run cannot start; `failure` is what `run()` will raise."""
        if self.errors.fail(stage, error, may_fail=self.request < Request.CANCEL):
            self.errors.failure = (stage, failure)
            self.reason = f"{stage} did not start"

    # -- states --------------------------------------------------------------

    def move(self, event: Event) -> None:
        """Enter the next state."""
        self.state = next_state(self.state, event)

    def outcome(self) -> Event:
        """Return how the run ends."""
        if self.errors.failure is not None:
            return Event.FAILED
        return Event.CANCELLED if self.request is Request.CANCEL and not self.drained else Event.ENDED

    def task_name(self, label: str, what: str) -> str:
        """Return a name for a task of the run's: it begins with the run's id."""
        return f"{self.params.run_id}:{label}:{what}"

    # -- waiting -------------------------------------------------------------

    def wake(self) -> None:
        """Make whoever waits look again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def until(self, condition: Callable[[], bool], deadline: float | None = None) -> None:
        """Wait for a condition, or for a time; interruptions are acted on meanwhile."""
        while not condition() and (deadline is None or self.loop.time() < deadline):
            if self.interrupting:
                self.interrupting = False
                self._interrupt()
                continue
            self._waiter = waiter = self.loop.create_future()
            timer = None if deadline is None else self.loop.call_at(deadline, self.wake)
            try:
                await waiter
            except asyncio.CancelledError:  # somebody cancels every task of the loop, the driver too
                self.ask(Request.CANCEL, "the run's own task was cancelled")
            finally:
                if timer is not None:
                    timer.cancel()
