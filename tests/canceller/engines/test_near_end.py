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


def run(
    near: NearEnd, words: npt.NDArray[np.float64], echo: npt.NDArray[np.float64], sure: bool = True
) -> int:
    """Return the number of blocks that heard the words. Suppression has left nothing at the ear."""
    heard = 0
    for at in range(0, len(words), BLOCK):
        block, mic = ints(words[at : at + BLOCK]), ints(words[at : at + BLOCK] + echo[at : at + BLOCK])
        heard += bool(np.any(near.mix(SUPPRESSED, block, block, mic, is_sure=sure)))
    return heard


def learnt() -> NearEnd:
    near = NearEnd()
    assert run(near, LEFT[: 400 * BLOCK], ECHO[: 400 * BLOCK]) == 0, "a residue is nobody"
    return near


def test_user_is_heard_from_the_third_block_on_and_for_a_moment_longer() -> None:
    near = learnt()
    assert run(near, (LEFT + USER)[: 20 * BLOCK], ECHO[: 20 * BLOCK]) == 18
    assert run(near, LEFT[: 60 * BLOCK], ECHO[: 60 * BLOCK]) in (20, 19), "the hold, with its fade"


def test_filter_that_has_not_proved_itself_is_not_heard() -> None:
    assert run(NearEnd(), USER[: 50 * BLOCK], ECHO[: 50 * BLOCK]) == 0


@pytest.mark.parametrize("residue_db", [-10, -15])
def test_filter_that_leaves_much_of_an_echo_is_not_heard(residue_db: int) -> None:
    near, left = NearEnd(), OTHER_ECHO * 10 ** (residue_db / 20)
    run(near, left[: 400 * BLOCK], ECHO[: 400 * BLOCK])
    assert run(near, (left + 3 * USER)[: 50 * BLOCK], ECHO[: 50 * BLOCK]) == 0


def test_changed_path_is_not_taken_for_a_user_and_the_filter_must_prove_itself_again() -> None:
    near = learnt()
    wrong = (OTHER_ECHO - ECHO)[: 50 * BLOCK]  # the new echo, less what the filter takes for it
    assert run(near, wrong, ECHO[: 50 * BLOCK]) == 0
    assert run(near, (LEFT + USER)[: 50 * BLOCK], ECHO[: 50 * BLOCK]) == 0


def test_ear_is_softer_where_only_the_echo_sounds() -> None:
    near, left = learnt(), np.full(BLOCK, 1_000, np.int16)
    echo = ints(ECHO[:BLOCK])
    heard = [near.mix(left, ints(LEFT[:BLOCK]), ints(LEFT[:BLOCK]), echo, is_sure=True) for _ in range(5)]
    assert np.all(heard[-1] == 100)


@pytest.mark.parametrize("residue_db", [-5, -10])
def test_ear_stays_as_it_is_where_the_filter_cannot_tell(residue_db: int) -> None:
    near, left = NearEnd(), np.full(BLOCK, 1_000, np.int16)
    for at in range(0, 400 * BLOCK, BLOCK):
        words = ints(OTHER_ECHO[at : at + BLOCK] * 10 ** (residue_db / 20))
        heard = near.mix(left, words, words, ints(ECHO[at : at + BLOCK]) + words, is_sure=True)
        assert np.array_equal(heard, left)


def test_ear_stays_as_it_is_behind_a_doubt() -> None:
    near, left = learnt(), np.full(BLOCK, 1_000, np.int16)
    words = ints(LEFT[:BLOCK])
    heard = [near.mix(left, words, words, ints(ECHO[:BLOCK]), is_sure=False) for _ in range(5)]
    assert np.array_equal(heard[-1], left)


def test_filter_that_doubts_itself_is_not_heard() -> None:
    near = learnt()
    assert run(near, (LEFT + USER)[: 30 * BLOCK], ECHO[: 30 * BLOCK], sure=False) == 0


def test_ear_stays_as_it_is_where_nothing_sounds() -> None:
    assert run(NearEnd(), USER[: 50 * BLOCK], np.zeros(50 * BLOCK)) == 0


def test_reset_forgets_the_filter() -> None:
    near = learnt()
    near.reset()
    assert run(near, (LEFT + USER)[: 30 * BLOCK], ECHO[: 30 * BLOCK]) == 0
