"""The course of one run: its state, its requests, and the wait for changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from voicepipe.errors import PipelineStartError
from voicepipe.lifecycle import Event, Request, RunState
from voicepipe.params import Limits, StartParams
from voicepipe.run.failures import ErrorBook
from voicepipe.run.transitions import next_state

__all__ = ["Course"]

_NOBODY: list[asyncio.Future[None]] = []
"""An empty list that all runs share until somebody waits for an interruption. It is never changed."""


class Interrupter(Protocol):
    """The run, which carries out an interruption."""

    def note_change(self) -> None:
        """Note that the state or the requests have changed."""

    def interrupt(self) -> None:
        """Drop the queued output, and send an InterruptionFrame."""


class Course:
    """The state that opening, running and closing share. In the loop's thread.

    Args:
        interrupter: carries out an interruption; asked from `until` after one was requested.
    """

    __slots__ = (
        "_interrupter",
        "_interrupters",
        "_waiter",
        "began",
        "drained",
        "errors",
        "interrupting",
        "late",
        "limits",
        "loop",
        "outer",
        "params",
        "reason",
        "request",
        "started",
        "state",
    )

    def __init__(self, params: StartParams, limits: Limits, interrupter: Interrupter) -> None:
        self.loop = asyncio.get_running_loop()
        self.params = params
        self.limits = limits
        self.state = RunState.CREATED
        self.request = Request.NONE
        self.reason = ""
        self.errors = ErrorBook(params.run_id, params.clock)
        self.began = self.loop.time()
        self.started = False
        """True once StartFrame has passed the whole pipeline."""
        self.drained = False
        """True once EndFrame has passed the whole pipeline."""
        self.late = False
        """True once the drain has used up its limit."""
        self.outer: asyncio.CancelledError | None = None
        """The cancellation of the task that runs the pipeline. `run()` raises it when all is closed."""
        self.interrupting = False
        """True while an interruption was requested but not yet carried out."""
        self._interrupter = interrupter
        self._waiter: asyncio.Future[None] | None = None
        self._interrupters = _NOBODY
        """The futures of those who wait for the interruption that they requested."""

    # -- requests ------------------------------------------------------------

    def is_asked(self) -> bool:
        """Return True once an end or a cancel was requested."""
        return self.request is not Request.NONE

    @property
    def is_plain(self) -> bool:
        """True while the run takes the program's frames, and nothing else was requested."""
        return self.state is RunState.RUNNING and self.request is Request.NONE and not self.interrupting

    def ask(self, request: Request, reason: str) -> None:
        """Request an end or a cancel. A cancel overrides an end; the first of each kind sets the reason."""
        if request > self.request and not self.state.is_final:
            self.request, self.reason = request, reason
            self._interrupter.note_change()
            self.wake()

    def note_outer(self, outer: asyncio.CancelledError) -> None:
        """Take an outer cancellation as a request. It must not cut the close short, nor must a second one."""
        self.outer = outer
        self.ask(Request.CANCEL, "outer cancellation")

    def give_up_drain(self) -> None:
        """Cancel the run, because its drain has used up its limit."""
        if self.request < Request.CANCEL:
            self.late = True
            self.ask(Request.CANCEL, f"{self.reason}, and {self.limits.drain_s:g} s were not enough to end")

    @property
    def congested(self) -> bool:
        """True until the interruption that was requested is carried out. Its requester waits."""
        return self.interrupting and self.state in (RunState.RUNNING, RunState.DRAINING)

    def add_waiter(self, waiter: asyncio.Future[None]) -> None:
        """Set this future's result when the interruption was carried out."""
        if self._interrupters is _NOBODY:
            self._interrupters = []
        self._interrupters.append(waiter)

    def remove_waiter(self, waiter: asyncio.Future[None]) -> None:
        """Forget a future that is no longer waited for."""
        if waiter in self._interrupters:
            self._interrupters.remove(waiter)

    def relieve(self) -> None:
        """Do nothing: an interruption holds no data."""

    def ask_interruption(self) -> None:
        """Request an interruption, which drops the queued output."""
        self.interrupting = True
        self._interrupter.note_change()
        self.wake()

    # -- failures ------------------------------------------------------------

    def fail(self, stage: str, error: BaseException) -> None:
        """End the run because of an exception that escaped a stage, unless it was cancelled already."""
        if self.errors.fail(stage, error, may_fail=self.request < Request.CANCEL):
            self.ask(Request.END, f"{stage} failed")

    def fail_to_start(self, stage: str, error: BaseException, failure: PipelineStartError) -> None:
        """Note that the run cannot start; `run()` will raise `failure`."""
        if self.errors.fail(stage, error, may_fail=self.request < Request.CANCEL):
            self.errors.failure = (stage, failure)
            self.reason = f"{stage} did not start"

    # -- states --------------------------------------------------------------

    def move(self, event: Event) -> None:
        """Enter the next state."""
        self.state = next_state(self.state, event)
        self._interrupter.note_change()
        if self._interrupters:
            self._wake_interrupters()

    def outcome(self) -> Event:
        """Return the event that closes the run: ended, cancelled or failed."""
        if self.errors.failure is not None:
            return Event.FAILED
        return Event.CANCELLED if self.request is Request.CANCEL and not self.drained else Event.ENDED

    def task_name(self, label: str, what: str) -> str:
        """Return a name for a task of the run. It begins with the run's id."""
        return f"{self.params.run_id}:{label}:{what}"

    # -- waiting -------------------------------------------------------------

    def wake(self) -> None:
        """Make `until` check its condition again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _wake_interrupters(self) -> None:
        waiting, self._interrupters = self._interrupters, _NOBODY
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], bool], deadline: float | None = None) -> None:
        """Wait until the condition holds or the deadline passes; carry out interruptions meanwhile."""
        while not condition() and (deadline is None or self.loop.time() < deadline):
            if self.interrupting:
                self.interrupting = False
                self._interrupter.note_change()
                self._interrupter.interrupt()
                self._wake_interrupters()
                continue
            self._waiter = waiter = self.loop.create_future()
            timer = None if deadline is None else self.loop.call_at(deadline, self.wake)
            try:
                await waiter
            except asyncio.CancelledError as outer:
                self.note_outer(outer)
            finally:
                if timer is not None:
                    timer.cancel()
