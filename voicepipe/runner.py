"""Runs tasks as a program: signals, grace times, exit status, and a census at the end.

    PipelineRunner().main(task)

The first SIGINT, SIGTERM or SIGHUP ends the tasks: what was accepted is heard. The second
cancels them. The third ends the process at once, whatever it is doing.

exit status  when
-----------  --------------------------------------------------------
0            ended, by itself or by one signal; cancelled by the program (`task.cancel()`)
1            failed
2            usage (for programs; the runner itself never returns it)
129          cancelled by a second SIGHUP, or after its grace
130          cancelled by a second SIGINT (Ctrl-C)
143          cancelled by a second SIGTERM, or after its grace
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from voicepipe.census import Census, take_census
from voicepipe.checks import check_seconds
from voicepipe.errorbook import brief
from voicepipe.errors import printable
from voicepipe.lifecycle import RunState
from voicepipe.monitor import CensusMonitor
from voicepipe.signals import listen
from voicepipe.task import PipelineTask
from voicepipe.watchdog import LoopWatchdog

__all__ = ["PipelineRunner", "end_process"]

_log = logging.getLogger("voicepipe")
_TIDY_S = 1.0
"""For what stages left running: their tasks, their async generators, their threads."""


class PipelineRunner:
    """Runs one task, or several side by side, to their end. Where one fails, the others are ended.

    Args:
        handle_signals: listen to SIGINT, SIGTERM and SIGHUP; not to those that the process
            ignores. Off the main thread Python allows no handlers, and the runner goes without.
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
        self._in_use = False
        self.errors: list[BaseException] = []
        """What the tasks of the last run raised."""
        self.left = Census()
        """What the last `run()` left behind. Empty, unless a stage or a driver is broken."""

    def run(self, *tasks: PipelineTask) -> int:
        """Run the tasks in an event loop of their own; returns the exit status.

        What stages left running in the loop is cancelled, and named in the log.

        Raises:
            TypeError, ValueError: there is no task, one is none, or one is there twice.
            RuntimeError: called where an event loop runs, or the runner is running already.
            KeyboardInterrupt: Ctrl-C, where signals are not handled here. The tasks are
                cancelled, and everything is closed, before it is raised.
        """
        _check(tasks)
        _check_no_loop()
        before = take_census()
        try:
            with self._listening() as signals, _loop_of_its_own() as runner:
                return runner.run(self._serve_alone(tasks, signals))
        finally:
            self.left = take_census().since(before)
            if self.left:
                _log.warning("left behind: %s", str(self.left).replace("\n", "; "))

    def main(self, *tasks: PipelineTask) -> NoReturn:
        """As `run()`, and then end the process with its status, even if a thread refuses to end.

        The process then ends without its `atexit` functions. Ctrl-C is status 130 where
        signals are not handled here.
        """
        try:
            status = self.run(*tasks)
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        end_process(status)

    async def serve(self, *tasks: PipelineTask) -> int:
        """Run the tasks in the running event loop; returns the exit status.

        An outer cancellation cancels the tasks and is raised again when they are closed.

        Raises:
            TypeError, ValueError: there is no task, one is none, or one is there twice.
            RuntimeError: the runner is running already.
        """
        _check(tasks)
        with self._listening() as signals:
            return await self._serve(tasks, signals)

    # -- parts -------------------------------------------------------------------

    async def _serve_alone(self, tasks: tuple[PipelineTask, ...], signals: _Escalation) -> int:
        """Serve, in a loop where nothing else should be left afterwards."""
        own = asyncio.current_task()
        assert own is not None
        own.set_name("voicepipe:runner")
        try:
            return await self._serve(tasks, signals)
        finally:
            await _tidy_up()

    async def _serve(self, tasks: tuple[PipelineTask, ...], signals: _Escalation) -> int:
        signals.begin(asyncio.get_running_loop(), tasks)
        try:
            async with self._watching(tasks):
                self.errors = await _run_all(tasks)
        finally:
            signals.end()
        if self.errors:
            return 1
        cancelled = any(task.state is RunState.CANCELLED for task in tasks)
        return 128 + signals.cancelled_by if cancelled and signals.cancelled_by else 0

    @contextlib.contextmanager
    def _listening(self) -> Iterator[_Escalation]:
        """Hear signals, those too that come before the tasks run."""
        if self._in_use:
            raise RuntimeError("this runner is running already: make another PipelineRunner")
        self._in_use = True
        self.errors = []
        signals = _Escalation(self._grace_s)
        stop = listen(signals.hear) if self._handle_signals else None
        try:
            yield signals
        finally:
            self._in_use = False
            if stop is not None:
                stop()

    @contextlib.asynccontextmanager
    async def _watching(self, tasks: tuple[PipelineTask, ...]) -> AsyncIterator[None]:
        def blocked(stage: str, seconds: float, stack: str) -> None:
            _log.warning("%s has blocked the event loop for %.1f s at %s", stage or "?", seconds, stack)
            for task in tasks:
                task.note_blocked_loop(stage, seconds, stack)

        async with contextlib.AsyncExitStack() as stack:
            if self._blocked_s:
                await stack.enter_async_context(LoopWatchdog(self._blocked_s, blocked))
            if self._monitor_s:
                await stack.enter_async_context(CensusMonitor(self._monitor_s))
            yield


