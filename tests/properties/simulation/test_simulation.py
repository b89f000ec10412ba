"""Every rule holds in every scenario of the first seeds, and in those that have once been red.

The full count, of 20,000, is `python tests/long/simulate.py 20000`.
"""

from __future__ import annotations

import gc

import pytest

from properties.simulation.pinned import PINNED
from properties.simulation.rules import check
from properties.simulation.scenario import Scenario

SEEDS = 300
AT_ONCE = 25


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_every_rule_holds_for_the_first_seeds(first: int) -> None:
    _hold(range(first, first + AT_ONCE))


@pytest.mark.parametrize("seed", PINNED)
def test_every_rule_holds_for_a_seed_that_was_red_once(seed: int) -> None:
    _hold([seed])


def test_a_scenario_is_a_function_of_its_seed() -> None:
    assert str(Scenario.of(42)) == str(Scenario.of(42)) != str(Scenario.of(43))


def _hold(seeds: range | list[int]) -> None:
    for seed in seeds:
        broken = check(seed)
        told = "\n".join(broken)
        assert not broken, (
            f"{Scenario.of(seed)}\n{told}\nreplay it: python tests/long/simulate.py --seed {seed}"
        )
    gc.collect()  # what nobody has seen is said now, here
