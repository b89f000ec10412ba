"""The simulated room: the microphone hears what the speaker plays, at its time and by both clocks."""

from __future__ import annotations

import asyncio
import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from support.room import Heard, heard_in_room
from support.sound import noise
from voicepipe.devices.port import StreamRequest
from voicepipe.testing import Losses, SimulatedCard, room_impulse, run_virtual, tone

RATE = 16_000
FIRST_S = 0.06
"""From the start of the speaker to its first sample: a block, and the latency."""
Samples = npt.NDArray[Any]


def in_room(impulse: Samples, **options: Any) -> SimulatedCard:
    card = SimulatedCard()
    card.room(impulse, **options)
    return card


def path(played: Samples, impulse: Samples, after_s: float = FIRST_S) -> Samples:
    """Return what is heard through an impulse response, in units of int16."""
    count = len(played) + len(impulse) - 1
    heard = np.fft.irfft(np.fft.rfft(played, count) * np.fft.rfft(impulse, count), count)
    return np.concatenate([np.zeros(round(after_s * RATE)), heard])


def assert_heard(heard: Heard, expected: Samples, within: float = 0.51) -> None:
    count = min(len(heard.sound), len(expected))
    np.testing.assert_allclose(heard.sound[:count], expected[:count], atol=within)
    assert not np.any(heard.sound[count:])


@pytest.mark.heavy(after=3)
@pytest.mark.parametrize("taps", [1, 513, 4_881, 511, 512, 30_000])
def test_echo_is_the_convolution_to_the_last_bit(taps: int) -> None:
    impulse = room_impulse(reverberation_s=(taps - 1) / RATE, delay_s=0.0)
    assert len(impulse) == taps
    heard = heard_in_room(in_room(impulse), noise(1.0), 2.0)
    assert np.abs(heard.sound).max() > 1_000
    assert_heard(heard, path(heard.played, impulse))


def test_echo_comes_on_top_of_what_the_script_lets_it_hear() -> None:
    card, said = in_room(np.array([0.5])), noise(1.0, seed=7)
    card.mic.hear(said)
    heard = heard_in_room(card, noise(1.0), 1.5)
    expected = path(heard.played, np.array([0.5]))[: len(heard.sound)]
    expected[: len(said)] += said
    assert_heard(heard, np.clip(expected, -32768, 32767))


def test_loud_echo_is_clipped_at_full_scale_and_never_wraps() -> None:
    heard = heard_in_room(in_room(np.array([20.0])), noise(0.5), 1.0)
    assert_heard(heard, np.clip(path(heard.played, np.array([20.0])), -32768, 32767))


def test_channels_of_the_speaker_are_mixed() -> None:
    sound = np.stack([noise(0.5), noise(0.5, seed=1)], axis=1)
    heard = heard_in_room(in_room(np.array([1.0])), sound, 1.0)
    assert_heard(heard, path(heard.played.mean(axis=1), np.array([1.0])))


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("drive", [4.0, 0.5, 8.0])
def test_loudspeaker_clips_softly_before_the_room(drive: float) -> None:
    impulse = room_impulse(reverberation_s=0.05)
    heard = heard_in_room(in_room(impulse, clip=drive), noise(0.5), 1.0)
    clipped = np.tanh(drive * heard.played / 32768) / drive * 32768
    assert_heard(heard, path(clipped, impulse))


