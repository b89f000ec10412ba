"""A thousand interruptions at random moments, with a real ear and a real speaker, in virtual time.

The user's utterances and the program's answers are constant levels, so each sample says whose it is.
By default a tenth of them: `VOICEPIPE_TIMES=10 pytest tests/conversation/test_thousand.py` runs all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from conversation.test_deaf import RATE, Loud
from support.counts import count_of
from voicepipe import (
    AudioFormat,
    BackchannelFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Heard,
    Interrupter,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunReport,
    SpeakerOutput,
    SpokenFrame,
    SpokenStartedFrame,
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


def numbers_in(data: bytes) -> set[int]:
    """Return the utterances in the microphone's audio."""
    return {
        (int(level) - 2_000) // STEP for level in np.unique(np.frombuffer(data, np.int16)) if level >= 2_000
    }


def answer_of(number: int, seconds: float) -> OutputAudioFrame:
    """Return sound whose two channels tell the number by their ratio, at whatever volume."""
    sound = np.empty((round(RATE * seconds), 2), np.int16)
    sound[:] = 20_000, 1_000 * number
    return OutputAudioFrame.from_array(sound, RATE, channels=2)


def answers_in(played: npt.NDArray[np.int16]) -> set[int]:
    """Return the numbers of the answers that were heard."""
    loud = played[np.abs(played[:, 0]) > 1_500].astype(np.float64)
    numbers, counts = np.unique(np.rint(20 * loud[:, 1] / loud[:, 0]), return_counts=True)
    return {int(number) for number, count in zip(numbers, counts, strict=True) if count >= 20}


class Story:
    """All that happened in one conversation."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[float, frozenset[int]]] = {}
        """For each answer: when its work began, and the utterances that it answers."""
        self.begun: set[int] = set()
        """The utterances whose answer began to sound."""
        self.marked: set[int] = set()
        """The utterances that were no turn."""
        self.cuts: list[float] = []
        self.starts = 0

    def see(self, fact: Frame, direction: FrameDirection) -> None:
        """Note a fact that left the pipeline downstream."""
        if direction is FrameDirection.UPSTREAM:
            return
        if isinstance(fact, SpokenStartedFrame):
            self.begun |= self.made[int(fact.text.partition("/")[0])][1]
        elif isinstance(fact, BackchannelFrame) and fact.utterance is not None:
            self.marked |= numbers_in(fact.utterance.data)
        elif isinstance(fact, UserStartedSpeakingFrame):
            self.starts += 1


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
        self.tasks: set[asyncio.Task[None]] = set()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, TranscriptionFrame)
        if self.dice.random() < 0.3:
            task = self.create_task(self._think(frame.text))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            await self._think(frame.text)

    async def on_end(self) -> None:
        await asyncio.gather(*self.tasks)

    async def _think(self, text: str) -> None:
        await asyncio.sleep(self.dice.choice([0.0, 0.1, 0.5, 2.0]))
        await self.push_frame(TextFrame(text))


class Speech(FrameProcessor):
    """Makes the answer's sound, sentence by sentence. Its level is that of the last utterance."""

    takes = (TextFrame,)
    cut_on_interruption = True

    def __init__(self, story: Story, dice: random.Random) -> None:
        super().__init__(name="speech")
        self.story, self.dice = story, dice

    def on_interruption(self) -> None:
        self.story.cuts.append(now_s())

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, TextFrame):
            return
        numbers = frozenset(int(each) for each in frame.text.split())
        last = max(numbers)
        self.story.made[last] = (now_s(), numbers)
        for sentence in range(self.dice.choice([1, 3, 6])):
            await self.push_frame(SpokenFrame(f"{last}/{sentence}"))
            for _ in range(self.dice.choice([1, 5])):
                await self.push_frame(answer_of(last, self.dice.choice([0.05, 0.2, 1.0])))
                await asyncio.sleep(self.dice.choice([0.0, 0.0, 0.1]))


def user(dice: random.Random) -> Iterator[bytes]:
    """Yield the microphone: utterances of random lengths at random moments."""
    yield bytes(2 * round(RATE * 0.5))
    for number in range(UTTERANCES):
        yield np.full(round(RATE * dice.uniform(0.3, 1.5)), level_of(number), np.int16).tobytes()
        pause_s = dice.choice([dice.uniform(0.8, 1.5), dice.uniform(0.8, 4.0), dice.uniform(2.0, 8.0)])
        yield bytes(2 * round(RATE * pause_s))
    yield bytes(2 * RATE * 5)


def judge(heard: Heard) -> str:
    return "backchannel" if heard.text in ["1", "3", "5", "7", "9", "11", "13", "15", "17", "19"] else "turn"


MANNERS: tuple[dict[str, Any], ...] = (
    {},
    {"min_s": 0.5},
    {"min_words": 1},
    {"resume_s": 0.8},
    {"judge": judge},
    {"min_s": 0.7, "resume_s": 1.0, "judge": judge},
    {"policy": "finish"},
    {"policy": "finish", "min_s": 0.5},
    {"policy": "ignore"},
)


async def converse(seed: int, manner: dict[str, Any], story: Story, card: SimulatedCard) -> RunReport:
    dice = random.Random(seed)
    backend = card.backend()
    card.mic.hear(b"".join(user(dice)))
    card.mic.run_out()
    stages = [Words(dice), Thoughts(dice), Speech(story, dice)]
    listening = [MicrophoneInput(backend), VADProcessor(Loud(), preset="responsive"), UtteranceCollector()]
    task = PipelineTask(
        Pipeline([*listening, Interrupter(**manner), *stages, SpeakerOutput(backend)]),
        output=AudioFormat(RATE, 2),
    )
    task.subscribe(story.see)
    return await task.run()


def check(seed: int, manner: dict[str, Any]) -> Story:
    story, card = Story(), SimulatedCard()
    with nothing_left():
        report = run_virtual(converse(seed, manner, story, card))
    played = np.frombuffer(card.speaker.played(), np.int16).reshape(-1, 2)
    assert story.starts == UTTERANCES
    # Nothing is lost: the answer to each utterance began to sound, or it was no turn.
    sounded = [story.made[last][1] for last in answers_in(played)]
    assert story.begun.union(story.marked, *sounded) == set(range(UTTERANCES))
    # Nothing stale is heard: behind a cut, no answer sounds whose work began before it.
    for cut_s in story.cuts:
        begin = round((cut_s + FADE_S) * RATE)
        heard = answers_in(played[begin : begin + 30 * RATE])
        stale = {last for last, (began_s, _) in story.made.items() if began_s < cut_s}
        assert not heard & stale, (cut_s, heard & stale)
    # What was not cut is heard; the ledger is exact.
    assert max(story.made) in answers_in(played)
    assert set(report.dropped) <= {"interrupted"}
    assert all(seam.balanced and not seam.held for seam in report.seams)
    return story


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("seed", range(count_of(70)))
def test_a_conversation_with_interruptions_at_random_moments(seed: int) -> None:
    story = check(seed, {})
    assert not story.marked
    assert len(story.cuts) >= UTTERANCES // 3


@pytest.mark.heavy(after=2)
@pytest.mark.parametrize("seed", range(count_of(5)))
@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: " ".join(manner) or "plain")
def test_a_careful_conversation(manner: dict[str, Any], seed: int) -> None:
    check(1_000 + seed, manner)
