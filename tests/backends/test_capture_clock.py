"""When a block was captured, though the callback looks at our clock late."""

from __future__ import annotations

import itertools
import random

import pytest

from voicepipe_devices.portaudio.capture_clock import CaptureClock

BLOCK_S = 0.01
LATENCY_S = 0.03


def captured(
    delays_s: list[float], *, drift: float = 0.0, set_at: int = -1, other: bool = False
) -> list[float]:
    """How far from the truth each block's time is; the callbacks are late by so much behind the library."""
    clock, errors, ahead_s = CaptureClock(LATENCY_S), [], 1_000.0
    for n, delay_s in enumerate(delays_s):
        if n == set_at:
            ahead_s -= 3_600.0
        true_s = 5.0 + n * BLOCK_S
        called_s = true_s + BLOCK_S + LATENCY_S
        library_s = called_s + ahead_s + drift * n * BLOCK_S
        began_s = 0.0 if other else library_s - BLOCK_S - LATENCY_S
        found_s, _ = clock.capture_time_s(called_s + delay_s, library_s, began_s, BLOCK_S)
        errors.append(found_s - true_s)
    return errors


@pytest.mark.parametrize("drift", [-2e-4, 0.0, 2e-4])
@pytest.mark.parametrize("other", [False, True])
def test_a_lock_that_is_held_moves_no_time(drift: float, other: bool) -> None:
    dice = random.Random(1)
    delays_s = [0.1 if dice.random() < 0.1 else dice.random() * 1e-4 for _ in range(6_000)]
    errors = captured(delays_s, drift=drift, other=other)
    assert max(map(abs, errors[10:])) < 0.001


def test_times_never_go_back() -> None:
    delays_s = [0.2, 0.0, 0.1, 0.0, 0.0]
    times_s = [n * BLOCK_S + error for n, error in enumerate(captured(delays_s))]
    assert all(later > earlier for earlier, later in itertools.pairwise(times_s))


def test_a_clock_that_was_set_is_followed() -> None:
    errors = captured([0.0] * 400, set_at=200)
    assert max(map(abs, errors)) < 0.001
