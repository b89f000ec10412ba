"""The benchmark of standstills: its plan, how it finds a delay, and one short run."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import standstill
from benchmarks.standing.plan import LONGEST_S, SHORTEST_S, WHO, Standstill, standstills
from benchmarks.standing.run import Moment, Run
from benchmarks.standing.tape import Noise, Tape

RATE = 16_000


def tape_of(*delays_ms: tuple[float, float], seconds: float = 8.0) -> Tape:
    """A tape on which what is heard is so late, each from a time on."""
    noise, heard = Noise(RATE), np.zeros(round(seconds * RATE), np.int16)
    for from_s, ms in delays_ms:
        begin = round(from_s * RATE)
        heard[begin:] = noise.at(begin - round(ms * RATE / 1000), len(heard) - begin)
    return Tape(RATE, noise.at(0, len(heard)), heard)


def test_a_plan_is_a_function_of_its_seed_and_everything_stands_still_in_it() -> None:
    plan = standstills(20, 1)
    assert plan == standstills(20, 1) != standstills(20, 2)
    assert {each.who for each in plan} == set(WHO)
    assert all(SHORTEST_S <= seconds <= LONGEST_S for each in plan for seconds in each.stands_s)
    assert any(len(each.stands_s) > 1 for each in plan)


@pytest.mark.parametrize("delay_ms", [0.0, 20.0, 139.0, 1_527.0, 3_900.0])
def test_a_delay_is_found_to_the_sample(delay_ms: float) -> None:
    assert tape_of((4.0, delay_ms)).delay_ms(5.0) == delay_ms


def test_silence_has_no_delay_and_nor_has_what_was_never_said() -> None:
    other = Noise(RATE, seed=2).at(0, 8 * RATE)
    assert tape_of().delay_ms(5.0) is None
    assert Tape(RATE, tape_of().said, other).delay_ms(5.0) is None


@pytest.mark.parametrize(
    ("after_ms", "worst", "status"), [(29, 0, 0), (35, 6, 0), (139, 110, 1), (9, -20, 0)]
)
def test_a_row_tells_what_a_standstill_has_made_of_the_delay(after_ms: int, worst: int, status: int) -> None:
    moment = Moment(Standstill("program", (0.12,), 0.0, 0.0), 2.0, 2.12)
    run = Run(tape_of((0.0, 29), (2.12, after_ms)), (moment,), {"late": 120.0})
    row, found = standstill.row_of("echo", run)
    assert row == ("echo", 1, 29, after_ms, worst, worst, 120.0, 0)
    assert int(found > standstill.BACK_MS) == status


def test_a_row_in_which_nothing_is_found_again_is_not_back() -> None:
    run = Run(tape_of(), (Moment(Standstill("program", (0.12,), 0.0, 0.0), 2.0, 2.12),), {})
    assert standstill.row_of("echo", run)[1] == float("inf")


def test_an_unknown_row_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        standstill.main(["--only", "simulated,telepathy"])
    assert "unknown row telepathy; choose simulated-10, simulated-20" in capsys.readouterr().err


def test_a_short_run_gives_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    standstill.main(["--only", "simulated-10", "--count", "1", "--each"])
    told = capsys.readouterr().out
    assert "program 36+120" in told
    assert "simulated card, 10 ms" in told
