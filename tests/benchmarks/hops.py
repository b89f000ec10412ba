"""What a frame's way through one stage costs, and what each further stage adds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from benchmarks.figures import ratio, slope, undisturbed
from benchmarks.floors import (
    Arrivals,
    Chain,
    Send,
    alternating,
    bare_chain,
    floor_of,
    queue_chain,
    unbounded_chain,
)
from benchmarks.subjects import FRAME, KINDS, chain_of, inline_chain, mailbox_chain
from benchmarks.table import Cell, Table
from voicepipe import Frame

__all__ = ["measure"]

_SIZES, _QUICK_SIZES = (1, 2, 4, 8, 16, 32), (1, 4, 16)
_HOPS, _QUICK_HOPS = 40_000, 1_500
_WARM_UP = 50
_HANGS_S = 120.0


async def _flood(send: Send, arrivals: Arrivals, frame: Frame, frames: int) -> None:
    """As fast as the chain takes them: a task that is woken finds a mailbox full of work."""
    last = arrivals.expect(frames)
    for _ in range(frames):
        await send(frame)
    await last


async def _pace(send: Send, arrivals: Arrivals, frame: Frame, frames: int) -> None:
    """Each when the one before has arrived, as from a microphone: every mailbox wakes its task."""
    for _ in range(frames):
        arrived = arrivals.expect(1)
        await send(frame)
        await arrived


_Drive = Callable[[Send, Arrivals, Frame, int], Awaitable[None]]


@dataclass(slots=True)
class _Series:
    """One kind of chain, driven in one way: µs for a frame's whole way, by size, one for each repeat."""

    chain: Chain
    drive: _Drive
    frame: Frame = FRAME
    costs: dict[int, list[float]] = field(default_factory=dict)

    async def add(self, stages: int, frames: int) -> None:
        arrivals = Arrivals()
        # A broken chain ends the benchmark instead of holding it for ever.
        async with asyncio.timeout(_HANGS_S), self.chain(stages, arrivals) as send:
            await _pace(send, arrivals, self.frame, _WARM_UP)
            with undisturbed():
                begun = perf_counter()
                await self.drive(send, arrivals, self.frame, frames)
                seconds = perf_counter() - begun
        self.costs.setdefault(stages, []).append(seconds / frames * 1e6)

    def slopes(self) -> list[float]:
        """µs for one more stage, one for each repeat."""
        sizes = sorted(self.costs)
        return [slope(sizes, costs) for costs in zip(*(self.costs[n] for n in sizes), strict=True)]


def _mixed_floor(stages: int, arrivals: Arrivals) -> AbstractAsyncContextManager[Send]:
    return floor_of(alternating(stages), arrivals)


def _mixed_chain(stages: int, arrivals: Arrivals) -> AbstractAsyncContextManager[Send]:
    return chain_of(alternating(stages), arrivals)


_CHAINS: dict[str, tuple[Chain, Chain]] = {
    "inline": (bare_chain, inline_chain),
    "mailbox": (queue_chain, mailbox_chain),
    "mixed": (_mixed_floor, _mixed_chain),
}
"""For each kind of chain what it is by hand, and what is measured."""


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Chains of every size: floods of data, and single frames of every kind."""
    floods = [(_Series(floor, _flood), _Series(chain, _flood)) for floor, chain in _CHAINS.values()]
    unbounded = _Series(unbounded_chain, _flood)
    paced = {
        name: (_Series(floor, _pace), {kind: _Series(chain, _pace, frame) for kind, frame in KINDS.items()})
        for name, (floor, chain) in _CHAINS.items()
    }
    everything = [series for pair in floods for series in pair] + [unbounded]
    for by_hand, kinds in paced.values():
        everything += [by_hand, *kinds.values()]
    sizes, hops = (_QUICK_SIZES, _QUICK_HOPS) if quick else (_SIZES, _HOPS)
    asyncio.run(_fill(everything, sizes, hops, repeats))
    return [_flood_table(sizes, floods, unbounded), *_paced_tables(sizes, paced)]


def _flood_table(
    sizes: Sequence[int], floods: Sequence[tuple[_Series, _Series]], unbounded: _Series
) -> Table:
    names = ("coroutines", "inline"), ("queue", "mailbox"), ("mixed by hand", "mixed")
    columns = [column for floor, subject in names for column in (floor, subject, f"{subject} ratio")]
    mailbox = floods[1][1]
    rows = _rows(sizes, floods)
    beside = [(row[1], row[3]) for row in _rows(sizes, [(unbounded, mailbox)])]
    return Table(
        "hops_flood",
        "Hops, data as fast as it is taken: µs a frame and stage (slope: µs for one more stage)",
        ("stages", *columns, "queue without a limit", "mailbox ratio to it"),
        tuple((*row, *cells) for row, cells in zip(rows, beside, strict=True)),
    )


def _paced_tables(
    sizes: Sequence[int], paced: dict[str, tuple[_Series, dict[str, _Series]]]
) -> Iterator[Table]:
    """One for each kind of chain. By hand every kind of frame costs the same."""
    for name, (floor, kinds) in paced.items():
        yield Table(
            f"hops_{name}",
            f"Hops, {name}, one frame at a time: µs a frame and stage (slope: µs for one more stage)",
            ("stages", "by hand", *(column for kind in kinds for column in (kind, f"{kind} ratio"))),
            _kind_rows(sizes, floor, kinds.values()),
        )


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


def _kind_rows(
    sizes: Sequence[int], floor: _Series, subjects: Iterable[_Series]
) -> tuple[tuple[Cell, ...], ...]:
    rows = _rows(sizes, [(floor, subject) for subject in subjects])
    # The floor stands once in a row, not before each kind.
    return tuple(
        (row[0], row[1], *(cell for at in range(1, len(row), 3) for cell in row[at + 1 : at + 3]))
        for row in rows
    )


def _compare(floor: Sequence[float], subject: Sequence[float], stages: int = 1) -> list[Cell]:
    return [median(floor) / stages, median(subject) / stages, ratio(subject, floor)]
