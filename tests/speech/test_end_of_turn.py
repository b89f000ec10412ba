"""A judge of pauses ends a turn early, or keeps it open; where it fails, the silence decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import pytest

from speech.test_vad import Facts, LoudIsSpeech, cut, facts, tone
from support.stages import DOWN, UP, Ends
from voicepipe import (
    EndOfTurn,
    EndOfTurnFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    UnfinishedTurnFrame,
    UserPausedFrame,
    UserResumedFrame,
    UserStoppedSpeakingFrame,
    UtteranceFrame,
)
from voicepipe.speech.utterance import UtteranceCollector
from voicepipe.speech.vad import VADProcessor
from voicepipe.testing import run_processor, run_virtual

RATE = 8_000
SECOND = RATE


@dataclass
class Judge:
    """Says what it is told to: a verdict, or an exception that it raises, for one pause after another."""

    says: Sequence[Any]
    takes_s: float = 0.0
    asked: list[tuple[int, int]] = field(default_factory=list)
    """The first position of each utterance, and the one behind its last."""
    cancelled: int = 0

    async def finished(self, utterance: UtteranceFrame) -> Any:
        verdict = self.says[min(len(self.asked), len(self.says) - 1)]
        self.asked.append((utterance.position, utterance.position + utterance.num_samples))
        try:
            await asyncio.sleep(self.takes_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(verdict, BaseException):
            raise verdict
        return verdict


def vad(**options: Any) -> VADProcessor:
    """Windows of 10 ms: 4 of 5 begin a turn, a silence of 0.7 s ends it."""
    return VADProcessor(LoudIsSpeech(), **{"start_s": 0.05, "stop_s": 0.7, **options})


def collecting(judge: EndOfTurn | None, **options: Any) -> UtteranceCollector:
    return UtteranceCollector(end_of_turn=judge, **{"preroll_s": 0.1, "tail_s": 0.3, **options})


def speech(*seconds: float, size: int = 160, live: bool = False) -> list[InputAudioFrame]:
    """Silence, speech, silence, and so on, of so many seconds each."""
    audio = tone(*((round(each * RATE), bool(n % 2)) for n, each in enumerate(seconds)))
    return [replace(frame, live=live) for frame in cut(audio, [size])]


@dataclass(frozen=True)
class Run:
    """What came of a run."""

    down: list[Frame]
    when: dict[int, float]
    report: RunReport
    up: list[Frame] = field(default_factory=list)

    @property
    def facts(self) -> Facts:
        return facts(self.down)

    @property
    def utterances(self) -> list[tuple[float, float]]:
        """The begin and the end of each, in seconds."""
        found = [frame for frame in self.down if isinstance(frame, UtteranceFrame)]
        return [(f.position / RATE, (f.position + f.num_samples) / RATE) for f in found]

    def times(self, kind: type[Frame]) -> list[float]:
        return [round(self.when[id(f)], 3) for f in self.down if isinstance(f, kind)]


def run(
    stages: Sequence[Processor], frames: Iterable[Frame | float], *, paced: bool = False, **options: Any
) -> Run:
    """Feed the stages as fast as they take it, or at the speed of sound, until the end."""
    return run_virtual(_run(stages, frames, paced=paced, **options))


async def _run(
    stages: Sequence[Processor], frames: Iterable[Frame | float], *, paced: bool, **options: Any
) -> Run:
    task = PipelineTask(Pipeline(list(stages)), **options)
    down: list[Frame] = []
    up: list[Frame] = []
    when: dict[int, float] = {}
    loop = asyncio.get_running_loop()
    began_s = loop.time()

    def see(frame: Frame, direction: FrameDirection) -> None:
        (down if direction is DOWN else up).append(frame)
        when[id(frame)] = loop.time() - began_s

    task.subscribe(see)
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    began_s = loop.time()
    for frame in frames:
        if isinstance(frame, float):
            await asyncio.sleep(frame)
            continue
        await task.queue_frame(frame)
        if paced and isinstance(frame, InputAudioFrame):
            late_s = loop.time() - began_s - (frame.position + frame.num_samples) / RATE
            await asyncio.sleep(max(0.0, -late_s))
    task.end()
    report = await running
    assert not report.abandoned
    return Run(down, when, report, up)


LIVE_OR_NOT = pytest.mark.parametrize("live", [False, True], ids=["a file", "live"])


# The end of a turn, by a verdict


@LIVE_OR_NOT
def test_yes_ends_the_turn_where_the_pause_began(live: bool) -> None:
    judge = Judge([True])
    out = run([vad(), collecting(judge)], speech(0.5, 1, 2, live=live), paced=live)
    assert out.facts == [("started", RATE // 2), ("stopped", 3 * RATE // 2)]
    # 0.1 s before the speech, and 0.2 s of the pause behind it: so much the judge has heard.
    assert out.utterances == [(0.4, 1.7)]
    assert judge.asked == [(0.4 * RATE, 1.7 * RATE)]


def test_sure_goes_out_a_quarter_of_a_second_after_its_end() -> None:
    judge = Judge([0.9], takes_s=0.05)
    out = run([vad(), collecting(judge)], speech(0.5, 0.4, 2, live=True), paced=True)
    # It ends at 0.9 s: 0.2 s of silence, and 0.05 s for the judge.
    assert (
        out.times(UtteranceFrame) == out.times(UserStoppedSpeakingFrame) == [pytest.approx(1.15, abs=0.021)]
    )


def test_i_want_to_go_home_is_one_turn() -> None:
    judge = Judge([0.1, 0.9])
    out = run([vad(), collecting(judge)], speech(0.5, 0.8, 1.5, 0.6, 2))
    assert out.facts == [("started", RATE // 2), ("stopped", 3.4 * RATE)]
    assert out.utterances == [(0.4, 3.6)]
    assert judge.asked == [(0.4 * RATE, 1.5 * RATE), (0.4 * RATE, 3.6 * RATE)]


def test_without_a_judge_it_is_two_turns_and_sure_waits() -> None:
    out = run([vad(), collecting(None)], speech(0.5, 0.8, 1.5, 0.6, 2, live=True), paced=True)
    assert [kind for kind, _ in out.facts] == ["started", "stopped"] * 2
    assert out.times(UtteranceFrame)[0] == pytest.approx(1.3 + 0.7, abs=0.021)
    assert not any(isinstance(f, (UserPausedFrame, UserResumedFrame)) for f in [*out.down, *out.up])
