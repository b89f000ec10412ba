"""The maker of a thing, and the line: noted when it is made, and named when it is left behind."""

from __future__ import annotations

import asyncio
import sys
import weakref
from types import CodeType
from typing import Any, NamedTuple

__all__ = ["note_origin", "origin_of"]

_MACHINERY = frozenset({"asyncio", "contextlib", "threading", "voicepipe", "voicepipe_devices"})
"""Packages in which no maker is looked for: others make things through them."""
_CALLED_BY_THE_LOOP = asyncio.events.Handle._run.__code__
_notes: dict[int, tuple[weakref.ref[Any], _Origin]] = {}
"""By id, not by hash: two timers of one time are equal."""


class _Origin(NamedTuple):
    maker: str
    """The name of the task that ran; empty where it has none of its own, or where there was none."""
    code: CodeType | None
    line: int

    def __str__(self) -> str:
        by = f" by {self.maker}" if self.maker else ""
        if self.code is None:
            return f"made{by}" if by else ""
        return f"made{by} at {self.code.co_filename}:{self.line} in {self.code.co_name}"


def note_origin(thing: object) -> None:
    """Remember that this is being made now, by whoever called. From any thread; costs some microseconds."""
    key = id(thing)
    _notes[key] = (weakref.ref(thing, lambda _: _notes.pop(key, None)), _origin())


def origin_of(thing: object) -> str:
    """Return "made by TASK at FILE:LINE in FUNCTION"; empty where nobody has noted it.

    In asyncio's debug mode it has noted so itself.
    """
    noted = _notes.get(id(thing))
    if noted is not None:
        return str(noted[1])
    for made in reversed(getattr(thing, "_source_traceback", None) or ()):
        if not made.filename.startswith(_ASYNCIO):
            return f"made at {made.filename}:{made.lineno} in {made.name}"
    return ""


def _origin() -> _Origin:
    maker = _current_task()
    nearest: tuple[CodeType, int] | None = None
    frame = sys._getframe(2)
    # What is above the loop's call did not make it.
    while frame is not None and frame.f_code is not _CALLED_BY_THE_LOOP:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in _MACHINERY:
            return _Origin(maker, frame.f_code, frame.f_lineno)
        if nearest is None and package.startswith("voicepipe") and frame.f_code.co_name not in _NOTERS:
            nearest = (frame.f_code, frame.f_lineno)
        frame = frame.f_back  # type: ignore[assignment]
    return _Origin(maker, *(nearest or (None, 0)))


def _current_task() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return ""
    name = task.get_name() if task else ""
    return "" if name.startswith("Task-") else name


_NOTERS = frozenset({"create_task", "call_at", "register_stream"})
_ASYNCIO = asyncio.__file__.removesuffix("__init__.py")
