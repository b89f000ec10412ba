"""What judges may hear of the ear: at first, and where the echo comes another way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.canceller.ear_trust import DOUBTS, LEARNS, SHUT, USER, EarTrust

Ints = npt.NDArray[np.int16]
RATE, BLOCK = 16_000, 160
ECHO = 0.3
EAR, WORDS = np.full(BLOCK, 1, np.int16), np.full(BLOCK, 2, np.int16)


class Scene:
    """A program that sounds, its echo, and now and then a user."""

    def __init__(self, seed: int = 1) -> None:
        self.trust = EarTrust(RATE)
        self._random = np.random.default_rng(seed)

    def hear(
        self,
        blocks: int,
        *,
        user: float = 0.0,
        level: float = 0.1,
        is_sure: bool = True,
        hears_user: bool = False,
    ) -> list[str]:
        """What may be heard, block by block. `user`: his power beside the echo's."""
        heard = []
        for _ in range(blocks):
            far = (level * self._random.standard_normal(BLOCK)).astype(np.float32)
            mic = ECHO * far + ECHO * level * user**0.5 * self._random.standard_normal(BLOCK)
            mic += 1e-4 * self._random.standard_normal(BLOCK)
            heard_now = np.rint(32_768 * mic).astype(np.int16)
            made = self.trust.choose(EAR, WORDS, heard_now, far, is_sure=is_sure, hears_user=hears_user)
            heard.append("nothing" if made is None else "ear" if made is EAR else "words")
        return heard


def learnt() -> Scene:
    scene = Scene()
    scene.hear(LEARNS)
    assert set(scene.hear(50)) == {"ear"}
    return scene


# -- at first ------------------------------------------------------------------------------------


def test_nothing_is_heard_of_an_echo_until_the_suppressor_has_learnt() -> None:
    scene = Scene()
    assert set(scene.hear(LEARNS)) == {"nothing"}
    assert scene.hear(1) == ["ear"]


def test_silence_teaches_nothing() -> None:
    scene = Scene()
    assert set(scene.hear(2 * LEARNS, level=0.0)) == {"nothing"}
    assert set(scene.hear(LEARNS)) == {"nothing"}


def test_a_user_who_is_louder_than_the_echo_is_heard_after_a_second() -> None:
    scene = Scene()
    scene.hear(150)
    assert scene.hear(30, user=30.0, hears_user=True)[-15:] == ["words"] * 15


def test_what_is_louder_but_is_no_user_to_the_canceller_is_not_heard_at_first() -> None:
    scene = Scene()
    scene.hear(150)
    assert set(scene.hear(30, user=30.0)) == {"nothing"}


def test_a_user_is_not_heard_while_nothing_is_known_of_the_echo() -> None:
    assert set(Scene().hear(80, user=30.0, hears_user=True)) == {"nothing"}


# -- where the echo comes another way --------------------------------------------------------------


@pytest.mark.parametrize("doubts", [DOUBTS, 3 * DOUBTS])
def test_nothing_is_heard_for_a_second_behind_doubts(doubts: int) -> None:
    scene = learnt()
    assert scene.hear(doubts, is_sure=False)[-1] == "nothing"
    assert set(scene.hear(SHUT - 1)) == {"nothing"}
    assert set(scene.hear(100)) == {"ear"}


def test_a_single_doubt_changes_nothing() -> None:
    scene = learnt()
    for _ in range(5):
        assert scene.hear(DOUBTS - 1, is_sure=False) == ["ear"] * (DOUBTS - 1)
        assert scene.hear(1) == ["ear"]


def test_doubts_that_a_user_makes_leave_the_ear_open() -> None:
    scene = learnt()
    scene.hear(10, user=4.0, hears_user=True)
    assert set(scene.hear(USER - 1, user=4.0, is_sure=False)) == {"ear"}
    assert scene.hear(DOUBTS + 1, is_sure=False)[-1] == "nothing"


def test_nothing_is_heard_for_a_second_where_the_reference_moves() -> None:
    scene = learnt()
    scene.trust.doubt()
    assert scene.hear(SHUT + 1) == ["nothing"] * SHUT + ["ear"]


def test_a_user_who_is_clearly_louder_is_heard_in_doubt() -> None:
    scene = learnt()
    scene.trust.doubt()
    assert scene.hear(20, user=30.0)[-10:] == ["words"] * 10
    assert scene.hear(20)[-10:] == ["nothing"] * 10


def test_a_user_as_loud_as_the_echo_is_not_heard_in_doubt() -> None:
    scene = learnt()
    scene.trust.doubt()
    assert set(scene.hear(50, user=1.0)) == {"nothing"}


def test_an_echo_that_lags_is_no_user() -> None:
    scene = learnt()
    scene.trust.doubt()
    scene.hear(10)
    far = np.full(BLOCK, 0.002, np.float32)
    mic = np.rint(32_768 * 0.03 * np.random.default_rng(3).standard_normal(BLOCK)).astype(np.int16)
    made = [scene.trust.choose(EAR, WORDS, mic, far, is_sure=True) for _ in range(40)]
    assert all(each is None for each in made)
