"""The floors: the least that plain asyncio needs for what a pipeline does."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import perf_counter
from typing import Protocol

from voicepipe import Frame, FrameDirection, FrameProcessor

__all__ = [
    "ALTERNATING",
    "Arrivals",
    "Chain",
    "Send",
    "alternating",
    "bare_chain",
    "floor_of",
    "queue_chain",
    "queue_tasks",
    "unbounded_chain",
]

ALTERNATING = "IM"
"""The pattern of a mixed chain: I for a stage that never waits, M for one with a mailbox."""

_DOWN = FrameDirection.DOWNSTREAM
_Queue = asyncio.Queue[Frame | None]
Send = Callable[[Frame], Awaitable[object]]
"""Puts one frame in at the beginning of a chain."""


class Arrivals:
    """Counts the frames that reach the end of a chain."""

    def __init__(self) -> None:
        self._due = 0
        self._reached: asyncio.Future[None] | None = None
        self.reached_s = 0.0
        """When the last one that was expected came, by `perf_counter`."""

    def expect(self, count: int) -> asyncio.Future[None]:
        """Done when that many more have come."""
        self._due = count
        self._reached = reached = asyncio.get_running_loop().create_future()
        return reached

    def count(self) -> None:
        """One has come."""
        self._due -= 1
        if not self._due and self._reached is not None:
            self.reached_s = perf_counter()
            self._reached.set_result(None)


Chain = Callable[[int, Arrivals], AbstractAsyncContextManager[Send]]
"""Opens that many stages in a row, the last of which leads to the arrivals."""


class _Processes(Protocol):
    async def process_frame(self, frame: Frame, direction: FrameDirection = ...) -> None: ...


class _BareStage:
    """Two coroutines, and nothing else: whatever offers `await push_frame` to an async stage needs them."""

    def __init__(self, after: _Processes) -> None:
        self._after = after

    async def process_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        await self.push_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        await self._after.process_frame(frame, direction)


class _BareStageBeforeAQueue:
    """The same pair, where the next stage has a queue."""

    def __init__(self, queue: _Queue) -> None:
        self._queue = queue

    async def process_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        await self.push_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        await self._queue.put(frame)


class _BareEnd:
    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals

    async def process_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        self._arrivals.count()


@asynccontextmanager
async def bare_chain(stages: int, arrivals: Arrivals) -> AsyncIterator[Send]:
    """The floor of a stage that never waits."""
    first: _Processes = _BareEnd(arrivals)
    for _ in range(stages):
        first = _BareStage(first)
    yield first.process_frame


@asynccontextmanager
async def queue_chain(stages: int, arrivals: Arrivals) -> AsyncIterator[Send]:
    """The floor of a stage that may wait."""
    first, tasks = queue_tasks(stages, arrivals)
    try:
        yield first.put
    finally:
        await first.put(None)
        await asyncio.wait(tasks)


@asynccontextmanager
async def unbounded_chain(stages: int, arrivals: Arrivals) -> AsyncIterator[Send]:
    """The same without a limit: nobody ever waits for room, and all of a flood waits in one queue."""
    first, tasks = queue_tasks(stages, arrivals, limit=0)
    try:
        yield first.put
    finally:
        await first.put(None)
        await asyncio.wait(tasks)


def queue_tasks(
    stages: int, arrivals: Arrivals, limit: int = FrameProcessor.mailbox_size
) -> tuple[_Queue, list[asyncio.Task[None]]]:
    """The first queue, and for each stage a task with its queue, as large as a mailbox.

    None, put into the first, ends one after the other.
    """
    queues = [_Queue(limit) for _ in range(stages)]
    relays = [_relay(inbox, outbox) for inbox, outbox in itertools.pairwise(queues)]
    workers = [*relays, _arrive(queues[-1], arrivals)]
    return queues[0], [asyncio.create_task(worker, name=f"floor {n}") for n, worker in enumerate(workers)]


async def _relay(inbox: _Queue, outbox: _Queue) -> None:
    frame: Frame | None = None
    while (frame := await inbox.get()) is not None:
        await outbox.put(frame)
    await outbox.put(None)


async def _arrive(inbox: _Queue, arrivals: Arrivals) -> None:
    while await inbox.get() is not None:
        arrivals.count()


def alternating(stages: int) -> str:
    """So many stages, every other one with a mailbox."""
    return (ALTERNATING * stages)[:stages]


@asynccontextmanager
async def floor_of(pattern: str, arrivals: Arrivals) -> AsyncIterator[Send]:
    """By hand: a pair of coroutines for each I, a queue and a task for each M."""
    process: _Processes = _BareEnd(arrivals)
    send: Send = process.process_frame
    queue: _Queue | None = None
    tasks: list[asyncio.Task[None]] = []
    for kind in reversed(pattern):
        if kind == "M":
            after, queue = queue, _Queue(FrameProcessor.mailbox_size)
            tasks.append(asyncio.create_task(_work(queue, send, after), name=f"floor {len(tasks)}"))
            send = queue.put
        else:
            direct = queue is not None and send == queue.put
            process = _BareStageBeforeAQueue(queue) if direct and queue is not None else _BareStage(process)
            send = process.process_frame
    try:
        yield send
    finally:
        if queue is not None:
            await queue.put(None)
            await asyncio.wait(tasks)


async def _work(inbox: _Queue, send: Send, after: _Queue | None) -> None:
    frame: Frame | None = None
    while (frame := await inbox.get()) is not None:
        await send(frame)
    if after is not None:
        await after.put(None)
