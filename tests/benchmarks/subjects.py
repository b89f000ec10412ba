"""What is measured: the plainest stages there can be, in a pipeline that runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from benchmarks.floors import Arrivals, Send
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    Processor,
    SystemFrame,
)

__all__ = [
    "FRAME",
    "KINDS",
    "Inline",
    "Mailbox",
    "chain_of",
    "inline_chain",
    "mailbox_chain",
    "running",
    "stages_of",
]

FRAME = InputAudioFrame(bytes(640))
"""20 ms from a microphone: what travels most."""


class _News(SystemFrame):
    """Goes ahead of data."""


KINDS: dict[str, Frame] = {
    "data": FRAME,
    "system": _News(),
    "interruptible": OutputAudioFrame(bytes(640)),
}
"""A frame of each kind that travels in its own way."""


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


def stages_of(pattern: str) -> list[Processor]:
    """Stages without a task (I), which run inside whoever pushes to them, and with a mailbox (M)."""
    return [Mailbox() if kind == "M" else Inline() for kind in pattern]


@asynccontextmanager
async def chain_of(pattern: str, arrivals: Arrivals) -> AsyncIterator[Send]:
    """A running pipeline of such stages. Arrivals are counted where the last one runs."""
    task = PipelineTask(Pipeline([*stages_of(pattern), _Arrival(arrivals)]))
    async with running([task]):
        yield task.queue_frame


def inline_chain(stages: int, arrivals: Arrivals) -> AbstractAsyncContextManager[Send]:
    """Stages without a task."""
    return chain_of("I" * stages, arrivals)


def mailbox_chain(stages: int, arrivals: Arrivals) -> AbstractAsyncContextManager[Send]:
    """Stages with a mailbox and a task each."""
    return chain_of("M" * stages, arrivals)


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
