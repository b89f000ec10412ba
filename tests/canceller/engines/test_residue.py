"""The last of an echo: silence at the ear, and never a user."""

from __future__ import annotations

import numpy as np
import pytest

from canceller.engines.rooms import RATE, Floats, Ints, int16, level, program
from voicepipe.canceller.engines.residue import ResidueGate

BLOCK = RATE // 100


def gated(ear: Ints, mic: Ints, far: Floats, blocks: int = 1) -> Ints:
    gate, size = ResidueGate(BLOCK), blocks * BLOCK
    sounded = far.astype(np.float32)
    parts = [
        gate.pass_on(ear[at : at + size], mic[at : at + size], sounded[at : at + size])
        for at in range(0, len(ear), size)
    ]
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def echo() -> Floats:
    rng = np.random.default_rng(4)
    noise: Floats = rng.standard_normal(RATE) * 0.05
    return noise


@pytest.mark.parametrize(("below_db", "is_silenced"), [(60, True), (45, True), (35, False), (10, False)])
def test_what_is_far_below_the_microphone_is_silenced(
    echo: Floats, below_db: float, is_silenced: bool
) -> None:
    ear = int16(echo * 10 ** (-below_db / 20))
    out = gated(ear, int16(echo), echo)[2 * BLOCK :]
    assert np.array_equal(out, np.zeros_like(out) if is_silenced else ear[2 * BLOCK :])


def test_nothing_is_touched_while_nothing_sounds(echo: Floats) -> None:
    ear = int16(echo * 0.001)
    assert np.array_equal(gated(ear, int16(echo), np.zeros(RATE)), ear)


def test_a_quiet_user_over_the_program_is_kept(echo: Floats) -> None:
    user = program(1.0, seed=3) * 0.1
    ear, loud = int16(user), int16(echo * 0.5 + user)
    kept = gated(ear, loud, echo)
    assert level(kept) > level(ear) - 0.1


def test_a_card_with_a_constant_in_its_samples_hides_nobody(echo: Floats) -> None:
    user = program(1.0, seed=3) * 0.01
    mic = int16(user + 0.5)
    assert np.array_equal(gated(int16(user), mic, echo), int16(user))


def test_the_echo_of_what_has_ended_is_silenced_too(echo: Floats) -> None:
    far = np.where(np.arange(RATE) < RATE // 4, echo, 0.0)
    ear = int16(echo * 0.001)
    out = gated(ear, int16(echo), far)
    assert not out[2 * BLOCK : int(0.7 * RATE)].any()
    assert np.array_equal(out[-BLOCK:], ear[-BLOCK:])


def test_it_fades_without_a_click_and_whatever_the_blocks(echo: Floats) -> None:
    loud = np.arange(RATE) // (RATE // 10) % 2
    ear = int16(0.01 * loud + echo * 0.001)
    one, two = (gated(ear, int16(echo), echo, blocks) for blocks in (1, 2))
    assert np.array_equal(one, two)
    assert np.abs(np.diff(one[: 2 * BLOCK].astype(int))).max() < 60
