"""The start buffer of a speaker: a voice at its own pace waits until enough of it has come."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import numpy as np
import pytest

from endpoints.speaking import Speaking
from support.sound import BLOCK_S, RATE, heard, noise, samples, speech
from voicepipe import OutputAudioFrame, SpeakerOutput, SpokenFrame
from voicepipe_devices.fake import SimulatedCard


def began_s(run: Speaking) -> float:
    """The time from the start of the card to the first sound, in seconds."""
    return float(np.flatnonzero(samples(run.card.speaker.played()))[0]) / RATE


async def waited_s(run: Speaking, *frames: OutputAudioFrame, every_s: float = 0.0) -> float:
    """Say these frames; return the time from the first of them to its sound."""
    await asyncio.sleep(0.5)
    for frame in frames:
        await run.say(frame)
        await asyncio.sleep(every_s)
    await asyncio.sleep(3.0)
    return began_s(run) - 0.5


@pytest.mark.parametrize(
    ("frame_s", "count", "every_s", "expected_s"),
    [
        (0.1, 10, 0.1, 0.2),  # at its pace: the third frame has come
        (0.02, 50, 0.02, 0.2),
        (0.1, 10, 0.05, 0.1),  # twice as fast
        (0.02, 50, 0.0, 0.0),  # all at once
        (3.0, 1, 0.0, 0.0),
        (0.5, 3, 0.75, 0.0),  # a frame that is longer than twice that
        (0.1, 1, 0.0, 0.2),  # nothing follows
        (0.1, 2, 0.1, 0.3),
        (0.1, 10, 0.15, 0.3),  # slower
    ],
)
async def test_a_voice_begins_when_enough_of_it_waits_beside_the_last_frame_or_nothing_came_for_so_long(
    frame_s: float, count: int, every_s: float, expected_s: float
) -> None:
    said = [noise(frame_s, nth) for nth in range(count)]
    async with Speaking(begin_s=0.2) as run:
        frames = [OutputAudioFrame(audio.tobytes()) for audio in said]
        assert await waited_s(run, *frames, every_s=every_s) == pytest.approx(expected_s, abs=1.5 * BLOCK_S)
    report = await run.done()
    assert report.dropped == {}
    assert np.array_equal(heard(run.card)[heard(run.card) != 0], np.concatenate(said))


@pytest.mark.parametrize(("late_s", "begin_s"), [(0.0, 0.0), (0.08, 0.2), (0.18, 0.5)])
async def test_a_voice_whose_frames_are_late_now_and_then_has_no_gap(late_s: float, begin_s: float) -> None:
    dice = random.Random(1)
    async with Speaking(begin_s=begin_s) as run:
        for nth in range(40):
            await run.say(speech(0.1, nth))
            await asyncio.sleep(0.1 + (dice.uniform(0, late_s) if dice.random() < 0.1 else 0.0))
    device = (await run.done()).devices[0]
    assert device.gaps == 0
    assert 0 not in heard(run.card)


async def test_without_one_it_has_gaps() -> None:
    """What the other test is about."""
    async with Speaking() as run:
        await run.say(speech(0.1, 1))
        await asyncio.sleep(0.15)
        await run.say(speech(0.1, 2))
    assert (await run.done()).devices[0].gaps == 1


async def test_a_voice_that_has_run_dry_begins_anew_with_it_and_the_gap_counts_once() -> None:
    async with Speaking(begin_s=0.2) as run:
        for nth in range(20):
            await run.say(speech(0.1, nth))
            await asyncio.sleep(0.12)
    device = (await run.done()).devices[0]
    assert device.gaps == 1, "without it there are 19"
    assert [fact for fact, _ in run.told()] == ["started", "stopped"], "it is one speech"


async def live(run: Speaking) -> None:
    now_s = asyncio.get_running_loop().time()
    await run.say(OutputAudioFrame(noise(0.1).tobytes(), captured_s=now_s, live=True))


async def test_live_audio_waits_for_nothing() -> None:
    async with Speaking(begin_s=2.0) as run:
        await asyncio.sleep(0.5)
        await live(run)
        await asyncio.sleep(0.5)
    await run.done()
    assert began_s(run) < 0.6


async def test_live_audio_lets_what_waits_before_it_begin() -> None:
    async with Speaking(begin_s=2.0) as run:
        await run.say(speech(0.1, 1))
        await asyncio.sleep(0.5)
        await live(run)
        await asyncio.sleep(0.5)
        assert began_s(run) < 0.6
    await run.done()
    assert len(heard(run.card)) == round(0.2 * RATE)


async def test_an_end_lets_it_begin() -> None:
    async with Speaking(begin_s=5.0) as run:
        await run.say(speech(0.3, 1))
        await asyncio.sleep(0.1)
    report = await run.done()
    assert np.array_equal(heard(run.card), noise(0.3, 1))
    assert report.seconds < 1.0


async def test_an_interruption_drops_what_waits_and_the_next_voice_waits_anew() -> None:
    async with Speaking(begin_s=0.4) as run:
        await run.say(speech(0.1, 1))
        await asyncio.sleep(0.1)
        await run.interrupt()
        await asyncio.sleep(0.1)
        await run.say(speech(0.1, 2))
        await asyncio.sleep(0.3)
        assert not samples(run.card.speaker.played()).any()
        await asyncio.sleep(0.3)
    report = await run.done()
    assert np.array_equal(heard(run.card), noise(0.1, 2))
    assert report.dropped == {"interrupted": round(0.1 * RATE)}


async def test_a_voice_behind_a_cut_waits_too() -> None:
    async with Speaking(begin_s=0.3) as run:
        await run.say(speech(2.0, 1))
        await asyncio.sleep(0.5)
        await run.interrupt()
        await run.say(speech(0.1, 2))
        await asyncio.sleep(0.2)
        assert not samples(run.card.speaker.played())[-RATE // 10 :].any()
        await asyncio.sleep(0.5)
    await run.done()
    assert np.array_equal(heard(run.card)[-RATE // 10 :], noise(0.1, 2))


async def test_a_cancel_drops_what_waits_and_leaves_no_timer() -> None:
    async with Speaking(begin_s=5.0) as run:
        await run.say(speech(0.3, 1))
        await asyncio.sleep(0.1)
        run.task.cancel()
    assert (await run.done()).dropped == {"cancelled": round(0.3 * RATE)}


async def test_a_hold_meanwhile_keeps_it_and_nothing_is_lost() -> None:
    async with Speaking(begin_s=0.2) as run:
        await run.say(speech(0.1, 1))
        run.speaker.hold()
        await asyncio.sleep(1.0)
        assert not samples(run.card.speaker.played()).any()
        run.speaker.resume()
        await asyncio.sleep(0.5)
        await run.say(speech(0.3, 2))
    await run.done()
    assert len(heard(run.card)[heard(run.card) != 0]) >= round(0.4 * RATE) - 2, "a fade begins with a zero"


async def test_sentences_begin_when_they_sound() -> None:
    async with Speaking(begin_s=0.2) as run:
        await run.say(SpokenFrame("Hello."))
        for nth in range(10):
            await run.say(speech(0.1, nth))
            await asyncio.sleep(0.1)
    await run.done()
    assert [fact for fact, _ in run.told()] == ["started", "stopped"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"begin_s": -0.1}, "begin_s must be a finite number from 0"),
        ({"begin_s": float("nan")}, "begin_s must be a finite number"),
        ({"begin_s": 2.0, "max_queue_s": 1}, r"begin_s must be at most max_queue_s \(1\), not 2"),
    ],
)
def test_a_wrong_value_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpeakerOutput(SimulatedCard().backend(), **arguments)


def test_a_wrong_type_is_refused() -> None:
    with pytest.raises(TypeError, match="begin_s must be a number"):
        SpeakerOutput(SimulatedCard().backend(), begin_s="0.2")  # type: ignore[arg-type]  # a mistake of the caller
