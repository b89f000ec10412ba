"""An engine in a process of its own, as the event loop sees it: asked, cancelled, killed, made again."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from voicepipe.engines.threads import Threads
from voicepipe.engines.worker import Request, Worker
from voicepipe.errors import EngineError
from voicepipe.log import logger_of
from voicepipe.text import printable

__all__ = ["EngineProcess"]

T = TypeVar("T")
MOST_FAILURES = 5
"""In a row, without an answer between them: then it is given up."""
FIRST_PAUSE_S = 0.25
"""Before it is made again after a second failure; doubled with each one more."""
_log = logger_of("voicepipe.engines")


class EngineProcess:
    """One engine in a child process. It answers one request at a time; others wait for their turn.

    A request whose coroutine is cancelled is cancelled in the engine too. If that is in native code and does
    not come back within `grace_s`, the process is killed. A process that was killed, has crashed or hangs is
    made again at once, in the background, and after a second failure in a row with growing pauses. After
    five failures in a row it is given up. In the thread of one event loop; virtual time stands still
    while it works.

    Args:
        module: the module that the process runs; its `main()` calls `voicepipe.engines.child.serve`.
        arguments: what it is given, in `sys.argv[1:]`.
        name: the engine, in errors and in the log.
        start_s: the limit for its start, the loading of a model included.
        limit_s: the limit for an answer.
        grace_s: the limit for a cancelled request to come to its end.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        name: str,
        start_s: float = 30.0,
        limit_s: float = 10.0,
        grace_s: float = 1.0,
    ) -> None:
        self._module, self._arguments, self._name = module, tuple(arguments), name
        self._start_s, self._limit_s, self._grace_s = start_s, limit_s, grace_s
        self._threads = Threads(name)
        self._numbers = itertools.count(1)
        self._worker: Worker | None = None
        self._turns: asyncio.Lock
        self._loop: asyncio.AbstractEventLoop
        self._mending: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._failures = 0
        self._given_up = ""

    @property
    def is_open(self) -> bool:
        """True from `start` to `close`."""
        return self._worker is not None and self._ending is None

    async def start(self) -> None:
        """Make the process, and wait until the engine is loaded. Cancelled, it is ended again.

        Raises:
            LaunchError: there is no Python that can run it.
            EngineError, or the engine's own error: it cannot be loaded, or not in time.
            RuntimeError: it is open.
        """
        if self._worker is not None:
            raise RuntimeError(f"{self._name} is open: close it before another start")
        self._loop, self._turns = asyncio.get_running_loop(), asyncio.Lock()
        self._failures, self._given_up = 0, ""
        worker = self._worker = self._new_worker()
        try:
            await self._do(worker.start, self._start_s)
        except BaseException:  # cancelled too: the process must not stay
            await self.close()
            raise
        if worker.is_broken:
            raise EngineError(f"{self._name} is closed")

    async def request(self, body: bytes) -> bytes:
        """Ask the engine, and return its answer.

        Raises:
            EngineError: it has crashed, gave no answer in time, failed, is given up, or is not open.
            ValueError, VoicepipeError: the engine's own error.
        """
        if not self.is_open:
            raise EngineError(f"{self._name} is not open")
        async with self._turns:
            worker = await self._until_ready()
            asked = Request(next(self._numbers), body)
            try:
                answer = await self._do(worker.ask, asked, self._limit_s)
            except asyncio.CancelledError:
                self._mend(self._stop(worker, asked))
                raise
            except Exception as error:
                if worker.is_broken:
                    self._fail(worker, error)
                raise
            self._failures = 0
            return answer

    async def close(self) -> None:
        """End the process, in the middle of whatever it does. A second call waits for the same end.

        Cancelled, it goes on to its end, which is soon, and is cancelled then.
        """
        if self._worker is None:
            return
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name=f"end of {self._name}")
        ending, cancelled = self._ending, None
        while not ending.done():
            try:
                await asyncio.wait({ending})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _end(self) -> None:
        worker, mending = self._worker, self._mending
        assert worker is not None
        try:
            if mending is not None and not mending.done():
                mending.cancel()
                await asyncio.wait({mending})
                worker = self._worker or worker
                worker.kill()
            await self._do(worker.end)
            self._threads.join()
        finally:
            self._worker = self._mending = self._ending = None

    # -- the process, again --------------------------------------------------------------

    def _new_worker(self) -> Worker:
        return Worker(self._name, self._module, self._arguments, self._note_end)

    def _note_end(self, worker: Worker) -> None:
        """Tell the loop that a process has ended. In a thread of the worker's."""
        try:
            self._loop.call_soon_threadsafe(self._replace_idle, worker)
        except RuntimeError:
            pass  # the loop is closed

    def _replace_idle(self, worker: Worker) -> None:
        """Make a process again that has ended while nobody asked it. A request sees by itself."""
        if worker is not self._worker or worker.is_broken or not self.is_open or self._turns.locked():
            return
        if self._mending is not None and not self._mending.done():
            self._mending.add_done_callback(lambda _: self._replace_idle(worker))
            return
        worker.is_broken = True
        self._fail(worker, EngineError(f"{self._name}: its process has ended"))

    async def _until_ready(self) -> Worker:
        """Wait until the process can be asked, at most as long as for an answer."""
        if self._mending is not None:
            await asyncio.wait({self._mending}, timeout=self._limit_s)
        if self._given_up:
            raise EngineError(self._given_up)
        if not self.is_open or self._worker is None:
            raise EngineError(f"{self._name} is not open")
        if self._mending is not None and not self._mending.done():
            raise EngineError(f"{self._name}: its process is not made again within {self._limit_s:g} s")
        return self._worker

    def _mend(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this in the background; the next request waits for it."""
        if self.is_open:
            self._mending = asyncio.create_task(work, name=f"mending of {self._name}")
        else:
            work.close()

    def _fail(self, worker: Worker, error: Exception) -> None:
        self._failures += 1
        if self.is_open and self._failures < MOST_FAILURES:
            _log.warning("%s; it is made again", printable(error, 300))
        self._mend(self._replace(worker, error))

    async def _stop(self, worker: Worker, request: Request) -> None:
        """End a request that nobody waits for, or else the process."""
        await self._do(worker.cancel, request, self._grace_s)
        if worker.is_broken:
            await self._replace(worker, EngineError(f"{self._name}: its process was killed"))

    async def _replace(self, worker: Worker, error: Exception) -> None:
        """Make the process again, until that succeeds or there were too many failures."""
        await self._do(worker.end)
        while self._failures < MOST_FAILURES:
            if self._failures > 1:
                await asyncio.sleep(FIRST_PAUSE_S * 2 ** (self._failures - 2))
            worker = self._worker = self._new_worker()
            try:
                await self._do(worker.start, self._start_s)
            except Exception as failure:  # the engine's own errors too
                self._failures, error = self._failures + 1, failure
                _log.warning("%s; attempt %d", printable(failure, 300), self._failures)
                await self._do(worker.end)
            else:
                return
        self._given_up = f"{self._name} is given up after {MOST_FAILURES} failures in a row: {error}"
        _log.error("%s", printable(self._given_up, 300))

    async def _do(self, function: Callable[..., T], *arguments: object) -> T:
        """Make a call that blocks, in a thread. Cancelled, the call goes on, and nobody waits for it."""
        return await self._loop.run_in_executor(self._threads, function, *arguments)
