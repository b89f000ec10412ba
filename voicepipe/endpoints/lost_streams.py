"""Streams that a stage has let go of: each is closed beside the run, which may take for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Protocol

from voicepipe.census.census import abandon
from voicepipe.errors import DeviceError
from voicepipe.text import printable

__all__ = ["LostStreams", "MakeTask"]

_log = logging.getLogger("voicepipe")


class Closable(Protocol):
    """What can be given back."""

    async def close(self) -> None:
        """Give the device back."""
        ...


class MakeTask(Protocol):
    """Starts a task of the stage's own."""

    def __call__(self, coroutine: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Start it."""
        ...


class LostStreams:
    """Closes streams in tasks of the stage's, and the rest at the end. In the loop's thread.

    Args:
        make_task: starts a task of the stage's.
        what: the device, for the log.
    """

    def __init__(self, make_task: MakeTask, what: str) -> None:
        self._make_task = make_task
        self._what = what
        self._unclosed: set[Closable] = set()
        """Those whose close has not begun."""
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task that is waited for at the end."""
        task = self._make_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close_later(self, stream: Closable) -> None:
        """Close the stream in a task of its own."""
        self._unclosed.add(stream)
        self.do(self._close(stream), "close")

    async def finish(self, present: Closable | None) -> None:
        """Close the present stream, and those whose close nobody has begun; wait for the tasks."""
        # The others the run's closing has cancelled; these were made when it had just looked.
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
    """Return when they are done, and not before: so whoever cancels this names it, where they hang."""
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
