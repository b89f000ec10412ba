"""Text from outside, made safe for a terminal and a log."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

__all__ = ["LONGEST_ERROR", "class_name", "name_of", "printable", "quote"]

_LONGEST_FOREIGN_TEXT = 200
LONGEST_ERROR = 500
"""Of our own: it may quote a path twice, the second time in the command that helps."""

_NAME_OF_CLASS: Callable[[type], str] = vars(type)["__name__"].__get__
"""The name of a class, whatever its metaclass makes of `__name__`."""

_UNPRINTABLE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def printable(text: object, longest: int = _LONGEST_FOREIGN_TEXT) -> str:
    """Return text from outside (a device's name, a driver's message) made safe for a terminal and a log.

    Control characters, ANSI sequences and bidirectional marks are escaped; what is longer
    than `longest` characters is cut. Never raises: an object without a text is named by its class.
    """
    raw = text if type(text) is str else _text_from(str, text)
    if len(raw) <= longest and raw.isprintable():
        return raw
    shown = "".join(
        c.encode("unicode_escape").decode("ascii") if unicodedata.category(c) in _UNPRINTABLE else c
        for c in raw[: longest + 1]
    )
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def quote(value: object) -> str:
    """Return a caller's value for an error: its repr, escaped and cut as `printable` does. Never raises."""
    return printable(_text_from(repr, value))


def class_name(value: object) -> str:
    """Return the name of a value's class. Unlike the value's repr, it shows nothing of the content."""
    return printable(_NAME_OF_CLASS(type(value)))


def name_of(function: object) -> str:
    """Return the qualified name of a function or a class, or else the class of the object. Never raises."""
    try:
        name = getattr(function, "__qualname__", None)
    except BaseException:  # a property may raise whatever it likes
        name = None
    return printable(name) if isinstance(name, str) else class_name(function)


def _text_from(make: Callable[[object], str], value: object) -> str:
    """Return `make(value)` as an exact str, or a note if it raises or returns something else."""
    try:
        return str.__str__(make(value))
    except BaseException as error:  # it may raise whatever it likes, a KeyboardInterrupt too
        return f"<no text: {make.__name__}() of {class_name(value)} raised {class_name(error)}>"
