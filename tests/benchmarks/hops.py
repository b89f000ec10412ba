"""What a frame's way through one stage costs, and what each further stage adds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from benchmarks.figures import ratio, slope, undisturbed
from benchmarks.floors import Arrivals, Chain, Send, bare_chain, queue_chain
from benchmarks.subjects import FRAME, inline_chain, mailbox_chain
from benchmarks.table import Cell, Table

__all__ = ["measure"]

_SIZES, _QUICK_SIZES = (1, 2, 4, 8, 16, 32), (1, 4, 16)
_HOPS, _QUICK_HOPS = 40_000, 1_500
_WARM_UP = 50
_HANGS_S = 120.0


async def _flood(send: Send, arrivals: Arrivals, frames: int) -> None:
    """As fast as the chain takes them: a task that is woken finds a mailbox full of work."""
    last = arrivals.expect(frames)
    for _ in range(frames):
        await send(FRAME)
    await last


async def _pace(send: Send, arrivals: Arrivals, frames: int) -> None:
    """Each when the one before has arrived, as from a microphone: every mailbox wakes its task."""
    for _ in range(frames):
        arrived = arrivals.expect(1)
        await send(FRAME)
        await arrived


@dataclass(slots=True)
class _Series:
    """One kind of chain, driven in one way: µs for a frame's whole way, by size, one for each repeat."""

    chain: Chain
    drive: Callable[[Send, Arrivals, int], Awaitable[None]]
    costs: dict[int, list[float]] = field(default_factory=dict)

    async def add(self, stages: int, frames: int) -> None:
        arrivals = Arrivals()
        # A broken chain ends the benchmark instead of holding it for ever.
        async with asyncio.timeout(_HANGS_S), self.chain(stages, arrivals) as send:
            await _pace(send, arrivals, _WARM_UP)
            with undisturbed():
                begun = perf_counter()
                await self.drive(send, arrivals, frames)
                seconds = perf_counter() - begun
        self.costs.setdefault(stages, []).append(seconds / frames * 1e6)

    def slopes(self) -> list[float]:
        """µs for one more stage, one for each repeat."""
        sizes = sorted(self.costs)
        return [slope(sizes, costs) for costs in zip(*(self.costs[n] for n in sizes), strict=True)]


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Chains of every size, in both ways of sending."""
    bare, inline = _Series(bare_chain, _flood), _Series(inline_chain, _flood)
    queue, mailbox = _Series(queue_chain, _flood), _Series(mailbox_chain, _flood)
    paced_queue, paced_mailbox = _Series(queue_chain, _pace), _Series(mailbox_chain, _pace)
    everything = [bare, inline, queue, mailbox, paced_queue, paced_mailbox]
    sizes, hops = (_QUICK_SIZES, _QUICK_HOPS) if quick else (_SIZES, _HOPS)
    asyncio.run(_fill(everything, sizes, hops, repeats))
    return [
        Table(
            "hops_flood",
            "Hops, frames as fast as they are taken: µs a frame and stage (slope: µs for one more stage)",
            ("stages", "coroutines", "inline", "inline ratio", "queue", "mailbox", "mailbox ratio"),
            _rows(sizes, [(bare, inline), (queue, mailbox)]),
        ),
        Table(
            "hops_paced",
            "Hops, one frame at a time: µs a frame and stage (slope: µs for one more stage)",
            ("stages", "queue", "mailbox", "mailbox ratio"),
            _rows(sizes, [(paced_queue, paced_mailbox)]),
        ),
    ]


async def _fill(everything: Sequence[_Series], sizes: Sequence[int], hops: int, repeats: int) -> None:
    """Floor and subject by turns, so that a slow moment of the machine meets both."""
    for repeat in range(repeats):
        for stages in sizes:
            for series in everything if repeat % 2 == 0 else reversed(everything):
                await series.add(stages, hops // stages)


def _rows(sizes: Sequence[int], pairs: Sequence[tuple[_Series, _Series]]) -> tuple[tuple[Cell, ...], ...]:
    """A row for each size, and the slope below; each pair is a floor and what stands on it."""
    rows: list[tuple[Cell, ...]] = []
    for stages in sizes:
        row: list[Cell] = [str(stages)]
        for floor, subject in pairs:
            row += _compare(floor.costs[stages], subject.costs[stages], stages)
        rows.append(tuple(row))
    last: list[Cell] = ["slope"]
    for floor, subject in pairs:
        last += _compare(floor.slopes(), subject.slopes())
    return (*rows, tuple(last))


def _compare(floor: Sequence[float], subject: Sequence[float], stages: int = 1) -> list[Cell]:
    return [median(floor) / stages, median(subject) / stages, ratio(subject, floor)]
