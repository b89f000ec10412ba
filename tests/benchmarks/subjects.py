"""What is measured: the plainest stages there can be, in a pipeline that runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.floors import Arrivals, Send
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    Pipeline,
    PipelineTask,
)

__all__ = ["FRAME", "Inline", "Mailbox", "inline_chain", "mailbox_chain", "running"]

FRAME = InputAudioFrame(bytes(640))
"""20 ms from a microphone: what travels most."""


class Inline(InlineProcessor):
    """Passes on, without waiting."""

    def process(self, frame: Frame, direction: FrameDirection) -> tuple[Frame]:
        return (frame,)


class Mailbox(FrameProcessor):
    """Passes on, from its own task."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)


class _Arrival(InlineProcessor):
    """Counts what comes, at the end of a chain."""

    def __init__(self, arrivals: Arrivals) -> None:
        super().__init__()
        self._count = arrivals.count

    def process(self, frame: Frame, direction: FrameDirection) -> tuple[Frame]:
        self._count()
        return (frame,)


@asynccontextmanager
async def inline_chain(stages: int, arrivals: Arrivals) -> AsyncIterator[Send]:
    """Stages without a task: they run inside the one that queues the frame."""
    task = PipelineTask(Pipeline([*(Inline() for _ in range(stages)), _Arrival(arrivals)]))
    async with running([task]):
        yield task.queue_frame


@asynccontextmanager
async def mailbox_chain(stages: int, arrivals: Arrivals) -> AsyncIterator[Send]:
    """Stages with a mailbox and a task each; arrivals are counted in the last one's."""
    task = PipelineTask(Pipeline([*(Mailbox() for _ in range(stages)), _Arrival(arrivals)]))
    async with running([task]):
        yield task.queue_frame


@asynccontextmanager
async def running(tasks: Sequence[PipelineTask]) -> AsyncIterator[None]:
    """Run them side by side, and end them. On entry all of them are past their start.

    A frame that was queued before the start leaves a pipeline only when it is running;
    the StartFrame leaves it a little earlier.
    """
    arrivals = Arrivals()
    all_running = arrivals.expect(len(tasks))

    def watch(frame: Frame, direction: FrameDirection) -> None:
        if frame is FRAME:
            arrivals.count()

    stop_watching = [task.subscribe(watch) for task in tasks]
    for task in tasks:
        await task.queue_frame(FRAME)
    runs = [asyncio.create_task(task.run(), name=f"{task.name}:benchmark") for task in tasks]
    try:
        await all_running
        while stop_watching:
            stop_watching.pop()()
        yield
    finally:
        for task in tasks:
            task.end()
        await asyncio.gather(*runs)
