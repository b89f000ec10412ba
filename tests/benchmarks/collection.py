"""What sessions that are alive cost the garbage collector: objects that it sees, and a full collection."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from statistics import median
from time import perf_counter

from benchmarks.figures import Spread, ratio
from benchmarks.lifecycle import POPULATIONS, Population
from benchmarks.table import Table

__all__ = ["measure"]


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Sessions of five stages each, beside as many chains of queues."""
    sessions = 10 if quick else 1_000
    return [asyncio.run(_collections(repeats, sessions))]


async def _collections(repeats: int, sessions: int) -> Table:
    found = {name: await _alive(population, sessions, repeats) for name, population in POPULATIONS.items()}
    _, floor_ms = next(iter(found.values()))
    rows: list[tuple[str, float, float, Spread]] = [
        (name, objects, median(costs_ms), ratio(costs_ms, floor_ms))
        for name, (objects, costs_ms) in found.items()
    ]
    title = f"{sessions:,} sessions of five stages: objects of each, and ms of a full collection for all"
    return Table("collection", title, ("stages", "objects", "ms", "ratio"), tuple(rows))


async def _alive(population: Population, sessions: int, repeats: int) -> tuple[float, Sequence[float]]:
    """The objects of each session, and the times that they add to a full collection."""
    async with population(1):
        pass
    before, without_ms = _objects(), median(_full_ms() for _ in range(repeats))
    async with population(sessions):
        objects = (_objects() - before) / sessions
        return objects, [max(_full_ms() - without_ms, 1e-3) for _ in range(repeats)]


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def _full_ms() -> float:
    begun = perf_counter()
    gc.collect()
    return (perf_counter() - begun) * 1e3
