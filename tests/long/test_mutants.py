"""Every mutant applies to today's source; those of the two promises turn tests and seeds red."""

from __future__ import annotations

import pytest

from long.mutants import MUTANTS, ROOT, Mutant, verdict


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1


@pytest.mark.parametrize("promise", ["promise 1", "promise 2"])
def test_the_mutant_of_a_promise_turns_a_test_and_a_seed_red(promise: str) -> None:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name.startswith(promise))
    found = verdict(mutant)
    assert found.is_caught, str(found)
