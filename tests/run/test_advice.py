"""The traps of the obvious program: each is told in one line, before anything opens or within a second."""

from __future__ import annotations

import asyncio
import linecache
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from support.stages import InlineRecorder, Recorder
from voicepipe import (
    Frame,
    FrameDirection,
    FrameFilter,
    FrameProcessor,
    Gain,
    InlineProcessor,
    InputAudioFrame,
    LevelMeter,
    Limits,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineStartError,
    PipelineTask,
    Processor,
    SpeakerOutput,
    StartParams,
    Tap,
    TextFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
)
from voicepipe.pipeline.forgetting import forgetting_of
from voicepipe.testing import SimulatedCard

pytestmark = pytest.mark.virtual_time


class Swallows(FrameProcessor):
    """Handles texts, and forgets the rest."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TranscriptionFrame):
            await self.push_frame(TextFrame(frame.text))


class SwallowsInline(InlineProcessor):
    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        match frame:
            case TextFrame():
                print(frame.text)
        return ()


class LogsOutput(FrameProcessor):
    """Counts output audio, and forgets to pass it on."""

    count = 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, OutputAudioFrame):
            self.count += frame.num_samples


class Voice(FrameProcessor):
    """Says something for each utterance, and passes nothing else on. It does what it should."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, UtteranceFrame):
            for part in OutputAudioFrame.parts_of(frame):
                await self.push_frame(part)


class DoesNothing(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        pass


class Answers(FrameProcessor):
    """Makes frames of its own, and uses what is in the one that it is given."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case TranscriptionFrame():
                await self.push_frame(TextFrame(f"{frame}: {frame.text}"))
            case _:
                pass


class Gate(InlineProcessor):
    """Passes audio while it is open. It never opens in these tests."""

    is_open = False

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return (frame,) if self.is_open or not isinstance(frame, InputAudioFrame) else ()


class DeclaredGate(Gate):
    takes = (InputAudioFrame,)


class Button(InlineProcessor):
    """Tells when the user speaks: a user's own stage in place of a voice detector."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, TextFrame):
            return (UserStartedSpeakingFrame(),)
        return (frame,)


class DeclaredButton(Gate):
    """The same, with the frames made elsewhere."""

    makes = (UserStartedSpeakingFrame, UserStoppedSpeakingFrame)
    is_open = True


class Denoise(FrameProcessor):
    """Changes audio and passes it on."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, InputAudioFrame):
            await self.push_frame(frame.with_data(frame.data), direction)
        else:
            await self.push_frame(frame, direction)


class Keeps(FrameProcessor):
    """Keeps frames, and gives them out later: not forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Frame] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.kept.append(frame)


class Ears:
    """Microphones and speakers, each of a card of its own."""

    def microphone(self, name: str = "desk") -> MicrophoneInput:
        return MicrophoneInput(SimulatedCard().backend(), name=name)

    def speaker(self) -> SpeakerOutput:
        return SpeakerOutput(SimulatedCard().backend())


async def lines_of(
    stages: Sequence[Processor], caplog: pytest.LogCaptureFixture, seconds: float = 0.0
) -> list[str]:
    """The warnings of a run of so long."""
    caplog.clear()
    task = PipelineTask(Pipeline(stages))
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    await asyncio.sleep(seconds)
    task.end()
    await running
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


# A stage that forgets to pass frames on

