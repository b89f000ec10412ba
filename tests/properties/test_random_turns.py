"""Random talk with a judge of pauses: the turns are those that a few lines of arithmetic expect."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

import pytest

from speech.test_end_of_turn import RATE, Late, collecting, run, speech, vad
from voicepipe import (
    ParallelPipeline,
    Processor,
    UserPausedFrame,
    UserResumedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)

STOP_S, PAUSE_S, WAIT_S = 0.7, 0.2, 4.0
PREROLL_S, TAIL_S = 0.1, 0.3


@dataclass(frozen=True)
class Verdict:
    """What the judge says of one pause, and how long it takes for it."""

    says: bool | None
    """None: it fails."""
    takes_s: float


@dataclass(frozen=True)
class Talk:
    """Speech and silence in turn, in seconds, with a verdict for each silence."""

    speech_s: list[float]
    silence_s: list[float]
    verdicts: list[Verdict]

    @classmethod
    def by_chance(cls, chance: random.Random) -> Talk:
        """Return some talk. No silence is near a time at which something is decided."""
        count = chance.randint(2, 6)
        return cls(
            [chance.choice([0.3, 0.5, 1.0, 1.7]) for _ in range(count)],
            [chance.choice([0.1, 0.3, 0.45, 0.6, 1.0, 1.5, 3.0, 5.0]) for _ in range(count)],
            [
                Verdict(chance.choice([True, False, None]), chance.choice([0, 0.05, 0.35, 9]))
                for _ in range(count)
            ],
        )

    @property
    def pattern(self) -> list[float]:
        """Seconds of silence, speech, silence, and so on."""
        return [0.5, *(each for pair in zip(self.speech_s, self.silence_s, strict=True) for each in pair)]

    def turns(self, *, live: bool) -> list[tuple[float, float, float]]:
        """Return where each turn begins and ends, and where its utterance ends."""
        turns: list[tuple[float, float, float]] = []
        at, begin = 0.5, 0.5
        last = len(self.speech_s) - 1
        for n, (spoken_s, silent_s, verdict) in enumerate(
            zip(self.speech_s, self.silence_s, self.verdicts, strict=True)
        ):
            end = at + spoken_s
            at = end + silent_s
            tail_s = self._tail_s(silent_s, verdict, live=live)
            if tail_s is None and n == last:
                if silent_s < PAUSE_S:  # too short to tell: the turn ends with the last sample
                    end, silent_s = at, 0.0
                tail_s = min(TAIL_S, silent_s)
            if tail_s is not None:
                turns.append((begin, end, end + tail_s))
                begin = at
        return turns

    @staticmethod
    def _tail_s(silent_s: float, verdict: Verdict, *, live: bool) -> float | None:
        """Return the tail of the utterance that ends in a silence; None: the turn goes on behind it."""
        in_time = PAUSE_S + verdict.takes_s < min(silent_s, STOP_S) if live else verdict.takes_s < 3.0
        says = verdict.says if in_time else None
        if silent_s < PAUSE_S:
            return None
        if says is True:
            return PAUSE_S
        return TAIL_S if silent_s > (WAIT_S if says is False else STOP_S) else None


class Scripted:
    """Judges the pause at the end of the audio by the script."""

    def __init__(self, talk: Talk) -> None:
        self._verdicts: dict[int, Verdict] = {}
        at = 0.5
        for spoken_s, silent_s, verdict in zip(talk.speech_s, talk.silence_s, talk.verdicts, strict=True):
            self._verdicts[round((at + spoken_s + PAUSE_S) * RATE)] = verdict
            at += spoken_s + silent_s
        self.working = 0

    async def finished(self, utterance: UtteranceFrame) -> bool:
        verdict = self._verdicts[utterance.position + utterance.num_samples]
        assert not self.working, "two questions at once"
        self.working += 1
        try:
            await asyncio.sleep(verdict.takes_s)
        finally:
            self.working -= 1
        if verdict.says is None:
            raise ValueError("no verdict")
        return verdict.says


def check(seed: int, *, live: bool) -> None:
    chance = random.Random(seed)
    talk = Talk.by_chance(chance)
    judge = Scripted(talk)
    stage = collecting(judge, preroll_s=PREROLL_S, tail_s=TAIL_S)
    arrangements: list[list[Processor]] = [
        [vad(), stage],
        [vad(), Late(0.0), stage],
        [Late(0.0), vad(), stage],
        [ParallelPipeline([vad(), stage], [Late(0.0)])],
    ]
    if not live:
        arrangements += [[vad(), Late(0.03, mailbox=chance.choice([1, 32])), stage]]
    size = 160 if live else chance.choice([80, 160, 333, 4_000, 40_000])
    out = run(chance.choice(arrangements), speech(*talk.pattern, size=size, live=live), paced=live)

    expected = talk.turns(live=live)
    given = [f for f in out.down if isinstance(f, (UserStartedSpeakingFrame, UserStoppedSpeakingFrame))]
    assert [type(f) for f in given] == [UserStartedSpeakingFrame, UserStoppedSpeakingFrame] * len(expected)
    bounds = [(a.position / RATE, b.position / RATE) for a, b in zip(given[::2], given[1::2], strict=True)]
    assert bounds == [pytest.approx((begin, end), abs=1e-6) for begin, end, _ in expected]
    utterances = [
        pytest.approx((max(begin - PREROLL_S, before), end), abs=1e-6)
        for (begin, _, end), before in zip(expected, [0.0, *(end for *_, end in expected)], strict=False)
    ]
    assert out.utterances == utterances
    assert judge.working == 0
    pauses = [f for f in out.down if isinstance(f, (UserPausedFrame, UserResumedFrame))]
    assert [type(f) for f in pauses].count(UserPausedFrame) == sum(s >= PAUSE_S for s in talk.silence_s)


@pytest.mark.parametrize("live", [False, True], ids=["a file", "live"])
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.heavy(after=6)
def test_turns_are_those_that_are_expected(seed: int, live: bool) -> None:
    check(seed, live=live)
