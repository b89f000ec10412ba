"""The line at which a suspended task stands, or at which an error was raised."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["raised_at", "users_line", "where"]


def where(awaitable: Any) -> str:
    """Return the innermost line of a suspended task outside asyncio, as file:line in function."""
    inner = awaitable.get_coro() if isinstance(awaitable, asyncio.Task) else awaitable
    place = "not started"
    while inner is not None:
        frame = getattr(inner, "cr_frame", None) or getattr(inner, "gi_frame", None)
        if frame is None:
            break
        code = frame.f_code
        if not code.co_filename.startswith(_ASYNCIO) or place == "not started":
            place = f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"
        inner = getattr(inner, "cr_await", None) or getattr(inner, "gi_yieldfrom", None)
    return place


def raised_at(error: BaseException) -> str:
    """Return the innermost line outside asyncio that raised an error, as file:line in function."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if not code.co_filename.startswith(_ASYNCIO):
            place = f"{code.co_filename}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return place


def users_line(error: BaseException) -> str:
    """Return the innermost line of the user's own code that an error came through, as file:line.

    If there is none, the line of an installed package stands for it. Empty if there is none either.
    """
    own, package = "", ""
    trace: TracebackType | None = _TRACEBACK_OF(error)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if str(trace.tb_frame.f_globals.get("__name__")).partition(".")[0] not in _OURS:
            place = f"{_short(file)}:{trace.tb_lineno}"
            if _PACKAGES.search(file):
                package = place
            elif not file.startswith(_STANDARD):
                own = place
        trace = trace.tb_next
    return own or package


def _short(file: str) -> str:
    """Return a path from the working directory on, if it lies there."""
    try:
        here = os.path.join(os.getcwd(), "")
    except OSError:  # it was deleted
        return file
    return file.removeprefix(here)


_TRACEBACK_OF: Callable[[BaseException], TracebackType | None] = vars(BaseException)["__traceback__"].__get__
"""The traceback of an error, whatever its class makes of `__traceback__`."""
_PACKAGES = re.compile(r"[/\\](site|dist)-packages[/\\]")
_ASYNCIO = os.path.dirname(asyncio.__file__)
_STANDARD = (os.path.join(os.path.dirname(os.__file__), ""), "<frozen ")
"""The beginnings of the files of the standard library."""
_OURS = ("voicepipe", "voicepipe_devices")
