"""Calls into a library that may take their time, or never come back: in a thread of their own, with a limit.

The thread is a daemon: unlike an executor's it keeps neither the loop nor the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from voicepipe.devices.port import IN_A_LIBRARY
from voicepipe.errors import DeviceTimeoutError

__all__ = ["call"]

T = TypeVar("T")


async def call(
    function: Callable[[], T], what: str, limit_s: float, *, undo: Callable[[T], object] = lambda _: None
) -> T:
    """Run `function()` in a thread, and return its result.

    Cancelled, it waits on, as a driver's calls must; then the call is undone, and it is cancelled.

    Args:
        function: the call.
        what: names it in errors, and the thread.
        limit_s: how long it may take, in seconds.
        undo: for a result that nobody waits for any more; in a thread too.

    Raises:
        DeviceTimeoutError: it did not come back. Its thread goes on waiting for it, and undoes it.
    """
    loop = asyncio.get_running_loop()
    pending = _Call(loop, function, undo, what)
    until_s = loop.time() + limit_s
    cancelled: asyncio.CancelledError | None = None
    while not pending.over.is_set() and loop.time() < until_s:
        try:
            async with asyncio.timeout_at(until_s):
                await pending.over.wait()
        except asyncio.CancelledError as error:
            cancelled = error
            pending.give_up()
        except TimeoutError:
            break
    if cancelled is not None:
        raise cancelled
    if pending.give_up_unless_over():
        raise DeviceTimeoutError(f"{what}: no answer within {limit_s:g} s")
    return pending.result()


class _Call(Generic[T]):
    """One call in its thread, and whether somebody still wants what comes of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        function: Callable[[], T],
        undo: Callable[[T], object],
        what: str,
    ) -> None:
        self.over = asyncio.Event()
        """Set when the call has come back, and is undone where nobody wants it. For the loop."""
        self._loop = loop
        self._function = function
        self._undo = undo
        self._what = what
        self._lock = threading.Lock()
        self._unwanted = False
        self._returned: list[T] = []
        self._raised: BaseException | None = None
        self._at_work = 0
        self._run_in_thread(self._run)

    def _run_in_thread(self, work: Callable[[], None]) -> None:
        self._at_work += 1
        self.over.clear()
        thread = threading.Thread(target=lambda: self._work(work, thread), daemon=True)
        thread.name = IN_A_LIBRARY + self._what
        thread.start()

    def _work(self, work: Callable[[], None], thread: threading.Thread) -> None:
        try:
            work()
        except BaseException as error:  # is raised where the call is awaited
            self._raised = error
        try:
            self._loop.call_soon_threadsafe(self._came_back, thread)
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    def _came_back(self, thread: threading.Thread) -> None:
        thread.join()  # it has done its last line
        self._at_work -= 1
        if not self._at_work:
            self.over.set()

    def _run(self) -> None:
        result = self._function()
        with self._lock:
            self._returned.append(result)
            unwanted = self._unwanted
        if unwanted:
            self._undo(result)

    def give_up(self) -> None:
        """Undo the call, now or when it has come back: nobody wants the result."""
        with self._lock:
            known, self._unwanted = self._unwanted, True
            come = bool(self._returned)
        if come and not known:
            self._run_in_thread(self._undo_late)

    def _undo_late(self) -> None:
        self._undo(self._returned[0])

    def give_up_unless_over(self) -> bool:
        """Give the call up unless it has come back; return whether it was given up."""
        with self._lock:
            come = bool(self._returned) or self._raised is not None
            self._unwanted = not come
        return not come

    def result(self) -> T:
        """Return the function's result. Raises: the function's own errors."""
        if self._raised is not None:
            raise self._raised
        return self._returned[0]
