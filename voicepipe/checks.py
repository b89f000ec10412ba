"""Checks of a caller's numbers. Errors are one line that says what is wrong, and what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from voicepipe.awaitables import check_plain
from voicepipe.text import name_of, quote

__all__ = ["check_callable", "check_count", "check_number", "check_seconds", "first_of"]

_T = TypeVar("_T")


def check_number(
    name: str, value: object, *, at_least: float = -math.inf, at_most: float = math.inf
) -> float:
    """Check a finite number within its bounds, and return it as a float.

    Raises:
        TypeError: it is no number; a bool is none.
        ValueError: NaN, infinite, or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, not {quote(value)}")
    try:
        number = float(value)
    except OverflowError:  # an int beyond any float
        number = math.inf
    if not math.isfinite(number) or not at_least <= number <= at_most:
        raise ValueError(
            f"{name} must be {_bounds('a finite number', at_least, at_most)}, not {quote(value)}"
        )
    return number


def check_seconds(name: str, value: object, *, at_most: float = 86_400 * 366) -> float:
    """Check a time in seconds: a finite number, zero or more. Raises as `check_number`."""
    return check_number(name, value, at_least=0.0, at_most=at_most)


def check_count(name: str, value: object, *, at_least: int = 0, at_most: int = 2**62) -> int:
    """Check a whole number within its bounds, and return it.

    Raises:
        TypeError: it is no int; a bool is none.
        ValueError: out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {quote(value)}")
    if not at_least <= value <= at_most:
        right = _bounds("a whole number", at_least, at_most)
        raise ValueError(f"{name} must be {right}, not {quote(value)}")
    return value


def check_callable(name: str, value: Callable[..., Any]) -> None:
    """Check a callback.

    Raises:
        TypeError: it cannot be called, or it is async: a call would not run it.
    """
    if not callable(value):
        raise TypeError(f"{name} must be callable, not {quote(value)}")
    check_plain(f"{name} ({name_of(value)})", value)


def _bounds(what: str, at_least: float, at_most: float) -> str:
    if at_least == -math.inf:
        return what if at_most == math.inf else f"{what} up to {at_most:g}"
    if at_most >= 2**62:
        return f"{what} from {at_least:g}"
    return f"{what} from {at_least:g} to {at_most:g}"


def first_of(given: _T | None, otherwise: _T | None, default: _T) -> _T:
    """Return the argument that is given, or else the setting, or else the default."""
    if given is not None:
        return given
    return default if otherwise is None else otherwise
