"""Runs tasks as a program: signals, grace times, exit status, and a census at the end.

    sys.exit(PipelineRunner().run(task))

The first SIGINT, SIGTERM or SIGHUP ends the tasks: what was accepted is heard. The second
cancels them. The third ends the process at once, whatever it is doing.

exit status  when
-----------  --------------------------------------------------------
0            ended, by itself or by one signal
1            failed
2            usage (for programs; the runner itself never returns it)
129          cancelled by a second SIGHUP, or after its grace
130          cancelled by a second SIGINT (Ctrl-C)
143          cancelled by a second SIGTERM, or after its grace
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

from voicepipe.census import Census, take_census
from voicepipe.checks import check_seconds
from voicepipe.lifecycle import RunState
from voicepipe.monitor import CensusMonitor
from voicepipe.signals import SIGNALS, listen
from voicepipe.task import PipelineTask
from voicepipe.watchdog import LoopWatchdog

__all__ = ["PipelineRunner"]

_log = logging.getLogger("voicepipe")
_TIDY_S = 1.0
"""For what stages left running in the runner's own loop."""


class PipelineRunner:
    """Runs one task, or several side by side, to their end. Where one fails, the others are ended.

    Args:
        handle_signals: listen to SIGINT, SIGTERM and SIGHUP. Off the main thread Python
            allows no handlers, and the runner goes without.
        grace_s: how long an end that SIGTERM or SIGHUP asked for may take before it
            becomes a cancel. Ctrl-C has no such limit: a person can press it again.
        blocked_s: how long the event loop may be blocked before a watchdog thread names
            the stage that does it; 0: no watchdog.
        monitor_s: take a census so often, and log what grows; 0: never.

    Raises:
        TypeError, ValueError: a time is none.
    """

    def __init__(
        self,
        *,
        handle_signals: bool = True,
        grace_s: float = 20.0,
        blocked_s: float = 2.0,
        monitor_s: float = 0.0,
    ) -> None:
        self._handle_signals = handle_signals
        self._grace_s = check_seconds("grace_s", grace_s)
        self._blocked_s = check_seconds("blocked_s", blocked_s)
        self._monitor_s = check_seconds("monitor_s", monitor_s)
        self._signals = _Escalation(self._grace_s)
        self.errors: list[BaseException] = []
        """What the tasks raised."""
        self.left = Census()
        """What `run()` left behind. Empty, unless a stage or a driver is broken."""

    def run(self, *tasks: PipelineTask) -> int:
        """Run the tasks in an event loop of their own; returns the exit status.

        What a stage left running in the loop is cancelled, and named in the log.

        Raises:
            RuntimeError: called where an event loop runs; `await serve(...)` there.
        """
        before = take_census()
        loop = asyncio.new_event_loop()
        executor = ThreadPoolExecutor(thread_name_prefix="voicepipe:executor")
        loop.set_default_executor(executor)
        try:
            with self._listening():
                status = _run_to_the_end(loop, self.serve(*tasks), tasks)
                _tidy(loop)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            _join_new_threads(before)
            loop.close()
        self.left = take_census().since(before)
        if self.left:
            _log.warning("left behind: %s", str(self.left).replace("\n", "; "))
        return status

    def main(self, *tasks: PipelineTask) -> NoReturn:
        """As `run()`, and then end the process with its status, even if a thread refuses to end."""
        status = self.run(*tasks)
        held_by = [
            t.name for t in threading.enumerate() if not t.daemon and t is not threading.current_thread()
        ]
        _flush_output()
        if held_by:
            _log.warning("the process ends in spite of %s", ", ".join(held_by))
            os._exit(status)
        sys.exit(status)

    async def serve(self, *tasks: PipelineTask) -> int:
        """Run the tasks in the running event loop; returns the exit status.

        An outer cancellation cancels the tasks and is raised again when they are closed.

        Raises:
            TypeError, ValueError: there is no task, or one is none.
        """
        _check(tasks)
        loop = asyncio.get_running_loop()
        with self._listening():
            self._signals.begin(loop, tasks)
            try:
                async with self._watching(tasks):
                    self.errors = await _run_all(tasks)
            finally:
                self._signals.end()
        return self._status(tasks)

    # -- parts -------------------------------------------------------------------

    def _status(self, tasks: tuple[PipelineTask, ...]) -> int:
        if self.errors:
            return 1
        cancelled = any(task.state is RunState.CANCELLED for task in tasks)
        return 128 + self._signals.cancelled_by if cancelled and self._signals.cancelled_by else 0

    @contextlib.contextmanager
    def _listening(self) -> Iterator[None]:
        """Hear signals; nested, it hears them once."""
        stop = listen(self._signals.hear) if self._handle_signals and not self._signals.listening else None
        self._signals.listening = stop is not None or self._signals.listening
        try:
            yield
        finally:
            if stop is not None:
                stop()
                self._signals.listening = False

    @contextlib.asynccontextmanager
    async def _watching(self, tasks: tuple[PipelineTask, ...]) -> AsyncIterator[None]:
        def blocked(stage: str, seconds: float, stack: str) -> None:
            _log.warning(
                "%s has blocked the event loop for %.1f s at %s", stage or "something", seconds, stack
            )
            for task in tasks:
                task.note_blocked_loop(stage, seconds, stack)

        async with contextlib.AsyncExitStack() as stack:
            if self._blocked_s:
                heard = self._signals.read if self._signals.listening else None
                await stack.enter_async_context(LoopWatchdog(self._blocked_s, blocked, heard))
            if self._monitor_s:
                await stack.enter_async_context(CensusMonitor(self._monitor_s))
            yield


