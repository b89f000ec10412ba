"""A thread that watches the event loop, and names the stage that blocks it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from voicepipe.checks import check_callable, check_seconds
from voicepipe.pipeline.processor import Processor, label_of
from voicepipe.text import printable

__all__ = ["LoopWatchdog"]

_LEAST_S = 0.01
_MOST_FRAMES = 4


class LoopWatchdog:
    """Watches the running loop of the thread that enters it.

        async with LoopWatchdog(2.0, lambda stage, seconds, stack: print(stage, stack)):
            await task.run()

    It asks the loop for an answer, four times in `limit_s`. A loop that owes one for so long
    is reported, once for every time it is blocked. C code that keeps the interpreter lock
    stops the watchdog too, and is reported as soon as it lets go.

    Args:
        limit_s: how long the loop may take to answer; less than 10 ms counts as that.
        blocked: called from the watchdog's thread with the stage's name (or ""), the
            seconds so far, and the innermost lines of the stack, innermost first.

    Raises:
        TypeError, ValueError: the limit is no time.
    """

    def __init__(self, limit_s: float, blocked: Callable[[str, float, str], None]) -> None:
        self._limit_s = max(check_seconds("limit_s", limit_s), _LEAST_S)
        check_callable("blocked", blocked)
        self._blocked = blocked
        self._stop = threading.Event()
        self._asked_at: float | None = None
        """Since when the loop owes an answer."""
        self._looked = (0.0, 0.0)
        """The time, and the processor time used, at the last look."""

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="voicepipe:watchdog", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(1.0)

    def _answer(self) -> None:
        """Note that the loop answers. Called in the loop."""
        self._asked_at = None

    # -- the watchdog's thread ---------------------------------------------------

    def _watch(self) -> None:
        told = False
        self._held_up_s()
        while not self._stop.wait(self._limit_s / 4):
            asked_at = self._asked_at
            silent_s = max(self._held_up_s(), 0.0 if asked_at is None else time.monotonic() - asked_at)
            if silent_s >= self._limit_s and not told:
                told = True
                self._tell(silent_s)
                self._held_up_s()  # what the telling took is no fault of the loop's
            if asked_at is None:
                told = False
                self._ask()

    def _held_up_s(self) -> float:
        """Return for how long C code has kept the interpreter lock since the last look.

        A process that was stopped (Ctrl-Z) is late as well, and has used no processor time.
        """
        (last, last_used), self._looked = self._looked, (time.monotonic(), time.process_time())
        late_s = self._looked[0] - last - self._limit_s / 4
        return late_s if self._looked[1] - last_used > late_s / 10 else 0.0

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        try:
            self._loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            self._asked_at = None  # the loop is closed: there is nothing to watch

    def _tell(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._watched)
        self._blocked(_stage_in(frame), seconds, _lines(frame))


def _lines(frame: FrameType | None) -> str:
    """Return the innermost lines of a stack."""
    lines: list[str] = []
    while frame is not None and len(lines) < _MOST_FRAMES:
        code = frame.f_code
        lines.append(f"{os.path.basename(code.co_filename)}:{frame.f_lineno} in {code.co_name}")
        frame = frame.f_back
    return printable(" < ".join(lines))


def _stage_in(frame: FrameType | None) -> str:
    """Return the innermost stage whose method is on a stack."""
    while frame is not None:
        for owner in frame.f_code.co_varnames[: min(frame.f_code.co_argcount, 1)]:
            stage = frame.f_locals.get(owner)
            if isinstance(stage, Processor):
                return label_of(stage)
        frame = frame.f_back
    return ""
