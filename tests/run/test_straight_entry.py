"""The program's frames go straight in while nothing else was requested; what leaves unseen is counted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from support.stages import Ends
from voicepipe import (
    DataFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    InlineProcessor,
    Pipeline,
    PipelineTask,
    RunReport,
    SystemFrame,
    TextFrame,
)


class News(SystemFrame):
    """No data."""


class Quiet(InlineProcessor):
    """Passes everything on."""


@contextlib.asynccontextmanager
async def running(task: PipelineTask) -> AsyncIterator[asyncio.Task[RunReport]]:
    run = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    yield run
    task.end()
    await run


@pytest.mark.parametrize(
    ("request_it", "accepts"),
    [
        (PipelineTask.end, False),
        (PipelineTask.cancel, False),
        (PipelineTask.interrupt, True),
    ],
    ids=["end", "cancel", "interrupt"],
)
async def test_a_request_is_heeded_by_the_very_next_frame(
    request_it: Callable[[PipelineTask], None], accepts: bool
) -> None:
    task = PipelineTask(Pipeline([Quiet()]))
    ends = Ends(task)
    async with running(task):
        assert await task.queue_frame(TextFrame("before"))
        request_it(task)
        assert await task.queue_frame(TextFrame("behind")) is accepts
    texts = [frame.text for frame in ends.down if isinstance(frame, TextFrame)]
    assert texts == ["before", "behind"][: 1 + accepts]
    assert not await task.queue_frame(TextFrame("much later"))


async def test_another_event_loop_is_refused() -> None:
    task = PipelineTask(Pipeline([Quiet()]))
    async with running(task):
        errors: list[BaseException] = []

        def queue() -> None:
            try:
                asyncio.run(task.queue_frame(TextFrame("from elsewhere")))
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=queue)
        thread.start()
        thread.join()
    assert "runs in another event loop; call queue_frame there" in str(*errors)


@pytest.mark.parametrize("value", [None, "text", object()], ids=["None", "str", "object"])
async def test_what_is_no_frame_is_refused_while_frames_go_straight_in(value: object) -> None:
    task = PipelineTask(Pipeline([Quiet()]))
    async with running(task):
        with pytest.raises(TypeError, match="frame must be a Frame, not"):
            await task.queue_frame(value)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # mistakes


async def test_data_that_leaves_unseen_is_counted_and_the_rest_is_shown() -> None:
    task = PipelineTask(Pipeline([Quiet()]))
    seen: list[Frame] = []

    def see(frame: Frame, direction: FrameDirection) -> None:
        seen.append(frame)

    frames = [DataFrame(), TextFrame("x"), News()]
    async with running(task) as run:
        for frame in frames:
            await task.queue_frame(frame)
        assert task.report is not None
        assert task.report.discarded == {"downstream": 2}
        forget = task.subscribe(see)
        for frame in frames:
            await task.queue_frame(frame)
        forget()
        await task.queue_frame(frames[0])
        await task.queue_frame(ErrorFrame("a line", "somewhere"))
    report = run.result()
    assert seen == frames
    assert report.discarded == {"downstream": 3}
    assert [error.stage for error in report.errors] == ["somewhere"]


async def test_many_that_leave_unseen_are_counted() -> None:
    task = PipelineTask(Pipeline([Quiet()]))
    async with running(task) as run:
        for _ in range(700):
            await task.queue_frame(DataFrame())
    assert run.result().discarded == {"downstream": 700}
