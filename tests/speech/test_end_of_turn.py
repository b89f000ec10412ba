"""A judge of pauses ends a turn early, or keeps it open; where it fails, the silence decides."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from speech.test_vad import Facts, LoudIsSpeech, cut, facts, tone
from support.stages import DOWN, UP, forever
from voicepipe import (
    BotStartedSpeakingFrame,
    EndOfTurn,
    EndOfTurnFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineStartError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    TextFrame,
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


def run(stages: Sequence[Processor], frames: Iterable[Frame], *, paced: bool = False, **options: Any) -> Run:
    """Feed the stages as fast as they take it, or at the speed of sound, until the end."""
    return run_virtual(_run(stages, frames, paced=paced, **options))


async def _run(stages: Sequence[Processor], frames: Iterable[Frame], *, paced: bool, **options: Any) -> Run:
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
        await task.queue_frame(frame)
        if paced and isinstance(frame, InputAudioFrame):
            late_s = loop.time() - began_s - (frame.position + frame.num_samples) / RATE
            await asyncio.sleep(max(0.0, -late_s))
    task.end()
    report = await running
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


# Eagerness


@pytest.mark.parametrize(
    ("eagerness", "ends_at", "wait_s"), [("low", 0.7, 8.0), ("medium", 0.5, 4.0), ("high", 0.3, 2.0)]
)
def test_eagerness_is_a_threshold_and_a_longest_wait(eagerness: Any, ends_at: float, wait_s: float) -> None:
    for probability, silence_s in ((ends_at, 0.2), (ends_at - 0.01, wait_s)):
        stage = collecting(Judge([probability]), eagerness=eagerness)
        out = run([vad(), stage], speech(0.5, 1, 9, live=True), paced=True)
        assert out.times(UtteranceFrame) == [pytest.approx(1.5 + silence_s, abs=0.021)]
        # As long as the speech, with what is around it: not 8 s of silence.
        assert out.utterances == [(0.4, 1.5 + min(0.3, silence_s))]


def test_eagerness_may_be_set_at_any_time_and_patience_is_the_longest_wait() -> None:
    stage = collecting(Judge([0.6]), eagerness="low", patience_s=1.0)
    frames: list[Frame] = list(speech(0.5, 1, 1.5))
    assert len(run([vad(), stage], frames).utterances) == 1
    assert run([vad(), stage], frames).utterances == [(0.4, 1.8)]  # after 1 s
    stage.eagerness = "high"
    assert stage.eagerness == "high"
    assert run([vad(), stage], frames).utterances == [(0.4, 1.7)]  # at once


@pytest.mark.parametrize("wrong", ["eager", "", None, 3, "High"])
def test_an_eagerness_of_another_name_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r'^eagerness must be "low", "medium" or "high", not '):
        UtteranceCollector(eagerness=wrong)
    stage = UtteranceCollector()
    with pytest.raises(ValueError, match=r"^eagerness must be"):
        stage.eagerness = wrong


def test_no_never_shortens_the_silence() -> None:
    out = run([vad(stop_s=3), collecting(Judge([False]), eagerness="high")], speech(0.5, 1, 2.5, 1, 4))
    assert out.facts == [("started", RATE // 2), ("stopped", 5 * RATE)]


# Speech that goes on


def test_speech_that_goes_on_cancels_the_question_and_a_later_pause_is_asked_anew() -> None:
    judge = Judge([True], takes_s=0.25)
    out = run([vad(), collecting(judge)], speech(0.5, 1, 0.4, 1, 2, live=True), paced=True)
    assert judge.cancelled == 1
    assert judge.asked == [(0.4 * RATE, 1.7 * RATE), (0.4 * RATE, 3.1 * RATE)]
    assert out.facts == [("started", RATE // 2), ("stopped", 2.9 * RATE)]
    assert out.utterances == [(0.4, 3.1)]


class Stubborn(Judge):
    """Ignores its cancel for a time, and answers then."""

    async def finished(self, utterance: UtteranceFrame) -> Any:
        self.asked.append((utterance.position, utterance.position + utterance.num_samples))
        until_s = asyncio.get_running_loop().time() + self.takes_s
        while (left_s := until_s - asyncio.get_running_loop().time()) > 1e-6:
            try:
                await asyncio.sleep(left_s)
            except asyncio.CancelledError:
                self.cancelled += 1
        return True


@pytest.mark.parametrize("takes_s", [0.25, 1.0, 1.4])
def test_a_verdict_that_comes_in_spite_of_a_cancel_cuts_no_speech(takes_s: float) -> None:
    judge = Stubborn([True], takes_s)
    out = run([vad(), collecting(judge)], speech(0.5, 1, 0.4, 2, 0.4, 1, 2, live=True), paced=True)
    assert [kind for kind, _ in out.facts] == ["started", "stopped"]
    assert out.facts[-1] == ("stopped", round(5.3 * RATE))
    assert len(out.utterances) == 1


@LIVE_OR_NOT
def test_a_long_wait_holds_for_one_pause_alone(live: bool) -> None:
    stages = [vad(), collecting(None, passes_audio=True), Grammar(1.8, UnfinishedTurnFrame(wait_s=5.0))]
    out = run(stages, speech(0.5, 1, 0.6, 1, 3, live=live), paced=True)
    assert out.times(UserStoppedSpeakingFrame) == [pytest.approx(3.1 + 0.7, abs=0.021)]


def test_a_late_verdict_takes_no_answer_from_the_next_pause() -> None:
    class Quicker(Stubborn):
        async def finished(self, utterance: UtteranceFrame) -> Any:
            self.takes_s = 0.05 if self.asked else 2.5
            return await super().finished(utterance)

    judge = Quicker([True])
    out = run([vad(), collecting(judge)], speech(0.5, 1, 0.4, 2, 2, live=True), paced=True)
    # The first answer comes at 4.2 s, within the second pause, which began at 3.9 s.
    assert out.times(UserStoppedSpeakingFrame) == [pytest.approx(4.25, abs=0.021)]


def test_a_judge_that_does_not_end_is_asked_one_thing_at_a_time() -> None:
    judge = Stubborn([True], 20.0)
    out = run([vad(), collecting(judge)], speech(0.5, 1, 1, 1, 1, 1, 1, live=True), paced=True)
    assert len(judge.asked) == 1
    assert [kind for kind, _ in out.facts] == ["started", "stopped"] * 3
    assert [each.name.rpartition(":")[2] for each in out.report.abandoned] == ["end_of_turn"]


# A judge that fails


@dataclass
class Npy:
    """A value of numpy, made when it is asked for."""

    make: Callable[[], Any]


@pytest.mark.parametrize("yes", [True, 1, 1.0, 0.5, np.float32(0.75), np.float64(0.5), np.bool_(True)])
def test_truths_and_probabilities_are_verdicts(yes: Any) -> None:
    out = run([vad(), collecting(Judge([yes]))], speech(0.5, 1, 2))
    assert out.utterances == [(0.4, 1.7)]
    assert not out.report.errors


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (float("nan"), "Judge.finished() must return True, False, or a probability from 0 to 1, not nan"),
        (2.0, "Judge.finished() must return True, False, or a probability from 0 to 1, not 2.0"),
        (-0.1, "Judge.finished() must return True, False, or a probability from 0 to 1, not -0.1"),
        ("yes", "Judge.finished() must return True, False, or a probability from 0 to 1, not 'yes'"),
        ("0.9", "Judge.finished() must return True, False, or a probability from 0 to 1, not '0.9'"),
        (None, "Judge.finished() must return True, False, or a probability from 0 to 1, not None"),
        (1j, "Judge.finished() must return True, False, or a probability from 0 to 1, not 1j"),
        (OSError("gone"), "Judge.finished() raised OSError: gone"),
        (ValueError(), "Judge.finished() raised ValueError"),
        (asyncio.CancelledError(), "Judge.finished() raised CancelledError"),
    ],
)
@LIVE_OR_NOT
def test_where_the_judge_fails_the_silence_decides(
    wrong: Any, words: str, live: bool, caplog: pytest.LogCaptureFixture
) -> None:
    out = run([vad(), collecting(Judge([wrong]))], speech(0.5, 1, 2, live=live), paced=live)
    assert out.facts == [("started", RATE // 2), ("stopped", 3 * RATE // 2)]
    assert out.utterances == [(0.4, 1.8)]
    assert out.report.state is RunState.ENDED
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert f"UtteranceCollector: RuntimeError: {words}; the silence decides" in line
    assert [error.message for error in out.report.errors] == [f"RuntimeError: {words}; the silence decides"]
    assert [frame.stage for frame in out.up if isinstance(frame, ErrorFrame)] == ["UtteranceCollector"]


def test_a_judge_that_is_no_coroutine_after_all_is_named() -> None:
    class Plain:
        def finished(self, utterance: UtteranceFrame) -> bool:
            return utterance.num_samples > 3

    judge: Any = Plain()
    out = run([vad(), collecting(judge)], speech(0.5, 1, 2))
    assert out.utterances == [(0.4, 1.8)]
    assert "Plain.finished() must be async def" in out.report.errors[0].message


@LIVE_OR_NOT
def test_a_judge_that_hangs_leaves_the_decision_to_the_silence(live: bool) -> None:
    judge = Judge([True], takes_s=1e6)
    out = run([vad(), collecting(judge)], speech(0.5, 1, 2, 1, 1, live=live), paced=live)
    assert out.utterances == [(0.4, 1.8), (3.4, 4.8)]
    assert judge.cancelled == 2
    words = "still worked when the turn ended, 0.50 s later" if live else "gave no verdict within 3 s"
    assert out.report.errors[0].message == f"RuntimeError: Judge.finished() {words}; the silence decides"
    assert len(out.report.errors) == (1 if live else 2)


# Start and close


class Heavy(Judge):
    """Has something to open and to close."""

    def __init__(self, *, start: Any = None, close: Any = None) -> None:
        super().__init__([True])
        self.events: list[str] = []
        self._says = {"start": start, "close": close}

    async def _note(self, event: str) -> None:
        self.events.append(event)
        if (said := self._says[event]) is forever:
            await forever()
        elif said is not None:
            raise said

    async def start(self) -> None:
        await self._note("start")

    async def close(self) -> None:
        await self._note("close")


def test_a_judge_is_started_before_the_run_and_closed_behind_it() -> None:
    judge = Heavy()
    stages = [vad(), collecting(judge)]
    for _ in range(2):
        assert run(stages, speech(0.5, 1, 2)).utterances == [(0.4, 1.7)]
    assert judge.events == ["start", "close"] * 2


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (FileNotFoundError("no model turn.onnx"), "did not start: FileNotFoundError: no model turn.onnx"),
        (forever, "did not start: it took longer than the start limit of 5 s"),
    ],
)
def test_a_judge_that_cannot_start_fails_the_start(start: Any, words: str) -> None:
    judge = Heavy(start=start)
    with pytest.raises(PipelineStartError, match="UtteranceCollector") as caught:
        run([vad(), collecting(judge)], speech(0.5))
    assert words in str(caught.value)
    assert judge.events == ["start", "close"]


def test_a_close_that_hangs_is_bounded_and_named() -> None:
    async def close() -> RunReport:
        task = PipelineTask(Pipeline([vad(), collecting(Heavy(close=forever))]))
        task.end()
        return await task.run()

    assert not run_virtual(close()).abandoned  # it was cancelled


# An end of the run, a gap, another format, while it is asked


@pytest.mark.parametrize("way", ["end", "cancel"])
@LIVE_OR_NOT
def test_a_run_that_ends_while_it_is_asked_leaves_nothing(way: str, live: bool) -> None:
    judge = Judge([True], takes_s=1e6)

    async def scene() -> tuple[RunReport, list[Frame]]:
        task = PipelineTask(Pipeline([vad(), collecting(judge)]))
        down: list[Frame] = []
        task.subscribe(lambda frame, direction: down.append(frame) if direction is DOWN else None)
        running = asyncio.create_task(task.run())
        await task.wait_until_started()

        async def feed() -> None:
            for frame in speech(0.5, 1, 0.3, live=live):
                await task.queue_frame(frame)

        feeding = asyncio.create_task(feed())
        await asyncio.sleep(0.5)
        assert judge.asked
        getattr(task, way)()
        report = await running
        await asyncio.wait_for(feeding, 4.0)
        return report, down

    report, down = run_virtual(scene())
    assert judge.cancelled == 1
    assert not report.forced
    assert not report.abandoned
    utterances = [frame for frame in down if isinstance(frame, UtteranceFrame)]
    assert len(utterances) == (1 if way == "end" else 0)


@pytest.mark.parametrize("change", ["a gap", "a format"])
def test_audio_that_does_not_go_on_ends_the_turn_and_the_question(change: str) -> None:
    judge = Judge([False, True], takes_s=0.3)
    before = speech(0.5, 1, 0.3, live=True)
    at = before[-1].position + before[-1].num_samples + (RATE if change == "a gap" else 0)
    channels = 1 if change == "a gap" else 2
    after = [
        replace(frame, position=frame.position + at, channels=channels, data=frame.data * channels)
        for frame in speech(0.5, 1, 2, live=True)
    ]
    out = run([vad(), collecting(judge)], [*before, *after], paced=True)
    assert judge.cancelled == 1
    assert [kind for kind, _ in out.facts] == ["started", "stopped"] * 2
    assert out.utterances[0] == (0.4, 1.8)
    assert len(out.utterances) == 2


@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0])
def test_the_end_in_a_long_wait_gives_no_silence(seconds: float) -> None:
    out = run([vad(), collecting(Judge([False]), eagerness="low")], speech(0.5, 1, seconds))
    assert out.utterances == [(0.4, 1.8)]
    assert out.facts[-1] == ("stopped", 3 * RATE // 2)


# The same at every speed, however the audio is cut, and wherever a mailbox stands


class Late(FrameProcessor):
    """Holds audio for a while; facts pass by it at once."""

    takes = (InputAudioFrame,)

    def __init__(self, late_s: float, *, mailbox: int = 32) -> None:
        super().__init__(mailbox=mailbox)
        self._late_s = late_s

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(self._late_s)
        await self.push_frame(frame, direction)


class Halves(Judge):
    """Says yes or no by what it hears, after a time of chance."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__([None])
        self._chance = random.Random(seed)

    async def finished(self, utterance: UtteranceFrame) -> float:
        self.asked.append((utterance.position, utterance.position + utterance.num_samples))
        await asyncio.sleep(self._chance.choice([0.0, 0.01, 0.4, 2.0]))
        return utterance.num_samples // 80 % 3 / 2