class _Escalation:
    """What the first, the second and the third signal do."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s = grace_s
        self._heard: list[signal.Signals] = []
        self._done = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: tuple[PipelineTask, ...] = ()
        self._grace: asyncio.TimerHandle | None = None
        self.cancelled_by = 0
        """The signal that made the end a cancel."""

    def begin(self, loop: asyncio.AbstractEventLoop, tasks: tuple[PipelineTask, ...]) -> None:
        """The tasks are about to run; signals that came before count."""
        self._loop, self._tasks = loop, tasks
        self._act()

    def end(self) -> None:
        """The tasks are closed: only a third signal does anything yet."""
        if self._grace is not None:
            self._grace.cancel()
        self._tasks = ()

    def hear(self, number: signal.Signals) -> None:
        """From the hearing thread."""
        self._heard.append(number)
        if len(self._heard) >= 3:
            _end_at_once(number)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nothing runs any more
                self._loop.call_soon_threadsafe(self._act)

    def _act(self) -> None:
        """In the loop: do what the signals so far ask for."""
        while self._tasks and self._done < len(self._heard[:2]):
            number = self._heard[self._done]
            self._done += 1
            if self._done == 1:
                self._end_tasks(number)
            else:
                self._cancel_tasks(number, f"a second signal, {number.name}")

    def _end_tasks(self, number: signal.Signals) -> None:
        _log.info("%s: ending; a second signal cancels", number.name)
        for task in self._tasks:
            task.end(number.name)
        if number is not signal.SIGINT and self._loop is not None:
            late = f"{number.name}, and {self._grace_s:g} s of grace"
            self._grace = self._loop.call_later(self._grace_s, self._cancel_tasks, number, late)

    def _cancel_tasks(self, number: signal.Signals, reason: str) -> None:
        _log.info("%s: cancelling", reason)
        self.cancelled_by = self.cancelled_by or number
        for task in self._tasks:
            task.cancel(reason)


def _check(tasks: tuple[PipelineTask, ...]) -> None:
    if not tasks:
        raise ValueError("a runner needs at least one task")
    for task in tasks:
        if not isinstance(task, PipelineTask):
            raise TypeError(f"a runner runs PipelineTask objects, not {task!r}")
    if len(set(tasks)) < len(tasks):
        raise ValueError("a task runs once: the same one was given twice")


def _check_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop runs here already: `await runner.serve(...)` in it")


async def _run_all(tasks: tuple[PipelineTask, ...]) -> list[BaseException]:
    """Run them side by side; returns what they raised."""
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
                debugged = _log.isEnabledFor(logging.DEBUG)
                _log.error("%s", brief(error_of_run), exc_info=error_of_run if debugged else None)
                for task in tasks:
                    task.end(f"{running[run].name} failed")
    if cancelled is not None:
        raise cancelled
    return errors


@contextlib.contextmanager
def _loop_of_its_own() -> Iterator[asyncio.Runner]:
    """A new event loop, with threads of its own for `asyncio.to_thread`."""
    threads = set(threading.enumerate())
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    loop = runner.get_loop()
    executor = ThreadPoolExecutor(thread_name_prefix="voicepipe:executor")
    loop.set_default_executor(executor)
    try:
        yield runner
    finally:
        # Not `runner.close()`, which waits for tasks and threads that refuse to end.
        executor.shutdown(wait=False, cancel_futures=True)
        loop.close()
        _join(set(threading.enumerate()) - threads)


async def _tidy_up() -> None:
    """Name what stages left in the loop, cancel it, and do not wait for what refuses."""
    loop = asyncio.get_running_loop()
    left = take_census()
    for name in (*left.tasks, *left.async_generators):
        _log.warning("a stage left behind: %s", name)
    # Abandoned tasks have refused before: they are not waited for again.
    await _cancel(asyncio.all_tasks() - {asyncio.current_task()}, _TIDY_S if left.tasks else 0.0)
    closing = loop.create_task(loop.shutdown_asyncgens(), name="voicepipe:async generators")
    await asyncio.wait([closing], timeout=_TIDY_S)
    await _cancel({closing}, 0.0)


async def _cancel(tasks: Iterable[asyncio.Task[None] | None], seconds: float) -> None:
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        _, refusing = await asyncio.wait(running, timeout=seconds)
        for task in refusing:
            # It has been named; asyncio need not do so when the loop is gone.
            task._log_destroy_pending = False  # type: ignore[attr-defined]


def _join(threads: Iterable[threading.Thread]) -> None:
    """Give threads that are ending the time to do so."""
    until = time.monotonic() + _TIDY_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))


def end_process(status: int) -> NoReturn:
    """End the process, even if a thread refuses to end: it is named, and `atexit` functions do not run then.

    From here on Ctrl-C is the system's: it ends the process with no traceback.
    """
    others = set(threading.enumerate()) - {threading.current_thread()}
    held_by = sorted(printable(thread.name) for thread in others if not thread.daemon)
    if held_by:
        _log.warning("the process ends in spite of %s", ", ".join(held_by))
    _flush_output()
    if held_by:
        os._exit(status)
    _leave_ctrl_c_to_the_system()
    sys.exit(status)


def _leave_ctrl_c_to_the_system() -> None:
    """While the interpreter ends, a KeyboardInterrupt is a traceback that helps nobody."""
    with contextlib.suppress(ValueError):  # not the main thread
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _flush_output() -> None:
    """A reader that has gone away is no reason for a traceback, or another status, at exit."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):  # EIO: the terminal
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except ValueError:
            pass  # closed


def _end_at_once(number: signal.Signals) -> NoReturn:
    """From the hearing thread. Says so where that cannot block."""
    said = f"\nvoicepipe: a third signal, {number.name}: the process ends at once\n"
    with contextlib.suppress(OSError, ValueError):
        stderr = -1 if sys.__stderr__ is None else sys.__stderr__.fileno()
        if sys.platform == "win32" or select.select([], [stderr], [], 0)[1]:
            os.write(stderr, said.encode())
    os._exit(128 + number)
