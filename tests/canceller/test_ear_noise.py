"""The ear has the noise of the room, and nothing else while the suppressor learns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.canceller.ear_noise import LEARNS, LEAST_NOISE, EarNoise

Ints = npt.NDArray[np.int16]
BLOCK = 160
SOUND, SILENCE = np.full(BLOCK, 0.1, np.float32), np.zeros(BLOCK, np.float32)


def block(level: float, seed: int = 1) -> Ints:
    return np.rint(np.random.default_rng(seed).standard_normal(BLOCK) * level).astype(np.int16)


def level(audio: Ints) -> float:
    return float(np.sqrt(np.mean(audio.astype(float) ** 2)))


def a_noise(room: float = 0.0, *, learns: int = LEARNS) -> EarNoise:
    """Return the noise of such a room, after so many blocks of sound."""
    noise = EarNoise(BLOCK)
    for turn in range(500):
        noise.rest(block(room, turn).tobytes())
    for _ in range(learns):
        noise.cover(block(3_000.0), SOUND)
    return noise


@pytest.mark.parametrize("room", [0.0, 40.0, 200.0])
def test_at_first_the_ear_is_the_noise_of_the_room(room: float) -> None:
    noise = a_noise(room, learns=0)
    made = [noise.cover(block(3_000.0), SOUND) for _ in range(LEARNS)]
    expected = max(room, LEAST_NOISE**0.5)
    assert level(np.concatenate(made)) == pytest.approx(expected, rel=0.25)
    assert level(noise.cover(block(3_000.0), SOUND)) == pytest.approx(level(block(3_000.0)), rel=0.1)


def test_silence_teaches_nothing() -> None:
    noise = a_noise(learns=0)
    for _ in range(2 * LEARNS):
        noise.cover(block(10.0), SILENCE)
    assert level(noise.cover(block(3_000.0), SOUND)) < 100.0


@pytest.mark.parametrize("user", [300.0, 3_000.0, 10_000.0])
def test_a_user_is_in_the_ear_as_he_is(user: float) -> None:
    noise = a_noise()
    for turn in range(5):
        said = block(user, turn)
        assert np.max(np.abs(noise.cover(said, SOUND).astype(int) - said)) < 5 * LEAST_NOISE**0.5


@pytest.mark.parametrize(("room", "expected"), [(60.0, 60.0), (0.0, LEAST_NOISE**0.5)])
def test_the_noise_that_a_suppressor_takes_is_put_back(room: float, expected: float) -> None:
    noise = a_noise(room)
    made = [noise.cover(block(1.0), SOUND) for _ in range(50)]
    assert level(np.concatenate(made)) == pytest.approx(expected, rel=0.25)


def test_the_noise_does_not_repeat_itself() -> None:
    noise = a_noise()
    made = {noise.cover(np.zeros(BLOCK, np.int16), SOUND).tobytes() for _ in range(50)}
    assert len(made) == 50


def test_nothing_wraps_at_full_scale() -> None:
    noise = a_noise(200.0)
    assert np.min(noise.cover(np.full(BLOCK, 32_767, np.int16), SOUND)) > 0
