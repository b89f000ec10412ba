"""Volume, ducking, hold and resume of a speaker, by the samples that were played."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from endpoints.speaking import DEVICE, Speaking
from endpoints.test_speaker_sentences import say, told
from support.sound import BLOCK, BLOCK_S, RATE, heard, noise, samples, seam, speech, until, virtual_loop
from voicepipe import BackgroundAudioFrame, OutputAudioFrame, Pipeline, PipelineTask, SpeakerOutput
from voicepipe_devices.fake import SimulatedCard

RAMP = 80
LEVEL = 8_000
STEADY = np.full(10 * RATE, LEVEL, np.int16)


def played(run: Speaking) -> np.ndarray[Any, np.dtype[np.int16]]:
    return samples(run.card.speaker.played())


async def test_a_duck_reaches_12_db_within_20_ms_of_the_next_block() -> None:
    async with Speaking() as run:
        await run.say(OutputAudioFrame(STEADY.tobytes()))
        await asyncio.sleep(1.007)
        at = run.card.stream.position
        run.speaker.duck()
        await asyncio.sleep(1.0)
        run.speaker.unduck()
        back = run.card.stream.position
        await asyncio.sleep(1.0)
        run.task.cancel()
        await asyncio.wait([run._running])
    out = played(run)
    assert (out[:at] == LEVEL).all()
    soft = round(LEVEL * 10 ** (-12 / 20))
    ramp = round(0.02 * RATE)
    assert (np.diff(out[at : at + ramp].astype(int)) <= 0).all()
    assert (out[at + ramp : back] == soft).all()
    assert np.abs(np.diff(out[: 3 * RATE].astype(int))).max() <= LEVEL / ramp + 2
    assert (out[back + round(0.2 * RATE) : 3 * RATE - 2 * BLOCK] == LEVEL).all()


async def test_a_duck_leaves_the_music_alone_and_the_volume_does_not() -> None:
    tune = np.full(15_000, 1_000, np.int16)
    async with Speaking() as run:
        await run.say(OutputAudioFrame(STEADY[:15_000].tobytes()))
        await run.say(BackgroundAudioFrame(tune.tobytes(), sound="music"))
        await asyncio.sleep(0.205)
        run.speaker.duck(-40.0)
        await asyncio.sleep(0.2)
        run.speaker.set_volume(-20.0)
        await asyncio.sleep(0.2)
    await run.done_of_other_formats()
    out = played(run)
    assert out[3_000] == LEVEL + 1_000
    assert out[6_000] == 1_000 + LEVEL // 100
    assert out[9_000] == pytest.approx((1_000 + LEVEL / 100) / 10, abs=1)


@pytest.mark.parametrize("db", [-20.0, -6.0, 6.0])
async def test_the_volume_changes_with_a_ramp_in_the_next_block_although_much_is_queued(db: float) -> None:
    async with Speaking() as run:
        for _ in range(3):
            await run.say(OutputAudioFrame(STEADY.tobytes()))
        await asyncio.sleep(2.007)
        at = run.card.stream.position
        run.speaker.set_volume(db)
        assert run.speaker.volume_db == db
        await asyncio.sleep(1.0)
        run.task.cancel()
        await asyncio.wait([run._running])
    out = played(run)
    loud, ramp = LEVEL * 10 ** (db / 20), round(0.05 * RATE)
    assert (out[:at] == LEVEL).all()
    assert out[at + ramp : at + RATE - BLOCK] == pytest.approx(loud, abs=1)
    assert np.abs(np.diff(out[: at + RATE - BLOCK].astype(int))).max() <= abs(loud - LEVEL) / ramp + 2


async def test_a_volume_that_was_set_before_the_run_holds_from_its_first_sample() -> None:
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    speaker.set_volume(-6.0)
    for _ in range(2):
        card.speaker.forget()
        task = PipelineTask(Pipeline([speaker]))
        await task.queue_frame(OutputAudioFrame(STEADY[:8_000].tobytes()))
        task.end()
        await task.run()
        assert set(heard(card)) == {round(LEVEL * 10 ** (-6 / 20))}


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("set_volume", ("loud",)),
        ("set_volume", (float("nan"),)),
        ("set_volume", (61.0,)),
        ("set_volume", (0.0, -1.0)),
        ("set_volume", (True,)),
        ("duck", (1.0,)),
        ("duck", (None,)),
        ("unduck", ("soon",)),
    ],
)
def test_a_control_refuses_what_is_no_number(method: str, arguments: tuple[Any, ...]) -> None:
    speaker = SpeakerOutput("fake")
    with pytest.raises((TypeError, ValueError), match=r"db|ramp_s"):
        getattr(speaker, method)(*arguments)


async def test_a_hold_fades_at_once_keeps_the_rest_and_goes_on_with_the_sentence() -> None:
    async with Speaking() as run:
        await say(run, "First.", 1.0, 1)
        await say(run, "Held in the middle.", 2.0, 2)
        await say(run, "Third.", 1.0, 3)
        await asyncio.sleep(1.805)
        at = run.card.stream.position
        run.speaker.hold()
        run.speaker.hold()  # a second call changes nothing
        await asyncio.sleep(3.0)
        assert run.card.stream.position == at + RAMP
        speakers = run.speaker._speakers
        assert speakers is not None
        assert speakers.is_speaking
        assert not speakers.is_sounding or speakers.has_sound(0, 1)
        held = seam(run.task.report, DEVICE)
        assert held.held == 4 * RATE - at
        assert held.dropped == {}
        run.speaker.resume()
        await asyncio.sleep(5.0)
    report = await run.done_of_other_formats()
    again = at + RAMP
    assert told(run) == [
        ("speech", 0),
        ("start", "First.", 0),
        ("stop", "First.", 0, RATE, "First.", False),
        ("start", "Held in the middle.", RATE),
        ("stop", "Held in the middle.", RATE, again + 2 * RATE, "Held in the middle.", False),
        ("start", "Third.", again + 2 * RATE),
        ("stop", "Third.", again + 2 * RATE, again + 3 * RATE, "Third.", False),
        ("over", 0, again + 3 * RATE, "First. Held in the middle. Third.", False),
    ]
    out = played(run)[np.flatnonzero(played(run))[0] :]
    out = out[out != 0]
    whole = np.concatenate([noise(2.0, 2), noise(1.0, 3)])
    assert np.array_equal(out[-len(whole) + RAMP :], whole[RAMP:])
    assert seam(report, DEVICE).given == again + 3 * RATE
    assert report.dropped == {}


async def test_a_hold_without_sentences_goes_on_where_it_stopped() -> None:
    async with Speaking() as run:
        await run.say(speech(2.0, 1))
        await asyncio.sleep(0.505)
        at = run.card.stream.position
        run.speaker.hold()
        await asyncio.sleep(1.0)
        run.speaker.resume()
    await run.done_of_other_formats()
    out = played(run)
    assert np.array_equal(out[out != 0][-2 * RATE + at + RAMP :], noise(2.0, 1)[at + RAMP :])
    assert run.told() == [("started", 0), ("stopped", 2 * RATE + RAMP)]


async def test_what_comes_during_a_hold_waits_for_its_end() -> None:
    async with Speaking() as run:
        await run.say(speech(1.0, 1))
        await asyncio.sleep(0.305)
        run.speaker.hold()
        await asyncio.sleep(0.5)
        await run.say(speech(1.0, 2))
        await run.say(BackgroundAudioFrame(noise(0.1, 3).tobytes(), sound="music"))
        await asyncio.sleep(0.5)
        assert run.told() == [("started", 0)]
        run.speaker.resume()
    await run.done_of_other_formats()
    assert np.array_equal(heard(run.card)[-RATE:], noise(1.0, 2))


async def test_an_interruption_during_a_hold_drops_what_was_held_and_ends_the_hold() -> None:
    async with Speaking() as run:
        await say(run, "alpha beta gamma delta", 2.0, 1)
        await asyncio.sleep(1.105)
        at = run.card.stream.position
        run.speaker.duck()
        run.speaker.hold()
        await asyncio.sleep(1.0)
        await run.interrupt()
        await asyncio.sleep(0.1)
        assert told(run)[-1] == ("over", 0, at + RAMP, "alpha beta", True)
        await run.say(speech(0.5, 2))
    report = await run.done_of_other_formats()
    assert np.array_equal(heard(run.card)[-8_000:], noise(0.5, 2))
    assert report.dropped == {"interrupted": 2 * RATE - at}


async def test_an_end_lets_what_is_held_be_heard() -> None:
    async with Speaking() as run:
        await run.say(speech(2.0, 1))
        await asyncio.sleep(0.505)
        run.speaker.hold()
        await asyncio.sleep(1.0)
    report = await run.done_of_other_formats()
    assert seam(report, DEVICE).given == 2 * RATE + RAMP


async def test_a_cancel_during_a_hold_counts_what_is_held() -> None:
    async with Speaking() as run:
        await run.say(speech(2.0, 1))
        await asyncio.sleep(0.505)
        at = run.card.stream.position
        run.speaker.hold()
        await asyncio.sleep(1.0)
        run.task.cancel()
        await asyncio.wait([run._running])
    assert run._running.result().dropped == {"cancelled": 2 * RATE - at}


async def test_a_cut_of_the_voice_is_what_an_interruption_is() -> None:
    async with Speaking() as run:
        await run.say(speech(5.0))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        run.speaker.cut()
        await asyncio.sleep(BLOCK_S)
        assert run.told() == [("started", 0), ("cut", before + RAMP)]
    report = await run.done()
    assert report.dropped == {"interrupted": 5 * RATE - before - RAMP}


async def test_the_controls_of_a_run_are_its_speakers_while_it_runs() -> None:
    async with Speaking() as run:
        speakers = run.speaker._speakers
        assert speakers is not None
        assert speakers.controls == [run.speaker]
    await run.done()
    assert speakers.controls == []


async def test_a_control_before_and_after_the_run_does_nothing() -> None:
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    for _ in range(2):
        speaker.duck()
        speaker.unduck()
        speaker.hold()
        speaker.resume()
        speaker.cut()
        speaker.cut("music", after_sentence=True)
        task = PipelineTask(Pipeline([speaker]))
        await task.queue_frame(speech(0.1))
        task.end()
        await task.run()
    assert len(heard(card)) >= 3_200


async def test_a_held_pusher_is_released_by_the_interruption_of_a_hold() -> None:
    async with Speaking(max_queue_s=1) as run:
        for nth in range(3):
            await run.say(speech(5.0, nth))
        await asyncio.sleep(0.505)
        run.speaker.hold()
        await asyncio.sleep(5.0)
        await run.interrupt()
        await run.say(speech(0.3, 9))
        began = virtual_loop().time()
        await until(lambda: run.card.stream.queued > 0)
        assert virtual_loop().time() - began <= 2 * BLOCK_S
    await run.done_of_other_formats()
    assert np.array_equal(heard(run.card)[-4_800:], noise(0.3, 9))
