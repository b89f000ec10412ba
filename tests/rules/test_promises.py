"""The two promises of the shutdown, each alone.

1. Terminal frames travel through everything, the Sink included.
2. Whoever created a thing cleans it up, whatever happened to any frame.

Either one hides a breach of the other, so the first is tested with no run and no clean-up
around it, and the second with frames that nobody passes on. `mutants.py` has a mutant for each.
"""

from __future__ import annotations

import asyncio
from contextvars import copy_context

import pytest

from support.stages import Does, InlineRecorder, Recorder, forever
from voicepipe import (
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    RunState,
    StartFrame,
    StartParams,
    TextFrame,
    TranscriptionFrame,
)
from voicepipe.pipeline.chain import Chain
from voicepipe.pipeline.era import Eras
from voicepipe.pipeline.fact_passing import FactPassing
from voicepipe.pipeline.hold import Hold
from voicepipe.pipeline.link import Flow, Receive
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.route import Several


class NoRun:
    """Stands in for a run that drives nothing and cleans nothing up."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.context = copy_context()
        self.emitted: list[Frame] = []
        self.facts = FactPassing()
        self.eras = Eras()
        self.hold = Hold()
        self.interruption = Several([])

    def _ignore(self, task: asyncio.Task[None], /) -> None: ...

    def take_request(self, frame: Frame, stage: str) -> None: ...

    def take_words(self, words: TranscriptionFrame, send: Receive) -> Congestion | None:
        return send(words)

    def stage_task_ended(self, task: asyncio.Task[None]) -> None: ...

    def is_passing(self, frame: Frame) -> bool:
        return False

    def stage_failed(self, stage: str, error: BaseException) -> None:
        raise error

    def stage_reported(self, stage: str, error: BaseException, upstream: Receive) -> None:
        raise error

    def emit(self, frame: Frame, direction: FrameDirection) -> None:
        self.emitted.append(frame)

    def task_name(self, label: str, what: str) -> str:
        return f"{label}:{what}"


async def test_end_travels_through_the_sink_of_a_nested_pipeline() -> None:
    inside, behind = InlineRecorder("inside"), InlineRecorder("behind")
    down_queue: list[Flow] = []
    chain = Chain(Pipeline([Pipeline([inside]), behind]), NoRun(), down_queue.append)
    end = EndFrame()

    chain.source.pass_flow(end)

    assert inside.events == ["end"]
    assert behind.events == ["end"]
    assert down_queue == [end]


async def test_start_and_end_travel_through_branches_and_whatever_stands_behind_them() -> None:
    recorders = [InlineRecorder(name) for name in "abcd"]
    a, b, c, behind = recorders
    down_queue: list[Flow] = []
    pipeline = Pipeline([ParallelPipeline([a, Pipeline([b])], [], [c]), behind])
    chain = Chain(pipeline, NoRun(), down_queue.append)

    chain.source.pass_flow(StartFrame(StartParams()))
    chain.source.pass_flow(EndFrame())

    assert [recorder.events for recorder in recorders] == [["end"]] * 4
    assert [type(frame) for frame in down_queue] == [StartFrame, EndFrame]


def pipelines() -> list[tuple[str, list[Processor]]]:
    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await forever()

    def stuck(name: str) -> FrameProcessor:
        return Does(hang, name)

    return [
        ("plain", [Recorder(), stuck("stuck"), Recorder()]),
        ("first", [stuck("stuck"), Recorder()]),
        ("last", [Recorder(), stuck("stuck")]),
        ("nested", [Recorder(), Pipeline([Recorder(), Pipeline([stuck("stuck")])]), Recorder()]),
        ("parallel", [ParallelPipeline([Recorder(), stuck("a")], [stuck("b")], [Recorder()]), Recorder()]),
    ]


@pytest.mark.parametrize(
    ("name", "stages"), pipelines(), ids=lambda value: value if isinstance(value, str) else ""
)
async def test_everything_is_cleaned_up_though_no_frame_arrives(name: str, stages: list[Processor]) -> None:
    task = PipelineTask(Pipeline(stages))
    await task.queue_frame(TextFrame("never passed on"))
    asyncio.get_running_loop().call_later(1, task.cancel)

    report = await task.run()

    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert report.state is RunState.CANCELLED
    assert report.abandoned == ()
    assert report.dropped_frames.get("cancelled", 0) >= 1


class Opens(FrameProcessor):
    """Counts what is open."""

    def __init__(self, opened: list[str], name: str) -> None:
        super().__init__(name=name)
        self._opened = opened

    async def on_start(self, params: StartParams) -> None:
        self._opened.append(self.name)

    async def cleanup(self) -> None:
        self._opened.remove(self.name)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)


@pytest.mark.parametrize("stop", ["end", "cancel"])
async def test_every_opening_has_its_cleanup(stop: str) -> None:
    opened: list[str] = []
    names = iter("abcdefgh")
    stages = [Opens(opened, next(names)) for _ in range(8)]
    pipeline = Pipeline(
        [
            stages[0],
            Pipeline([stages[1], stages[2]]),
            ParallelPipeline([stages[3]], [stages[4], stages[5]]),
            *stages[6:],
        ]
    )
    task = PipelineTask(pipeline)
    asyncio.get_running_loop().call_later(1, getattr(task, stop))

    await task.run()

    assert opened == []
