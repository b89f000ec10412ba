"""What a pipeline costs besides its frames: to run and end it, to keep it alive, and what stays behind."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from statistics import median
from time import perf_counter

from benchmarks.figures import Spread, ratio, undisturbed
from benchmarks.floors import Arrivals, Chain, Send, queue_chain, queue_tasks
from benchmarks.subjects import FRAME, Inline, Mailbox, inline_chain, mailbox_chain, running
from benchmarks.table import Table
from voicepipe import Frame, FrameDirection, Pipeline, PipelineTask, Processor

__all__ = ["POPULATIONS", "Population", "measure"]

_STAGES = 5
_Life = Callable[[], Awaitable[None]]
Population = Callable[[int], AbstractAsyncContextManager[None]]
"""Keeps that many sessions alive, which wait for frames."""


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Time, memory and growth, of five stages each."""
    cycles, alive, (settled, last) = (5, 10, (10, 30)) if quick else (100, 200, (1_000, 10_000))
    return [
        asyncio.run(_times(repeats, cycles)),
        asyncio.run(_memory(alive)),
        asyncio.run(_growth(settled, last)),
        asyncio.run(_soak(settled, last * 10)),
    ]


def _task(stage: type[Processor]) -> PipelineTask:
    return PipelineTask(Pipeline([stage() for _ in range(_STAGES)]))


async def _ended(stage: type[Processor]) -> None:
    """Opened, started, and ended at once."""
    task = _task(stage)
    task.end()
    await task.run()


async def _cancelled(stage: type[Processor]) -> None:
    """Opened, started, and cancelled when the first frame has gone through."""
    task = _task(stage)

    def cancel(frame: Frame, direction: FrameDirection) -> None:
        if frame is FRAME:
            task.cancel()

    task.subscribe(cancel)
    await task.queue_frame(FRAME)
    await task.run()


async def _floor_ended() -> None:
    first, tasks = queue_tasks(_STAGES, Arrivals())
    await first.put(None)
    await asyncio.wait(tasks)


async def _floor_cancelled() -> None:
    arrivals = Arrivals()
    arrived = arrivals.expect(1)
    first, tasks = queue_tasks(_STAGES, arrivals)
    await first.put(FRAME)
    await arrived
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


_FLOOR = "queues and tasks"
_LIVES: dict[str, dict[str, _Life]] = {
    "ended": {_FLOOR: _floor_ended, "mailbox": partial(_ended, Mailbox), "inline": partial(_ended, Inline)},
    "cancelled": {
        _FLOOR: _floor_cancelled,
        "mailbox": partial(_cancelled, Mailbox),
        "inline": partial(_cancelled, Inline),
    },
}


async def _times(repeats: int, cycles: int) -> Table:
    """The floor and what stands on it by turns."""
    rows: list[tuple[str, float, Spread]] = []
    for how, lives in _LIVES.items():
        costs: dict[str, list[float]] = {name: [] for name in lives}
        for name, life in [*lives.items()] * repeats:
            costs[name].append(await _milliseconds(life, cycles))
        rows += [(f"{name}, {how}", median(cost), ratio(cost, costs[_FLOOR])) for name, cost in costs.items()]
    title = "Five stages, from construction to the end: ms"
    return Table("lifecycle", title, ("stages", "ms", "ratio"), tuple(rows))


async def _milliseconds(life: _Life, cycles: int) -> float:
    with undisturbed():
        await life()
        begun = perf_counter()
        await _repeat(life, cycles)
        return (perf_counter() - begun) / cycles * 1e3


def _pipelines(stage: type[Processor], count: int) -> AbstractAsyncContextManager[None]:
    return running([_task(stage) for _ in range(count)])


@asynccontextmanager
async def _floors(count: int) -> AsyncIterator[None]:
    arrivals = Arrivals()
    all_running = arrivals.expect(count)
    chains = [queue_tasks(_STAGES, arrivals) for _ in range(count)]
    for first, _ in chains:
        await first.put(FRAME)
    await all_running
    yield
    for first, _ in chains:
        await first.put(None)
    await asyncio.wait([task for _, tasks in chains for task in tasks])


POPULATIONS: dict[str, Population] = {
    _FLOOR: _floors,
    "mailbox": partial(_pipelines, Mailbox),
    "inline": partial(_pipelines, Inline),
}
"""The floor and what stands on it. The floor comes first."""


async def _memory(alive: int) -> Table:
    """Bytes of a running pipeline that waits for frames, with its run."""
    objects = {name: await _each(population, alive, _objects) for name, population in POPULATIONS.items()}
    tracemalloc.start()
    try:
        sizes = {name: await _each(population, alive, _traced) for name, population in POPULATIONS.items()}
    finally:
        tracemalloc.stop()
    rows = tuple((name, round(size), size / sizes[_FLOOR], objects[name]) for name, size in sizes.items())
    title = f"Five stages, {alive} times alive: bytes, and objects that the garbage collector sees, each"
    return Table("memory", title, ("stages", "bytes", "ratio", "objects"), rows)


async def _each(population: Population, count: int, measure: Callable[[], int]) -> float:
    async with population(1):
        pass
    before = measure()
    async with population(count):
        return (measure() - before) / count


async def _growth(settled: int, last: int) -> Table:
    """Bytes that are there after the last cycle, and were not when things had settled."""
    rows: list[tuple[str, int, float]] = []
    tracemalloc.start()
    try:
        for how, lives in _LIVES.items():
            for name, life in lives.items():
                await _repeat(life, settled)
                before = _traced()
                await _repeat(life, last - settled)
                grown = _traced() - before
                rows.append((f"{name}, {how}", grown, grown / (last - settled)))
    finally:
        tracemalloc.stop()
    title = f"Five stages, grown from cycle {settled:,} to {last:,}: bytes"
    return Table("growth", title, ("stages", "bytes", "bytes a cycle"), tuple(rows))


async def _soak(settled: int, last: int) -> Table:
    """Bytes that a run holds after the last frame, and did not hold when things had settled."""
    chains: dict[str, Chain] = {_FLOOR: queue_chain, "mailbox": mailbox_chain, "inline": inline_chain}
    rows: list[tuple[str, int, float]] = []
    tracemalloc.start()
    try:
        for name, chain in chains.items():
            arrivals = Arrivals()
            async with chain(_STAGES, arrivals) as send:
                await _feed(send, arrivals, settled)
                before = _traced()
                await _feed(send, arrivals, last - settled)
                grown = _traced() - before
            rows.append((name, grown, grown / (last - settled)))
    finally:
        tracemalloc.stop()
    title = f"Five stages, one run, grown from frame {settled:,} to {last:,}: bytes"
    return Table("soak", title, ("stages", "bytes", "bytes a frame"), tuple(rows))


async def _feed(send: Send, arrivals: Arrivals, frames: int) -> None:
    arrived = arrivals.expect(frames)
    for _ in range(frames):
        await send(FRAME)
    await arrived


async def _repeat(life: _Life, cycles: int) -> None:
    for _ in range(cycles):
        await life()


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())
