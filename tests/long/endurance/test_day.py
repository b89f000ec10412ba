"""A twentieth of the virtual day, in three parts; the whole of it: `python tests/long/endurance/day.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("allowed skip: Windows cannot keep a file from growing", allow_module_level=True)

from long.endurance.day import live
from support.counts import TIMES, count_of

HOURS = 0.4 * TIMES


@pytest.mark.parametrize("seed", range(1, 1 + count_of(10)))
def test_a_day_in_which_everything_goes_wrong_is_in_the_books(tmp_path: Path, seed: int) -> None:
    verdict = live(HOURS, seed, tmp_path)
    assert [str(check) for check in verdict if not check.holds] == []