@pytest.mark.heavy(after=3)
@pytest.mark.parametrize(
    ("rates", "drifts"),
    [
        ((16_000, 16_000), (-150.0, 150.0)),
        ((16_000, 48_000), (0.0, 0.0)),
        ((16_000, 24_000), (100.0, 0.0)),
        ((48_000, 16_000), (0.0, 30.0)),
        ((44_100, 22_050), (-300.0, 0.0)),
        ((8_000, 24_000), (0.0, 0.0)),
    ],
)
def test_each_side_has_its_own_rate_and_clock(rates: tuple[int, int], drifts: tuple[float, float]) -> None:
    """A tone comes back with the frequency and the phase that both clocks give it."""
    card = SimulatedCard()
    card.mic.drift_ppm, card.speaker.drift_ppm = drifts
    card.room(np.array([0.0] * 40 + [0.5]), rate=rates[0])
    heard = heard_in_room(card, tone(1.8, 1_000.0, level_db=-10, rate=rates[1]), 2.0, rates=rates)
    mic_hz, speaker_hz = (rate * (1 + ppm * 1e-6) for rate, ppm in zip(rates, drifts, strict=True))
    times = (np.arange(len(heard.sound)) - 40) / mic_hz
    first_s = rates[1] // 50 / speaker_hz + 0.04
    cycles = (times - first_s) * speaker_hz * 1_000 / rates[1]
    expected = 0.5 * 32767 * 10 ** (-10 / 20) * math.sqrt(2) * np.sin(2 * np.pi * cycles)
    middle = slice(rates[0] // 2, int(1.5 * rates[0]))
    np.testing.assert_allclose(heard.sound[middle], expected[middle], atol=2.0)


@pytest.mark.heavy(after=2)
@pytest.mark.parametrize("rate", [8_000, 48_000, 24_000, 44_100])
@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_impulse_of_another_rate_is_as_loud_and_as_late(rate: int, delay: float) -> None:
    impulse = np.zeros(round(rate * delay) + 1)
    impulse[-1] = 0.5
    heard = heard_in_room(in_room(impulse, rate=rate), tone(0.9, 1_000.0, level_db=-10), 1.0)
    times = np.arange(len(heard.sound)) / RATE - delay - FIRST_S
    expected = 0.5 * 32767 * 10 ** (-10 / 20) * math.sqrt(2) * np.sin(2 * np.pi * 1_000 * times)
    middle = slice(RATE // 2, RATE * 9 // 10)
    np.testing.assert_allclose(heard.sound[middle], expected[middle], atol=3.0)


def test_what_is_beyond_the_microphones_band_is_not_heard() -> None:
    card = in_room(np.array([1.0]), rate=8_000)
    heard = heard_in_room(card, tone(1.0, 5_000.0, rate=16_000), 1.2, rates=(8_000, 16_000))
    assert np.abs(heard.sound[2_000:7_000]).max() <= 2


def test_speaker_that_starts_later_is_heard_later_between_samples() -> None:
    heard = heard_in_room(
        in_room(np.array([0.5])), tone(0.9, 500.0, level_db=-10), 1.2, speaker_later_s=0.1 + 0.4 / RATE
    )
    times = np.arange(len(heard.sound)) / RATE - 0.1 - 0.4 / RATE - FIRST_S
    expected = 0.5 * 32767 * 10 ** (-10 / 20) * math.sqrt(2) * np.sin(2 * np.pi * 500 * times)
    middle = slice(RATE // 2, RATE)
    np.testing.assert_allclose(heard.sound[middle], expected[middle], atol=2.0)


def test_path_changes_in_mid_run_for_what_still_echoes_too() -> None:
    before, after = room_impulse(seed=1), room_impulse(seed=2, reverberation_s=0.6)
    card = in_room(before)
    heard = heard_in_room(card, noise(2.0), 2.0, at={1.005: lambda: card.room(after)})
    expected = path(heard.played, before)[: len(heard.sound)]
    expected[RATE:] = path(heard.played, after)[RATE : len(expected)]  # the block that ends at 1.02 s
    assert_heard(heard, expected)


def test_room_is_left_in_mid_run() -> None:
    card = in_room(np.array([0.5]))
    heard = heard_in_room(card, noise(1.0), 1.0, at={0.505: lambda: card.room(None)})
    assert np.abs(heard.sound[: RATE // 2]).max() > 1_000
    assert not np.any(heard.sound[RATE // 2 :])
    assert not card.backend().shares_air


def test_delay_jump_leaves_a_gap_and_no_stamp_tells() -> None:
    card = in_room(np.array([0.5]))
    heard = heard_in_room(card, noise(1.6), 1.9, at={0.505: lambda: card.speaker.delay(0.2)})
    jump = round((0.5 + 0.02 + 0.04) * RATE)  # the callback at 0.52 s
    whole = path(heard.played, np.array([0.5]))
    expected = np.concatenate([whole[:jump], np.zeros(RATE // 5), whole[jump:]])
    assert_heard(heard, expected)


def test_delay_that_goes_back_drops_what_would_sound_later() -> None:
    card = in_room(np.array([0.5]))
    card.speaker.delay(0.1)
    heard = heard_in_room(card, noise(1.6), 1.6, at={0.505: lambda: card.speaker.delay(0.0)})
    whole = path(heard.played, np.array([0.5]))
    back = round((0.5 + 0.02 + 0.04) * RATE)
    expected = np.concatenate([np.zeros(RATE // 10), whole])
    expected[back:] = np.concatenate([whole, np.zeros(RATE)])[back : len(expected)]
    assert_heard(heard, expected)


def test_microphones_loss_shows_in_later_times_alone() -> None:
    card = in_room(np.array([0.5]))
    heard = heard_in_room(card, noise(1.6), 1.9, at={0.505: lambda: card.mic.lose(0.03)})
    whole = path(heard.played, np.array([0.5]))
    lost = RATE // 2 + 320 + 160  # the callback at 0.52 s schedules the block with the gap
    assert_heard(heard, np.concatenate([whole[:lost], whole[lost + 480 :], np.zeros(RATE)]))
    positions = [block.position for block in heard.blocks]
    assert positions == list(range(0, 320 * len(positions), 320)), "positions own up to nothing"
    times = np.array([block.captured_s for block in heard.blocks])
    steps = np.diff(times) - 0.02
    assert np.flatnonzero(np.abs(steps) > 1e-6).tolist() == [26], "the block behind it is later"
    assert steps[26] == pytest.approx(0.03)


def test_speakers_loss_is_a_silence_and_what_follows_sounds_later() -> None:
    card = in_room(np.array([0.5]))
    heard = heard_in_room(card, noise(1.6), 1.9, at={0.505: lambda: card.speaker.lose(0.03)})
    whole = path(heard.played, np.array([0.5]))
    gap = RATE // 2 + 320 + 160 + round(FIRST_S * RATE)
    assert_heard(heard, np.concatenate([whole[:gap], np.zeros(480), whole[gap:]]))


@pytest.mark.parametrize("side", ["mic", "speaker", "both"])
def test_losses_by_a_script_come_again_and_again(side: Any) -> None:
    card = in_room(np.array([0.5]), loss=Losses(0.02, every_s=0.5, side=side))
    heard = heard_in_room(card, noise(4.0), 4.0)
    steps = np.diff([block.captured_s for block in heard.blocks]) - 0.02
    lost = int(np.sum(steps > 0.001))
    assert lost == (0 if side == "speaker" else 7)
    silences = np.flatnonzero(heard.sound[round(FIRST_S * RATE) :] == 0)
    assert (len(silences) > 7 * 250) == (side != "mic")


def test_losses_with_a_seed_come_unevenly_and_are_the_same_every_time() -> None:
    def losses(seed: int | None) -> list[float]:
        return list(itertools.islice(Losses(every_s=2.0, seed=seed).times(), 50))

    assert losses(1) == losses(1) != losses(2)
    gaps = [later - time for time, later in itertools.pairwise(losses(1))]
    assert 1.0 <= min(gaps) < 1.5
    assert 2.5 < max(gaps) <= 3.0
    assert losses(None)[-1] == pytest.approx(100.0)


def test_stamps_step_and_jitter_and_the_sound_stays() -> None:
    card = in_room(np.array([0.5]))
    heard = heard_in_room(card, noise(1.0), 1.0, at={0.505: lambda: card.mic.step_stamps(-0.2)})
    assert_heard(heard, path(heard.played, np.array([0.5])))
    steps = np.diff([block.captured_s for block in heard.blocks]) - 0.02
    assert np.flatnonzero(np.abs(steps) > 1e-6).tolist() == [24]
    assert steps[24] == pytest.approx(-0.2)
    card = in_room(np.array([0.5]))
    card.mic.jitter_stamps(0.003)
    heard = heard_in_room(card, noise(1.0), 1.0)
    assert_heard(heard, path(heard.played, np.array([0.5])))
    off = np.array([block.captured_s for block in heard.blocks])
    off -= off[0] + 0.02 * np.arange(len(off))
    assert 0.002 < np.ptp(off) < 0.012


def test_speakers_callback_is_told_when_its_block_sounds_by_stamps_that_may_be_off() -> None:
    card = SimulatedCard()
    told: list[float] = []

    def render(samples: int, sounds_s: float | None = None) -> bytes:
        assert sounds_s is not None
        told.append(sounds_s)
        return bytes(2 * samples)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        handle = await card.backend().open_render(StreamRequest(latency=0.1), render, lambda error: None)
        loop.call_later(0.21, card.speaker.step_stamps, 0.5)
        loop.call_later(0.41, card.speaker.lose, 0.03)
        began_s = loop.time()
        await handle.start()
        await asyncio.sleep(0.6)
        await handle.close()
        return began_s

    began_s = run_virtual(run())
    assert told[0] - began_s == pytest.approx(0.02 + 0.1), "the first callback comes when a block has passed"
    steps = np.round(np.diff(told) - 0.02, 6)
    assert {int(at): float(steps[at]) for at in np.flatnonzero(steps)} == {9: 0.5, 21: 0.03}


def test_stalled_microphone_goes_on_with_what_sounds_then() -> None:
    card = in_room(room_impulse(reverberation_s=0.1))
    at = {0.505: card.mic.stall, 0.805: lambda: card.mic.stall(False)}
    heard = heard_in_room(card, noise(1.6), 1.6, at=at)
    whole = path(heard.played, room_impulse(reverberation_s=0.1))
    went_on = round(heard.blocks[25].captured_s * RATE) - round(heard.blocks[0].captured_s * RATE)
    assert went_on > 0.7 * RATE
    assert_heard(heard, np.concatenate([whole[: RATE // 2], whole[went_on:]]))


def test_told_loss_of_the_microphone_skips_what_sounded_meanwhile() -> None:
    card = in_room(room_impulse(reverberation_s=0.1))
    heard = heard_in_room(card, noise(1.6), 1.6, at={0.505: lambda: card.mic.xrun(480)})
    whole = path(heard.played, room_impulse(reverberation_s=0.1))
    lost = RATE // 2
    assert_heard(heard, np.concatenate([whole[:lost], whole[lost + 480 :]]))


def test_speaker_that_is_pulled_out_is_silent_at_once_and_its_echo_decays() -> None:
    impulse = room_impulse(reverberation_s=0.2)
    card = in_room(impulse)
    heard = heard_in_room(card, noise(1.6), 1.2, at={0.505: card.speaker.unplug})
    silent = round(0.505 * RATE)
    played = np.concatenate([np.zeros(round(FIRST_S * RATE)), heard.played])
    played[silent:] = 0
    assert_heard(heard, path(played, impulse, 0.0))
    assert np.abs(heard.sound[silent : silent + 800]).max() > 100
    assert not np.any(heard.sound[silent + len(impulse) + 100 :])


def test_muted_speaker_is_not_heard_and_a_muted_microphone_hears_nothing() -> None:
    for side in ("mic", "speaker"):
        card = in_room(np.array([0.5]))
        getattr(card, side).mute()
        assert not np.any(heard_in_room(card, noise(0.5), 0.5).sound)


@pytest.mark.parametrize("jitter_s", [0.005, 0.02])
def test_late_callbacks_change_nothing_in_the_air(jitter_s: float) -> None:
    card = SimulatedCard(jitter_s=jitter_s)
    card.room(np.array([0.5]))
    heard = heard_in_room(card, noise(1.6), 1.6)
    assert_heard(heard, path(heard.played, np.array([0.5])))


def test_card_shares_the_air_only_in_a_room() -> None:
    card = SimulatedCard()
    backend = card.backend()
    assert not backend.shares_air
    card.room(room_impulse())
    assert backend.shares_air
    assert card.has_room


BAD: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"impulse": np.zeros(0)}, ValueError, r"impulse must be a response of floats .*, not of shape \(0,\)"),
    ({"impulse": np.zeros((2, 9))}, ValueError, r"impulse must be .*, not of shape \(2, 9\)"),
    ({"impulse": np.ones(9, np.int16)}, TypeError, r"impulse must be .*: divide int16 by 32768"),
    ({"impulse": "hall.wav"}, TypeError, r"impulse must be a response of floats"),
    ({"impulse": [[1.0], [1.0, 2.0]]}, ValueError, r"impulse must be .*, not rows of different lengths"),
    ({"impulse": [0.5, math.nan]}, ValueError, r"impulse must be finite and up to 1000, not nan at tap 1"),
    ({"impulse": [0.5, 1e6]}, ValueError, r"impulse must be finite and up to 1000, not 1000000.0 at tap 1"),
    ({"impulse": np.zeros(64_001)}, ValueError, r"impulse must last up to 4 s, not 4.0 s at 16000 Hz: cut"),
    ({"impulse": [0.5], "rate": 0}, ValueError, r"rate must be a whole number from 1000 to 384000, not 0"),
    ({"impulse": [0.5], "clip": 0}, ValueError, r"clip must be a finite number from 0.01 to 100, not 0"),
    ({"impulse": [0.5], "clip": "hard"}, TypeError, r"clip must be a number, not 'hard'"),
    ({"impulse": [0.5], "loss": 0.1}, TypeError, r"loss must be Losses\(...\) or None, not 0.1"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), BAD)
def test_bad_arguments_are_one_line_and_leave_the_room_as_it_was(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    card = in_room(np.array([0.5]))
    with pytest.raises(error, match=message) as told:
        card.room(**arguments)
    assert "\n" not in str(told.value)
    heard = heard_in_room(card, noise(0.2), 0.4)
    assert_heard(heard, path(heard.played, np.array([0.5])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seconds": 1.5}, "seconds of a loss must be a finite number from 0 to 1, not 1.5"),
        ({"every_s": 0.0}, "every_s of losses must be 0.1 or more, not 0.0"),
        ({"side": "left"}, "side of losses must be 'mic', 'speaker' or 'both', not 'left'"),
        ({"seed": -1}, "seed of losses must be a whole number from 0, not -1"),
    ],
)
def test_bad_losses_are_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Losses(**arguments)
