"""The checks of a stage pass where a stage is right, and name what is wrong where it is not."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from own_stage import Assistant
from parrot import Parrot
from support.stages import DOWN, InlineRecorder, Recorder, forever
from voicepipe import (
    DataFrame,
    Frame,
    FrameDirection,
    FrameFilter,
    FrameProcessor,
    Gain,
    InlineProcessor,
    LevelMeter,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    Processor,
    SpeakerOutput,
    StartParams,
    TextFrame,
    TranscriptionFrame,
    UtteranceCollector,
    VADProcessor,
)
from voicepipe.devices.port import InputStream, StreamRequest
from voicepipe.testing import RuleError, SimulatedCard, check_processor, frames_of, noise, speech

VOICE = frames_of(speech())
WORDS = [TranscriptionFrame("hello there"), 1.0]


def listening() -> Processor:
    card = SimulatedCard()
    card.mic.hear(speech())
    return MicrophoneInput(card.backend())


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("make", "frames", "steps"),
    [
        (Assistant, WORDS, 40),
        (Recorder, [TextFrame("a"), TextFrame("b")], 40),
        (InlineRecorder, [TextFrame("a")], 40),
        (Loopback, VOICE[:10], 20),
        (lambda: Gain(-6), VOICE[:10], 20),
        (LevelMeter, VOICE[:10], 20),
        (lambda: FrameFilter(drop=TextFrame), [TextFrame("a"), *VOICE[:3]], 20),
        (UtteranceCollector, VOICE[:20], 20),
        (lambda: Pipeline([VADProcessor(), UtteranceCollector(), Parrot()]), VOICE, 4),
        (lambda: ParallelPipeline([Assistant()], [Gain(-6)], []), WORDS, 20),
        (listening, [1.0], 10),
        (lambda: SpeakerOutput(SimulatedCard().backend()), frames_of(noise(0.5), OutputAudioFrame), 20),
    ],
)
def test_the_librarys_own_stages_pass(make: Callable[[], Processor], frames: list[Any], steps: int) -> None:
    check_processor(make, frames, steps=steps)


class Keeps(InlineProcessor):
    """Swallows what it does not know."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return (frame,) if isinstance(frame, TextFrame) else ()


class KeepsData(InlineProcessor):
    """Swallows data that it does not know."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return () if isinstance(frame, DataFrame) and not isinstance(frame, TextFrame) else (frame,)


class KeepsNews(FrameProcessor):
    """Passes news on downstream only."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if not frame.is_system or direction is DOWN:
            await self.push_frame(frame, direction)


class Once(InlineProcessor):
    """Cannot be used again."""

    _used = False

    async def on_start(self, params: StartParams) -> None:
        if self._used:
            raise RuntimeError("used already")
        self._used = True


class ClosesAtTheEnd(FrameProcessor):
    """Closes its device at the End, and not in `cleanup`."""

    stream: InputStream

    async def on_start(self, params: StartParams) -> None:
        self.stream = await SimulatedCard().backend().open_input(StreamRequest(), lambda: None)

    async def on_end(self) -> None:
        await self.stream.close()


class BadlyInterrupted(Recorder):
    def on_interruption(self) -> None:
        raise LookupError("no answer to drop")


class SwallowsCancellation(FrameProcessor):
    """Begins again when it is cancelled in the midst of a frame."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        while isinstance(frame, TextFrame):
            try:
                await asyncio.sleep(1.0)
                break
            except asyncio.CancelledError:
                pass
        await self.push_frame(frame, direction)


class LeavesATask(FrameProcessor):
    """Only when it is cancelled."""

    async def on_cancel(self) -> None:
        self.task = asyncio.create_task(forever(), name="forgotten")


class FailsOnANeighboursFailure(Recorder):
    async def on_end(self) -> None:
        if not self.frames:
            raise ValueError("nothing came")


class Thinks(FrameProcessor):
    """Takes text only, and takes its time."""

    takes = (TextFrame,)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(0.2)
        await self.push_frame(OutputAudioFrame(bytes(320)))


class AnswersInOneTask(FrameProcessor):
    """Begins its only task with the first frame: it is of that frame's time for ever."""

    _asked: asyncio.Queue[Frame] | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            if self._asked is None:
                self._asked = asyncio.Queue()
                self.create_task(self._answer(self._asked))
            self._asked.put_nowait(frame)
        await self.push_frame(frame, direction)

    async def _answer(self, asked: asyncio.Queue[Frame]) -> None:
        while True:
            await asked.get()
            await self.push_frame(OutputAudioFrame(bytes(320)))


class AnswersInALastingTask(AnswersInOneTask):
    """Begins it where it should."""

    async def on_running(self) -> None:
        self._asked = asyncio.Queue()
        self.create_task(self._answer(self._asked))


class FailsAtFacts(Recorder):
    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        raise LookupError("no such fact")


class FailsAtFactsWhileItWaits(FrameProcessor):
    """Cannot be entered a second time."""

    _busy = False

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if self._busy:
            raise RuntimeError("entered twice")
        self._busy = True
        for _ in range(3):
            await self.push_frame(TextFrame("more"))
        self._busy = False


