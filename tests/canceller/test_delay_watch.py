"""An echo that is not where the time stamps say is looked for where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from canceller.scripted_clocks import read_noted
from voicepipe import MicrophoneInput, OutputAudioFrame, Pipeline, PipelineTask, SpeakerOutput
from voicepipe.canceller.delay_watch import USUAL_S, DelayWatch
from voicepipe.canceller.echo_delay import EchoDelay
from voicepipe.canceller.reference.reference import Reference
from voicepipe.speakers import Sounded, Tapped
from voicepipe.testing import SimulatedCard, noise, room_impulse, speech

RATE = 16_000
HOP = RATE // 20
FAR = np.random.default_rng(1).standard_normal(8 * RATE)


def watched(delays_s: Sequence[float], *, left: float = 1.0, seconds: float = 4.0) -> list[float]:
    """Return what is asked for while the echo has these delays in turn, so long each; `left` remains."""
    delay = EchoDelay(RATE)
    watch = DelayWatch(delay)
    asked, at = [], RATE
    for delay_s in delays_s:
        for _ in range(round(seconds * 20)):
            begin = at - round(delay_s * RATE)
            delay.add(0.3 * FAR[begin % len(FAR) :][:HOP], FAR[at % len(FAR) :][:HOP])
            asked.append(watch.note(1.0, left))
            at = RATE + (at - RATE + HOP) % (6 * RATE)
    return [each for each in asked if each]


@pytest.mark.parametrize("delay_s", [0.17, 0.2, 0.35, 0.47, -0.01, -0.2])
def test_an_echo_out_of_reach_is_looked_for_where_it_is(delay_s: float) -> None:
    asked = watched([delay_s], seconds=3.0)
    assert asked[0] == pytest.approx(delay_s - USUAL_S, abs=1e-3)


@pytest.mark.parametrize("delay_s", [0.002, 0.01, 0.06, 0.14])
def test_an_echo_within_reach_stays_where_it_is(delay_s: float) -> None:
    assert watched([delay_s]) == []


@pytest.mark.parametrize("left", [0.0, 0.01, 0.2])
def test_an_echo_that_is_taken_out_is_in_the_right_place(left: float) -> None:
    assert watched([0.3], left=left) == []


def test_what_moves_about_is_not_followed() -> None:
    assert watched([0.2, 0.25, 0.3, 0.35, 0.4, 0.45], seconds=0.5) == []


def test_nothing_is_asked_for_where_there_is_no_echo() -> None:
    delay = EchoDelay(RATE)
    watch, other = DelayWatch(delay), np.random.default_rng(2)
    for hop in range(80):
        delay.add(other.standard_normal(HOP), FAR[hop * HOP :][:HOP])
        assert watch.note(1.0, 1.0) == 0.0


# -- the reference ---------------------------------------------------------------------------


def taken(number: int, data: bytes) -> Tapped:
    return Tapped(number, 1, RATE, 1, Sounded(data, number * 160, 9.0 + number * 0.01))


@pytest.mark.parametrize("by_s", [0.2, 0.05, -0.003])
def test_a_reference_that_is_shifted_gives_what_sounded_so_much_before(by_s: float) -> None:
    sound = np.random.default_rng(1).integers(-30_000, 30_000, 200 * 160).astype(np.int16)
    reference, plain = Reference(RATE), Reference(RATE)
    heard: list[npt.NDArray[np.float32]] = []
    for number in range(200):
        for each in (reference, plain):
            each.put("it", taken(number, sound[number * 160 :][:160].tobytes()))
    for number in range(150):
        if number == 100:
            reference.shift(by_s)
        early, late = (
            read_noted(each, number * 160, 9.0 + number * 0.01, 160) for each in (plain, reference)
        )
        assert early is not None
        assert late is not None
        heard.append(late)
    begin = 120 * 160 + plain.lead - round(by_s * RATE)
    assert np.allclose(np.concatenate(heard[120:]), sound[begin:][: 30 * 160] / 32_768, atol=1e-4)
    assert reference.lead == plain.lead - round(by_s * RATE)
    assert reference.realignments == 1


# -- in a run ----------------------------------------------------------------------------------


@pytest.mark.heavy
@pytest.mark.parametrize("later_s", [0.2, 0.3])
async def test_a_loudspeaker_that_becomes_later_than_it_says_is_cancelled_again(later_s: float) -> None:
    card = SimulatedCard()
    card.room(room_impulse(level_db=-6.0, seed=2))
    card.mic.hear(noise(30.0, level_db=-66.0))
    microphone = MicrophoneInput(card.backend())
    task = PipelineTask(Pipeline([microphone, SpeakerOutput(card.backend(), max_queue_s=60)]))
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    said = np.resize(speech(), 24 * RATE)
    for at in range(0, len(said), RATE):
        await task.queue_frame(OutputAudioFrame(said[at : at + RATE].tobytes()))
    asyncio.get_running_loop().call_later(4.0, card.speaker.delay, later_s)
    await asyncio.sleep(24.0)
    echo = microphone.echo
    task.end()
    await running
    assert echo is not None
    assert echo.words_erle_db is not None
    assert echo.delay_s is not None
    assert echo.words_erle_db > 15.0
    assert echo.delay_s == pytest.approx(later_s + 0.005, abs=0.01)