class _Escalation:
    """What the first, the second and the third signal do."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._handled: list[int] = []
        self._read: list[int] = []
        self._level = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: tuple[PipelineTask, ...] = ()
        self._grace: asyncio.TimerHandle | None = None
        self.cancelled_by = 0
        self.listening = False

    def begin(self, loop: asyncio.AbstractEventLoop, tasks: tuple[PipelineTask, ...]) -> None:
        """The tasks are about to run; signals that came before count."""
        self._loop, self._tasks = loop, tasks
        self._act()

    def end(self) -> None:
        """The tasks are closed."""
        if self._grace is not None:
            self._grace.cancel()
        self._tasks = ()

    def hear(self, number: signal.Signals) -> None:
        """From Python's signal handler: in the main thread, between any two bytecodes."""
        self._take(self._handled, number)

    def read(self, number: int) -> None:
        """From the watchdog's thread, which reads what the C-level handler wrote.

        Python's handler runs only when the main thread comes back from C, and once for
        however many signals came meanwhile.
        """
        if number in SIGNALS:
            self._take(self._read, number)

    def _take(self, counted: list[int], number: int) -> None:
        counted.append(number)
        if len(counted) >= 3:
            _end_at_once(number)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs any more
                self._loop.call_soon_threadsafe(self._act)

    def _act(self) -> None:
        """In the loop: do what the signals so far ask for."""
        signals = max(self._handled, self._read, key=len)
        while self._level < min(len(signals), 2):
            number = signal.Signals(signals[self._level])
            self._level += 1
            if self._level == 1:
                self._end_tasks(number)
            else:
                self._cancel_tasks(number, f"a second signal, {number.name}")

    def _end_tasks(self, number: signal.Signals) -> None:
        for task in self._tasks:
            task.end(number.name)
        if number is not signal.SIGINT and self._loop is not None:
            late = f"{number.name}, and {self._grace_s:g} s of grace"
            self._grace = self._loop.call_later(self._grace_s, self._cancel_tasks, number, late)

    def _cancel_tasks(self, number: signal.Signals, reason: str) -> None:
        self.cancelled_by = number
        for task in self._tasks:
            task.cancel(reason)


def _check(tasks: tuple[PipelineTask, ...]) -> None:
    if not tasks:
        raise ValueError("a runner needs at least one task")
    for task in tasks:
        if not isinstance(task, PipelineTask):
            raise TypeError(f"a runner runs PipelineTask objects, not {task!r}")


async def _run_all(tasks: tuple[PipelineTask, ...]) -> list[BaseException]:
    """Run them side by side; returns what they raised, each logged in one line."""
    loop = asyncio.get_running_loop()
    running = {loop.create_task(task.run(), name=f"{task.name}:run"): task for task in tasks}
    cancelled: asyncio.CancelledError | None = None
    errors: list[BaseException] = []
    left = set(running)
    while left:
        try:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError as error:
            cancelled = error
            for task in tasks:
                task.cancel("outer cancellation")
            continue
        for run in done:
            error_of_run = None if run.cancelled() else run.exception()
            if error_of_run is not None:
                errors.append(error_of_run)
                _log.error(
                    "%s", error_of_run, exc_info=error_of_run if _log.isEnabledFor(logging.DEBUG) else None
                )
                for task in tasks:
                    task.end(f"{running[run].name} failed")
    if cancelled is not None:
        raise cancelled
    return errors


def _run_to_the_end(
    loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, int], tasks: tuple[PipelineTask, ...]
) -> int:
    """Run a coroutine in the loop; a KeyboardInterrupt (signals not handled by us) cancels the tasks first."""
    serving = loop.create_task(main, name="voicepipe:runner")
    try:
        return loop.run_until_complete(serving)
    except KeyboardInterrupt:
        for task in tasks:
            task.cancel("KeyboardInterrupt")
        loop.run_until_complete(asyncio.wait([serving]))
        raise


def _tidy(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what stages left in the loop, name it, and do not wait for what refuses."""
    loop.run_until_complete(_tidy_up())


async def _tidy_up() -> None:
    left = take_census()
    for kind in ("tasks", "async_generators", "abandoned"):
        for name in getattr(left, kind):
            _log.warning("a stage left behind: %s", name)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    tasks.add(asyncio.get_running_loop().create_task(asyncio.get_running_loop().shutdown_asyncgens()))
    await asyncio.sleep(0)  # the generators' own clean-up may begin before it is cancelled
    for task in tasks:
        task.cancel()
    _, refusing = await asyncio.wait(tasks, timeout=_TIDY_S)
    for task in refusing:
        # Named above; asyncio need not say it again when the loop is gone.
        task._log_destroy_pending = False  # type: ignore[attr-defined]


def _join_new_threads(before: Census) -> None:
    """Give threads that are ending the time to do so."""
    known = set(before.threads)
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.name not in known:
            thread.join(_TIDY_S)


def _end_at_once(number: int) -> None:
    name = signal.Signals(number).name
    with contextlib.suppress(OSError):
        os.write(2, f"\nvoicepipe: a third signal, {name}: the process ends at once\n".encode())
    os._exit(128 + number)


def _flush_output() -> None:
    """A closed pipe is no reason for a traceback at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
