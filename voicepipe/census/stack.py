"""The line at which a suspended task stands, or at which an error was raised."""

from __future__ import annotations

import asyncio
import os
from typing import Any

__all__ = ["raised_at", "where"]


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


_ASYNCIO = os.path.dirname(asyncio.__file__)
