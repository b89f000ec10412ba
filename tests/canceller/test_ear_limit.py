"""The ear is held down where no user can be in it, and is as it is elsewhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.canceller.ear_limit import LEARNS, LEAST_NOISE, EarLimit

Ints = npt.NDArray[np.int16]
BLOCK = 160
SOUND, SILENCE = np.full(BLOCK, 0.1, np.float32), np.zeros(BLOCK, np.float32)


def block(level: float, seed: int = 1) -> Ints:
    return np.rint(np.random.default_rng(seed).standard_normal(BLOCK) * level).astype(np.int16)


def level(audio: Ints) -> float:
    return float(np.sqrt(np.mean(audio.astype(float) ** 2)))


def a_limit(room: float = 0.0, *, learns: int = LEARNS) -> EarLimit:
    """A limit in a room of that noise, after so many blocks of sound."""
    limit = EarLimit(BLOCK)
    for turn in range(50):
        limit.rest(block(room, turn).tobytes())
    for _ in range(learns):
        limit.limit(block(3_000.0), block(3_000.0), SOUND)
    return limit


@pytest.mark.parametrize("room", [0.0, 40.0, 200.0])
def test_at_first_the_ear_is_the_noise_of_the_room(room: float) -> None:
    limit = a_limit(room, learns=0)
    made = [limit.limit(block(3_000.0), block(3_000.0), SOUND) for _ in range(LEARNS)]
    expected = max(room, LEAST_NOISE**0.5)
    assert level(np.concatenate(made)) == pytest.approx(expected, rel=0.25)
    assert np.array_equal(limit.limit(block(3_000.0), block(3_000.0), SOUND), block(3_000.0))


def test_silence_teaches_nothing() -> None:
    limit = a_limit(learns=0)
    for _ in range(2 * LEARNS):
        limit.limit(block(10.0), block(10.0), SILENCE)
    assert level(limit.limit(block(3_000.0), block(3_000.0), SOUND)) < 100.0


@pytest.mark.parametrize("words", [3_000.0, 5_000.0, 20_000.0])
def test_a_user_who_is_in_the_words_is_in_the_ear_as_he_is(words: float) -> None:
    limit = a_limit()
    for _ in range(5):
        assert np.array_equal(limit.limit(block(3_000.0), block(words), SOUND), block(3_000.0))


@pytest.mark.parametrize("words", [40.0, 300.0])
def test_the_ear_is_no_louder_than_the_words(words: float) -> None:
    limit = a_limit(20.0)
    made = [limit.limit(block(3_000.0), block(words), SOUND) for _ in range(8)]
    assert level(made[-1]) == pytest.approx(level(block(words)), rel=0.05)


@pytest.mark.parametrize(("room", "expected"), [(60.0, 60.0), (0.0, LEAST_NOISE**0.5)])
def test_the_noise_that_a_suppressor_takes_is_put_back(room: float, expected: float) -> None:
    limit = a_limit(room)
    made = [limit.limit(block(1.0), block(200.0), SOUND) for _ in range(50)]
    assert level(np.concatenate(made[5:])) == pytest.approx(expected, rel=0.25)


def test_nothing_wraps_at_full_scale() -> None:
    limit = a_limit(200.0)
    loud = np.full(BLOCK, 32_767, np.int16)
    limit.limit(block(1.0), loud, SOUND)
    assert np.min(limit.limit(loud, loud, SOUND)) > 0
