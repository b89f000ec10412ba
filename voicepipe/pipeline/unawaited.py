"""The watch for coroutines that were never awaited, such as `self.push_frame(frame)` without `await`.

The interpreter tells of them in one place: it calls a function of the module `warnings`, which
prints a RuntimeWarning that most programs do not show. While a run lasts, this module stands in
front of that function. A wrapper around each push would also see them, but every frame would pay for it.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from types import CoroutineType
from typing import Any, Protocol, TypeAlias, cast

from voicepipe.text import printable

__all__ = ["Owner", "begin_watch", "end_watch", "owner_of"]

_HOOK = "_warn_unawaited_coroutine"
_Coroutine: TypeAlias = "CoroutineType[Any, Any, Any]"


class Owner(Protocol):
    """An object whose coroutines are watched."""

    def _note_unawaited(self, error: RuntimeError) -> bool:
        """Take the error of a coroutine that was not awaited; return False if no run is interested.

        From any thread.
        """
        ...


class _Watch:
    """The place in front of Python's own function, which is taken while at least one run lasts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._python_tells: Callable[[_Coroutine], None] | None = None
        """Python's own function, while this watch stands in front of it."""

    def begin(self) -> None:
        """Begin to look out for coroutines that are dropped. Each call needs one of `end`."""
        with self._lock:
            self._runs += 1
            if self._python_tells is None and hasattr(warnings, _HOOK):
                self._python_tells = getattr(warnings, _HOOK)
                setattr(warnings, _HOOK, self.tell)

    def end(self) -> None:
        """Stop the watch that one call of `begin` began."""
        with self._lock:
            self._runs -= 1
            # Somebody who stands in front of this watch by now goes on calling it, so it stays.
            if not self._runs and getattr(warnings, _HOOK, None) == self.tell:
                setattr(warnings, _HOOK, self._python_tells)
                self._python_tells = None

    def tell(self, coroutine: _Coroutine) -> None:
        """Tell the owner of a coroutine that was dropped before its first step. Python calls this."""
        owner, python_tells = owner_of(coroutine), self._python_tells
        name = printable(coroutine.__name__)
        error = RuntimeError(f"{name}() was called without await{_place()}: put `await` in front of the call")
        if (owner is None or not owner._note_unawaited(error)) and python_tells is not None:
            python_tells(coroutine)


_watch = _Watch()
begin_watch, end_watch = _watch.begin, _watch.end


def owner_of(coroutine: _Coroutine) -> Owner | None:
    """Return the object whose method the coroutine runs, or the `self` around a nested function."""
    frame = getattr(coroutine, "cr_frame", None)
    if frame is None:
        return None
    code, values = coroutine.cr_code, frame.f_locals
    for name in (*code.co_varnames[: min(code.co_argcount, 1)], "self"):
        owner = values.get(name)
        if hasattr(type(owner), "_note_unawaited"):
            return cast(Owner, owner)
    return None


def _place() -> str:
    """Return the line that dropped the coroutine, unless the caller of that line has dropped it."""
    frame = sys._getframe(2)
    package = frame.f_globals.get("__name__", "").partition(".")[0]
    if package in ("voicepipe", "voicepipe_devices", "asyncio"):
        return ""
    code = frame.f_code
    return printable(f" at {code.co_filename}:{frame.f_lineno} in {code.co_qualname}")
