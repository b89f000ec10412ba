"""What is measured in the long run: known sounds, with known gaps and delays."""

from __future__ import annotations

import numpy as np
import pytest

from long.endurance.check import Check
from long.endurance.hour import losses
from long.endurance.through import Sound
from long.endurance.verdict import checks
from process.running import Ended

RATE = 48_000
SPEECH = (8_000 * np.sin(np.arange(2 * RATE) / 9)).astype(np.int16)


@pytest.fixture(scope="module")
def sound() -> Sound:
    return Sound(RATE, SPEECH)


@pytest.mark.parametrize("frame", [0, RATE, 19 * RATE + 5, 1_000 * RATE])
def test_sound_that_comes_late_is_whole_and_as_late_as_it_is(sound: Sound, frame: int) -> None:
    heard = sound.heard(sound.at(frame - 6_789, RATE), frame)
    assert heard.latency_s == 6_789 / RATE
    assert heard.missing_s == 0.0


@pytest.mark.parametrize("frame", [3 * RATE, 20 * RATE])
def test_what_is_silent_is_missing(sound: Sound, frame: int) -> None:
    played = sound.at(frame - 480, RATE)
    played[9_600:19_200] = 0
    heard = sound.heard(played, frame)
    assert heard.latency_s == 0.01
    assert heard.missing_s == pytest.approx(0.2)


def test_sound_that_is_later_after_a_gap_is_not_missing(sound: Sound) -> None:
    early, late = sound.at(3 * RATE - 480, RATE // 4), sound.at(7 * RATE // 2 - 4_800, RATE // 2)
    played = np.concatenate([early, np.zeros(RATE // 4, np.int16), late])
    heard = sound.heard(played, 3 * RATE)
    assert heard.missing_s == pytest.approx(0.26, abs=0.021)


def test_sound_that_is_stretched_as_much_as_it_may_be_is_whole(sound: Sound) -> None:
    times = 3 * RATE + np.arange(RATE) * (1 + 500e-6)
    whole = sound.at(0, 5 * RATE)
    stretched = np.interp(times, np.arange(len(whole)), whole).astype(np.int16)
    assert sound.heard(stretched, 3 * RATE + 4_800).missing_s == 0.0


def test_something_else_is_nothing_of_it(sound: Sound) -> None:
    other = np.random.default_rng(5).normal(0, 100, RATE).astype(np.int16)
    heard = sound.heard(other, 3 * RATE)
    assert heard.latency_s is None
    assert heard.missing_s == pytest.approx(1.0)


def test_losses_do_not_overlap_and_are_over_before_the_end() -> None:
    away = losses(3_600.0, 12)
    assert len(away) == 12
    ends = [0.0, *(loss.end_s for loss in away)]
    assert all(end < loss.begin_s for end, loss in zip(ends, away, strict=False))
    assert ends[-1] < 3_500.0


def second(at_s: int, **what: object) -> dict[str, object]:
    """One in which all is well."""
    device = {"blocks": 100 * at_s, "overflow": 0, "underflow": 0, "late": 0, "reconnections": 0}
    counts = dict.fromkeys(("tasks", "threads", "streams", "children", "descriptors"), 3)
    return {
        "t_s": at_s,
        "latency_ms": 100.0,
        "missing_ms": 0,
        "mic_fill_ms": 0.0,
        "speaker_fill_ms": 30.0,
        "lost": [],
        "dropped": {},
        "silence": 4_000,
        "not_played": 0,
        "taken": 16_000 * at_s,
        "unbalanced": [],
        "mic": device,
        "speaker": device,
        "errors": 0,
        "open": counts,
        "unpinged_s": 5.0,
        "ready": True,
        "card": {"frame": 48_000 * at_s, "asked": 48_000 * at_s},
        "private_mb": 60.0,
        "program_private_mb": 30.0,
    } | what


FAILURES: list[tuple[str, dict[str, object]]] = [
    ("every gap is explained by a counter", {"missing_ms": 40}),
    ("in = out + held + dropped", {"unbalanced": ["SpeakerOutput"]}),
    ("the service manager had no reason to act", {"unpinged_s": 31.0}),
]


@pytest.mark.parametrize(("what", "change"), FAILURES)
def test_one_bad_second_is_found(what: str, change: dict[str, object]) -> None:
    noted = [second(at_s, **(change if at_s == 20 else {})) for at_s in range(1, 41)]
    assert [check.what for check in judged(noted) if not check.holds] == [what]


def test_memory_that_grows_is_found() -> None:
    noted = [second(s, program_private_mb=30 + s / 10, private_mb=60 + s / 10) for s in range(1, 41)]
    assert {check.what for check in judged(noted) if not check.holds} == {
        "memory of the program is flat",
        "memory of all its processes is flat",
    }


def test_a_gap_that_a_counter_tells_of_is_explained() -> None:
    gone = {"missing_ms": 500}
    told = {"dropped": {"device_lost": 8_000}, "not_played": 8_000}
    noted = [second(s, **(gone if s == 20 else {}), **(told if s > 21 else {})) for s in range(1, 41)]
    assert [check for check in judged(noted) if not check.holds] == []


def judged(noted: list[dict[str, object]]) -> list[Check]:
    ended = Ended(0, 0.3, "heard 2.0 s of speech at 1 s\n" * 2 + "nothing is left running\n", "")
    return checks(noted, [], ended, {}, len(noted))
