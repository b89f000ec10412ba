"""Counts that a busy machine does not change: instructions of voicepipe's own, and an event loop's calls.

The standard library's instructions are left out: they change with every release of Python.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import voicepipe

__all__ = ["Count", "counting"]

_OWN = str(Path(voicepipe.__file__).parent)
_LOOP_CALLS = frozenset({"call_soon", "call_at"})


@dataclass(slots=True)
class Count:
    """What has been counted so far."""

    instructions: int = 0
    """Bytecode instructions in functions of voicepipe's."""
    callbacks: int = 0
    """Calls that an event loop was asked for: each step of a task is one."""

    def restart(self) -> None:
        """From zero again."""
        self.instructions = self.callbacks = 0


@contextmanager
def counting() -> Iterator[Count]:
    """Count what this thread does in calls that begin within.

    From 3.12 on a function may escape when it is called for the first time within: do
    everything once, `restart()`, and then count.
    """
    count = Count()

    def called(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if code.co_filename.startswith(_OWN):
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return stepped
        if code.co_name in _LOOP_CALLS:
            count.callbacks += 1
        return None

    def stepped(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            count.instructions += 1
        return stepped

    before = sys.gettrace()
    # Python 3.12 looks only when a trace function is set whether any frame wants its instructions told.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(called)
    try:
        yield count
    finally:
        sys.settrace(before)
