"""When a block was captured, or sounds: callbacks come late, and stamps are missing, absurd, or jump."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from voicepipe.devices.values import Stamps
from voicepipe_devices.portaudio.block_clock import BlockClock, BlockTime

BLOCK_S = 0.01
LATENCY_S = 0.03
BEGAN_S = 5.0
ERA_S = 1_000.0
"""By which the library's clock is ahead of ours."""
both_ways = pytest.mark.parametrize("capture", [True, False])
Stamp = Callable[[int, float, float], tuple[float, float]]
"""What a library tells of its clock and of a block, of its number and the two true times."""


def as_it_is(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return library_s, stamp_s


class Device:
    """A device whose blocks begin on time, while its callbacks come late."""

    def __init__(self, capture: bool = True, *, doubts_delay: bool = False) -> None:
        self.clock = BlockClock(LATENCY_S, BLOCK_S if capture else 0.0, doubts_delay=doubts_delay)
        self._ahead_s = -BLOCK_S if capture else LATENCY_S
        self.count = 0
        self.lost_s = 0.0
        self.era_s = ERA_S
        self.drift = 0.0

    def call(self, late_s: float = 0.0, stamp: Stamp = as_it_is) -> float:
        """Make one callback; return the error of the time that was found."""
        passed_s = self.count * BLOCK_S
        called_s = BEGAN_S + passed_s + self.lost_s
        true_s = called_s + self._ahead_s
        era_s = self.era_s + self.drift * passed_s
        library_s, stamp_s = stamp(self.count, called_s + era_s, true_s + era_s)
        found: BlockTime = self.clock.look(called_s + late_s, library_s, stamp_s, passed_s)
        self.count += 1
        return found.time_s - true_s

    def calls(self, count: int, stamp: Stamp = as_it_is, *, late_s: float = 1e-4) -> list[float]:
        dice = random.Random(count)
        return [self.call(dice.random() * late_s, stamp) for _ in range(count)]


def worst(errors: list[float]) -> float:
    return max(map(abs, errors))


def verdict(device: Device) -> Stamps:
    return device.clock.stamps


def zero(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return library_s, 0.0


def both_zero(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return 0.0, 0.0


def now(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return library_s, library_s


def another_clock(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return library_s, stamp_s + 1.8e12


def the_other_way(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return library_s, 2 * library_s - stamp_s


def frozen(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
    return library_s, BEGAN_S


def early(by_s: float) -> Stamp:
    return lambda number, library_s, stamp_s: (library_s, stamp_s - by_s)


# -- stamps that are good ---------------------------------------------------------


@both_ways
@pytest.mark.parametrize("drift", [-2e-4, 0.0, 2e-4])
@pytest.mark.parametrize("stamp", [as_it_is, zero])
def test_a_lock_that_is_held_moves_no_time(drift: float, stamp: Stamp, capture: bool) -> None:
    device, dice = Device(capture), random.Random(1)
    device.drift = drift
    errors = [device.call(0.1 if dice.random() < 0.1 else 1e-4, stamp) for _ in range(2_000)]
    assert worst(errors[10:]) < 0.001


def test_times_of_a_microphone_never_go_back() -> None:
    device = Device()
    errors = [device.call(late_s) for late_s in (0.2, 0.0, 0.1, 0.0, 0.0)]
    times_s = [n * BLOCK_S + error for n, error in enumerate(errors)]
    assert all(later > earlier for earlier, later in itertools.pairwise(times_s))


@both_ways
def test_a_library_whose_clock_was_set_is_followed(capture: bool) -> None:
    device = Device(capture)
    device.calls(200)
    device.era_s -= 3_600.0
    assert worst(device.calls(200)) < 0.001
    assert device.clock.stamps == "good"


@both_ways
@pytest.mark.parametrize("stood_s", [0.005, 0.07, 0.4])
def test_a_library_whose_clock_stands_still_is_followed(stood_s: float, capture: bool) -> None:
    device = Device(capture)
    device.calls(300)
    device.era_s -= stood_s
    device.calls(200)
    assert worst(device.calls(100)) < 0.001


@both_ways
@pytest.mark.parametrize("lost_s", [0.003, 0.05, 1.0])
def test_good_stamps_tell_a_loss_at_once(lost_s: float, capture: bool) -> None:
    device = Device(capture)
    device.calls(200)
    device.lost_s = lost_s
    assert worst(device.calls(20)) < 0.001
    assert device.clock.stamps == "good"


# -- stamps that are none ------------------------------------------------------------


@both_ways
@pytest.mark.parametrize(
    ("stamp", "verdict"),
    [
        (zero, "missing"),
        (both_zero, "missing"),
        (now, "missing"),
        (another_clock, "absurd"),
        (the_other_way, "absurd"),
        (frozen, "absurd"),
    ],
)
def test_without_stamps_the_callbacks_and_the_latency_tell(
    stamp: Stamp, verdict: Stamps, capture: bool
) -> None:
    device = Device(capture)
    device.call(0.0, stamp)
    assert device.clock.stamps == verdict
    assert worst(device.calls(300, stamp, late_s=0.008)[20:]) < 0.002
    assert device.clock.stamps == verdict


@both_ways
@pytest.mark.parametrize("stamp", [zero, another_clock, the_other_way])
def test_a_single_bad_stamp_among_good_ones_does_not_count(stamp: Stamp, capture: bool) -> None:
    device, known = Device(capture), early(0.015)  # the callbacks do not tell all of the delay
    device.calls(100, known)
    for _ in range(5):
        assert abs(device.call(0.0, stamp) + 0.015) < 0.001
        assert worst([error + 0.015 for error in device.calls(20, known)]) < 0.001
        assert device.clock.stamps == "good"


@both_ways
def test_stamps_that_go_and_come_back_are_noticed(capture: bool) -> None:
    device = Device(capture)
    assert worst(device.calls(100)) < 0.001
    device.calls(60, zero)
    assert device.clock.stamps == "missing"
    device.calls(50)
    assert device.clock.stamps == "missing"  # not believed again so soon
    device.calls(100)
    assert verdict(device) == "good"
    assert worst(device.calls(100)) < 0.001


# -- stamps that jump -----------------------------------------------------------------


def jumping(most_s: float) -> Stamp:
    dice = random.Random(3)

    def stamp(number: int, library_s: float, stamp_s: float) -> tuple[float, float]:
        return library_s, stamp_s + dice.uniform(-most_s, most_s)

    return stamp


@both_ways
@pytest.mark.parametrize("most_s", [0.004, 0.006, 0.009])
def test_the_middle_one_counts_of_stamps_that_jump(most_s: float, capture: bool) -> None:
    device, stamp = Device(capture), jumping(most_s)
    errors = device.calls(400, stamp)
    assert device.clock.stamps == "unsteady"
    assert worst(errors[100:]) < most_s / 2
    steps = [later - earlier for earlier, later in itertools.pairwise(errors[100:])]
    assert worst(steps) < most_s / 4
    device.calls(300)
    assert verdict(device) == "good"


@both_ways
def test_stamps_that_are_a_little_off_are_good(capture: bool) -> None:
    device = Device(capture)
    assert worst(device.calls(300, jumping(0.0009))) < 0.002
    assert device.clock.stamps == "good"


@both_ways
def test_stamps_that_find_their_pace_at_the_start_are_good(capture: bool) -> None:
    device = Device(capture)
    device.calls(6, jumping(0.02))
    device.calls(150)
    assert device.clock.stamps == "good"


@both_ways
def test_a_loss_that_is_told_restarts_the_line(capture: bool) -> None:
    device = Device(capture)
    device.calls(300, zero)
    device.lost_s = 0.2
    device.clock.restart()
    assert worst(device.calls(50, zero)) < 0.001


@both_ways
def test_callbacks_in_bursts_are_straightened(capture: bool) -> None:
    """PulseAudio calls for two blocks at once, and then waits for as long."""
    device = Device(capture)
    errors = [device.call(BLOCK_S if number % 2 == 0 else 0.0, zero) for number in range(200)]
    assert worst(errors[2:]) < 0.001


# -- stamps that are early --------------------------------------------------------------


@pytest.mark.parametrize("early_s", [0.0, 0.009, 0.0146])
def test_a_little_delay_is_doubted_behind_pipewire(early_s: float) -> None:
    device = Device(doubts_delay=True)
    assert worst(device.calls(300, early(early_s))) < 0.001
    assert device.clock.stamps == "early"


def test_a_long_delay_is_true_behind_pipewire_too() -> None:
    device = Device(doubts_delay=True)
    errors = device.calls(300, early(0.15))  # a headset by Bluetooth: its audio is that old
    assert worst([error + 0.15 for error in errors[2:]]) < 0.001
    assert device.clock.stamps == "good"


def test_a_delay_between_the_two_changes_nothing() -> None:
    device = Device(doubts_delay=True)
    device.calls(300, early(0.01))
    device.calls(300, early(0.03))
    assert verdict(device) == "early"
    device.calls(300, early(0.1))
    device.calls(300, early(0.03))
    assert verdict(device) == "good"
    device.calls(300, early(0.01))
    assert verdict(device) == "early"


@pytest.mark.parametrize("early_s", [0.009, 0.15])
def test_elsewhere_a_delay_is_believed(early_s: float) -> None:
    device = Device()
    assert worst([error + early_s for error in device.calls(300, early(early_s))]) < 0.001
