"""The benchmark of interruptions: the words that it says, the row that is late, and one short run."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import barge_in
from benchmarks.barge_in import RATE, words_of


def test_words_begin_with_their_first_sound() -> None:
    quiet, loud = np.zeros(RATE, np.int16), np.full(RATE, 9_000, np.int16)
    words = words_of(np.concatenate([quiet, loud, quiet[: RATE // 20], loud, quiet, loud]))
    assert len(words) == 2  # a pause of 50 ms begins none
    assert all(word[0] == 9_000 and len(word) == round(0.8 * RATE) for word in words)


@pytest.mark.parametrize(
    ("seconds", "missed", "late"),
    [
        ([0.05] * 20, 0, False),
        ([0.05] * 19 + [0.2], 0, False),
        ([0.05] * 18 + [0.2] * 2, 0, True),
        ([0.05], 1, True),
        ([], 3, True),
    ],
)
def test_a_row_is_late_by_its_95th_percentile_or_if_one_was_missed(
    seconds: list[float], missed: int, late: bool
) -> None:
    row, fault = barge_in.row_of("decision to silence", seconds, missed, 0, 0.09)
    assert bool(fault) is late
    assert row[1] == len(seconds)


def test_an_unknown_row_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        barge_in.main(["--only", "fact,telepathy"])
    told = capsys.readouterr().err
    assert "unknown row telepathy; choose task, stage, fact, webrtc, silero, echo-6, echo-0" in told


@pytest.mark.heavy
def test_a_short_run_gives_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    status = barge_in.main(["--only", "fact", "--count", "2"])
    told = capsys.readouterr()
    if status == 2:  # the virtual card cannot be built or started here, and the line says why
        pytest.skip(f"allowed skip: {told.err}")
    assert "the user's start: decision to silence  2" in told.out
