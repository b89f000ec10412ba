"""How long a single frame takes from the push to the sink, one every 10 ms, as from a microphone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from statistics import median
from time import perf_counter

from benchmarks.figures import percentile, ratio
from benchmarks.floors import Arrivals, Chain, Send, bare_chain, queue_chain
from benchmarks.subjects import FRAME, inline_chain, mailbox_chain
from benchmarks.table import Cell, Table

__all__ = ["measure"]

_STAGES = 8
_PERIOD_S = 0.01
_CHAINS: dict[str, Chain] = {
    "coroutines": bare_chain,
    "inline": inline_chain,
    "queue": queue_chain,
    "mailbox": mailbox_chain,
}
_FLOORS = {"coroutines": "coroutines", "inline": "coroutines", "queue": "queue", "mailbox": "queue"}
_PERCENTS = {"p50": 50.0, "p99": 99.0, "max": 100.0}
_WARM_UP = 20


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Eight stages of each kind, side by side in one loop."""
    frames = 30 if quick else 500
    found = [asyncio.run(_latencies(frames)) for _ in range(repeats)]
    return [_table(found)]


def _table(found: Sequence[Mapping[str, list[float]]]) -> Table:
    """The middle of each percentile over the repeats, and its ratio, repeat by repeat."""
    ends = {
        name: {
            what: [percentile(each[name], percent) * 1e6 for each in found]
            for what, percent in _PERCENTS.items()
        }
        for name in _CHAINS
    }
    rows: list[tuple[Cell, ...]] = []
    for name, floor in _FLOORS.items():
        ratios = [ratio(ends[name][what], ends[floor][what]) for what in ("p50", "p99")]
        rows.append((name, *(median(ends[name][what]) for what in _PERCENTS), *ratios))
    return Table(
        "latency",
        f"{_STAGES} stages, one frame every {_PERIOD_S * 1e3:.0f} ms: µs from the push to the sink",
        ("stages", "p50", "p99", "max", "p50 ratio", "p99 ratio"),
        tuple(rows),
    )


class _Line:
    """One chain, and how long its frames took."""

    def __init__(self, send: Send, arrivals: Arrivals) -> None:
        self._send = send
        self._arrivals = arrivals
        self.seconds: list[float] = []

    async def pass_one(self) -> None:
        arrived = self._arrivals.expect(1)
        begun = perf_counter()
        await self._send(FRAME)
        await arrived
        self.seconds.append(self._arrivals.reached_s - begun)


async def _latencies(frames: int) -> dict[str, list[float]]:
    """The chains take turns within each period, so that each meets the same machine, and a cold cache."""
    async with AsyncExitStack() as opened:
        lines: dict[str, _Line] = {}
        for name, chain in _CHAINS.items():
            arrivals = Arrivals()
            lines[name] = _Line(await opened.enter_async_context(chain(_STAGES, arrivals)), arrivals)
        loop = asyncio.get_running_loop()
        due = loop.time()
        for _ in range(frames + _WARM_UP):
            for line in lines.values():
                due += _PERIOD_S / len(lines)
                await asyncio.sleep(due - loop.time())
                await line.pass_one()
    return {name: line.seconds[_WARM_UP:] for name, line in lines.items()}
