"""What a caller gets wrong is refused before anything starts, in one line that names what and why."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import Any

import pytest

from support.stages import DOWN, Does, Recorder
from voicepipe import (
    AudioFormat,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Limits,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineRunner,
    PipelineTask,
    StartFrame,
    StartParams,
    TextFrame,
)


@pytest.mark.parametrize("bad", [3, "gain", None, object(), Recorder, TextFrame("x")])
def test_a_stage_that_is_no_processor_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot hold|is a class"):
        Pipeline([Recorder(), bad])


@pytest.mark.parametrize("bad", [3, None, Recorder()])
def test_a_pipeline_that_is_no_list_is_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="list of processors"):
        Pipeline(bad)


def test_the_same_processor_twice_is_refused_at_any_depth() -> None:
    stage = Recorder("ear")
    for build in (
        lambda: Pipeline([stage, stage]),
        lambda: Pipeline([stage, Pipeline([Pipeline([stage])])]),
        lambda: Pipeline([ParallelPipeline([stage], [stage])]),
        lambda: ParallelPipeline([stage], [Pipeline([stage])]),
    ):
        with pytest.raises(ValueError, match="contains ear twice"):
            build()


async def test_a_processor_in_two_live_pipelines_is_refused_before_anything_opens() -> None:
    shared, opened = Recorder("shared"), Recorder("opened")
    first = PipelineTask(Pipeline([shared]))
    running = asyncio.create_task(first.run())
    await asyncio.sleep(1)
    second = PipelineTask(Pipeline([opened, shared]))
    with pytest.raises(RuntimeError, match="shared is already in a running pipeline"):
        await second.run()
    assert opened.events == []
    first.end()
    await running
    asyncio.get_running_loop().call_later(1, second.end)
    await second.run()
    assert opened.events == ["start", "end", "cleanup"]


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["start_s", "stall_s", "drain_s", "cancel_s", "close_s"])
def test_a_time_limit_that_is_no_time_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        Limits(**{field: value})


@pytest.mark.parametrize("value", ["5", None, True, [1]])
def test_a_time_limit_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="stall_s must be a number"):
        Limits(stall_s=value)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [({"limits": 3}, "limits"), ({"input": 16_000}, "input"), ({"output": "mono"}, "output")],
)
def test_a_task_names_the_argument_that_is_wrong(arguments: dict[str, Any], what: str) -> None:
    with pytest.raises(TypeError, match=what):
        PipelineTask(Pipeline([]), **arguments)
    with pytest.raises(TypeError, match="must be a Pipeline or a processor"):
        PipelineTask([Recorder()])  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "channels"), [(0, 1), (16_000, 0), (-1, 1), (16_000, 65_535), (10**9, 1)])
def test_a_format_that_is_none_is_refused(rate: int, channels: int) -> None:
    with pytest.raises(ValueError, match=r"rate|channels"):
        AudioFormat(rate, channels)


@pytest.mark.parametrize("on_error", ["ignore", None, True])
def test_an_error_policy_that_is_none_is_refused(on_error: Any) -> None:
    with pytest.raises(ValueError, match="'fail' or 'report'"):
        FrameProcessor(on_error=on_error)


@pytest.mark.parametrize("mailbox", [0, -1, 10**9])
def test_a_mailbox_of_no_size_is_refused(mailbox: int) -> None:
    with pytest.raises(ValueError, match="mailbox"):
        FrameProcessor(mailbox=mailbox)


@pytest.mark.parametrize("bad", [None, "text", 3, b"pcm", TextFrame])
async def test_a_non_frame_is_refused_where_it_is_queued_and_where_it_is_pushed(bad: Any) -> None:
    async def push(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(bad, DOWN)

    task = PipelineTask(Pipeline([Does(push, "careless")]))
    with pytest.raises(TypeError, match="frame must be a Frame, not"):
        await task.queue_frame(bad)
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match=r"careless must push or return frames, not "):
        await task.run()


@pytest.mark.parametrize("bad", [None, 3, "text", TextFrame("not in a tuple"), (3,), (TextFrame("x"), None)])
async def test_an_inline_stage_that_returns_no_frames_is_named(bad: Any) -> None:
    class Careless(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return bad  # type: ignore[no-any-return]

    task = PipelineTask(Pipeline([Careless()]))
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match=r"Careless.*must.*return"):
        await task.run()


async def test_an_inline_stage_that_is_async_is_told_so() -> None:
    class Careless(InlineProcessor):
        async def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:  # type: ignore[override]
            return (frame,)

    task = PipelineTask(Pipeline([Careless()]))
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(TypeError, match=r"Careless\.process must be a plain def.*derive from FrameProcessor"):
        await task.run()


async def test_only_the_task_starts_a_run() -> None:
    start = StartFrame(StartParams())

    async def push(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(start)

    task = PipelineTask(Pipeline([Does(push, "eager")]))
    with pytest.raises(ValueError, match="only the task"):
        await task.queue_frame(start)
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match="only the task sends it"):
        await task.run()


async def test_a_push_outside_a_run_is_refused() -> None:
    stage = Recorder("idle")
    with pytest.raises(RuntimeError, match="idle is not in a running pipeline"):
        await stage.push_frame(TextFrame("x"))

    async def never() -> None: ...

    with pytest.raises(RuntimeError, match="idle is not in a running pipeline"):
        stage.create_task(never())


async def test_too_many_frames_before_the_start_are_refused() -> None:
    task = PipelineTask(Pipeline([]))
    for _ in range(256):
        assert await task.queue_frame(TextFrame("x"))
    with pytest.raises(RuntimeError, match="256 frames wait for the start"):
        await task.queue_frame(TextFrame("x"))


@pytest.mark.parametrize("argument", ["blocked_s", "monitor_s"])
def test_a_runner_names_the_time_that_is_none(argument: str) -> None:
    arguments: dict[str, Any] = {argument: math.nan}
    with pytest.raises(ValueError, match=argument):
        PipelineRunner(**arguments)


def test_a_subclass_need_not_call_the_base_constructor() -> None:
    class Own(FrameProcessor):
        def __init__(self, factor: int) -> None:
            self.factor = factor

    assert Own(3).name == "Own"
    Pipeline([Own(1), Own(2)])
