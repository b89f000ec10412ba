"""The escalation of signals: the first ends a program's tasks, the second cancels them, the third kills."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

from voicepipe.log import logger_of
from voicepipe.run.task import PipelineTask
from voicepipe.runner.process_end import end_at_once

__all__ = ["Escalation"]

_log = logger_of("voicepipe")


class Escalation:
    """Ends the tasks at the first signal, cancels them at the second, ends the process at the third.

    Args:
        tell: called in the loop at the first signal, to tell the person who sent it.
    """

    def __init__(self, tell: Callable[[], None] = lambda: None) -> None:
        self._tell = tell
        self._heard: list[signal.Signals] = []
        self._done = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: tuple[PipelineTask, ...] = ()
        self.ended_by = 0
        """The signal that asked for the end."""
        self.cancelled_by = 0
        """The signal that made the end a cancel."""

    def begin(self, loop: asyncio.AbstractEventLoop, tasks: tuple[PipelineTask, ...]) -> None:
        """Take the tasks that are about to run; earlier signals count."""
        self._loop, self._tasks = loop, tasks
        self._act()

    def end(self) -> None:
        """Let go of the tasks, which are closed: only a third signal does anything now."""
        self._tasks = ()

    def hear(self, number: signal.Signals) -> None:
        """Count a signal. Called in the hearing thread."""
        self._heard.append(number)
        if len(self._heard) >= 3:
            end_at_once(number)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs any more
                self._loop.call_soon_threadsafe(self._act)

    def _act(self) -> None:
        """Act on the signals so far. Called in the loop."""
        while self._tasks and self._done < len(self._heard[:2]):
            number = self._heard[self._done]
            self._done += 1
            if self._done == 1:
                self._end_tasks(number)
            else:
                self._cancel_tasks(number, f"a second signal, {number.name}")

    def _end_tasks(self, number: signal.Signals) -> None:
        _log.info("%s: ending; a second signal cancels", number.name)
        self.ended_by = number
        self._tell()
        for task in self._tasks:
            task.end(number.name)

    def _cancel_tasks(self, number: signal.Signals, reason: str) -> None:
        _log.info("%s: cancelling", reason)
        self.cancelled_by = number
        for task in self._tasks:
            task.cancel(reason)
