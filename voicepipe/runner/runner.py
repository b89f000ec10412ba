"""The runner of tasks as a program: signals, exit status, and a census at the end.

    PipelineRunner().main(task)

The first SIGINT, SIGTERM or SIGHUP ends the tasks: what was accepted is heard, within `Limits.drain_s`.
The second cancels them. The third ends the process at once, whatever it is doing.

Where NOTIFY_SOCKET is set (a systemd service with `Type=notify`), the service manager is told
how the program is, and its watchdog is pinged while sound flows: see `health`.

exit status  when
-----------  --------------------------------------------------------
0            ended, by itself or by one signal; cancelled by the program (`task.cancel()`)
1            failed; or a stage made no progress and was passed by; or an end without a signal took
             longer than `Limits.drain_s`
2            usage (for programs; the runner itself never returns it)
129          cancelled by a second SIGHUP, or the end took longer than `Limits.drain_s`
130          the same of SIGINT (Ctrl-C)
143          the same of SIGTERM
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

from voicepipe.awaitables import refuse_coroutine
from voicepipe.census.census import Census, take_census
from voicepipe.census.monitor import CensusMonitor
from voicepipe.checks import check_callable, check_seconds
from voicepipe.hints import with_hints
from voicepipe.lifecycle import RunState
from voicepipe.log import logger_of
from voicepipe.run.failures import describe_briefly
from voicepipe.run.task import PipelineTask
from voicepipe.runner.escalation import Escalation
from voicepipe.runner.loop_watchdog import LoopWatchdog
from voicepipe.runner.process_end import end_process
from voicepipe.runner.signals import SIGNALS, listen, owner_of, signals_without_owner
from voicepipe.runner.terminal import Terminal
from voicepipe.text import name_of, quote

if TYPE_CHECKING:
    from voicepipe.service.companions import Companion
from voicepipe.shadowing import ShadowNaming

__all__ = ["PipelineRunner"]

_log = logger_of("voicepipe")
_TIDY_S = 1.0
"""For what stages left running: their tasks, their async generators, their threads."""


@with_hints
class PipelineRunner:
    """Runs one task, or several side by side, to their end. Where one fails, the others are ended.

    Args:
        handle_signals: listen to SIGINT, SIGTERM and SIGHUP; not to those that the process
            ignores. None: `run()` does, and `serve()` leaves a signal to whoever has a handler for
            it, such as a web server. Off the main thread Python allows no handlers, and the runner
            goes without.
        blocked_s: how long the event loop may be blocked before a watchdog thread names
            the stage that does it; 0: no watchdog.
        monitor_s: take a census so often, and log what grows; 0: never.
        quiet: write nothing to the terminal. Otherwise `main()` says there that the program listens and to
            which devices, that it finishes, and how it went. Where stderr is no terminal, it is quiet anyway.
        beside: what runs beside the tasks, such as `StatusSocket(path)` or `Metrics(port)`. Each is called
            with the tasks before they run, and returns an async context manager that is entered
            meanwhile. A systemd service has its status socket and its heartbeat without this.

    Raises:
        TypeError, ValueError: a time is none, `handle_signals` is neither a bool nor None, or
            something beside cannot be called.
    """

    def __init__(
        self,
        *,
        handle_signals: bool | None = None,
        blocked_s: float = 2.0,
        monitor_s: float = 0.0,
        quiet: bool = False,
        beside: Sequence[Companion] = (),
    ) -> None:
        if handle_signals is not None and not isinstance(handle_signals, bool):
            raise TypeError(f"handle_signals must be True, False or None, not {quote(handle_signals)}")
        self._handle_signals = handle_signals
        self._blocked_s = check_seconds("blocked_s", blocked_s)
        self._monitor_s = check_seconds("monitor_s", monitor_s)
        if not isinstance(quiet, bool):
            raise TypeError(f"quiet must be True or False, not {quote(quiet)}")
        self._quiet = quiet
        self._terminal: Terminal | None = None
        self._beside = tuple(beside)
        for companion in self._beside:
            check_callable("beside", companion)
        self._in_use = False
        self.errors: list[BaseException] = []
        """The errors that the tasks of the last run raised."""
        self.left = Census()
        """The leftovers of the last `run()`. Empty, unless a stage or a driver is broken."""

    def run(self, *tasks: PipelineTask) -> int:
        """Run the tasks in an event loop of their own; return the exit status.

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
            numbers = () if self._handle_signals is False else SIGNALS
            with ShadowNaming(), self._listening(numbers) as signals, _loop_of_its_own() as runner:
                return runner.run(self._serve_alone(tasks, signals))
        finally:
            self.left = take_census().since(before)
            if self.left:
                _log.warning("left behind: %s", str(self.left).replace("\n", "; "))

    def main(self, *tasks: PipelineTask) -> NoReturn:
        """Run the tasks, and end the process with the status, even if a thread refuses to end.

        The process then ends without its `atexit` functions. Ctrl-C is status 130 where
        signals are not handled here.
        """
        _check(tasks)
        self._terminal = None if self._quiet else Terminal.of_errors(tasks)
        try:
            status = self.run(*tasks)
        except KeyboardInterrupt:
            status = 128 + signal.SIGINT
        if self._terminal is not None:
            self._terminal.tell_end()
        end_process(status)

    async def serve(self, *tasks: PipelineTask) -> int:
        """Run the tasks in the running event loop; return the exit status.

        An outer cancellation cancels the tasks and is raised again when they are closed. A server
        that handles SIGINT or SIGTERM keeps it, unless the runner has `handle_signals=True`. End
        the tasks where the server shuts down, with `task.end()`.

        Raises:
            TypeError, ValueError: there is no task, one is none, or one is there twice.
            RuntimeError: the runner is running already.
        """
        _check(tasks)
        try:
            with self._listening(self._signals_to_serve()) as signals:
                return await self._serve(tasks, signals)
        except BaseException as error:
            for task in tasks:
                task.note_never_run(error)
            raise

    # -- parts -------------------------------------------------------------------

    async def _serve_alone(self, tasks: tuple[PipelineTask, ...], signals: Escalation) -> int:
        """Serve, in a loop where nothing else should be left afterwards."""
        own = asyncio.current_task()
        assert own is not None
        own.set_name("voicepipe:runner")
        try:
            return await self._serve(tasks, signals)
        finally:
            await _tidy_up()

    async def _serve(self, tasks: tuple[PipelineTask, ...], signals: Escalation) -> int:
        signals.begin(asyncio.get_running_loop(), tasks)
        try:
            async with self._watching(tasks):
                self.errors = await _run_all(tasks)
        finally:
            signals.end()
        if self.errors:
            return 1
        return _status(tasks, signals)

    def _signals_to_serve(self) -> tuple[signal.Signals, ...]:
        """Return the signals for `serve()`: those without an owner, unless the program said which."""
        if self._handle_signals is not None:
            return SIGNALS if self._handle_signals else ()
        if threading.current_thread() is threading.main_thread():
            owners = {number.name: owner for number in SIGNALS if (owner := owner_of(number))}
            if owners:
                _log_owners(" and ".join(owners), " and ".join(sorted(set(owners.values()))))
        return signals_without_owner()

    @contextlib.contextmanager
    def _listening(self, numbers: tuple[signal.Signals, ...]) -> Iterator[Escalation]:
        """Listen to signals, also before the tasks run."""
        if self._in_use:
            raise RuntimeError("this runner is running already: make another PipelineRunner")
        self._in_use = True
        self.errors = []
        signals = Escalation() if self._terminal is None else Escalation(self._terminal.tell_finish)
        stop = listen(signals.hear, numbers)
        try:
            yield signals
        finally:
            self._in_use = False
            if stop is not None:
                stop()

    @contextlib.asynccontextmanager
    async def _watching(self, tasks: tuple[PipelineTask, ...]) -> AsyncIterator[None]:
        def note(stage: str, seconds: float, stack: str) -> None:
            # Noted first: the loop may go on, and the run end, while this thread still writes the log.
            for task in tasks:
                task.note_blocked_loop(stage, seconds, stack)
            _log.warning("%s has blocked the event loop for %.1f s at %s", stage or "?", seconds, stack)

        async with contextlib.AsyncExitStack() as stack:
            for companion in (*self._of_a_service(), *self._beside):
                beside = refuse_coroutine(f"beside ({name_of(companion)})", companion(tasks))
                await stack.enter_async_context(beside)
            if self._terminal is not None:
                await stack.enter_async_context(self._terminal)
            if self._blocked_s:
                await stack.enter_async_context(LoopWatchdog(self._blocked_s, note))
            if self._monitor_s:
                await stack.enter_async_context(CensusMonitor(self._monitor_s))
            yield

    def _of_a_service(self) -> Sequence[Companion]:
        if not os.environ.get("NOTIFY_SOCKET"):
            return ()
        from voicepipe.service.companions import companions_of_a_service  # not for every program

        return companions_of_a_service(self._beside)


