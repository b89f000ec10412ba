"""What began before an interruption makes nothing heard after it, whoever pushes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from support.stages import Ends, Recorder
from voicepipe import (
    DataFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    InterruptionFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    RunReport,
    StartParams,
    TextFrame,
    TranscriptionFrame,
    UtteranceFrame,
)
from voicepipe_devices.fake import SimulatedCard

Answer = Callable[["Answers"], Awaitable[None]]


class Answers(FrameProcessor):
    """Answers each transcription, in the way that the test gives."""

    may_take_s = 60.0

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer
        self.said = ""
        self.loose: list[asyncio.Task[None]] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TranscriptionFrame):
            self.said = frame.text
            await self._answer(self)
        else:
            await self.push_frame(frame, direction)

    async def speak_later(self, said: str) -> None:
        await asyncio.sleep(2.0)
        await self.push_frame(TextFrame(said))


async def by_itself(stage: Answers) -> None:
    await stage.speak_later(stage.said)


async def in_a_task(stage: Answers) -> None:
    stage.create_task(stage.speak_later(stage.said))


async def in_a_loose_task(stage: Answers) -> None:
    stage.loose.append(asyncio.create_task(stage.speak_later(stage.said)))


async def in_a_task_of_a_task(stage: Answers) -> None:
    async def outer() -> None:
        await asyncio.create_task(stage.speak_later(said))

    said = stage.said
    stage.create_task(outer())


async def in_a_group(stage: Answers) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.speak_later(stage.said))


async def by_a_callback(stage: Answers) -> None:
    said = stage.said
    asyncio.get_running_loop().call_later(
        1.0, lambda: stage.loose.append(asyncio.ensure_future(stage.speak_later(said)))
    )


WAYS: tuple[Answer, ...] = (
    by_itself,
    in_a_task,
    in_a_loose_task,
    in_a_task_of_a_task,
    in_a_group,
    by_a_callback,
)


async def conversation(stage: FrameProcessor) -> tuple[list[str], RunReport]:
    """Ask at 0 s, interrupt at 1 s, ask again at 4 s; return what was said."""
    task = PipelineTask(Pipeline([stage]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await task.queue_frame(TranscriptionFrame("one"))
    await asyncio.sleep(1.0)
    task.interrupt()
    await asyncio.sleep(4.0)
    await task.queue_frame(TranscriptionFrame("two"))
    await asyncio.sleep(5.0)
    task.end()
    report = await running
    return [frame.text for frame in ends.down if isinstance(frame, TextFrame)], report


@pytest.mark.parametrize("answer", WAYS)
async def test_a_stale_answer_is_dropped_and_the_next_is_heard(answer: Answer) -> None:
    said, report = await conversation(Answers(answer))
    assert said == ["two"]
    assert report.dropped_frames == {"interrupted": 1}


async def test_an_inline_stage_behind_a_live_microphone_answers_in_the_present_era() -> None:
    """A microphone pushes what it hears outside of any task, where nothing says which era it is."""

    voice = FrameProcessor(name="voice")

    class Decides(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> tuple[Frame, ...]:
            if isinstance(frame, InputAudioFrame) and frame.position in (0, 4 * frame.rate):
                self.create_task(self._answer(f"at {frame.position // frame.rate} s"))
            return (frame,)

        async def _answer(self, said: str) -> None:
            await asyncio.sleep(2.0)
            await voice.push_frame(TextFrame(said))

    card = SimulatedCard()
    card.mic.hear(bytes(2 * 16_000 * 9))
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), Decides(), voice]))
    ends = Ends(task)
    asyncio.get_running_loop().call_later(1.0, task.interrupt)
    asyncio.get_running_loop().call_later(8.0, task.end)
    report = await task.run()
    assert [frame.text for frame in ends.down if isinstance(frame, TextFrame)] == ["at 4 s"]
    assert report.dropped_frames == {"interrupted": 1}


async def test_a_task_from_the_start_serves_every_era() -> None:
    """A connection to a service lives as long as the run; what it brings is of its request's time."""

    class Connected(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            self._asked: asyncio.Queue[str] = asyncio.Queue()
            self.create_task(self._receive())

        async def _receive(self) -> None:
            while True:
                said = await self._asked.get()
                await asyncio.sleep(2.0)
                await self.push_frame(TextFrame(said))

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TranscriptionFrame):
                self._asked.put_nowait(frame.text)
            else:
                await self.push_frame(frame, direction)

    said, _ = await conversation(Connected())
    assert said[-1] == "two"


