"""The user over an echo: the ear hears the linear filter's output while that is louder than its residue."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.canceller.engines.near_end import NearEnd

BLOCK = 160
Ints = npt.NDArray[np.int16]
RNG = np.random.default_rng(5)
ECHO = RNG.normal(0, 1_000, 600 * BLOCK)
OTHER_ECHO = RNG.normal(0, 1_000, 600 * BLOCK)
USER = RNG.normal(0, 1_000, 600 * BLOCK)
LEFT = RNG.normal(0, 20, 600 * BLOCK)
SUPPRESSED = np.zeros(BLOCK, np.int16)


def ints(sound: npt.NDArray[np.float64]) -> Ints:
    return np.rint(sound).astype(np.int16)


def run(near: NearEnd, words: npt.NDArray[np.float64], echo: npt.NDArray[np.float64]) -> int:
    """Return the number of blocks that heard the words. Suppression has left nothing at the ear."""
    heard = 0
    for at in range(0, len(words), BLOCK):
        block, mic = ints(words[at : at + BLOCK]), ints(words[at : at + BLOCK] + echo[at : at + BLOCK])
        heard += bool(np.any(near.mix(SUPPRESSED, block, block, mic)))
    return heard


def learnt() -> NearEnd:
    near = NearEnd(BLOCK)
    assert run(near, LEFT[: 400 * BLOCK], ECHO[: 400 * BLOCK]) == 0, "a residue is nobody"
    return near


def test_user_is_heard_from_the_second_block_on_and_for_a_moment_longer() -> None:
    near = learnt()
    assert run(near, (LEFT + USER)[: 20 * BLOCK], ECHO[: 20 * BLOCK]) == 19
    assert run(near, LEFT[: 60 * BLOCK], ECHO[: 60 * BLOCK]) in (20, 21), "the hold, with its fade"


def test_user_who_is_hardly_louder_than_the_residue_must_last() -> None:
    near, faint = learnt(), LEFT + 0.16 * USER  # 15 dB above it and the noise
    assert run(near, faint[: 3 * BLOCK], ECHO[: 3 * BLOCK]) == 0
    assert run(near, faint[3 * BLOCK : 30 * BLOCK], ECHO[3 * BLOCK : 30 * BLOCK]) > 10


def test_one_loud_block_is_nobody() -> None:
    near = learnt()
    assert run(near, 0.2 * USER[:BLOCK], ECHO[:BLOCK]) == 0
    assert run(near, LEFT[: 60 * BLOCK], ECHO[: 60 * BLOCK]) == 0


def test_filter_that_has_not_proved_itself_is_not_heard() -> None:
    assert run(NearEnd(BLOCK), USER[: 50 * BLOCK], ECHO[: 50 * BLOCK]) == 0


@pytest.mark.parametrize("residue_db", [-4, -8])
def test_filter_that_leaves_much_of_an_echo_is_not_heard(residue_db: int) -> None:
    near, left = NearEnd(BLOCK), OTHER_ECHO * 10 ** (residue_db / 20)
    run(near, left[: 400 * BLOCK], ECHO[: 400 * BLOCK])
    assert run(near, (left + 10 * USER)[: 50 * BLOCK], ECHO[: 50 * BLOCK]) == 0


def test_changed_path_is_not_taken_for_a_user() -> None:
    wrong = (OTHER_ECHO - ECHO)[: 50 * BLOCK]  # the new echo, less what the filter takes for it
    assert run(learnt(), wrong, ECHO[: 50 * BLOCK]) == 0


def test_path_that_changes_while_a_user_talks_ends_the_user() -> None:
    near, wrong = learnt(), OTHER_ECHO - ECHO
    assert run(near, (LEFT + USER)[: 10 * BLOCK], ECHO[: 10 * BLOCK]) > 0
    assert run(near, wrong[10 * BLOCK : 20 * BLOCK], ECHO[10 * BLOCK : 20 * BLOCK]) <= 3


def soft(
    near: NearEnd, words: npt.NDArray[np.float64], echo: npt.NDArray[np.float64], ear: int = 1_000
) -> Ints:
    """Return the last block of an ear that stays as loud."""
    heard = SUPPRESSED
    for at in range(0, len(words), BLOCK):
        block, mic = ints(words[at : at + BLOCK]), ints(words[at : at + BLOCK] + echo[at : at + BLOCK])
        heard = near.mix(np.full(BLOCK, ear, np.int16), block, block, mic)
    return heard


def test_ear_is_softer_where_only_the_echo_sounds() -> None:
    heard = soft(learnt(), 8 * LEFT[: 30 * BLOCK], 8 * ECHO[: 30 * BLOCK], ear=100)
    assert np.all(heard == 10)


def test_ear_that_is_louder_than_the_words_becomes_as_soft_as_they_are_first() -> None:
    heard = soft(learnt(), 8 * LEFT[: 30 * BLOCK], 8 * ECHO[: 30 * BLOCK], ear=1_600)
    assert np.all(np.abs(heard - 16) <= 4)


def test_path_that_changes_is_doubted_and_a_user_is_not() -> None:
    near, wrong = learnt(), OTHER_ECHO - ECHO
    run(near, (LEFT + USER)[: 20 * BLOCK], ECHO[: 20 * BLOCK])
    assert near.is_sure
    run(near, wrong[20 * BLOCK : 30 * BLOCK], ECHO[20 * BLOCK : 30 * BLOCK])
    assert not near.is_sure
    run(near, LEFT[: 5 * BLOCK], ECHO[: 5 * BLOCK])
    assert near.is_sure


def test_ear_is_softer_while_the_filter_learns_another_path() -> None:
    near = learnt()
    wrong = OTHER_ECHO - ECHO
    assert np.all(soft(near, wrong[: 10 * BLOCK], ECHO[: 10 * BLOCK]) <= 120)
    still = (OTHER_ECHO * 10**-0.25)[: 20 * BLOCK]
    assert np.all(soft(near, still, ECHO[: 20 * BLOCK]) <= 120)
    assert np.all(soft(near, OTHER_ECHO[: 60 * BLOCK] * 10**-0.25, ECHO[: 60 * BLOCK]) == 1_000)


@pytest.mark.parametrize("residue_db", [-4, -8])
def test_ear_stays_as_it_is_where_the_filter_cannot_tell(residue_db: int) -> None:
    near, left = NearEnd(BLOCK), OTHER_ECHO * 10 ** (residue_db / 20)
    assert np.all(soft(near, left[: 400 * BLOCK], ECHO[: 400 * BLOCK]) == 1_000)


def test_ear_stays_as_it_is_where_nothing_sounds() -> None:
    assert run(NearEnd(BLOCK), USER[: 50 * BLOCK], np.zeros(50 * BLOCK)) == 0


def test_reset_forgets_the_filter() -> None:
    near = learnt()
    near.reset()
    assert run(near, (LEFT + USER)[: 30 * BLOCK], ECHO[: 30 * BLOCK]) == 0
