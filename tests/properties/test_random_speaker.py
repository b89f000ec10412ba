"""Random frames of random rates and sounds, and random controls: every ledger of a speaker stays exact."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import numpy as np
import pytest

from support.sound import is_running, noise
from support.stages import Ends
from voicepipe import (
    BackgroundAudioFrame,
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunReport,
    SpeakerOutput,
    SpokenFrame,
    SpokenStartedFrame,
    SpokenStoppedFrame,
)
from voicepipe_devices.fake import SimulatedCard

RATES = (8_000, 16_000, 16_000, 16_000, 22_050, 24_000, 44_100, 48_000)
SPEECH = (BotStartedSpeakingFrame, BotStoppedSpeakingFrame)
SENTENCE = (SpokenStartedFrame, SpokenStoppedFrame)


def a_frame(rng: random.Random, seed: int) -> Frame:
    rate, channels = rng.choice(RATES), rng.choice((1, 1, 1, 2))
    data = np.repeat(noise(rng.choice((0.0005, 0.02, 0.1, 0.7, 3.0)), seed, rate), channels).tobytes()
    what = rng.random()
    if what < 0.2:
        return SpokenFrame(f"sentence number {seed}")
    if what < 0.4:
        return BackgroundAudioFrame(data, rate, channels, sound=rng.choice(("music", "chime")))
    return OutputAudioFrame(data, rate, channels, live=what > 0.9)


def controls(
    speaker: SpeakerOutput, task: PipelineTask, card: SimulatedCard, *, unplugs: bool
) -> list[Callable[[], object]]:
    return [
        lambda: speaker.set_volume(-6.0),
        lambda: speaker.set_volume(0.0, 0.0),
        speaker.duck,
        speaker.unduck,
        speaker.hold,
        speaker.resume,
        speaker.resume,
        speaker.cut,
        lambda: speaker.cut(after_sentence=True),
        lambda: speaker.cut("music"),
        task.interrupt,
        task.interrupt,
        lambda: None,
        lambda: None,
        *([card.speaker.unplug, card.speaker.replug] if unplugs else []),
    ]


async def random_run(seed: int) -> tuple[RunReport, Ends, int]:
    rng = random.Random(seed)
    card = SimulatedCard()
    max_queue_s, begin_s = rng.choice(((0.1, 0.0), (0.1, 0.1), (1.0, 0.2), (300.0, 0.0), (300.0, 2.0)))
    speaker = SpeakerOutput(card.backend(), max_queue_s=max_queue_s, begin_s=begin_s)
    task = PipelineTask(Pipeline([speaker]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await is_running(task)
    talking = asyncio.create_task(talk(task, rng, seed))
    does = controls(speaker, task, card, unplugs=seed % 3 == 0)
    for _ in range(30):
        await asyncio.sleep(rng.choice((0.0, 0.001, 0.013, 0.1, 0.5)))
        rng.choice(does)()
        report = task.report
        assert report is not None
        for each in report.seams:
            assert each.balanced, (seed, str(each))
            assert each.held >= 0, (seed, str(each))
    card.speaker.replug()
    await asyncio.sleep(4.0)
    if rng.random() < 0.2:
        task.cancel()
    talking.cancel()
    task.end()
    report = await running
    begun = speaker._playback
    assert begun is not None
    return report, ends, begun.position


async def talk(task: PipelineTask, rng: random.Random, seed: int) -> None:
    for nth in range(40):
        await task.queue_frame(a_frame(rng, 100 * seed + nth))
        await asyncio.sleep(rng.choice((0.0, 0.0, 0.01, 0.2)))


def check_pairs(frames: list[Frame], seed: int) -> None:
    """Check that starts and stops alternate, and that positions do not go back."""
    for start, stop in (SPEECH, SENTENCE):
        open_, last = False, 0
        for frame in frames:
            if isinstance(frame, (start, stop)):
                assert isinstance(frame, stop) is open_, (seed, frame)
                open_ = not open_
                assert frame.position >= last, (seed, frame)
                last = frame.position


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.heavy(after=15)
async def test_every_ledger_is_exact_and_facts_come_in_pairs(seed: int) -> None:
    report, ends, position = await random_run(seed)
    for each in report.seams:
        assert each.balanced, str(each)
        assert each.held == 0, str(each)
        if each.name != "SpeakerOutput":  # the mailbox counts at the frames' own rates
            assert each.given <= position
    facts: list[Frame] = [frame for frame in ends.down if isinstance(frame, (*SPEECH, *SENTENCE))]
    assert facts == [frame for frame in ends.up if isinstance(frame, (*SPEECH, *SENTENCE))]
    check_pairs(facts, seed)