@pytest.mark.parametrize(
    "said",
    [InputAudioFrame(bytes(2)), UtteranceFrame(bytes(2)), TranscriptionFrame("words")],
    ids=lambda frame: type(frame).__name__,
)
@pytest.mark.parametrize("cut", [False, True])
async def test_the_users_speech_is_never_dropped(said: Frame, cut: bool) -> None:
    class Recognises(FrameProcessor):
        cut_on_interruption = cut

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TextFrame):
                self.create_task(self._later())
            await self.push_frame(frame, direction)

        async def _later(self) -> None:
            await asyncio.sleep(2.0)
            await self.push_frame(said)

    task = PipelineTask(Pipeline([Recognises()]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("go"))
    await asyncio.sleep(1.0)
    task.interrupt()
    await asyncio.sleep(2.0)
    task.end()
    await running
    assert said in ends.down


class Plan(DataFrame):
    """A frame of a user's own, which an interruption does not drop by itself."""


@pytest.mark.parametrize(("cut", "arrives"), [(False, True), (True, False)])
async def test_data_of_a_users_own_goes_where_the_stage_makes_the_answer(cut: bool, arrives: bool) -> None:
    class Plans(FrameProcessor):
        cut_on_interruption = cut

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TextFrame):
                self.create_task(self._later())

        async def _later(self) -> None:
            await asyncio.sleep(2.0)
            await self.push_frame(Plan())

    task = PipelineTask(Pipeline([Plans()]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("go"))
    await asyncio.sleep(1.0)
    task.interrupt()
    await asyncio.sleep(2.0)
    task.end()
    await running
    assert any(isinstance(frame, Plan) for frame in ends.down) is arrives


async def test_who_interrupts_goes_on_in_the_new_era_and_its_words_are_heard() -> None:
    class Stops(FrameProcessor):
        cut_on_interruption = True

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TranscriptionFrame):
                await self.push_frame(InterruptionFrame())
                await self.push_frame(TextFrame("I stop"))
                self.create_task(self._later())
            else:
                await self.push_frame(frame, direction)

        async def _later(self) -> None:
            await asyncio.sleep(1.0)
            await self.push_frame(TextFrame("and listen"))

    class Mouth(Recorder):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TextFrame):
                await asyncio.sleep(0.5)
            await super().process_frame(frame, direction)

    mouth = Mouth()
    task = PipelineTask(Pipeline([Stops(), mouth]))
    running = asyncio.create_task(task.run())
    for n in range(3):
        await task.queue_frame(TextFrame(f"old {n}"))
    await asyncio.sleep(0.1)
    await task.queue_frame(TranscriptionFrame("stop"))
    await asyncio.sleep(3.0)
    task.end()
    report = await running
    said = [frame.text for frame in mouth.frames if isinstance(frame, TextFrame)]
    assert said == ["I stop", "and listen"]
    assert report.dropped_frames == {"interrupted": 3}


async def test_the_second_interruption_ends_what_the_first_began() -> None:
    class Stops(Answers):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TranscriptionFrame):
                await self.push_frame(InterruptionFrame())
                self.create_task(self.speak_later(frame.text))

    task = PipelineTask(Pipeline([Stops(by_itself)]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    for said in ("one", "two", "three"):
        await task.queue_frame(TranscriptionFrame(said))
        await asyncio.sleep(1.0)
    await asyncio.sleep(3.0)
    task.end()
    await running
    assert [frame.text for frame in ends.down if isinstance(frame, TextFrame)] == ["three"]


async def test_a_run_inside_a_handling_has_eras_of_its_own() -> None:
    said: list[str] = []

    class Runs(FrameProcessor):
        may_take_s = 60.0

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, TranscriptionFrame):
                inner = PipelineTask(Pipeline([Late()]))
                inner.subscribe(
                    lambda made, _: said.append(made.text) if isinstance(made, TextFrame) else None
                )
                await inner.run()

    class Late(FrameProcessor):
        async def on_running(self) -> None:
            self.create_task(self._later())

        async def _later(self) -> None:
            await asyncio.sleep(2.0)
            await self.push_frame(TextFrame("inner"))
            await self.push_frame(OutputAudioFrame(bytes(2)))
            assert self._seat is not None
            self._seat.run.course.ask(1, "over")  # type: ignore[attr-defined]

    task = PipelineTask(Pipeline([Runs()]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(TranscriptionFrame("go"))
    await asyncio.sleep(1.0)
    task.interrupt()
    await asyncio.sleep(3.0)
    task.cancel()
    await running
    assert said == ["inner"]
