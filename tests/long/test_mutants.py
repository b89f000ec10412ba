"""Every mutant applies to today's source; those of the two promises turn tests and seeds red."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from long.mutant import Mutant
from long.mutants import MUTANTS, ROOT, verdict
from long.planting import NotThereError, forget, plant


@pytest.fixture(scope="module", autouse=True)
def forget_the_source() -> Iterator[None]:
    """Leave no tree of the whole source in the process: a million objects slow every census."""
    yield
    forget()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_applies(mutant: Mutant) -> None:
    planted = plant(ROOT, mutant.place, mutant.old, mutant.new)
    assert planted.source != (ROOT / planted.file).read_text(encoding="utf-8")
    compile(planted.source, planted.file, "exec")


@pytest.mark.parametrize("promise", ["promise 1", "promise 2"])
def test_the_mutant_of_a_promise_turns_a_test_and_a_seed_red(promise: str) -> None:
    (mutant,) = (mutant for mutant in MUTANTS if mutant.name.startswith(promise))
    found = verdict(mutant)
    assert found.is_caught, str(found)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two packages, one of which has a class and a function."""
    (tmp_path / "voicepipe").mkdir()
    (tmp_path / "voicepipe" / "shop.py").write_text(
        "class Cart:\n"
        "    def add(self, price):\n"
        "        # with tax\n"
        "        if (price\n"
        "                < 0):\n"
        "            return\n"
        "        elif not price:\n"
        "            self.gifts += 1\n"
        "        self.sum += price\n"
        "        self.sum += price * self.tax\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("price < 0", "False", "        if False:\n"),
        ("not price", "True", "        elif True:\n"),
        ("self.sum += price*self.tax", "pass", "        pass\n"),
        (
            "self.gifts += 1",
            "self.gifts += 2\nself.sum = 0",
            "            self.gifts += 2\n            self.sum = 0\n",
        ),
    ],
)
def test_a_piece_is_found_whatever_its_layout(checkout: Path, old: str, new: str, line: str) -> None:
    planted = plant(checkout, "Cart.add", old, new)
    assert planted.file == "voicepipe/shop.py"
    assert line in planted.source
    assert plant(checkout, "voicepipe.shop:Cart.add", old, new) == planted


@pytest.mark.parametrize(
    ("place", "old", "says"),
    [
        ("Cart.take", "price", "there is no Cart.take"),
        ("Cart.add", "price", "4 times instead of once: 'price'"),
        ("Cart.add", "self.sum = 0", "0 times instead of once"),
    ],
)
def test_a_piece_that_is_not_there_once_is_an_error(checkout: Path, place: str, old: str, says: str) -> None:
    with pytest.raises(NotThereError, match=says):
        plant(checkout, place, old, "0")
