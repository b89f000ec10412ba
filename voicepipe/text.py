"""Text from outside, made safe for a terminal and a log."""

from __future__ import annotations

import unicodedata

__all__ = ["LONGEST_ERROR", "printable", "quote"]

_LONGEST_FOREIGN_TEXT = 200
LONGEST_ERROR = 500
"""Of our own: it may quote a path twice, the second time in the command that helps."""


_UNPRINTABLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def printable(text: object, longest: int = _LONGEST_FOREIGN_TEXT) -> str:
    """Return text from outside (a device's name, a driver's message) made safe for a terminal and a log.

    Control characters, ANSI sequences and bidirectional marks are escaped; what is longer
    than `longest` characters is cut.
    """
    raw = str(text)
    if len(raw) <= longest and raw.isprintable():
        return raw
    shown = "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _UNPRINTABLE else c
        for c in raw[: longest + 1]
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def quote(value: object) -> str:
    """Return a caller's value for an error: its repr, escaped and cut as `printable` does."""
    try:
        return printable(repr(value))
    except Exception:  # a repr may raise whatever it likes; an int of 5,000 digits does
        return f"<{type(value).__name__}>"
