"""A thread that watches the event loop: names what blocks it, and hears Ctrl-C when nobody else can."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType

from voicepipe.checks import check_seconds
from voicepipe.processor import Processor

__all__ = ["LoopWatchdog"]


class LoopWatchdog:
    """Watches the running loop of the thread that enters it.

    A loop that does not answer within `limit_s` is reported once for every time it is
    blocked, with the stage and the stack that block it. Where the main thread is watched
    and the system has it, the thread also reads the signals that the C-level handler
    writes to a descriptor, so that they are heard while a call into C never returns.

    Args:
        limit_s: how long the loop may take to answer.
        blocked: called from the watchdog's thread with the stage's name (or ""), the
            seconds so far, and the innermost lines of the stack.
        heard: called from the watchdog's thread with the number of every signal.

    Raises:
        TypeError, ValueError: the limit is no time.
    """

    def __init__(
        self,
        limit_s: float,
        blocked: Callable[[str, float, str], None],
        heard: Callable[[int], None] | None = None,
    ) -> None:
        self._limit_s = check_seconds("limit_s", limit_s)
        self._blocked = blocked
        self._heard = heard
        self._answered = time.monotonic()
        self._asked = False

    async def __aenter__(self) -> LoopWatchdog:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)
        self._wakeup_before = self._hear_signals()
        self._thread = threading.Thread(target=self._watch, name="voicepipe:watchdog", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._wakeup_before is not None:
            now = signal.set_wakeup_fd(self._wakeup_before, warn_on_full_buffer=False)
            if now != self._theirs.fileno():
                signal.set_wakeup_fd(now)  # somebody else took it meanwhile, and keeps it
        with contextlib.suppress(OSError):
            self._theirs.send(b"\0")  # no signal has the number 0
        self._thread.join(1.0)
        self._ours.close()
        self._theirs.close()

    def _hear_signals(self) -> int | None:
        # On Windows the loop itself needs the wake-up descriptor.
        if (
            self._heard is None
            or sys.platform == "win32"
            or threading.current_thread() is not threading.main_thread()
        ):
            return None
        return signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)

    # -- the watchdog's thread ---------------------------------------------------

    def _watch(self) -> None:
        told = False
        self._ask()
        while True:
            heard = self._listen(max(self._limit_s / 4, 0.01))
            if 0 in heard:
                return
            for number in heard:
                if self._heard is not None:
                    self._heard(number)
            silent_s = time.monotonic() - self._answered
            if silent_s < self._limit_s:
                told = False
            elif not told:
                told = True
                self._blocked(*self._culprit(silent_s))
            self._ask()

    def _listen(self, seconds: float) -> bytes:
        try:
            select.select([self._ours], [], [], seconds)
            return self._ours.recv(256)
        except BlockingIOError:
            return b""
        except OSError:
            return b"\0"

    def _ask(self) -> None:
        if self._asked:
            return
        self._asked = True
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            self._asked = False  # the loop is closed: there is nothing to watch

    def _answer(self) -> None:
        self._answered = time.monotonic()
        self._asked = False

    def _culprit(self, seconds: float) -> tuple[str, float, str]:
        frame = sys._current_frames().get(self._watched)
        lines = [
            f"{os.path.basename(f.filename)}:{f.lineno} in {f.name}"
            for f in traceback.extract_stack(frame)[-4:]
        ]
        return _stage_in(frame), seconds, " < ".join(reversed(lines))


def _stage_in(frame: FrameType | None) -> str:
    """The innermost stage on a stack."""
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, Processor):
            return owner.name
        frame = frame.f_back
    return ""
