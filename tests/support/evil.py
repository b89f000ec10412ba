"""Objects of users that raise wherever they are touched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

__all__ = ["EVIL_ERRORS", "EvilError", "Unprintable"]


class EvilError(Exception):
    """The base class of the errors of which nothing but the class can be told."""


def _raises(error: type[BaseException], *methods: str) -> type[EvilError]:
    def refuse(*_: object) -> Any:
        raise error("evil")

    return type(
        f"Evil{error.__name__}".removesuffix("Error") + "Error", (EvilError,), dict.fromkeys(methods, refuse)
    )


class EvilNoneError(EvilError):
    """An error whose texts are none."""

    def __str__(self) -> str:
        return None  # type: ignore[return-value]

    __repr__ = __str__


class EvilLengthError(EvilError):
    """An error whose text fills a book, with line ends and colours."""

    def __str__(self) -> str:
        return "\x1b[31mlong\n" * 400_000

    __repr__ = __str__


class EvilRecursionError(EvilError):
    """An error whose text contains itself."""

    def __str__(self) -> str:
        return str(self)

    __repr__ = __str__


class EvilText(str):
    """A text that raises when it is looked at."""

    __slots__ = ()

    def isprintable(self) -> bool:
        raise ValueError("evil")

    __len__ = __iter__ = __getitem__ = isprintable  # type: ignore[assignment]


class EvilSubclassError(EvilError):
    """An error whose text is no plain str."""

    def __str__(self) -> str:
        return EvilText("evil")

    __repr__ = __str__


class EvilClassError(EvilError):
    """An error that does not say of which class it is, and is neither true nor false, nor equal to any."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise ValueError("evil")

    def __bool__(self) -> bool:
        raise ValueError("evil")

    __eq__ = __hash__ = __str__ = __bool__  # type: ignore[assignment]


class _Meta(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise ValueError("evil")


class EvilMetaError(EvilError, metaclass=_Meta):
    """An error whose class has no name."""

    def __str__(self) -> str:
        raise ValueError("evil")


class EvilCauseError(EvilError):
    """An error that is its own cause, and has no traceback to show."""

    def __init__(self, *_: object) -> None:
        super().__init__("cause")
        self.__cause__ = self.__context__ = self

    @property
    def __traceback__(self) -> Any:  # type: ignore[override]
        raise ValueError("evil")


class EvilGroup(BaseExceptionGroup[EvilError]):
    """A group of errors that cannot be told, and does not tell its members."""

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls, "evil", [EvilNoneError()])

    @property
    def exceptions(self) -> Any:
        raise ValueError("evil")


EVIL_ERRORS: dict[str, Callable[..., BaseException]] = {
    **{
        f"str raises {kind.__name__}": _raises(kind, "__str__", "__repr__")
        for kind in (ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)
    },
    "str is none": EvilNoneError,
    "str is a book": EvilLengthError,
    "str has no end": EvilRecursionError,
    "str is no plain one": EvilSubclassError,
    "class, truth and equality raise": EvilClassError,
    "class without a name": EvilMetaError,
    "its own cause": EvilCauseError,
    "group": EvilGroup,
}
"""The makers of the errors, by name: pytest itself would ask them for theirs."""


class Unprintable:
    """An object that raises when it is shown, compared or asked if it is true."""

    def __repr__(self) -> str:
        raise KeyboardInterrupt("evil")

    __str__ = __eq__ = __hash__ = __bool__ = __len__ = __repr__  # type: ignore[assignment]
