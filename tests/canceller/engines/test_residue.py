"""The residue behind a linear filter: usual, louder than that, and the echo of a path that has changed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.canceller.engines.residue import Residue

RATE = 16_000
Sound = npt.NDArray[np.float64]


def noise(seed: int, level: float, blocks: int, rate: int = RATE) -> Sound:
    return np.random.default_rng(seed).normal(0, level, blocks * rate // 100)


def tone(hertz: float, level: float, blocks: int) -> Sound:
    return math.sqrt(2) * level * np.sin(2 * np.pi * hertz / RATE * np.arange(blocks * RATE // 100))


def hear(residue: Residue, words: Sound, echo: Sound, rate: int = RATE) -> list[tuple[float, bool]]:
    """Return the excess behind each block, and whether the path is wrong."""
    block, heard = rate // 100, []
    for at in range(0, len(words), block):
        residue.hear(*(each[at : at + block].astype(np.float32) for each in (words, echo)))
        heard.append((residue.excess_db, residue.is_wrong))
    return heard


def learnt(rate: int = RATE, left: float = 20) -> Residue:
    """Return one that knows a residue of -34 dB."""
    residue, speaks = Residue(rate // 100), np.repeat(np.arange(300) % 12 < 8, rate // 100)
    hear(residue, speaks * noise(1, left, 300, rate), speaks * noise(2, 1_000, 300, rate), rate)
    return residue


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_usual_residue_is_a_share_of_the_echo_and_exceeds_nothing(rate: int) -> None:
    residue = learnt(rate)
    assert 10 * math.log10(residue.share) == pytest.approx(-34, abs=4)
    heard = hear(residue, noise(3, 20, 100, rate), noise(4, 1_000, 100, rate), rate)
    assert max(excess_db for excess_db, _ in heard) < 3
    assert sum(is_wrong for _, is_wrong in heard) <= 10, "by chance"


@pytest.mark.parametrize("louder_db", [18, 25, 32])
def test_user_exceeds_it_by_as_much_as_is_louder(louder_db: float) -> None:
    words = noise(3, 20 * 10 ** (louder_db / 20), 20)
    heard = hear(learnt(), words, noise(4, 1_000, 20))
    assert heard[-1][0] == pytest.approx(louder_db, abs=3)
    assert not any(is_wrong for _, is_wrong in heard)


def test_voices_of_two_people_are_not_alike() -> None:
    """Both of a few tones, which any average of short blocks would take for the same."""
    user = tone(150, 900, 60) + tone(300, 600, 60) + noise(3, 30, 60)
    echo = tone(160, 900, 60) + tone(320, 600, 60) + noise(4, 30, 60)
    assert sum(is_wrong for _, is_wrong in hear(learnt(), user, echo)) <= 3


@pytest.mark.parametrize("level", [0.7, 1.0, 1.5])
def test_wrong_path_is_known_within_two_blocks_by_the_echo_that_is_not_there(level: float) -> None:
    """The output is the new echo, less what the filter takes for it."""
    echo = noise(4, 1_000, 20)
    heard = hear(learnt(), level * noise(5, 1_000, 20) - echo, echo)
    assert all(is_wrong for _, is_wrong in heard[1:])


@pytest.mark.parametrize("gain", [-0.5, 0.5, 1.0])
def test_echo_that_is_louder_or_softer_at_once_is_a_wrong_path(gain: float) -> None:
    echo = noise(4, 1_000, 20)
    heard = hear(learnt(), gain * echo, echo)
    assert all(is_wrong for _, is_wrong in heard[1:])


def test_what_is_left_of_a_wrong_path_becomes_usual_and_of_a_user_does_not() -> None:
    echo = noise(4, 1_000, 60)
    wrong, user = learnt(), learnt()
    hear(wrong, noise(5, 1_000, 60) - echo, echo)
    hear(user, noise(5, 1_400, 60), echo)
    assert wrong.share > 0.5
    assert 10 * math.log10(user.share) < -30


def test_one_who_talks_is_not_taken_for_a_wrong_path_by_a_little_likeness() -> None:
    echo = noise(4, 1_000, 30)
    words = noise(5, 1_000, 30) + 0.15 * echo
    alone, talking = learnt(), learnt()
    surely = []
    taken = [is_wrong for _, is_wrong in hear(alone, words, echo)]
    for at in range(0, len(words), 160):
        talking.hear(*(each[at : at + 160].astype(np.float32) for each in (words, echo)), talks=at > 160)
        surely.append(talking.is_wrong)
    assert sum(taken) > 3 * sum(surely[2:]) + 5


def test_a_new_sound_is_judged_by_its_own_band() -> None:
    """A path that is not learnt in the hissing sounds leaves much there, and that is nobody."""
    residue, low, hiss = Residue(160), tone(300, 1_000, 300), tone(6_000, 300, 300)
    hear(residue, noise(1, 5, 300) + 0.3 * tone(6_050, 300, 300), low + hiss)
    heard = hear(residue, noise(3, 5, 10) + 0.3 * tone(6_050, 300, 10), (low + hiss)[: 10 * 160])
    assert max(excess_db for excess_db, _ in heard) < 6
    hear(residue, noise(3, 5, 50), low[: 50 * 160])
    heard = hear(residue, noise(3, 5, 3) + tone(340, 90, 3), low[: 3 * 160])
    assert heard[-1][0] > 12, "as loud, but where the filter leaves nothing"


def test_noise_of_the_room_is_nobody_where_the_echo_dies_away() -> None:
    residue = Residue(160)
    hear(residue, noise(1, 50, 200), noise(2, 1_000, 200))
    heard = hear(residue, noise(3, 50, 100), noise(4, 5, 100))
    assert max(excess_db for excess_db, _ in heard) < 12


@pytest.mark.parametrize("words", [0.0, 1_000.0])
def test_where_no_echo_sounds_nothing_is_judged(words: float) -> None:
    heard = hear(learnt(), noise(3, words, 150), np.zeros(150 * 160))
    assert heard[-1] == (-math.inf, False)


def test_reset_forgets_what_was_usual() -> None:
    residue = learnt()
    residue.reset()
    assert residue.share == 1.0
    hear(residue, noise(3, 20, 1), noise(4, 1_000, 1))
    assert residue.share > 0.9
