"""A run's limits are times, or refused by the name of the field."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from support.stages import Recorder
from voicepipe import AudioFormat, Limits, Pipeline, PipelineTask, StartParams

LIMITS = [field.name for field in fields(Limits) if field.name.endswith("_s")]


def test_the_limits_are_those_that_the_design_names() -> None:
    assert Limits() == Limits(
        start_s=5.0, stall_s=5.0, drain_s=310.0, cancel_s=2.0, close_s=1.0, passed_by="fail"
    )
    assert LIMITS == ["start_s", "stall_s", "drain_s", "cancel_s", "close_s"]


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [0, 0.0, 1, 0.25, 86_400])
def test_zero_and_more_is_a_limit(name: str, value: Any) -> None:
    assert getattr(Limits(**{name: value}), name) == value


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf, 10**400])
def test_what_is_no_time_is_a_value_error_that_names_the_field(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number from 0 to "):
        Limits(**{name: value})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [True, False, "5", "10s", None, [1.0], 1j])
def test_what_is_no_number_is_a_type_error_that_names_the_field(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=rf"^{name} must be a number, not "):
        Limits(**{name: value})


@pytest.mark.parametrize("value", ["", "Fail", "raise", None, True, 1, 0.0])
def test_a_stage_that_was_passed_by_is_a_failure_or_is_reported(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^passed_by must be 'fail' or 'report', not "):
        Limits(passed_by=value)
    assert Limits(passed_by="report") != Limits(passed_by="fail") == Limits()


def test_an_unknown_limit_is_refused_by_name() -> None:
    unknown: dict[str, Any] = {"stop_s": 3.0}
    with pytest.raises(TypeError, match="stop_s"):
        Limits(**unknown)


def test_limits_do_not_change_and_compare_by_value() -> None:
    limits = Limits(start_s=1)
    with pytest.raises(AttributeError):
        limits.start_s = -1.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert limits == Limits(start_s=1.0)
    assert limits != Limits()


def test_start_params_begin_as_mono_at_16_khz() -> None:
    params = StartParams()
    assert (params.input, params.output, params.run_id) == (
        AudioFormat(16_000, 1),
        AudioFormat(16_000, 1),
        "",
    )
    assert params.clock() == 0.0
    assert "clock" not in repr(params)


async def test_a_stage_is_told_the_formats_the_clock_and_the_name_of_its_run() -> None:
    told: list[StartParams] = []

    class Asks(Recorder):
        async def on_start(self, params: StartParams) -> None:
            told.append(params)
            told_at.append(params.clock())

    told_at: list[float] = []
    formats = AudioFormat(48_000), AudioFormat(24_000, 2)
    task = PipelineTask(Pipeline([Asks()]), name="kitchen", input=formats[0], output=formats[1])
    task.end()
    await task.run()
    (params,) = told
    assert (params.input, params.output, params.run_id) == (*formats, "kitchen")
    assert params.clock() >= told_at[0] >= 0
