"""The linear filter: what it takes out, what it leaves, and what cannot upset it."""

from __future__ import annotations

import numpy as np
import pytest

from canceller.engines.rooms import cancelled, impulse, level, program, reduced
from canceller.sounds import RATE, Floats, Ints, echo_of, int16
from voicepipe.canceller.engines.kalman import Kalman


def voice(seconds: float, *, seed: int = 90) -> Floats:
    """Return a user who talks over the program, 6 dB louder than its echo."""
    return program(seconds, seed=seed)


def blocks_power(audio: Ints, size: int) -> Floats:
    whole = audio[: len(audio) // size * size].astype(np.float64)
    return np.square(whole).reshape(-1, size).sum(axis=1)


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_the_echo_goes_at_every_rate(rate: int) -> None:
    far = program(3.0, rate=rate)
    mic = int16(echo_of(far, impulse(rate=rate)))
    words = cancelled(Kalman(rate), mic, far, block=rate // 100)
    assert reduced(mic, words, 2.0, 3.0, rate) > 20


def test_channels_have_paths_of_their_own() -> None:
    far = program(3.0)
    mic = np.stack([int16(echo_of(far, impulse(seed=seed))) for seed in (1, 2)], axis=1)
    words = cancelled(Kalman(RATE, 2), mic, far)
    assert words.shape == mic.shape
    for n in (0, 1):
        assert reduced(mic[:, n], words[:, n], 2.0, 3.0) > 20
        assert np.array_equal(words[:, n], cancelled(Kalman(RATE), mic[:, n], far))


@pytest.mark.parametrize("blocks", [2, 3, 5])
def test_the_result_does_not_depend_on_how_many_blocks_come_at_once(blocks: int) -> None:
    far = program(0.6)
    mic = int16(echo_of(far, impulse()))
    expected = cancelled(Kalman(RATE), mic, far)
    assert np.array_equal(cancelled(Kalman(RATE), mic, far, block=blocks * RATE // 100), expected)


def test_words_are_the_microphone_bit_by_bit_while_nothing_sounds() -> None:
    mic = int16(voice(1.0))
    assert np.array_equal(cancelled(Kalman(RATE), mic, np.zeros(RATE)), mic)


def test_words_are_the_microphone_again_when_the_last_echo_is_over() -> None:
    far = np.concatenate([program(1.0), np.zeros(RATE)])
    mic = int16(echo_of(far, impulse()) + voice(2.0))
    words = cancelled(Kalman(RATE), mic, far)
    assert not np.array_equal(words[:RATE], mic[:RATE])
    over = int(1.3 * RATE)
    assert np.array_equal(words[over:], mic[over:])


def test_what_was_learnt_is_kept_over_a_long_silence() -> None:
    far = np.concatenate([program(2.0), np.zeros(RATE), program(1.0, seed=5)])
    mic = int16(echo_of(far, impulse()))
    assert reduced(mic, cancelled(Kalman(RATE), mic, far), 3.0, 4.0) > 20


def test_a_user_who_talks_all_the_time_spoils_nothing() -> None:
    far, user = program(4.0), voice(4.0)
    user[: 2 * RATE] = 0
    echo = echo_of(far, impulse())
    words = cancelled(Kalman(RATE), int16(echo + user), far)
    rest = (words - int16(user)).astype(np.int16)
    assert reduced(int16(echo), rest, 2.5, 4.0) > 17


def test_a_changed_path_is_learnt_again() -> None:
    far = program(5.0)
    before, after = (echo_of(far, impulse(seed=seed)) for seed in (1, 2))
    mic = int16(np.concatenate([before[: 2 * RATE], after[2 * RATE :]]))
    words = cancelled(Kalman(RATE), mic, far)
    assert reduced(mic, words, 4.0, 5.0) > 20


@pytest.mark.parametrize(
    "gain", [0.0, -1.0, 0.1, 8.0], ids=["muted", "turned round", "turned down", "turned up till it clips"]
)
def test_the_output_is_not_louder_than_the_microphone(gain: float) -> None:
    far = program(3.0)
    echo = echo_of(far, impulse())
    echo[2 * RATE :] *= gain
    mic = int16(echo)
    words = cancelled(Kalman(RATE), mic, far)
    longer = RATE // 10
    assert (blocks_power(words, RATE // 100) <= 4.1 * blocks_power(mic, RATE // 100) + 4000).all()
    assert (blocks_power(words, 2 * longer) <= 2.0 * blocks_power(mic, 2 * longer) + 4000).all()


def test_a_loudspeaker_that_clips_leaves_a_part_of_its_echo_and_nothing_worse() -> None:
    far = program(3.0)
    played = np.clip(far, -0.1, 0.1)
    mic = int16(echo_of(played, impulse()))
    assert reduced(mic, cancelled(Kalman(RATE), mic, far), 2.0, 3.0) > 8


@pytest.mark.parametrize("far_level", [1e-30, 1e-6, 1.0, 8.0], ids=str)
def test_nothing_overflows_and_nothing_is_no_number(far_level: float) -> None:
    rng = np.random.default_rng(3)
    far = rng.uniform(-far_level, far_level, RATE)
    mic = np.where(np.arange(RATE) % 320 < 160, 32_767, -32_768).astype(np.int16)
    kalman = Kalman(RATE)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        words = cancelled(kalman, mic, far)
    assert level(words) <= level(mic) + 1.0
    quiet = np.zeros(RATE, np.int16)
    assert not cancelled(kalman, quiet, np.zeros(RATE))[RATE // 2 :].any()


def test_a_reset_forgets_the_path_and_the_audio() -> None:
    far = program(1.0)
    mic = int16(echo_of(far, impulse()))
    kalman = Kalman(RATE)
    first = cancelled(kalman, mic, far)
    kalman.reset()
    assert np.array_equal(cancelled(kalman, mic, far), first)


def test_a_rate_without_whole_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="whole samples in 10 ms, such as 16000, not 22050"):
        Kalman(22_050)


# -- losses of the microphone ------------------------------------------------------------------


def behind_a_loss(lost: int, *, passes: bool = True) -> tuple[float, float]:
    """By how much the echo is less in the 50 ms behind a loss, and in the echo that it tells."""
    far, size = program(4.0), RATE // 100
    mic = int16(echo_of(far, impulse(decay_s=0.4)))
    kalman, at = Kalman(RATE), 350 * size
    cancelled(kalman, mic[:at], far[:at])
    begin = at + lost
    told = 0.0
    if passes:
        sounded = -(-lost // size) * size
        echo = kalman.pass_over(far[begin - 30 * size : begin].astype(np.float32), sounded)
        assert echo.shape == (sounded, 1)
        if sounded:
            true = mic[begin - sounded : begin]
            told = level(true) - level(true - echo[:, 0].astype(float))
    behind = slice(begin, begin + 5 * size)
    return level(mic[behind]) - level(cancelled(kalman, mic[behind], far[behind])), told


@pytest.mark.parametrize("lost", [320, 37, 1_600, 4_800])
def test_a_loss_is_passed_over_as_if_nothing_was_lost(lost: int) -> None:
    before, _ = behind_a_loss(0)
    behind, told = behind_a_loss(lost)
    assert behind > before - 6
    assert told > 10
    assert behind_a_loss(lost, passes=False)[0] < behind - 3
