"""The lost streams of a stage. Each is closed beside the run, because a close may take for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

from voicepipe.census.census import abandon
from voicepipe.errors import DeviceError
from voicepipe.log import logger_of
from voicepipe.text import printable

__all__ = ["LostStreams", "MakeTask"]

_log = logger_of("voicepipe")


class Closable(Protocol):
    """A stream that can be closed."""

    async def close(self) -> None:
        """Close the stream and release its device."""
        ...


class MakeTask(Protocol):
    """A function that starts a task of the stage."""

    def __call__(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start the task."""
        ...


class LostStreams:
    """The lost streams of a stage, closed in tasks of the stage. In the loop's thread.

    Args:
        make_task: starts a task of the stage.
        what: the kind of device, for the log.
    """

    def __init__(self, make_task: MakeTask, what: str) -> None:
        self._make_task = make_task
        self._what = what
        self._unclosed: set[Closable] = set()
        """The streams whose close has not begun."""
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task that `finish` waits for."""
        task = self._make_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close_later(self, stream: Closable) -> asyncio.Task[None]:
        """Close the stream in a task of its own, and return the task."""
        self._unclosed.add(stream)
        return self.do(self._close(stream), "close")

    async def finish(self, present: Closable | None) -> None:
        """Close the present stream, and the streams whose close has not begun; wait for the tasks."""
        # The run's close has cancelled the other tasks. These were started just after it had looked.
        unseen = {task for task in self._tasks if not task.cancelling()}
        for task in unseen:
            task.cancel()
        try:
            if present is not None:
                await present.close()
        finally:
            for stream in list(self._unclosed):  # a task that is cancelled before its first step does nothing
                await self._close(stream)
            await _wait_out(unseen)

    async def _close(self, stream: Closable) -> None:
        self._unclosed.discard(stream)
        try:
            await stream.close()
        except DeviceError as error:
            _log.debug("closing the lost %s: %s", self._what, printable(error))


async def _wait_out(tasks: set[asyncio.Task[None]]) -> None:
    """Wait until all tasks are done, even when cancelled.

    The run's close then names this function in its report if the tasks hang.
    """
    cancelled: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            for task in left:
                abandon(task)
    if cancelled is not None:
        raise cancelled
