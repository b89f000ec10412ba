"""A twentieth of the virtual day, in three parts; the whole of it: `python tests/long/endurance/day.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("allowed skip: Windows cannot keep a file from growing", allow_module_level=True)

from support.counts import TIMES, count_of

DAY = Path(__file__).with_name("day.py")
HOURS = 0.4 * TIMES


@pytest.mark.parametrize("seed", range(1, 1 + count_of(10)))
def test_a_day_in_which_everything_goes_wrong_is_in_the_books(seed: int) -> None:
    """In a process of its own: the memory of this one is that of all tests."""
    done = subprocess.run(
        [sys.executable, DAY, "--hours", str(HOURS), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "ok     memory is flat" in done.stdout