FORGETFUL: dict[str, tuple[Callable[[Ears], list[Processor]], str]] = {
    "between microphone and voice detection": (
        lambda ears: [ears.microphone(), Swallows(), VADProcessor(), UtteranceCollector()],
        r"Swallows passes no frame on \(\S+test_advice\.py:\d+\), so no InputAudioFrame comes to "
        r"VADProcessor: "
        r"pass on each frame that it does not handle, with `await self\.push_frame\(frame, direction\)`",
    ),
    "inline": (
        lambda ears: [ears.microphone(), SwallowsInline(), VADProcessor(), UtteranceCollector()],
        r"SwallowsInline passes no frame on .* with `return \(frame,\)`",
    ),
    "between voice detection and collector": (
        lambda ears: [ears.microphone(), VADProcessor(), Swallows(), UtteranceCollector()],
        r"Swallows passes no frame on .* comes to UtteranceCollector: .*",
    ),
    "with a good stage beside it": (
        lambda ears: [ears.microphone(), Recorder(), Swallows(), Recorder("r"), Loopback()],
        r"Swallows passes no frame on .* so no InputAudioFrame comes to Loopback: .*",
    ),
    "in both branches": (
        lambda ears: [ears.microphone(), ParallelPipeline([Swallows()], [SwallowsInline()]), VADProcessor()],
        r"Swallows passes no frame on .*",
    ),
    "in front of a user's stage that says what it takes": (
        lambda ears: [ears.microphone(), Swallows(), TakesAudio()],
        r"Swallows passes no frame on .* comes to TakesAudio: .*",
    ),
}


class TakesAudio(Recorder):
    takes = (InputAudioFrame,)

    def __init__(self) -> None:
        super().__init__("TakesAudio")


