"""Text from outside is safe to print, and whatever an object does when it is shown stays in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from support.evil import EVIL_ERRORS, EvilText, Unprintable
from voicepipe.run.failures import describe, describe_briefly
from voicepipe.text import class_name, name_of, printable, quote


@pytest.mark.parametrize("evil", EVIL_ERRORS)
@pytest.mark.parametrize("show", [printable, quote, describe, describe_briefly, class_name])
def test_an_error_that_cannot_be_shown_is_one_short_line(evil: str, show: Callable[[Any], str]) -> None:
    line = show(EVIL_ERRORS[evil]())
    assert type(line) is str
    assert 0 < len(line) <= 200
    assert line.isprintable()


@pytest.mark.parametrize("evil", EVIL_ERRORS)
def test_an_error_that_cannot_be_shown_is_named_by_its_class(evil: str) -> None:
    assert describe(EVIL_ERRORS[evil]()).startswith("Evil")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "'plain'"),
        (Unprintable(), "<no text: repr() of Unprintable raised KeyboardInterrupt>"),
        ([Unprintable()], "<no text: repr() of list raised KeyboardInterrupt>"),
        (10**5000, "<no text: repr() of int raised ValueError>"),
        ("x" * 500, "'" + "x" * 198 + "…"),
    ],
    ids=["text", "object", "list", "number", "long text"],
)
def test_quote_never_raises(value: Any, shown: str) -> None:
    assert quote(value) == shown


def test_a_text_of_a_class_of_its_own_becomes_a_plain_one() -> None:
    assert printable(EvilText("evil")) == "evil"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("broken"), "ValueError: broken"),
        (ValueError(), "ValueError"),
        (
            ExceptionGroup("two", [KeyError("a"), ValueError("b")]),
            "ExceptionGroup: two (2 sub-exceptions): KeyError: 'a'",
        ),
        (
            BaseExceptionGroup("out", [ExceptionGroup("in", [OSError("deep")])]),
            "ExceptionGroup: out (1 sub-exception): OSError: deep",
        ),
    ],
)
def test_an_error_is_described_with_its_class_and_the_first_of_a_group(
    error: BaseException, line: str
) -> None:
    assert describe(error) == line


@pytest.mark.parametrize(
    ("function", "name"),
    [(len, "len"), (Unprintable, "Unprintable"), (Unprintable(), "Unprintable"), (3, "int")],
    ids=["function", "class", "object", "number"],
)
def test_a_function_is_named_and_an_object_by_its_class(function: Any, name: str) -> None:
    assert name_of(function) == name
