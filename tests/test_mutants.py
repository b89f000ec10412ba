"""The mutants of the two promises turn red; every mutant still applies to today's source."""

from __future__ import annotations

import pytest

from mutants import MUTANTS, ROOT, Mutant, turns_red


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1


@pytest.mark.parametrize("promise", ["promise 1", "promise 2"])
def test_the_mutant_of_a_promise_turns_red(promise: str) -> None:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name.startswith(promise))
    assert turns_red(mutant) == "red"