@pytest.mark.parametrize("name", FORGETFUL)
async def test_a_stage_that_forgets_to_pass_frames_on_is_named_with_its_line(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, expected = FORGETFUL[name]
    lines = await lines_of(make(Ears()), caplog)
    assert any(re.fullmatch(expected, line) for line in lines), lines


class PassesByName(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InputAudioFrame() as audio:
                await self.push_frame(audio, direction)


class Wraps(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)


class PassesLater(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.create_task(self.push_frame(frame, direction))


class Yields(InlineProcessor):
    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, TextFrame):
            yield frame


class OnlyLooks(FrameProcessor):
    async def process_frame(self, item: Frame, direction: FrameDirection) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if item.is_system or isinstance(item, TextFrame):
            logging.getLogger("x").info("%s", item)


@pytest.mark.parametrize(
    "stage", [Keeps, Denoise, Gate, PassesByName, Wraps, PassesLater, Yields, Recorder, VADProcessor, Button]
)
def test_a_stage_that_keeps_or_changes_or_passes_its_frames_is_not_forgetful(
    stage: Callable[[], Processor],
) -> None:
    assert forgetting_of(stage()) is None


@pytest.mark.parametrize("stage", [Swallows, SwallowsInline, LogsOutput, OnlyLooks, DoesNothing, Answers])
def test_a_stage_whose_code_only_looks_is_forgetful(stage: Callable[[], Processor]) -> None:
    forgetting = forgetting_of(stage())
    assert forgetting is not None
    assert re.search(r"test_advice\.py:\d+$", forgetting.at)


FINE: dict[str, Callable[[Ears], list[Processor]]] = {
    "the voice passes nothing else on": lambda e: [
        e.microphone(),
        VADProcessor(),
        UtteranceCollector(),
        Voice(),
        e.speaker(),
    ],
    "a stage at the end consumes all": lambda e: [
        e.microphone(),
        VADProcessor(),
        UtteranceCollector(),
        Swallows(),
    ],
    "another branch passes it on": lambda e: [
        e.microphone(),
        ParallelPipeline([Swallows()], [Recorder()]),
        VADProcessor(),
        UtteranceCollector(),
    ],
    "a denoiser": lambda e: [e.microphone(), Denoise(), VADProcessor(), UtteranceCollector()],
    "one that keeps": lambda e: [e.microphone(), VADProcessor(), UtteranceCollector(), Keeps(), e.speaker()],
    "a button": lambda e: [e.microphone(), Button(), UtteranceCollector()],
    "a declared button": lambda e: [e.microphone(), DeclaredButton(), UtteranceCollector()],
    "a declared gate": lambda e: [e.microphone(), DeclaredGate(), VADProcessor(), UtteranceCollector()],
    "two branches": lambda e: [e.microphone(), ParallelPipeline([VADProcessor()], [Gain(3)])],
    "one stage in one branch": lambda e: [e.microphone(), ParallelPipeline([VADProcessor()])],
    "a meter behind": lambda e: [
        e.microphone(),
        VADProcessor(),
        UtteranceCollector(),
        LevelMeter(),
        e.speaker(),
    ],
    "no stage before the collector": lambda e: [UtteranceCollector(), e.speaker()],
    "straight through": lambda e: [e.microphone(), Gain(3), Loopback(), e.speaker()],
}


@pytest.mark.parametrize("name", FINE)
async def test_a_program_without_a_trap_is_told_nothing(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert await lines_of(FINE[name](Ears()), caplog, seconds=3.0) == []


async def test_a_stage_that_lets_no_audio_pass_is_told_of_within_a_second_and_a_bit(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ears = Ears()
    stages = [ears.microphone(), Gate(), VADProcessor(), UtteranceCollector()]
    assert await lines_of(stages, caplog, seconds=0.8) == []
    lines = await lines_of(stages, caplog, seconds=1.6)
    (line,) = lines
    assert re.match(
        r"VADProcessor has heard nothing, though 1\.\d s were captured: Gate \(\S+\.py:\d+\) passes no",
        line,
    )


# A collector without a voice detector


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        (
            lambda e: [e.microphone(), UtteranceCollector()],
            r"put a VADProcessor\(\) in front of",
        ),
        (lambda e: [e.microphone(), Recorder(), UtteranceCollector()], r"put a VADProcessor\(\) in front of"),
        (lambda e: [Gain(3), UtteranceCollector()], r"put a VADProcessor\(\) in front of it"),
        (
            lambda e: [e.microphone(), UtteranceCollector(), VADProcessor()],
            "put VADProcessor, which stands behind it, in front of it",
        ),
        (
            lambda e: [e.microphone(), ParallelPipeline([VADProcessor()], [UtteranceCollector()])],
            r"put a VADProcessor\(\) in front of it",
        ),
    ],
)
async def test_a_collector_without_a_voice_detector_is_told(
    make: Callable[[Ears], list[Processor]], cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = await lines_of(make(Ears()), caplog)
    assert line.startswith("no stage before UtteranceCollector tells when the user speaks: put ")
    assert re.search(cure, line)


async def test_one_who_waits_for_facts_that_nobody_makes_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tap = Tap(lambda frame, direction: None, UserStartedSpeakingFrame)
    (line,) = await lines_of([Ears().microphone(), tap], caplog)
    assert line.startswith("no stage before Tap tells when the user speaks: put a VADProcessor()")


# One branch


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c"]])
async def test_one_branch_where_two_were_meant_is_told(
    names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    stages = [Ears().microphone(), ParallelPipeline([Recorder(name) for name in names]), InlineRecorder()]
    (line,) = await lines_of(stages, caplog)
    assert line.startswith(f"a ParallelPipeline has one branch, with {', '.join(names)} one behind another: ")
    assert line.endswith(f"ParallelPipeline([a], [{', '.join(names[1:])}])")


# A speaker in front of what makes the sound


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (lambda e: [e.microphone(), VADProcessor(), UtteranceCollector(), e.speaker(), Voice()], "Voice"),
        (lambda e: [e.microphone(), e.speaker(), Loopback()], "Loopback"),
        (lambda e: [e.microphone(), e.speaker(), Gain(3), Recorder(), Loopback()], "Loopback"),
        (lambda e: [e.microphone(), ParallelPipeline([e.speaker(), Voice()], [Gain(3)])], "Voice"),
        (lambda e: [e.microphone(), Pipeline([e.speaker()]), Pipeline([Voice()])], "Voice"),
    ],
)
async def test_a_speaker_in_front_of_the_voice_is_told(
    make: Callable[[Ears], list[Processor]], label: str, caplog: pytest.LogCaptureFixture
) -> None:
    lines = await lines_of(make(Ears()), caplog)
    expected = f"{label} stands behind SpeakerOutput, which keeps output audio: "
    assert [line for line in lines if line.startswith(expected)], lines


async def test_a_second_speaker_behind_the_second_voice_is_right(caplog: pytest.LogCaptureFixture) -> None:
    ears = Ears()
    assert (
        await lines_of([ears.microphone(), Loopback(), ears.speaker(), Voice(), ears.speaker()], caplog) == []
    )


# Two microphones


@pytest.mark.parametrize(
    "make",
    [
        lambda e: [e.microphone("desk"), e.microphone("door"), VADProcessor()],
        lambda e: [ParallelPipeline([e.microphone("desk")], [e.microphone("door")]), VADProcessor()],
        lambda e: [
            ParallelPipeline([e.microphone("desk"), VADProcessor()], [e.microphone("door"), VADProcessor()]),
            UtteranceCollector(),
        ],
        lambda e: [Pipeline([e.microphone("desk"), Gain(1)]), e.microphone("door"), Gain(2), VADProcessor()],
    ],
)
async def test_two_microphones_into_one_stage_are_refused_before_anything_opens(
    make: Callable[[Ears], list[Processor]],
) -> None:
    ears = Ears()
    opened = Recorder()
    with pytest.raises(
        PipelineStartError, match=r"hears two microphones at once, (desk and door|door and desk): "
    ):
        await PipelineTask(Pipeline([*make(ears), opened])).run()
    assert not opened.events


async def test_two_microphones_in_two_branches_are_right(caplog: pytest.LogCaptureFixture) -> None:
    ears = Ears()
    branches = [[ears.microphone(n), VADProcessor(), UtteranceCollector()] for n in ("desk", "door")]
    assert await lines_of([ParallelPipeline(*branches)], caplog, seconds=1.5) == []


@pytest.mark.parametrize("stage", [VADProcessor, UtteranceCollector])
async def test_two_microphones_that_no_layout_shows_are_an_error_as_soon_as_they_alternate(
    stage: Callable[[], Processor],
) -> None:
    frame = InputAudioFrame(bytes(640), origin="desk")
    task = PipelineTask(Pipeline([stage()]))
    for n in range(10):
        await task.queue_frame(replace(frame, position=320 * n))
        await task.queue_frame(replace(frame, position=320 * n, origin="door"))
    task.end()
    with pytest.raises(PipelineError, match=r"it hears two microphones at once, (desk|door) and "):
        await task.run()


async def test_microphones_that_are_chosen_one_after_another_are_no_trap() -> None:
    task = PipelineTask(Pipeline([VADProcessor(), UtteranceCollector()]))
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    for n in range(20):
        for at in range(30):
            frame = InputAudioFrame(bytes(640), position=320 * (30 * n + at), origin=f"mic {n % 2}")
            await task.queue_frame(frame)
    task.end()
    await running


# Audio past the collector


@pytest.mark.parametrize(
    ("behind", "passes"),
    [
        (lambda: [Recorder()], False),
        (lambda: [Recorder(), LevelMeter(InputAudioFrame)], True),
        (lambda: [Recorder(), LevelMeter(OutputAudioFrame)], False),
        (lambda: [Recorder(), Loopback()], True),
        (lambda: [Recorder(), ParallelPipeline([Gain(1)], [Pipeline([UtteranceCollector()])])], True),
        (lambda: [Recorder(), Tap(lambda frame, direction: None, InputAudioFrame)], True),
        (lambda: [Recorder(), Tap(lambda frame, direction: None)], False),
        (lambda: [Recorder(), FrameFilter(UtteranceFrame), Gain(1)], False),
        (lambda: [Recorder(), TakesAudio()], True),
    ],
)
async def test_a_collector_passes_audio_on_only_where_it_is_wanted(
    behind: Callable[[], list[Processor]], passes: bool
) -> None:
    stages = behind()
    task = PipelineTask(Pipeline([VADProcessor(), UtteranceCollector(), *stages]))
    await task.queue_frame(InputAudioFrame(bytes(640)))
    task.end()
    await task.run()
    assert isinstance(stages[0], Recorder)
    assert any(isinstance(frame, InputAudioFrame) for frame in stages[0].frames) is passes


@pytest.mark.parametrize("passes", [True, False])
async def test_passes_audio_says_it(passes: bool) -> None:
    recorder = Recorder()
    task = PipelineTask(Pipeline([VADProcessor(), UtteranceCollector(passes_audio=passes), recorder]))
    await task.queue_frame(InputAudioFrame(bytes(640)))
    task.end()
    await task.run()
    assert any(isinstance(frame, InputAudioFrame) for frame in recorder.frames) is passes


@pytest.mark.parametrize("stage", [Loopback, VADProcessor, UtteranceCollector, LevelMeter, TakesAudio])
async def test_one_who_would_get_no_audio_is_refused_with_the_cure(
    stage: Callable[[], Processor],
) -> None:
    needs = stage()
    stages = [VADProcessor(), UtteranceCollector(passes_audio=False, name="ear"), Recorder(), needs]
    label = f"{needs.name}#2" if isinstance(needs, VADProcessor) else needs.name
    expected = rf"ear did not start: .*passes_audio=False\), which {label} .* put {label} in front of ear"
    with pytest.raises(PipelineStartError, match=expected):
        await PipelineTask(Pipeline(stages)).run()


# A stage that raises


def _deep(frame: Frame) -> None:
    raise ValueError("oh")  # raised here


class Raises(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        _deep(frame)


class RaisesInline(InlineProcessor):
    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        _deep(frame)
        return ()


class RaisesInOurs(FrameProcessor):
    """Voicepipe raises, at the user's call."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        InputAudioFrame(b"1")


class RaisesInALibrary(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        re.compile("(")


class RaisesInATask(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        self.create_task(self._work())

    async def _work(self) -> None:
        _deep(TextFrame("x"))


class RaisesAtTheEnd(FrameProcessor):
    async def on_end(self) -> None:
        _deep(TextFrame("x"))


@pytest.mark.parametrize(
    "stage", [Raises, RaisesInline, RaisesInOurs, RaisesInALibrary, RaisesInATask, RaisesAtTheEnd]
)
async def test_the_line_that_raised_is_in_the_one_line_that_is_printed(
    stage: Callable[[], Processor],
) -> None:
    task = PipelineTask(Pipeline([stage()]))
    await task.queue_frame(TextFrame("x"))
    task.end()
    with pytest.raises(PipelineError, match=r"^\w+ failed: .* at tests.run.test_advice\.py:\d+$") as failed:
        await task.run()
    number = int(str(failed.value).rpartition(":")[2])
    line = linecache.getline(__file__, number)
    assert any(part in line for part in ("raised here", 'InputAudioFrame(b"1")', "re.compile"))
    assert "\n" not in str(failed.value)


async def test_a_stage_that_reports_has_its_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    stage = Raises()
    stage.on_error = "report"
    task = PipelineTask(Pipeline([stage]))
    await task.queue_frame(TextFrame("x"))
    task.end()
    await task.run()
    (line,) = [record.getMessage() for record in caplog.records]
    assert re.search(r"Raises: ValueError: oh at tests.run.test_advice\.py:\d+$", line)


# A model that loads for long


class LoadsLong(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(8.0)


async def test_a_model_that_loads_for_long_is_named_with_the_limit_and_how_to_raise_it() -> None:
    with pytest.raises(PipelineStartError) as failed:
        await PipelineTask(Pipeline([Recorder(), LoadsLong(), Recorder()])).run()
    assert str(failed.value) == (
        "LoadsLong did not start: it took longer than the start limit of 5 s: if it has so much to load, "
        "raise the limit with PipelineTask(..., limits=Limits(start_s=30))"
    )
    assert failed.value.stage == "LoadsLong"


class LoadsAlmostTooLong(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(1.5)


class HasNoTimeLeft(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(0.6)


async def test_the_stage_that_took_most_of_the_time_is_named_not_the_one_that_had_no_time_left() -> None:
    stages = [HasNoTimeLeft(), LoadsAlmostTooLong()]
    with pytest.raises(PipelineStartError, match=r"^LoadsAlmostTooLong did not start: it took"):
        await PipelineTask(Pipeline(stages), limits=Limits(start_s=2.0)).run()
