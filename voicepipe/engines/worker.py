"""One child process of an engine, and the calls to it. They block, so they are for threads."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from voicepipe.children.launcher import Child, launch
from voicepipe.engines.log_lines import LogLines
from voicepipe.engines.messages import (
    HEAD_BYTES,
    InvalidMessageError,
    Kind,
    error_of,
    message,
    parse_head,
)
from voicepipe.errors import EngineError
from voicepipe.log import logger_of
from voicepipe.text import printable

__all__ = ["Request", "Worker"]

PEACE_S = 0.4
"""The time for its own end before it is killed."""
REAP_S = 2.0
"""For a process that was killed to be gone: it may be stuck in the kernel."""
_LAST_WORDS_S = 0.2
_log = logger_of("voicepipe.engines")


class Request:
    """One request on its way."""

    def __init__(self, number: int, body: bytes) -> None:
        self.number = number
        self.body = body
        self.is_sent = self.is_cancelled = False
        self.done = threading.Event()
        """Set when the process is free again, or gone."""


class Worker:
    """One process. `start` and `ask` are called one after the other, `cancel` and `kill` at any time.

    Args:
        name: the engine, in errors and in the log.
        module: the module that the process runs.
        arguments: what it is given.
        gone: called once, in a thread, when the process ends.
    """

    def __init__(
        self, name: str, module: str, arguments: Sequence[str], gone: Callable[[Worker], object]
    ) -> None:
        self.is_broken = False
        """True once it can answer no more."""
        self._name, self._module, self._arguments, self._gone = name, module, arguments, gone
        self._working = threading.Lock()
        self._sending = threading.Lock()
        self._making = threading.Lock()
        self._child: Child | None = None
        self._lines = LogLines(name)
        self._listening: threading.Thread | None = None

    def start(self, limit_s: float) -> None:
        """Make the process, and wait until the engine is loaded.

        Raises:
            LaunchError: there is no Python that can run it.
            EngineError, or the engine's own error: it cannot be loaded, or not in time.
        """
        with self._working:
            until_s = time.monotonic() + limit_s
            process = self._launch().process
            for file in (process.stdin, process.stdout):
                assert file is not None
                os.set_blocking(file.fileno(), False)
            kind, _, body = self._receive(until_s, f"is not loaded within {limit_s:g} s")
            if kind == Kind.FAILED:
                self.is_broken = True
                raise self._error(body)

    def ask(self, request: Request, limit_s: float) -> bytes:
        """Send a request, and return its answer.

        Raises:
            EngineError, or the engine's own error: `is_broken` tells if the process is of no more use.
        """
        try:
            with self._working:
                until_s, late = time.monotonic() + limit_s, f"gave no answer within {limit_s:g} s"
                self._send(request, until_s, late)
                kind, number, body = self._receive(until_s, late)
                while number != request.number:
                    kind, number, body = self._receive(until_s, late)
        finally:
            request.done.set()
        if kind == Kind.FAILED:
            raise self._error(body)
        return body

    def cancel(self, request: Request, grace_s: float) -> None:
        """Tell the engine that nobody waits for this request; kill it if that goes on all the same."""
        until_s = time.monotonic() + grace_s
        if self._sending.acquire(timeout=grace_s):
            try:
                request.is_cancelled = True
                if request.is_sent:
                    self._write(message(Kind.CANCEL, request.number), until_s, "does not listen")
            except EngineError:
                pass  # it hears nothing, or has ended: the request will show
            finally:
                self._sending.release()
        if not request.done.wait(max(0.0, until_s - time.monotonic())):
            _log.info("%s: a cancelled request goes on; its process is killed", self._name)
            self.kill()

    def kill(self) -> None:
        """End it at once, also while it is being made. Blocks for no more than that."""
        with self._making:
            self.is_broken = True
            if self._child is not None:
                with contextlib.suppress(ProcessLookupError):  # another thread has just seen its end
                    self._child.kill(group=True)

    def end(self) -> None:
        """End it: in peace if it listens, else by a kill. Waits for a call in progress, which that ends."""
        with self._making:
            child, was_broken, self.is_broken = self._child, self.is_broken, True
        if child is None:
            return
        if not was_broken:
            self._hang_up(child)
        try:
            child.process.wait(PEACE_S if not was_broken else 0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._bury(child)

    # -- the process -----------------------------------------------------------------

    def _launch(self) -> Child:
        with self._making:
            if self.is_broken:
                raise EngineError(f"{self._name} is closed")
            child = self._child = launch(self._module, self._arguments)
            self._listening = threading.Thread(
                target=self._listen, args=(child,), name=f"{self._name}'s log", daemon=True
            )
            self._listening.start()
        return child

    def _listen(self, child: Child) -> None:
        """Log what it says on stderr, until it ends."""
        assert child.process.stderr is not None
        self._lines.read_all(child.process.stderr.fileno())
        self._gone(self)

    def _hang_up(self, child: Child) -> None:
        """Close its stdin, if no call uses that now."""
        if self._working.acquire(blocking=False):
            try:
                assert child.process.stdin is not None
                child.process.stdin.close()
            finally:
                self._working.release()
        else:
            self.kill()

    def _bury(self, child: Child) -> None:
        try:
            child.process.wait(REAP_S)
        except subprocess.TimeoutExpired:
            _log.error("%s: process %d cannot be killed", self._name, child.process.pid)
        child.lifeline.close()  # which ends its own children too
        if self._listening is not None:
            self._listening.join(REAP_S)
            if self._listening.is_alive():  # a process that left its group holds the pipe: it stays open
                child.process.stderr = None
        if self._working.acquire(timeout=REAP_S):  # else its pipes are in use
            try:
                child.close()
                self._child = None
            finally:
                self._working.release()

    # -- messages ----------------------------------------------------------------------

    def _send(self, request: Request, until_s: float, late: str) -> None:
        with self._sending:
            if request.is_cancelled:
                raise EngineError(f"{self._name}: the request was cancelled")
            request.is_sent = True
            self._write(message(Kind.ASK, request.number, request.body), until_s, late)

    def _write(self, data: bytes, until_s: float, late: str) -> None:
        stdin = self._process.stdin
        assert stdin is not None
        rest = memoryview(data)
        while rest:
            self._wait_for(stdin.fileno(), select.POLLOUT, until_s, late)
            try:
                rest = rest[os.write(stdin.fileno(), rest) :]
            except BlockingIOError:
                continue
            except OSError:
                raise self._break(self._reason()) from None

    def _receive(self, until_s: float, late: str) -> tuple[int, int, bytes]:
        try:
            kind, number, length = parse_head(self._read(HEAD_BYTES, until_s, late))
        except InvalidMessageError as error:
            raise self._break(f"sent an invalid message: {error}") from None
        return kind, number, self._read(length, until_s, late)

    def _read(self, count: int, until_s: float, late: str) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None
        data = bytearray()
        while len(data) < count:
            self._wait_for(stdout.fileno(), select.POLLIN, until_s, late)
            piece = os.read(stdout.fileno(), count - len(data))
            if not piece:
                raise self._break(self._reason())
            data += piece
        return bytes(data)

    def _wait_for(self, descriptor: int, event: int, until_s: float, late: str) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(0.0, until_s - time.monotonic()) * 1_000):
            raise self._break(late)

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise EngineError(f"{self._name} is closed")
        return self._child.process

    def _break(self, reason: str) -> EngineError:
        self.is_broken = True
        return EngineError(f"{self._name}: its process {reason}")

    def _reason(self) -> str:
        """Return the way in which it has ended; its last words come by another pipe."""
        process = self._process
        status = process.poll()
        if status is None:  # it has closed its pipes, and is on its way out
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(_LAST_WORDS_S)
        if self._listening is not None:
            self._listening.join(_LAST_WORDS_S)
        last = f": {self._lines.last}" if self._lines.last else ""
        return f"has ended (status {status}){last}"

    def _error(self, body: bytes) -> Exception:
        try:
            return error_of(body, self._name)
        except InvalidMessageError as error:
            return self._break(f"sent an invalid message: {printable(error)}")
