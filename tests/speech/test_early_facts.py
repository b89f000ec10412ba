"""A fact belongs to audio by its position: utterances are the same wherever a mailbox or branch stands."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pytest

from speech.test_vad import LoudIsSpeech, babble, cut
from support.stages import DOWN, Ends
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.speech.utterance import UtteranceCollector
from voicepipe.speech.vad import VADProcessor
from voicepipe.testing import run_virtual

RATE = 8_000
Given = list[tuple[int, bytes]]
pytestmark = pytest.mark.filterwarnings("ignore:Judge.is_finished:DeprecationWarning")
FACTS = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)


def vad() -> VADProcessor:
    return VADProcessor(LoudIsSpeech(RATE, 80), start_s=0.05, stop_s=0.1)


class Judge:
    """Of the earlier kind: waits for more behind every other pause."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def is_finished(self, utterance: UtteranceFrame) -> bool:
        self.asked.append((utterance.position, utterance.num_samples))
        return utterance.num_samples % 3 != 0


def collector(kind: int) -> UtteranceCollector:
    return (
        UtteranceCollector(preroll_s=0.2, tail_s=0.05),
        UtteranceCollector(preroll_s=0.0, tail_s=0.5, max_s=1.0),
        UtteranceCollector(preroll_s=0.1, tail_s=0.15, end_of_turn=Judge(), patience_s=0.2),
        UtteranceCollector(preroll_s=0.3, tail_s=0.1, end_of_turn=Judge(), patience_s=0.4, max_s=1.0),
    )[kind]


class Late(FrameProcessor):
    """Holds audio for a while, and passes facts on at once."""

    def __init__(self, seed: int, most_s: float, *, mailbox: int = 32) -> None:
        super().__init__(mailbox=mailbox)
        self._random = random.Random(seed)
        self._most_s = most_s

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioFrame):
            await asyncio.sleep(self._random.choice([0.0, 0.0, self._most_s]))
        await self.push_frame(frame, direction)


class Recut(InlineProcessor):
    """Passes the same audio on in frames of other sizes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if not isinstance(frame, InputAudioFrame):
            return (frame,)
        return [*self._parts(frame)]

    def _parts(self, frame: InputAudioFrame) -> Iterator[Frame]:
        for at in range(0, frame.num_samples, self._size):
            data = frame.data[2 * at : 2 * (at + self._size)]
            captured_s = None if frame.captured_s is None else frame.captured_s + at / frame.rate
            yield replace(frame, data=data, position=frame.position + at, captured_s=captured_s)


class AllFactsFirst(FrameProcessor):
    """Holds all audio back until the end, and passes every fact on at once."""

    def __init__(self) -> None:
        super().__init__()
        self._held: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioFrame):
            self._held.append(frame)
        else:
            await self.push_frame(frame, direction)

    async def on_end(self) -> None:
        for frame in self._held:
            await self.push_frame(frame)


ARRANGEMENTS: dict[str, Callable[[int], list[Processor]]] = {
    "side by side": lambda seed: [vad()],
    "a mailbox between": lambda seed: [vad(), Late(seed, 0.0)],
    "a slow mailbox between": lambda seed: [vad(), Late(seed, 0.3)],
    "a small slow mailbox between": lambda seed: [vad(), Late(seed, 0.05, mailbox=1)],
    "two mailboxes between": lambda seed: [vad(), Late(seed, 0.1), Late(seed + 1, 0.2)],
    "a slow mailbox before": lambda seed: [Late(seed, 0.2), vad()],
    "in the first branch": lambda seed: [ParallelPipeline([vad()], [Late(seed, 0.1)])],
    "in a branch of its own": lambda seed: [ParallelPipeline([vad(), Late(seed, 0.1)], [Late(seed, 0.4)])],
    "in a nested pipeline": lambda seed: [Pipeline([Pipeline([vad()]), Late(seed, 0.3)])],
    "other frames between": lambda seed: [vad(), Recut(33)],
    "other frames behind a mailbox": lambda seed: [vad(), Late(seed, 0.2), Recut(7)],
    "all facts before any audio": lambda seed: [vad(), AllFactsFirst()],
}


async def given_in(stages: list[Processor], frames: Iterable[Frame], kind: int) -> Given:
    task = PipelineTask(Pipeline([*stages, collector(kind)]))
    ends = Ends(task)

    async def feed() -> None:
        for frame in frames:
            await task.queue_frame(frame)
            await asyncio.sleep(0.01)
        task.end()

    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    await feed()
    await running
    return [(f.position, f.data) for f in ends.down if isinstance(f, UtteranceFrame)]


def speech_with_gaps(seed: int, size: int) -> list[InputAudioFrame]:
    """Speech, a gap, speech, and a gap in the middle of speech."""
    frames: list[InputAudioFrame] = []
    at = 0
    for part in range(3):
        audio = babble(RATE, 1, seed * 3 + part)
        frames += cut(audio, [size], RATE, at=at)
        at += len(audio) + 1_234
    return frames


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.heavy(after=6)
def test_the_utterances_are_the_same_in_every_arrangement(arrangement: str, kind: int) -> None:
    for seed in range(3):
        frames = speech_with_gaps(seed, 160)
        expected = run_virtual(given_in([vad()], frames, kind))
        assert expected
        assert run_virtual(given_in(ARRANGEMENTS[arrangement](seed), frames, kind)) == expected


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("size", [1, 7, 80, 479, 4_800])
@pytest.mark.heavy(after=4)
def test_the_utterances_are_the_same_however_the_audio_is_cut(size: int, kind: int) -> None:
    expected = passed_by_hand(speech_with_gaps(1, 160), kind)
    assert expected
    assert passed_by_hand(speech_with_gaps(1, size), kind) == expected


def passed_by_hand(frames: Iterable[Frame], kind: int) -> Given:
    ear, gathers = vad(), collector(kind)
    passed = [out for frame in frames for out in ear.process(frame, DOWN)]
    out = [out for frame in [*passed, *ear.on_end()] for out in gathers.process(frame, DOWN)]
    return [(f.position, f.data) for f in [*out, *gathers.on_end()] if isinstance(f, UtteranceFrame)]


@pytest.mark.parametrize("kind", range(4))
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.heavy(after=8)
def test_facts_as_early_as_can_be_make_the_same_utterances(seed: int, kind: int) -> None:
    """Each fact overtakes the audio by a random way, and keeps its place among the facts."""
    by_chance = random.Random(seed)
    frames = speech_with_gaps(seed, by_chance.choice([80, 160, 333]))
    ear, gathers = vad(), collector(kind)
    passed = [out for frame in frames for out in ear.process(frame, DOWN)] + list(ear.on_end())
    moved = overtaking(passed, by_chance)
    assert [f for f in moved if isinstance(f, FACTS)] == [f for f in passed if isinstance(f, FACTS)]
    out = [out for frame in moved for out in gathers.process(frame, DOWN)]
    given = [(f.position, f.data) for f in [*out, *gathers.on_end()] if isinstance(f, UtteranceFrame)]
    assert given == passed_by_hand(frames, kind)


def overtaking(frames: list[Frame], by_chance: random.Random) -> list[Frame]:
    moved: list[Frame] = []
    earliest = 0
    for frame in frames:
        if isinstance(frame, FACTS):
            earliest = by_chance.randint(earliest, len(moved))
            moved.insert(earliest, frame)
            earliest += 1
        else:
            moved.append(frame)
    return moved