TALK = (0.5, 1, 0.4, 0.3, 0.25, 0.6, 1.5, 0.9, 5, 1, 0.3, 0.2, 0.9, 1.3, 0.5, 0.7, 3, 2, 0.6)
ARRANGEMENTS: dict[str, Callable[[UtteranceCollector], list[Processor]]] = {
    "side by side": lambda stage: [vad(), stage],
    "a mailbox between": lambda stage: [vad(), Late(0.0), stage],
    "a slow mailbox between": lambda stage: [vad(), Late(0.05, mailbox=1), stage],
    "two mailboxes": lambda stage: [Late(0.01), vad(), Late(0.02), stage],
    "in a branch": lambda stage: [ParallelPipeline([vad(), Late(0.01), stage], [Late(0.03)])],
    "behind a branch": lambda stage: [ParallelPipeline([vad()], []), stage],
}


def talk(size: int) -> Run:
    return run([vad(), collecting(Halves(), max_s=4.0)], speech(*TALK, size=size))


@pytest.mark.parametrize("size", [1_000, 79, 4_001, 80_000])
def test_a_long_frame_waits_for_verdicts_like_short_ones(size: int) -> None:
    expected = talk(160)
    assert len(expected.utterances) > 4
    out = talk(size)
    assert out.facts == expected.facts
    assert out.utterances == expected.utterances


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("paced", [False, True])
@pytest.mark.heavy(after=1)
def test_the_utterances_are_the_same_in_every_arrangement(arrangement: str, paced: bool) -> None:
    expected = talk(160)
    judge = Halves(1)
    stages = ARRANGEMENTS[arrangement](collecting(judge, max_s=4.0))
    out = run(stages, speech(*TALK), paced=paced)
    assert out.facts == expected.facts
    assert out.utterances == expected.utterances


