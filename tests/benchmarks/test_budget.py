"""The hot paths keep to their budget. `python tests/benchmarks/budget.py --renew` where a change is meant."""

from __future__ import annotations

import pytest

from benchmarks.budget import VERSION, costs_now, read_budget
from benchmarks.counting import counting
from voicepipe import InputAudioFrame

_HEADROOM = 1.02
_SLACK = 0.9
"""A budget far above the cost guards nothing."""


def test_hot_paths_keep_to_the_budget() -> None:
    budget = read_budget().get(VERSION)
    if budget is None:
        pytest.skip(f"allowed skip: no budget for Python {VERSION}: budget.py --renew makes one")
    now = costs_now()
    assert now.keys() == budget.keys(), "run `python tests/benchmarks/budget.py --renew`"
    over = {n: f"{c:.1f}, allowed {budget[n]:.1f}" for n, c in now.items() if c > budget[n] * _HEADROOM}
    assert not over, f"these cost more than the budget allows: {over}"
    under = {n: f"{c:.1f}, allowed {budget[n]:.1f}" for n, c in now.items() if c < budget[n] * _SLACK}
    assert not under, f"cheaper now: run `python tests/benchmarks/budget.py --renew`: {under}"


def test_one_more_call_is_seen() -> None:
    frame = InputAudioFrame(bytes(640))
    with counting() as count:
        _ = frame.duration_s
        count.restart()
        _ = frame.duration_s
        once = count.instructions
        _ = frame.duration_s
    assert count.instructions == 2 * once > 0
