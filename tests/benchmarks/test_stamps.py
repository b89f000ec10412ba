"""The benchmark of time stamps: errors are found to a sample, and one short run."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import stamps
from benchmarks.stamps import Heard, errors_of, noise

RATE = 48_000
BEGAN_S = 7.0


def truth() -> stamps.Sound:
    return np.frombuffer(noise(1.0, RATE, 3), np.int16).astype(np.float64)


@pytest.mark.parametrize("late_s", [-0.02, 0.0, 0.0146])
def test_the_error_of_a_stream_is_found(late_s: float) -> None:
    sound = truth()[4_800:43_200]  # it began to listen 0.1 s later
    places = tuple(range(0, len(sound), 960))
    times_s = tuple(BEGAN_S + 0.1 + late_s + place / RATE for place in places)
    errors = errors_of(Heard(sound, RATE, places, times_s), truth(), RATE, BEGAN_S)
    assert len(errors) >= 7
    assert errors == pytest.approx([late_s] * len(errors), abs=1 / RATE)


def test_what_was_never_in_the_air_has_no_error() -> None:
    other = np.frombuffer(noise(1.0, RATE, 4), np.int16).astype(np.float64)
    assert errors_of(Heard(other, RATE, (0,), (BEGAN_S,)), truth(), RATE, BEGAN_S) == []


@pytest.mark.heavy
def test_a_short_run_gives_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    status = stamps.main(["--server", "none", "--way", "stamps", "--seconds", "1"])
    told = capsys.readouterr()
    if status == 2:  # the virtual card cannot be built or started here, and the line says why
        pytest.skip(f"allowed skip: {told.err}")
    assert "none, stamps" in told.out
    assert "good/good" in told.out
