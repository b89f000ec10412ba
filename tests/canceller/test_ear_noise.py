"""The ear has the noise of the room."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from voicepipe.canceller.ear_noise import LEAST_NOISE, EarNoise

Ints = npt.NDArray[np.int16]
BLOCK = 160


def block(level: float, seed: int = 1) -> Ints:
    return np.rint(np.random.default_rng(seed).standard_normal(BLOCK) * level).astype(np.int16)


def level(audio: Ints) -> float:
    return float(np.sqrt(np.mean(audio.astype(float) ** 2)))


def a_noise(room: float = 0.0) -> EarNoise:
    """Return the noise of such a room."""
    noise = EarNoise(BLOCK)
    for turn in range(500):
        noise.rest(block(room, turn).tobytes())
    return noise


@pytest.mark.parametrize("room", [0.0, 40.0, 200.0])
def test_an_ear_that_nobody_may_hear_is_the_noise_of_the_room(room: float) -> None:
    noise = a_noise(room)
    made = [noise.cover(None) for _ in range(250)]
    expected = max(room, LEAST_NOISE**0.5)
    assert level(np.concatenate(made)) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("user", [300.0, 3_000.0, 10_000.0])
def test_a_user_is_in_the_ear_as_he_is(user: float) -> None:
    noise = a_noise()
    for turn in range(5):
        said = block(user, turn)
        assert np.max(np.abs(noise.cover(said).astype(int) - said)) < 5 * LEAST_NOISE**0.5


@pytest.mark.parametrize(("room", "expected"), [(60.0, 60.0), (0.0, LEAST_NOISE**0.5)])
def test_the_noise_that_a_suppressor_takes_is_put_back(room: float, expected: float) -> None:
    noise = a_noise(room)
    made = [noise.cover(block(1.0)) for _ in range(50)]
    assert level(np.concatenate(made)) == pytest.approx(expected, rel=0.25)


def test_the_noise_does_not_repeat_itself() -> None:
    noise = a_noise()
    made = {noise.cover(np.zeros(BLOCK, np.int16)).tobytes() for _ in range(50)}
    assert len(made) == 50


def test_nothing_wraps_at_full_scale() -> None:
    noise = a_noise(200.0)
    assert np.min(noise.cover(np.full(BLOCK, 32_767, np.int16))) > 0
