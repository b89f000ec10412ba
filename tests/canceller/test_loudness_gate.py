"""The gate of half-duplex: shut for the program's own echo, open for who is louder, and quick to learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from canceller.sounds import RATE, Floats, echo_of, int16, noise, voice
from voicepipe.canceller.half_duplex.loudness_gate import LoudnessGate
from voicepipe.testing import room_impulse

BLOCK = RATE // 100


def in_room(far: Floats, level_db: float = 0.0, *, delay_s: float = 0.005, seed: int = 1) -> Floats:
    """Return the echo of a sound, so loud and so late."""
    return echo_of(far, room_impulse(RATE, delay_s=delay_s, level_db=level_db, seed=seed))


def judge(gate: LoudnessGate, mic: Floats, far: Floats | None, block: int = BLOCK) -> npt.NDArray[np.bool_]:
    """Return the gate's answers, block by block."""
    heard = int16(mic)
    sounds = None if far is None else far.astype(np.float32)
    return np.array(
        [
            gate.gate(heard[at : at + block], None if sounds is None else sounds[at : at + block])
            for at in range(0, len(heard) - block + 1, block)
        ]
    )


FAR = voice(12, 1)
CLIPPED = np.tanh(4 * FAR) * 0.25


@pytest.mark.parametrize(
    "echo",
    [
        in_room(FAR),
        in_room(FAR, -20),
        in_room(FAR, 6, seed=2),
        in_room(FAR, delay_s=0.3),
        in_room(CLIPPED),
        in_room(FAR, -60),
    ],
    ids=["as loud", "soft", "louder", "late", "clipped", "none"],
)
@pytest.mark.heavy(after=2)
def test_the_programs_own_echo_does_not_open_it(echo: Floats) -> None:
    gate = LoudnessGate(RATE)
    assert not judge(gate, echo + noise(len(echo)), FAR).any()
    assert gate.has_learnt


@pytest.mark.parametrize(("level_db", "within"), [(-12, 30), (-6, 30), (0, 70)])
@pytest.mark.heavy(after=1)
def test_a_user_over_the_echo_opens_it_and_it_shuts_again(level_db: int, within: int) -> None:
    mic = in_room(FAR, level_db) + noise(len(FAR))
    mic[8 * RATE : 10 * RATE] += voice(2, 5)
    answers = judge(LoudnessGate(RATE), mic, FAR)
    assert not answers[:800].any()
    assert answers[800 : 800 + within].any()
    assert answers[1_060:].mean() < 0.1


def test_it_is_shut_until_it_has_heard_a_second_of_sound() -> None:
    mic = in_room(FAR) + noise(len(FAR))
    mic[: 2 * RATE] += voice(2, 5) * 10
    gate = LoudnessGate(RATE)
    assert not judge(gate, mic[: RATE // 2], FAR[: RATE // 2]).any()


def test_it_is_open_while_nothing_sounds_and_costs_nothing() -> None:
    gate = LoudnessGate(RATE)
    assert gate.gate(np.ones(BLOCK, np.int16), None)
    judge(gate, in_room(FAR)[:RATE], FAR[:RATE])
    assert not gate.gate(np.ones(BLOCK, np.int16), None), "it may still echo"
    assert judge(gate, voice(2, 5), None)[-1]


def louder(mic: Floats) -> Floats:
    return mic * 10 ** (10 / 20)


def later(mic: Floats) -> Floats:
    return np.roll(mic, RATE // 5)


@pytest.mark.parametrize("change", [louder, later])
@pytest.mark.heavy
def test_an_echo_that_changes_is_learnt_anew_within_four_seconds(change: Callable[[Floats], Floats]) -> None:
    far = voice(16, 1)
    mic = in_room(far, -6)
    mic[8 * RATE :] = change(mic[8 * RATE :])
    answers = judge(LoudnessGate(RATE), mic + noise(len(mic)), far)
    assert not answers[:800].any()
    assert not answers[1_200:].any()


@pytest.mark.heavy
def test_a_user_who_talks_for_long_is_not_taken_for_another_echo() -> None:
    far, talk = voice(16, 1), slice(6 * RATE, 15 * RATE)
    mic = in_room(far, -6) + noise(len(far))
    mic[talk] += voice(9, 5)
    gate = LoudnessGate(RATE)
    judge(gate, mic[: talk.start], far[: talk.start])
    before_db = gate.threshold_db
    answers = judge(gate, mic[talk], far[talk])
    assert answers[30:].mean() > 0.9
    assert gate.threshold_db == pytest.approx(before_db, abs=0.5), "it learns nothing from a user"


def test_a_muted_microphone_teaches_nothing() -> None:
    """Its zeros would say that there is no echo, and the first sound after them would open the gate."""
    mic = in_room(FAR) + noise(len(FAR))
    mic[4 * RATE : 8 * RATE] = 0
    assert not judge(LoudnessGate(RATE), mic, FAR).any()


@pytest.mark.parametrize("block", [37, 160, 320, 1_000])
@pytest.mark.heavy(after=1)
def test_the_cut_into_blocks_does_not_matter(block: int) -> None:
    mic = in_room(FAR, -6) + noise(len(FAR))
    mic[3 * RATE : 4 * RATE] += voice(1, 5)
    mic, far = mic[: 4 * RATE], FAR[: 4 * RATE]
    cut, whole = LoudnessGate(RATE), LoudnessGate(RATE)
    judge(cut, mic[: len(mic) // block * block], far, block)
    judge(whole, mic[: len(mic) // block * block], far)
    assert cut.threshold_db == pytest.approx(whole.threshold_db, abs=0.2)


@pytest.mark.parametrize("rate", [8_000, 11_025, 24_000, 48_000])
@pytest.mark.heavy(after=1)
def test_other_rates(rate: int) -> None:
    far = voice(5, 1, rate)
    mic = 0.5 * np.roll(far, rate // 50)
    mic[4 * rate :] += voice(1, 5, rate)
    gate, block = LoudnessGate(rate), rate // 100
    answers = judge(gate, mic + noise(len(mic)), far, block)
    begin = 4 * rate // block
    assert not answers[:begin].any()
    assert answers[begin : begin + 40].any()
