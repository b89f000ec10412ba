"""What one stage of many costs at the start and at the end of a run: it must not depend on their number."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from statistics import median
from time import perf_counter

from benchmarks.figures import undisturbed
from benchmarks.subjects import Inline, Mailbox
from benchmarks.table import Table
from voicepipe import ParallelPipeline, Pipeline, PipelineTask, Processor, UserStartedSpeakingFrame

__all__ = ["measure"]


class _Fact(UserStartedSpeakingFrame):
    """Passes every stage at once."""


_PIPELINES: dict[str, Callable[[int], list[Processor]]] = {
    "inline": lambda count: [Inline() for _ in range(count)],
    "inline, in branches": lambda count: [ParallelPipeline(*([Inline()] for _ in range(count)))],
    "mailbox": lambda count: [Mailbox() for _ in range(count)],
}


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """The start, a fact, a report and the end, of pipelines of several sizes."""
    return [asyncio.run(_stages(repeats, (4, 8) if quick else (32, 128, 512)))]


async def _stages(repeats: int, sizes: tuple[int, ...]) -> Table:
    rows: list[tuple[str, float, float, float, float]] = []
    for name, make in _PIPELINES.items():
        for size in sizes:
            lives = [await _life(make(size), size) for _ in range(repeats)]
            start, fact, report, end = (median(costs) for costs in zip(*lives, strict=True))
            rows.append((f"{size} {name}", start, fact, report, end))
    columns = ("stages", "start", "fact", "report", "end")
    return Table("many_stages", "Many stages in one pipeline: µs for each stage", columns, tuple(rows))


async def _life(stages: list[Processor], size: int) -> tuple[float, float, float, float]:
    with undisturbed():
        marks_s = [perf_counter()]
        task = PipelineTask(Pipeline(stages))
        run = asyncio.create_task(task.run(), name=f"{task.name}:benchmark")
        await task.wait_until_started()
        marks_s.append(perf_counter())
        await task.queue_frame(_Fact())
        marks_s.append(perf_counter())
        assert task.report is not None
        marks_s.append(perf_counter())
        task.end()
        await run
        marks_s.append(perf_counter())
    start, fact, report, end = ((after - before) / size * 1e6 for before, after in pairwise(marks_s))
    return start, fact, report, end
