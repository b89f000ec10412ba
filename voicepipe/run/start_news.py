"""The news that a run has started, or never will, for everybody who waits for it."""

from __future__ import annotations

import asyncio
import threading

from voicepipe.errors import PipelineStartError
from voicepipe.pipeline.mailbox import Waiter, wake
from voicepipe.report import RunReport
from voicepipe.run.failures import describe_briefly

__all__ = ["StartNews"]

_lock = threading.Lock()
"""One for all: it is held for a few instructions."""


class StartNews:
    """The news of one run's start. Waiters may be in any event loop, of any thread."""

    __slots__ = ("_error", "_told", "_waiters")

    def __init__(self) -> None:
        self._told = False
        self._error: PipelineStartError | None = None
        self._waiters: tuple[Waiter, ...] = ()

    async def wait(self) -> None:
        """Wait for the start. Raises: PipelineStartError."""
        with _lock:
            waiter = None if self._told else asyncio.get_running_loop().create_future()
            if waiter is not None:
                self._waiters += (waiter,)
        if waiter is not None:
            try:
                await waiter
            finally:
                with _lock:
                    self._waiters = tuple(each for each in self._waiters if each is not waiter)
        error = self._error
        if error is not None:  # one for each waiter: a raised exception collects the places it passes
            again = PipelineStartError(str(error), stage=error.stage, report=error.report)
            raise again from error.__cause__

    def tell(self, error: PipelineStartError | None = None) -> None:
        """Tell all waiters, present and later ones. In the run's loop."""
        with _lock:
            self._told, self._error = True, error
            waiters, self._waiters = self._waiters, ()
        for waiter in waiters:
            _wake_from_any_thread(waiter)

    def end(self, name: str, error: BaseException | None, report: RunReport | None) -> None:
        """Tell the waiters that the run will not start, unless it has started.

        Args:
            name: the name of the run.
            error: the exception that `run()` raises, if any.
            report: the report of the run, if there is one.
        """
        if self._told:
            return
        if isinstance(error, PipelineStartError):
            self.tell(error)
            return
        reason = (report.reason if report is not None else "") or "it was cancelled"
        if error is not None and not isinstance(error, asyncio.CancelledError):
            reason = describe_briefly(error)
        news = PipelineStartError(
            f"{name} did not start: {reason}", stage=getattr(error, "stage", ""), report=report
        )
        news.__cause__ = error
        self.tell(news)


def _wake_from_any_thread(waiter: Waiter) -> None:
    loop = waiter.get_loop()
    try:
        loop.call_soon_threadsafe(wake, waiter)
    except RuntimeError:
        pass  # the loop is closed, and its waiter with it