def test_the_begin_of_audio_does_not_end_the_question_about_it() -> None:
    judge = Judge([True])
    behind = [replace(frame, position=frame.position + 2 * RATE) for frame in speech(0.1, 0.5, 2)]
    frames = [*speech(0, 0.5), *behind]  # with a gap from 0.5 s to 2 s
    out = run([vad(), Late(0.02, mailbox=100), collecting(judge)], frames)
    assert out.utterances == [(0.0, 0.5), (2.0, 2.8)]
    assert judge.asked == [(2 * RATE, round(2.8 * RATE))]


def test_a_stage_that_keeps_the_audio_does_not_hang_the_source() -> None:
    class Keeps(FrameProcessor):
        takes = (InputAudioFrame,)
        kept: list[Frame]

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            self.kept.append(frame)

        async def on_end(self) -> None:
            for frame in self.kept:
                await self.push_frame(frame)

    stage = Keeps()
    stage.kept = []
    judge = Judge([True])
    out = run([vad(), stage, collecting(judge)], speech(0.5, 1, 2, 1, 2))
    assert not judge.asked
    assert out.utterances == [(0.4, 1.8), (3.4, 4.8)]


def test_run_processor_waits_for_the_verdicts() -> None:
    judge = Judge([False, True], takes_s=2.0)
    stages = Pipeline([vad(), collecting(judge)])
    out = run_processor(stages, [*speech(0.5, 1, 1.5, 1, 1), TextFrame("behind")])
    assert facts(out.down) == [("started", RATE // 2), ("stopped", 4 * RATE)]
    assert len(out.down.of(UtteranceFrame)) == 1
    assert [type(frame) for frame in out.up] == [UnfinishedTurnFrame, EndOfTurnFrame]


# A verdict of another stage, and of the program


class Grammar(FrameProcessor):
    """Ends the turn, or keeps it open, when it has heard so much."""

    takes = (InputAudioFrame,)

    def __init__(self, at_s: float, *verdicts: Frame) -> None:
        super().__init__()
        self._at = round(at_s * RATE)
        self._verdicts = list(verdicts)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        assert isinstance(frame, InputAudioFrame)
        while frame.position >= self._at and self._verdicts:
            await self.push_frame(self._verdicts.pop(0), UP)


def test_a_stage_of_the_users_ends_a_turn_without_any_judge() -> None:
    stages = [vad(), collecting(None, passes_audio=True), Grammar(1.6, EndOfTurnFrame())]
    out = run(stages, speech(0.5, 1, 2, live=True), paced=True)
    assert out.times(UserStoppedSpeakingFrame) == [pytest.approx(1.62, abs=0.021)]
    [(begin_s, end_s)] = out.utterances
    assert begin_s == 0.4
    assert end_s == pytest.approx(1.62, abs=0.021)


@pytest.mark.parametrize(
    ("verdict", "end_s"),
    [
        (EndOfTurnFrame(round(1.5 * RATE)), 1.5),
        (EndOfTurnFrame(round(1.31 * RATE)), 1.5),  # a recogniser's end of the word, a little early
        (EndOfTurnFrame(round(1.2 * RATE)), 4.5),  # the user went on
        (EndOfTurnFrame(0), 4.5),
        (EndOfTurnFrame(round(1.5 * RATE), "another microphone"), 1.5),
        (UnfinishedTurnFrame(round(1.5 * RATE), wait_s=3.0), 4.5),
    ],
)
def test_a_verdict_holds_for_the_silence_at_its_position(verdict: Frame, end_s: float) -> None:
    stages = [vad(stop_s=1.5), collecting(None, passes_audio=True), Grammar(1.6, verdict)]
    out = run(stages, speech(0.5, 1, 1, 2, 4, live=True), paced=True)
    assert out.facts[1] == ("stopped", end_s * RATE)


def test_a_verdict_does_not_cut_a_word_that_is_just_beginning() -> None:
    verdict = EndOfTurnFrame(round(1.5 * RATE))
    stages = [vad(start_s=0.2), collecting(None, passes_audio=True), Grammar(1.82, verdict)]
    out = run(stages, speech(0.5, 1, 0.32, 1, 2, live=True), paced=True)  # the word begins at 1.82 s
    assert out.facts == [("started", RATE // 2), ("stopped", round(2.82 * RATE))]


def test_a_verdict_in_the_last_sound_ends_the_turn_with_it() -> None:
    stages = [vad(), collecting(None, passes_audio=True), Grammar(1.4, EndOfTurnFrame())]
    out = run(stages, speech(0.5, 1, 2, live=True), paced=True)
    assert out.times(UserStoppedSpeakingFrame) == [pytest.approx(1.52, abs=0.021)]


def test_an_inline_stage_pushes_a_verdict_from_a_hook() -> None:
    class StopWord(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            if isinstance(frame, TextFrame):
                self.push_fact(EndOfTurnFrame(), UP)
            return (frame,)

    frames = speech(0.5, 1, 2)
    out = run([vad(), collecting(None), StopWord()], [*frames[:80], TextFrame("over"), *frames[80:]])
    assert out.utterances == [(0.4, 1.6)]
    with pytest.raises(RuntimeError, match=r"^StopWord is not in a running pipeline"):
        StopWord().push_fact(EndOfTurnFrame())
    with pytest.raises(TypeError, match=r"^StopWord must push a fact, not TextFrame"):
        StopWord().push_fact(TextFrame("a"))  # type: ignore[arg-type]  # it is to be refused


def test_the_program_ends_a_turn_by_a_queued_frame() -> None:
    frames = speech(0.5, 1, 2)
    out = run([vad(), collecting(None)], [*frames[:80], EndOfTurnFrame(), *frames[80:]])
    assert out.utterances == [(0.4, 1.6)]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EndOfTurnFrame(-1),
        lambda: EndOfTurnFrame(1.5),  # type: ignore[arg-type]  # it is to be refused
        lambda: EndOfTurnFrame(judged_s=float("nan")),
        lambda: UnfinishedTurnFrame(wait_s=-1),
        lambda: UnfinishedTurnFrame(wait_s=61),
    ],
)
def test_a_verdict_of_wrong_numbers_is_refused(wrong: Callable[[], Frame]) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^(position|judged_s|wait_s) must be "):
        wrong()


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True), (True, True), (None, True)])
def test_of_two_judges_in_branches_the_first_yes_ends_the_turn(first: Any, second: Any) -> None:
    judges = Judge([first], takes_s=0.1), Judge([second], takes_s=0.3)
    branches = ([collecting(judge)] for judge in judges)
    out = run([vad(), ParallelPipeline(*branches)], speech(0.5, 1, 2))
    assert out.facts == [("started", RATE // 2), ("stopped", 3 * RATE // 2)]
    assert out.utterances == [(0.4, 1.7)] * 2
    assert [len(judge.asked) for judge in judges] == [1, 1]
    assert judges[1].cancelled == (first is True)


# The times of the turn


class Answers(FrameProcessor):
    """Answers each utterance with a voice, after a while."""

    takes = (UtteranceFrame,)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(0.5)
        await self.push_frame(BotStartedSpeakingFrame())


@pytest.mark.parametrize(
    ("says", "silence_s", "judge_s"), [(True, 0.2, 0.1), (False, 3.9, 0.1), (OSError(), 0.6, 0.1)]
)
def test_the_time_of_the_verdict_is_a_part_of_the_turn(says: Any, silence_s: float, judge_s: float) -> None:
    stages = [vad(), collecting(Judge([says], takes_s=0.1)), Answers(name="answers")]
    frames = [replace(f, captured_s=f.position / RATE) for f in speech(0.5, 1, 6, live=True)]
    [turn] = run(stages, frames, paced=True).report.turns
    assert turn.parts.get("judge", 0.0) == pytest.approx(judge_s, abs=0.001)
    assert turn.parts["silence"] == pytest.approx(silence_s, abs=0.021)
    assert turn.parts["answers"] == pytest.approx(0.5, abs=0.011)
    assert sum(turn.parts.values()) == pytest.approx(turn.seconds)
    if says is True:
        assert "judge 0.10 s, answers 0.5" in str(turn)


# Long turns


def test_parts_of_a_long_turn_hold_no_wait_of_silence() -> None:
    judge = Judge([False])
    out = run([vad(), collecting(judge, max_s=2.0, eagerness="low")], speech(0.5, 2.5, 12))
    assert out.utterances[-1][1] == 3.3
    assert sum(end - begin for begin, end in out.utterances) == pytest.approx(2.9)


def test_a_long_pause_within_a_turn_is_kept_in_it() -> None:
    out = run([vad(), collecting(Judge([False, True]))], speech(0.5, 1, 3.5, 1, 2))
    assert out.utterances == [(0.4, 6.2)]


def test_a_longest_turn_of_the_detector_ends_at_the_pause() -> None:
    out = run([vad(max_s=3), collecting(Judge([False]), eagerness="low")], speech(0.5, 2, 9))
    assert out.facts == [("started", RATE // 2), ("stopped", 2.5 * RATE)]
    assert out.utterances == [(0.4, 2.8)]


# Judges that are none, and earlier ones


class Nothing:
    """Has neither method."""


@pytest.mark.parametrize(
    ("judge", "shown"),
    [
        ("whisper", "'whisper'"),
        (Nothing(), "<.*Nothing"),
        (Judge, "<class .*Judge"),
    ],
)
def test_what_is_no_judge_is_refused(judge: Any, shown: str) -> None:
    words = r"^end_of_turn must be an object with async def finished\(self, utterance\), not "
    with pytest.raises(TypeError, match=words + shown):
        UtteranceCollector(end_of_turn=judge)


def test_methods_of_the_wrong_kind_are_refused() -> None:
    class Plain:
        def finished(self, utterance: UtteranceFrame) -> bool:
            return True

    class Generator:
        async def finished(self, utterance: UtteranceFrame) -> Any:
            yield True

    class Awaits:
        async def is_finished(self, utterance: UtteranceFrame) -> bool:
            return True

    class PlainStart(Judge):
        def start(self) -> None:
            return None

    wrong: list[tuple[Any, str]] = [
        (Plain(), r"Plain\.finished must be async def, not a plain def"),
        (Generator(), r"Generator\.finished must be async def without yield"),
        (
            Awaits(),
            r"Awaits\.is_finished must be a plain def, not async def: a judge that awaits has async def fin",
        ),
        (PlainStart([True]), r"PlainStart\.start must be async def, not a plain def"),
    ]
    for judge, message in wrong:
        with pytest.raises(TypeError, match=f"^{message}"):
            UtteranceCollector(end_of_turn=judge)


def test_an_earlier_judge_is_asked_after_the_silence_and_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class Earlier:
        def is_finished(self, utterance: UtteranceFrame) -> bool:
            return utterance.num_samples > 3 * RATE

    words = r"Earlier.is_finished\(\) is asked after the silence, but will not be in the next release: write"
    with pytest.warns(DeprecationWarning, match=words) as warned:
        stage = collecting(Earlier())  # type: ignore[arg-type]  # of the earlier kind
    assert warned[0].filename == __file__
    out = run([vad(), stage], speech(0.5, 1, 1.5, 1, 2))
    assert len(out.facts) == 4
    assert out.utterances == [(0.4, 4.3)]
    assert len([line for line in caplog.messages if "Earlier.is_finished()" in line]) == 1


def test_a_judge_that_is_never_asked_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    class Detector(InlineProcessor):
        makes = (UserStoppedSpeakingFrame,)

        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return (frame,)

    run([Detector(), collecting(Judge([True]))], [])
    assert "no stage before UtteranceCollector tells when the user speaks" in caplog.text


@pytest.mark.parametrize("stop_s", [0.0, 0.01, 0.05, 0.2])
def test_a_silence_shorter_than_a_pause_decides_alone_or_with_the_judge(stop_s: float) -> None:
    judge = Judge([False])
    out = run([vad(stop_s=stop_s), collecting(judge)], speech(0.5, 1, 1, 1, 5))
    assert bool(judge.asked) == (stop_s > 0.01)
    assert [kind for kind, _ in out.facts] == ["started", "stopped"] * (1 if judge.asked else 2)
