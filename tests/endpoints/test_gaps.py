"""A voice that runs dry in the middle of speech: what is a gap, what is a pause, and how long both are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from endpoints.speaking import Speaking
from support.sound import RATE, noise, samples, speech, virtual_loop
from voicepipe import (
    AudioFormat,
    BackgroundAudioFrame,
    DeviceStatistics,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
    SpokenFrame,
)
from voicepipe_devices.fake import SimulatedCard

Script = Callable[[Speaking], Awaitable[None]]


def gaps_by_ear(card: SimulatedCard, most_s: float = 0.5) -> list[int]:
    """The silences between the first sound and the last, in ms."""
    silent = samples(card.speaker.played()) == 0
    edges = np.flatnonzero(np.diff(np.concatenate([[1], silent, [1]])))
    ends, begins = edges[2::2], edges[1:-1:2]
    lengths = [int(b - a) for a, b in zip(begins, ends, strict=True)]
    return [round(1e3 * n / RATE) for n in lengths if RATE // 1_000 <= n <= most_s * RATE]


def found(report_device: DeviceStatistics) -> tuple[int, int]:
    return report_device.gaps, round(1e3 * report_device.gaps_s)


async def at_its_pace(run: Speaking, frame_s: float = 0.1, pace: float = 1.2, count: int = 10) -> None:
    for nth in range(count):
        await run.say(speech(frame_s, nth))
        await asyncio.sleep(frame_s * pace)


async def words(run: Speaking) -> None:
    """Each word is a sentence of its own, as some voices give them."""
    for nth in range(5):
        await run.say(SpokenFrame(f"word {nth}"))
        await run.say(speech(0.2, nth))
        await asyncio.sleep(0.24)


async def over_background(run: Speaking) -> None:
    await run.say(BackgroundAudioFrame(noise(0.9, 7).tobytes(), sound="music"))
    await at_its_pace(run, count=5)


async def of_another_rate(run: Speaking) -> None:
    for nth in range(5):
        await run.say(OutputAudioFrame(noise(0.2, nth, 24_000).tobytes(), 24_000))
        await asyncio.sleep(0.36)


async def one_late(run: Speaking, late_s: float = 0.1) -> None:
    await run.say(speech(0.2, 1))
    await asyncio.sleep(0.2 + late_s)
    await run.say(speech(0.2, 2))


GAPS: dict[str, tuple[Script, int, int]] = {
    "20 % too slow": (at_its_pace, 9, 180),
    "half a second at once, 50 % too slow": (lambda run: at_its_pace(run, 0.5, 1.5, 4), 3, 750),
    "half a second at once, 80 % too slow": (lambda run: at_its_pace(run, 0.5, 1.8, 4), 3, 1200),
    "frames of a block": (lambda run: at_its_pace(run, 0.02, 2.0, 10), 9, 180),
    "one frame late": (one_late, 1, 100),
    "words": (words, 4, 160),
    "under it something sounds": (over_background, 4, 80),
}


@pytest.mark.parametrize("name", GAPS)
async def test_a_voice_that_ran_dry_has_as_many_gaps_as_are_heard(name: str) -> None:
    script, count, together_ms = GAPS[name]
    async with Speaking() as run:
        await script(run)
    report = await run.done_of_other_formats()
    device = report.devices[0]
    assert device.gaps == count
    assert device.gaps_s == pytest.approx(together_ms / 1e3, abs=0.02)
    if name != "under it something sounds":
        heard = gaps_by_ear(run.card)
        assert (len(heard), sum(heard)) == found(device)
    assert f"gaps {count} (" in str(report)


async def test_a_voice_of_another_rate_has_gaps_too() -> None:
    async with Speaking() as run:
        await of_another_rate(run)
    device = (await run.done_of_other_formats()).devices[0]
    heard = gaps_by_ear(run.card)
    assert len(heard) == 4
    assert device.gaps == 4
    assert device.gaps_s == pytest.approx(sum(heard) / 1e3, abs=0.01)


async def at_once(run: Speaking) -> None:
    for nth in range(30):
        await run.say(speech(0.1, nth))


async def interrupted(run: Speaking) -> None:
    await run.say(speech(1.0, 1))
    await asyncio.sleep(0.3)
    await run.interrupt()
    await asyncio.sleep(0.1)
    await run.say(speech(0.3, 2))


async def interrupted_while_dry(run: Speaking) -> None:
    await run.say(speech(0.2, 1))
    await asyncio.sleep(0.25)
    await run.interrupt()
    await asyncio.sleep(0.1)
    await run.say(speech(0.3, 2))


async def held(run: Speaking) -> None:
    await run.say(speech(1.0, 1))
    await asyncio.sleep(0.3)
    run.speaker.hold()
    await asyncio.sleep(0.2)
    run.speaker.resume()


async def two_sentences(run: Speaking) -> None:
    await run.say(SpokenFrame("One."))
    await run.say(speech(0.3, 1))
    await asyncio.sleep(0.7)
    await run.say(SpokenFrame("Two."))
    await run.say(speech(0.3, 2))


async def background_alone(run: Speaking) -> None:
    for nth in range(5):
        await run.say(BackgroundAudioFrame(noise(0.1, nth).tobytes(), sound="music"))
        await asyncio.sleep(0.15)


async def cut_after_the_sentence(run: Speaking) -> None:
    await run.say(SpokenFrame("One."))
    await run.say(speech(0.3, 1))
    await run.say(SpokenFrame("Two."))
    await run.say(speech(0.3, 2))
    await asyncio.sleep(0.1)
    run.speaker.cut(after_sentence=True)
    await asyncio.sleep(0.3)
    await run.say(speech(0.3, 3))


async def lost(run: Speaking) -> None:
    await run.say(speech(0.5, 1))
    await asyncio.sleep(0.2)
    run.card.speaker.crash()
    await asyncio.sleep(0.8)
    await run.say(speech(0.3, 2))


NONE: dict[str, Script] = {
    "all at once": at_once,
    "at its pace": lambda run: at_its_pace(run, pace=1.0),
    "faster": lambda run: at_its_pace(run, pace=0.5),
    "a burst, then nothing": lambda run: at_its_pace(run, 1.0, 0.0, 3),
    "a pause": lambda run: one_late(run, 0.6),
    "two sentences": two_sentences,
    "an interruption in the middle": interrupted,
    "an interruption while it is dry": interrupted_while_dry,
    "a hold": held,
    "a cut after the sentence": cut_after_the_sentence,
    "the End in the middle": lambda run: run.say(speech(0.2)),
    "nothing said": lambda run: asyncio.sleep(1.0),
    "background alone": background_alone,
    "the device was lost": lost,
}


@pytest.mark.parametrize("name", NONE)
async def test_these_are_no_gaps(name: str) -> None:
    async with Speaking() as run:
        await NONE[name](run)
    report = await run.done_of_other_formats()
    assert found(report.devices[0]) == (0, 0)
    assert "gaps" not in str(report)


@pytest.mark.parametrize("frozen_s", [0.1, 0.4, 1.5])
async def test_live_sound_has_a_gap_where_the_program_stood_still_for_however_long(frozen_s: float) -> None:
    """It makes no pauses: what was captured meanwhile is there, and comes later."""
    card = SimulatedCard()
    card.mic.hear(noise(5.0))
    speaker = SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Loopback(), speaker]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.5)
    virtual_loop().freeze(frozen_s)
    await asyncio.sleep(2.0)
    task.end()
    device = (await running).devices[1]
    assert device.gaps == 1
    assert device.gaps_s == pytest.approx(frozen_s, abs=0.05)


async def test_live_sound_that_a_stage_has_left_out_makes_no_gap() -> None:
    """As a gate does, between two words."""
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend())
    task = PipelineTask(Pipeline([speaker]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.5)
    loop = asyncio.get_running_loop()
    for nth in range(50):
        if nth % 20 < 10:
            frame = OutputAudioFrame(noise(0.02, nth).tobytes(), captured_s=loop.time() - 0.02, live=True)
            await task.queue_frame(frame)
        await asyncio.sleep(0.02)
    task.end()
    assert found((await running).devices[0]) == (0, 0)


async def test_a_file_has_no_gaps(tmp_path: object) -> None:
    task = PipelineTask(Pipeline([SpeakerOutput(f"wav:,{tmp_path}/out.wav")]), output=AudioFormat(RATE))
    running = asyncio.create_task(task.run())
    for nth in range(5):
        await task.queue_frame(speech(0.1, nth))
        await asyncio.sleep(0.2)
    task.end()
    assert found((await running).devices[0]) == (0, 0)
