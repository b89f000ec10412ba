"""A thousand interruptions at random moments, with a real ear and a real speaker, in virtual time.

The user's utterances and the program's answers are constant levels, so each sample says whose it is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import numpy as np
import pytest

from conversation.test_deaf import RATE, Loud
from voicepipe import (
    BotStartedSpeakingFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Interrupter,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunReport,
    SpeakerOutput,
    SpokenFrame,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
)
from voicepipe.testing import SimulatedCard, nothing_left, run_virtual

UTTERANCES = 20
STEP = 20
"""The distance between the levels of two utterances."""
FADE_S = 0.05


def level_of(number: int) -> int:
    return 2_000 + STEP * number


def numbers_in(data: bytes, sign: int = 1) -> set[int]:
    """Return the numbers whose level is in the audio, for longer than a fade has it."""
    levels, counts = np.unique(np.frombuffer(data, np.int16).astype(np.int32) * sign, return_counts=True)
    return {
        (int(level) - 2_000) // STEP
        for level, count in zip(levels, counts, strict=True)
        if level >= 2_000 and count >= 100
    }


class Story:
    """All that happened in one conversation."""

    def __init__(self) -> None:
        self.spoken: set[int] = set()
        self.made: dict[int, tuple[float, frozenset[int]]] = {}
        """For each answer: when its work began, and the utterances that it answers."""
        self.begun: set[int] = set()
        """The utterances whose answer began to sound."""
        self.cuts: list[float] = []
        self.starts = 0


def now_s() -> float:
    return asyncio.get_running_loop().time()


class Words(FrameProcessor):
    """Makes words of an utterance: the numbers of the utterances in it."""

    takes = (UtteranceFrame,)
    cut_on_interruption = True

    def __init__(self, dice: random.Random) -> None:
        super().__init__(name="words")
        self.dice = dice

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, UtteranceFrame)
        await asyncio.sleep(self.dice.choice([0.0, 0.02, 0.3]))
        text = " ".join(str(number) for number in sorted(numbers_in(frame.data)))
        await self.push_frame(TranscriptionFrame(text, frame.position))


class Thoughts(FrameProcessor):
    """Thinks, in its own task or in a child task."""

    takes = (TranscriptionFrame,)
    cut_on_interruption = True

    def __init__(self, dice: random.Random) -> None:
        super().__init__(name="thoughts")
        self.dice = dice

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, TranscriptionFrame)
        if self.dice.random() < 0.3:
            self.create_task(self._think(frame.text))
        else:
            await self._think(frame.text)

    async def _think(self, text: str) -> None:
        await asyncio.sleep(self.dice.choice([0.0, 0.1, 0.5, 2.0]))
        await self.push_frame(TextFrame(text))


class Speech(FrameProcessor):
    """Makes the answer's sound, sentence by sentence. Its level is that of the last utterance."""

    takes = (TextFrame, BotStartedSpeakingFrame)
    cut_on_interruption = True

    def __init__(self, story: Story, dice: random.Random) -> None:
        super().__init__(name="speech")
        self.story, self.dice = story, dice
        self._last: frozenset[int] = frozenset()

    def on_interruption(self) -> None:
        self.story.cuts.append(now_s())

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        if isinstance(fact, BotStartedSpeakingFrame):
            self.story.begun |= self._last
        elif isinstance(fact, UserStartedSpeakingFrame):
            self.story.starts += 1

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, TextFrame):
            return
        numbers = frozenset(int(each) for each in frame.text.split())
        last = max(numbers)
        self.story.made[last] = (now_s(), numbers)
        self._last = numbers
        for sentence in range(self.dice.choice([1, 3, 6])):
            await self.push_frame(SpokenFrame(f"{last}/{sentence}"))
            for _ in range(self.dice.choice([1, 5])):
                sound = np.full(round(RATE * self.dice.choice([0.05, 0.2, 1.0])), -level_of(last), np.int16)
                await self.push_frame(OutputAudioFrame(sound.tobytes()))
                await asyncio.sleep(self.dice.choice([0.0, 0.0, 0.1]))


def user(dice: random.Random) -> Iterator[bytes]:
    """Yield the microphone: utterances of random lengths at random moments."""
    yield bytes(2 * round(RATE * 0.5))
    for number in range(UTTERANCES):
        yield np.full(round(RATE * dice.uniform(0.3, 1.5)), level_of(number), np.int16).tobytes()
        pause_s = dice.choice([dice.uniform(0.8, 1.5), dice.uniform(0.8, 4.0), dice.uniform(2.0, 8.0)])
        yield bytes(2 * round(RATE * pause_s))
    yield bytes(2 * RATE * 5)


async def converse(seed: int, story: Story, card: SimulatedCard) -> RunReport:
    dice = random.Random(seed)
    backend = card.backend()
    card.mic.hear(b"".join(user(dice)))
    card.mic.run_out()
    stages = [Words(dice), Thoughts(dice), Speech(story, dice)]
    listening = [MicrophoneInput(backend), VADProcessor(Loud(), preset="responsive"), UtteranceCollector()]
    task = PipelineTask(Pipeline([*listening, Interrupter(), *stages, SpeakerOutput(backend)]))
    return await task.run()


@pytest.mark.heavy(after=5)
@pytest.mark.parametrize("seed", range(50))
def test_a_conversation_with_interruptions_at_random_moments(seed: int) -> None:
    story, card = Story(), SimulatedCard()
    with nothing_left():
        report = run_virtual(converse(seed, story, card))
    played = np.frombuffer(card.speaker.played(), np.int16)
    assert story.starts == UTTERANCES
    # Nothing is lost: the answer to each utterance began to sound.
    assert story.begun == set(range(UTTERANCES))
    # Nothing stale is heard: behind a cut, no answer sounds whose work began before it.
    for cut_s in story.cuts:
        begin = round((cut_s + FADE_S) * RATE)
        heard = numbers_in(played[begin : begin + 30 * RATE].tobytes(), -1)
        stale = {last for last, (began_s, _) in story.made.items() if began_s < cut_s}
        assert not heard & stale, (cut_s, heard & stale)
    # What was not cut is heard to its end; the ledger is exact.
    last = max(story.made)
    assert last in numbers_in(played.tobytes(), -1)
    assert len(story.cuts) >= UTTERANCES // 3
    assert set(report.dropped) <= {"interrupted"}
    assert all(seam.balanced and not seam.held for seam in report.seams)
