"""The watch over the linear filter: a path that changed, and a user who only talks."""

from __future__ import annotations

import numpy as np
import pytest

from voicepipe.canceller.engines.path_watch import PathWatch

BLOCK = 160


def watched(echo_in_mic: float, user: float, blocks: int = 150) -> PathWatch:
    """Return a watch after so many blocks. The user is a sound beside the echo, or by chance against it."""
    watch, rng = PathWatch(), np.random.default_rng(1)
    for _ in range(blocks):
        echo, voice = rng.standard_normal((2, BLOCK)).astype(np.float32) * np.float32(0.01)
        watch.take_out(np.float32(echo_in_mic) * echo + np.float32(user) * voice, echo)
    return watch


@pytest.mark.parametrize(
    ("echo_in_mic", "user", "is_wrong"),
    [
        (1.0, 0.0, False),
        (0.0, 0.0, True),  # the microphone was muted
        (-1.0, 0.0, True),  # its polarity was turned
        (0.3, 0.0, True),  # the speaker was turned down
        (3.0, 0.0, False),  # it was turned up: what is left is no reason to begin again
        (0.0, 1.0, True),  # another path
        (1.0, 5.0, False),  # a user
        (0.0, 10.0, False),  # a loud user, against the echo by chance
    ],
)
def test_a_path_is_wrong_where_its_echo_makes_things_louder(
    echo_in_mic: float, user: float, is_wrong: bool
) -> None:
    assert watched(echo_in_mic, user).is_wrong is is_wrong


@pytest.mark.parametrize(
    ("echo_in_mic", "user", "is_sure"),
    [
        (1.0, 5.0, True),
        (0.0, 10.0, True),  # against the echo by chance: a loud user, and a soft echo
        (0.0, 1.0, False),  # another path
        (0.3, 0.0, False),
    ],
)
def test_an_echo_under_a_loud_user_is_taken_out_whole(echo_in_mic: float, user: float, is_sure: bool) -> None:
    assert watched(echo_in_mic, user).is_sure is is_sure


def test_a_path_has_half_a_second_before_it_is_judged() -> None:
    assert not watched(0.0, 0.0, blocks=49).is_wrong
    assert watched(0.0, 0.0, blocks=50).is_wrong


def test_an_echo_that_nobody_hears_is_not_judged() -> None:
    watch = PathWatch()
    for _ in range(100):
        watch.take_out(np.zeros(BLOCK, np.float32), np.full(BLOCK, 5e-5, np.float32))
    assert not watch.is_wrong


@pytest.mark.parametrize("mic", [0.0, 0.3, -1.0])
def test_an_echo_that_is_wrong_is_held_back(mic: float) -> None:
    watch, echo = PathWatch(), np.full(BLOCK, 0.1, np.float32)
    heard = echo * np.float32(mic)
    out = watch.take_out(heard, echo)
    assert float(out @ out) <= 4.001 * float(heard @ heard)
    for _ in range(20):
        out = watch.take_out(heard, echo)
    assert float(out @ out) <= 1.001 * float(heard @ heard)
