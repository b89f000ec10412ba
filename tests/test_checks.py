"""A caller's number is taken or refused in one line, which names the field and says what would be right."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from voicepipe.checks import check_callable, check_count, check_number, check_seconds


@pytest.mark.parametrize("value", [0, 1, -1, 0.5, -0.0, 1e300, np.float64(2.5)])
def test_a_finite_number_comes_back_as_a_float(value: float) -> None:
    number = check_number("db", value)
    assert number == value
    assert isinstance(number, float)


@pytest.mark.parametrize("value", [True, False, "3", "48k", None, [1.0], 3j, b"1", object()])
def test_what_is_no_number_is_a_type_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^db must be a number, not "):
        check_number("db", value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_a_value_error_that_names_the_field(value: float) -> None:
    with pytest.raises(ValueError, match=f"^db must be a finite number, not {value}$"):
        check_number("db", value)


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_an_int_beyond_any_float_is_a_value_error_too(value: int) -> None:
    with pytest.raises(ValueError, match=r"^db must be a finite number"):
        check_number("db", value)
    with pytest.raises(ValueError, match=r"^stall_s must be a finite number"):
        check_seconds("stall_s", value)


def test_the_bounds_of_a_number_are_legal_and_what_lies_beyond_is_not() -> None:
    for legal in (-120, 60.0):
        assert check_number("db", legal, at_least=-120.0, at_most=60.0) == legal
    for beyond in (math.nextafter(-120, -math.inf), math.nextafter(60, math.inf)):
        with pytest.raises(ValueError, match=r"^db must be a finite number from -120 to 60, not "):
            check_number("db", beyond, at_least=-120.0, at_most=60.0)


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"at_most": 9.0}, "a finite number up to 9"),
        ({"at_least": 3.0}, "a finite number from 3"),
        ({"at_least": 3.0, "at_most": 9.0}, "a finite number from 3 to 9"),
    ],
)
def test_a_refusal_names_the_bounds_that_there_are(bounds: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=f"^ratio must be {says}, not nan$"):
        check_number("ratio", math.nan, **bounds)


@pytest.mark.parametrize("value", [0, 0.0, 1e-9, 5, 86_400])
def test_zero_and_more_are_seconds(value: float) -> None:
    assert check_seconds("stall_s", value) == value


@pytest.mark.parametrize("value", [-1e-9, -1, math.nan, math.inf, -math.inf, 1e9])
def test_what_is_no_time_is_a_value_error_that_names_the_field(value: float) -> None:
    with pytest.raises(ValueError, match=r"^stall_s must be a finite number from 0 to "):
        check_seconds("stall_s", value)


def test_seconds_have_the_callers_upper_bound() -> None:
    assert check_seconds("block_s", 1, at_most=1.0) == 1.0
    with pytest.raises(ValueError, match=r"^block_s must be a finite number from 0 to 1, not 1.1$"):
        check_seconds("block_s", 1.1, at_most=1.0)
    with pytest.raises(TypeError, match=r"^block_s must be a number, not True$"):
        check_seconds("block_s", True)


@pytest.mark.parametrize("value", [0, 1, 2**40])
def test_a_whole_number_comes_back_as_it_is(value: int) -> None:
    count = check_count("position", value)
    assert count == value
    assert type(count) is int


@pytest.mark.parametrize("value", [True, False, 1.0, 16_000.5, math.nan, "16000", None, np.int64(3)])
def test_what_is_no_int_is_a_type_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^rate must be a whole number, not "):
        check_count("rate", value)


@pytest.mark.parametrize("value", [0, 33, -1, 2**70])
def test_a_count_out_of_bounds_is_a_value_error_that_names_them(value: int) -> None:
    with pytest.raises(ValueError, match=f"^channels must be a whole number from 1 to 32, not {value}$"):
        check_count("channels", value, at_least=1, at_most=32)


def test_the_bounds_of_a_count_are_legal() -> None:
    assert [check_count("channels", n, at_least=1, at_most=32) for n in (1, 32)] == [1, 32]


def test_a_count_without_an_upper_bound_of_its_own_is_said_to_begin_somewhere() -> None:
    with pytest.raises(ValueError, match=r"^position must be a whole number from 0, not -1$"):
        check_count("position", -1)


def test_what_can_be_called_is_taken_and_what_cannot_is_named() -> None:
    check_callable("look", print)
    check_callable("look", lambda: None)
    nothing: Any = 3
    with pytest.raises(TypeError, match=r"^look must be callable, not 3$"):
        check_callable("look", nothing)


@pytest.mark.parametrize("check", [check_number, check_count])
def test_a_value_that_cannot_be_written_out_is_refused_by_name_all_the_same(check: Any) -> None:
    class Unspeakable:
        def __repr__(self) -> str:
            raise RuntimeError("no words for it")

    with pytest.raises(ValueError, match=r"^x must be .*, not <no text: repr\(\) of int .*>$"):
        check("x", 10**5_000, at_most=1)
    with pytest.raises(TypeError, match=r"^x must be .*, not <no text: repr\(\) of Unspeakable .*>$"):
        check("x", Unspeakable())


def test_a_long_value_is_cut_and_its_control_characters_are_escaped() -> None:
    with pytest.raises(TypeError, match=r"^x must be a number, not ") as refused:
        check_number("x", "\x1b\u202e" * 10_000)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300