@functools.cache
def _log_owners(numbers: str, owners: str) -> None:
    """Name the handlers that keep their signals, once for all runners of a program."""
    _log.info(
        "%s: left to %s; call task.end() where it shuts down, or set handle_signals=True", numbers, owners
    )


def _status(tasks: tuple[PipelineTask, ...], signals: Escalation) -> int:
    """Return the exit status of tasks of which none failed."""
    if signals.cancelled_by and any(task.state is RunState.CANCELLED for task in tasks):
        return 128 + signals.cancelled_by
    if any(task.report is not None and task.report.ended_late for task in tasks):
        return 128 + signals.ended_by if signals.ended_by else 1
    return 0


def _check(tasks: tuple[PipelineTask, ...]) -> None:
    if not tasks:
        raise ValueError("a runner needs at least one task")
    for task in tasks:
        if not isinstance(task, PipelineTask):
            raise TypeError(f"a runner runs PipelineTask objects, not {quote(task)}")
    if len(set(tasks)) < len(tasks):
        raise ValueError("a task runs once: the same one was given twice")


def _check_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError("an event loop runs here already: `await runner.serve(...)` in it")


async def _run_all(tasks: tuple[PipelineTask, ...]) -> list[BaseException]:
    """Run the tasks side by side; return the errors that they raised."""
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
                _log.error("%s", describe_briefly(error_of_run), exc_info=error_of_run if debugged else None)
                for task in tasks:
                    task.end(f"{running[run].name} failed")
    if cancelled is not None:
        raise cancelled
    return errors


@contextlib.contextmanager
def _loop_of_its_own() -> Iterator[asyncio.Runner]:
    """Make an event loop with threads of its own for `asyncio.to_thread`."""
    threads = set(threading.enumerate())
    executor = ThreadPoolExecutor(thread_name_prefix="voicepipe:executor")
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    loop = runner.get_loop()
    loop.set_default_executor(executor)
    try:
        yield runner
    finally:
        # Not `runner.close()`, which waits for tasks and threads that refuse to end.
        executor.shutdown(wait=False, cancel_futures=True)
        loop.close()
        _join(set(threading.enumerate()) - threads)


async def _tidy_up() -> None:
    """Name and cancel the tasks that stages left in the loop; do not wait for one that refuses."""
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
    """Wait a moment for threads that are ending."""
    until = time.monotonic() + _TIDY_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