@pytest.mark.parametrize("make", [Thinks, AnswersInALastingTask])
@pytest.mark.heavy(after=1)
def test_a_stage_that_takes_some_frames_or_answers_in_a_task_passes(make: Callable[[], Processor]) -> None:
    check_processor(make, [TextFrame("a"), TextFrame("b"), 1.0], passes_on=make is not Thinks, steps=10)


@pytest.mark.parametrize(
    ("make", "case", "named"),
    [
        (FailsAtFacts, "facts while it waits", "LookupError: no such fact"),
        (FailsAtFactsWhileItWaits, "facts while it waits", "RuntimeError: entered twice"),
        (
            AnswersInOneTask,
            "after an interruption",
            r"it pushed 2 frames before an interruption, and all 2 of later are dropped: .* on_running\(\)",
        ),
    ],
)
@pytest.mark.heavy(after=1)
def test_a_stage_that_is_wrong_in_a_conversation_is_told_so(
    make: Callable[[], Processor], case: str, named: str
) -> None:
    with pytest.raises(RuleError, match=rf"(?s)^{case}: .*{named}") as broken:
        check_processor(make, [TextFrame("a"), TextFrame("b")], only=case)
    del broken
    gc.collect()


@pytest.mark.parametrize(
    ("make", "case", "named"),
    [
        (
            KeepsData,
            "unknown frames",
            "UnknownDataFrame, an unknown frame, must leave downstream once, not 0 times",
        ),
        (
            KeepsNews,
            "system frames while it waits",
            "UnknownSystemFrame, .* must leave upstream once, not 0 times",
        ),
        (Once, "twice", "PipelineStartError: Once did not start: RuntimeError: used already"),
        (ClosesAtTheEnd, "cancel at step .*", "left behind: .*input stream of simulated .* in on_start"),
        (BadlyInterrupted, "after an interruption", "LookupError: no answer to drop"),
        (SwallowsCancellation, "cancel at step .*", "refused to stop"),
        (LeavesATask, "cancel at step .*", r"left behind: tasks: forgotten .*made .* in on_cancel"),
        (FailsOnANeighboursFailure, "no frames", "ValueError: nothing came"),
    ],
)
@pytest.mark.heavy(after=1)
def test_a_stage_that_is_wrong_is_told_what_when_and_how_to_see_it_again(
    make: Callable[[], Processor], case: str, named: str
) -> None:
    with pytest.raises(RuleError, match=rf"(?s)^({case})( \(\d+\.\d+ s\))?: .*{named}") as broken:
        check_processor(make, [TextFrame("a"), TextFrame("b")], steps=100)
    lines = str(broken.value).splitlines()
    only = lines[-1].removeprefix("to run this case alone: check_processor(..., only='").removesuffix("')")
    with pytest.raises(RuleError) as again:
        check_processor(make, [TextFrame("a"), TextFrame("b")], only=only)
    assert str(again.value).splitlines()[0] == lines[0]
    del broken, again  # their tracebacks hold what was left
    gc.collect()


def test_a_stage_that_keeps_frames_may_say_so() -> None:
    check_processor(Keeps, [TextFrame("a")], passes_on=False)


def test_a_case_that_is_not_there_is_refused() -> None:
    for only in ("twelve", "end at step", "pause at step 7", "end at step x"):
        with pytest.raises(
            ValueError, match=f"unknown case '{only}'; choose one of: plain, .* 'end at step 7'"
        ):
            check_processor(Recorder, only=only)


def test_what_is_wrong_before_any_run_is_raised_as_it_is_with_the_case() -> None:
    def make() -> Processor:
        raise OSError("no such model")

    with pytest.raises(OSError, match="no such model") as failed:
        check_processor(make)
    assert failed.value.__notes__ == ["to run this case alone: check_processor(..., only='plain')"]


def test_a_coroutine_that_a_stage_keeps_and_never_awaits_is_named() -> None:
    class Hoards(FrameProcessor):
        kept: list[Any]

        async def on_start(self, params: StartParams) -> None:
            self.kept = []

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            self.kept.append(self.push_frame(TextFrame("late")))
            await self.push_frame(frame, direction)

    made: list[Hoards] = []

    def make() -> Hoards:
        made.append(Hoards())
        return made[-1]

    with pytest.raises(RuleError, match=r"plain: these coroutines .* never awaited: push_frame\(\)\n"):
        check_processor(make, [TextFrame("a")])
    for stage in made:
        for coroutine in stage.kept:
            coroutine.close()


@pytest.mark.parametrize("hook", ["on_ending", "on_interruption", "progress"])
def test_a_hook_of_the_wrong_kind_is_raised_as_it_is(hook: str) -> None:
    async def wrong(*_: object) -> None:
        pass

    with pytest.raises(TypeError, match=f"Stage.{hook} must be a plain def"):
        check_processor(type("Stage", (FrameProcessor,), {hook: wrong}), [TextFrame("a")])
