"""Background sounds of a speaker: mixed under the voice, each with its own queue and ledger."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from endpoints.speaking import DEVICE, Speaking
from support.sound import BLOCK, RATE, Samples, heard, noise, samples, seam, speech, virtual_loop
from voicepipe import (
    BackgroundAudioFrame,
    FrameProcessor,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.speakers import Speakers
from voicepipe_devices.fake import SimulatedCard

RAMP = 80
MUSIC = "SpeakerOutput music"


def music(seconds: float, seed: int = 50, sound: str = "music") -> BackgroundAudioFrame:
    return BackgroundAudioFrame((noise(seconds, seed) // 4).tobytes(), sound=sound)


def both(*sounds: tuple[int, Samples]) -> Samples:
    """The mix of sounds that begin at these samples."""
    total = np.zeros(max(at + len(sound) for at, sound in sounds))
    for at, sound in sounds:
        total[at : at + len(sound)] += sound
    return np.clip(total, -32_768, 32_767).astype(np.int16)


def speakers_of(run: Speaking) -> Speakers:
    speakers = run.speaker._speakers
    assert speakers is not None
    return speakers


async def test_music_sounds_alone_and_is_no_speech() -> None:
    async with Speaking() as run:
        await run.say(music(0.9))
        await asyncio.sleep(0.1)
        assert speakers_of(run).is_sounding
        assert not speakers_of(run).is_speaking
        await asyncio.sleep(2.0)
        assert not speakers_of(run).is_sounding
    report = await run.done_of_other_formats()
    assert run.told() == []
    assert np.array_equal(heard(run.card), noise(0.9, 50) // 4)
    assert seam(report, MUSIC).given == round(0.9 * RATE)
    assert seam(report, DEVICE).taken == 0


async def test_music_begins_in_the_next_block_although_a_long_voice_is_queued() -> None:
    async with Speaking() as run:
        for nth in range(6):
            await run.say(speech(10.0, nth))
        await asyncio.sleep(3.005)
        at = run.card.stream.position
        await run.say(music(0.9))
        await asyncio.sleep(2.0)
        run.task.cancel()
        await asyncio.wait([run._running])
    played = samples(run.card.speaker.played())
    voice = np.concatenate([noise(10.0, nth) for nth in range(6)])
    expected = both((0, voice), (at, noise(0.9, 50) // 4))
    end = round(4.9 * RATE)
    assert np.array_equal(played[:end], expected[:end])


async def test_a_voice_begins_in_the_next_block_although_music_is_with_the_device() -> None:
    async with Speaking() as run:
        await run.say(music(0.95))
        await asyncio.sleep(0.305)
        at = run.card.stream.position
        await run.say(speech(0.5, 1))
        await asyncio.sleep(0.001)
        assert run.told() == [("started", at)]
        await asyncio.sleep(2.0)
        assert run.told() == [("started", at), ("stopped", at + 8_000)]
    report = await run.done_of_other_formats()
    assert np.array_equal(heard(run.card), both((0, noise(0.95, 50) // 4), (at, noise(0.5, 1))))
    assert report.dropped == {}


async def test_two_loud_sounds_saturate_and_do_not_wrap_round() -> None:
    loud = np.full(8_000, 30_000, np.int16)
    async with Speaking() as run:
        await run.say(BackgroundAudioFrame(loud.tobytes(), sound="one"))
        await run.say(BackgroundAudioFrame(loud.tobytes(), sound="two"))
        await run.say(OutputAudioFrame(loud.tobytes()))
    await run.done_of_other_formats()
    assert set(heard(run.card).tolist()) == {32_767}


async def test_frames_of_one_name_follow_each_other_and_different_names_mix() -> None:
    async with Speaking() as run:
        await run.say(music(0.2, 1))
        await run.say(music(0.2, 2))
        await run.say(music(0.3, 3, "chime"))
    report = await run.done_of_other_formats()
    tune = np.concatenate([noise(0.2, 1) // 4, noise(0.2, 2) // 4])
    assert np.array_equal(heard(run.card), both((0, tune), (0, noise(0.3, 3) // 4)))
    assert seam(report, MUSIC).given == round(0.4 * RATE)
    assert seam(report, "SpeakerOutput chime").given == round(0.3 * RATE)


async def test_an_interruption_cuts_the_voice_and_the_music_goes_on() -> None:
    async with Speaking() as run:
        tune = noise(0.98, 50) // 4
        await run.say(speech(5.0, 1))
        await run.say(BackgroundAudioFrame(tune.tobytes(), sound="music"))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        await run.interrupt()
        await asyncio.sleep(2.0)
        assert run.told() == [("started", 0), ("cut", before + RAMP)]
    report = await run.done_of_other_formats()
    played = samples(run.card.speaker.played())
    assert np.array_equal(played[before + RAMP : round(0.98 * RATE)], tune[before + RAMP :])
    assert seam(report, MUSIC).given == len(tune)
    assert report.dropped == {"interrupted": 5 * RATE - before - RAMP}


async def test_a_voice_after_an_interruption_follows_the_fade_and_the_music_goes_on() -> None:
    async with Speaking() as run:
        await run.say(speech(5.0, 1))
        await run.say(music(0.98))
        await asyncio.sleep(0.505)
        before = run.card.stream.position
        await run.interrupt()
        await run.say(speech(0.2, 2))
    await run.done_of_other_formats()
    cut, again = before + RAMP, before + BLOCK  # the first block behind the one that faded
    played = samples(run.card.speaker.played())
    expected = both((0, noise(0.98, 50) // 4), (again, noise(0.2, 2)))
    assert np.array_equal(played[cut : round(0.98 * RATE)], expected[cut:])
    assert run.told() == [("started", 0), ("cut", cut), ("started", again), ("stopped", again + 3_200)]


async def test_one_sound_can_be_cut_on_its_own() -> None:
    async with Speaking() as run:
        await run.say(speech(0.9, 1))
        await run.say(music(0.9))
        await asyncio.sleep(0.305)
        before = run.card.stream.position
        run.speaker.cut("music")
        run.speaker.cut("no such sound")
    report = await run.done_of_other_formats()
    played = samples(run.card.speaker.played())
    assert np.array_equal(played[before + RAMP : 14_400], noise(0.9, 1)[before + RAMP :])
    assert seam(report, MUSIC).dropped == {"interrupted": 14_400 - before - RAMP}
    assert seam(report, DEVICE).dropped == {}
    assert run.told() == [("started", 0), ("stopped", 14_400)]


class Musician(FrameProcessor):
    """Makes music without an end, as fast as it is taken."""

    async def on_running(self) -> None:
        self.create_task(self._play())

    async def _play(self) -> None:
        nth = 0
        while True:
            await self.push_frame(music(0.1, nth))
            nth += 1


async def test_a_generator_without_an_end_is_held_by_its_own_queue_and_never_holds_the_voice() -> None:
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([Musician(), speaker]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(3.005)
    report = task.report
    assert seam(report, MUSIC).held <= 1.1 * RATE
    begun = speaker._playback
    assert begun is not None
    at = begun.position
    for nth in range(20):
        await task.queue_frame(speech(0.5, nth))
    await asyncio.sleep(5.0)
    assert seam(task.report, DEVICE).given >= 5 * RATE - 2 * BLOCK
    assert begun.voice.sounded_to - begun.voice.given - at <= 2 * BLOCK
    assert seam(task.report, DEVICE).taken == 10 * RATE
    task.cancel()
    await running


async def test_music_is_taken_although_the_queue_of_the_voice_is_full() -> None:
    async with Speaking(max_queue_s=1) as run:
        for nth in range(3):
            await run.say(speech(5.0, nth))
        await asyncio.sleep(0.505)
        at = run.card.stream.position
        await run.say(music(0.2))
        await asyncio.sleep(0.5)
    report = await run.done_of_other_formats()
    played = samples(run.card.speaker.played())
    voice = np.concatenate([noise(5.0, nth) for nth in range(3)])
    assert np.array_equal(played[: 15 * RATE], both((0, voice), (at, noise(0.2, 50) // 4)))
    assert report.dropped == {}


async def test_the_end_waits_for_the_music_too() -> None:
    async with Speaking() as run:
        await run.say(music(0.9))
        run.task.end()
        await run.ends.ended.wait()
        assert virtual_loop().time() >= 0.9
    await run.done_of_other_formats()
    assert len(heard(run.card)) == 14_400


@pytest.mark.parametrize("fault", ["unplug", "vanish"])
async def test_a_lost_device_drops_the_music_too(fault: str) -> None:
    async with Speaking() as run:
        await run.say(speech(2.0))
        await run.say(music(0.9))
        await asyncio.sleep(0.505)
        getattr(run.card.speaker, fault)()
        await asyncio.sleep(2.5)
        run.card.speaker.replug()
        await asyncio.sleep(4.0)
        await run.say(music(0.3, 7))
        await asyncio.sleep(1.0)
        assert not speakers_of(run).is_sounding
    report = await run.done_of_other_formats()
    tune = seam(report, MUSIC)
    assert tune.dropped == {"device_lost": round(1.2 * RATE) - tune.given}
    assert np.array_equal(heard(run.card)[-4_800:], noise(0.3, 7) // 4)


async def test_many_names_share_the_last_ledger() -> None:
    async with Speaking() as run:
        for nth in range(100):
            await run.say(music(0.001, nth, f"sound {nth}"))
            await asyncio.sleep(0.03)
    report = await run.done_of_other_formats()
    names = [each.name for each in report.seams]
    assert len(names) < 40
    assert sum(each.given for each in report.seams if " sound " in each.name) == 100 * 16
