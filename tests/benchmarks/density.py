"""How many live sessions one process carries: five stages each, 50 frames a second, p99 under 20 ms.

A frame's time runs from when it was due, so that a process that falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter, process_time

from benchmarks.figures import percentile, ratio
from benchmarks.floors import Arrivals, Send, floor_of
from benchmarks.subjects import FRAME, chain_of
from benchmarks.table import Cell, Table

__all__ = ["measure"]

PERIOD_S = 0.02
LATE_S = 0.02
_PATTERNS = {"inline": "IIIII", "two mailboxes": "IMIMI", "mailbox": "MMMMM"}
_MOST_REPEATS = 3
"""A search takes half a minute."""
_HANGS_S = 120.0
_TRIALS = 3
_CLOSER = 1.06
"""The search ends when the answer is known this well."""
_Session = Callable[[Arrivals], AbstractAsyncContextManager[Send]]
_FLOORS: dict[str, _Session] = {name: partial(floor_of, pattern) for name, pattern in _PATTERNS.items()}
_SUBJECTS: dict[str, _Session] = {name: partial(chain_of, pattern) for name, pattern in _PATTERNS.items()}


@dataclass(frozen=True, slots=True)
class _Trial:
    """So many sessions for a while."""

    p99_s: float
    cpu_us: float
    """Processor time for each frame."""

    @property
    def holds(self) -> bool:
        return self.p99_s < LATE_S


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """What a frame costs with few sessions and with many, and how many there can be."""
    seconds, sizes = (0.2, (2, 4)) if quick else (1.5, (25, 50, 100, 200, 300))
    most = 4 if quick else 100_000
    repeats = min(repeats, _MOST_REPEATS)
    return [_by_size(sizes, seconds, repeats), _most_sessions(seconds, repeats, most)]


def _by_size(sizes: tuple[int, ...], seconds: float, repeats: int) -> Table:
    """Flat, if nothing grows with the number of sessions."""
    rows: list[tuple[Cell, ...]] = []
    for count in sizes:
        row: list[Cell] = [str(count)]
        for name in _PATTERNS:
            floor, subject = _FLOORS[name], _SUBJECTS[name]
            pairs = [(_trial(floor, count, seconds), _trial(subject, count, seconds)) for _ in range(repeats)]
            by_hand, ours = ([trial.cpu_us for trial in side] for side in zip(*pairs, strict=True))
            row += [median(by_hand), median(ours), ratio(ours, by_hand)]
        rows.append(tuple(row))
    columns = [column for name in _PATTERNS for column in (f"{name} by hand", name, f"{name} ratio")]
    title = "Sessions of five stages, 50 frames a second each: µs of processor time a frame"
    return Table("sessions", title, ("sessions", *columns), tuple(rows))


def _most_sessions(seconds: float, repeats: int, most: int) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in _PATTERNS:
        by_hand, ours = [], []
        for _ in range(repeats):
            by_hand.append(float(_search(_FLOORS[name], seconds, most)))
            ours.append(float(_search(_SUBJECTS[name], seconds, most)))
        rows.append((name, round(median(by_hand)), round(median(ours)), ratio(ours, by_hand)))
    title = f"Most sessions of five stages with p99 under {LATE_S * 1e3:.0f} ms, 50 frames a second each"
    return Table("density", title, ("stages", "by hand", "voicepipe", "ratio"), tuple(rows))


def _search(session: _Session, seconds: float, most: int) -> int:
    """Double until it is too much, then halve the interval.

    A size fails if it does so three times: one slow moment of the machine would end the search far too
    early. On a machine with no core to spare the answer means nothing all the same.
    """

    def holds(count: int) -> bool:
        return any(_trial(session, count, seconds).holds for _ in range(_TRIALS))

    good, bad = 0, min(100, most)
    while holds(bad):
        good, bad = bad, bad * 2
        if good >= most:
            return good
    while good == 0 and bad > 1:  # not even the first
        good, bad = (bad // 2, bad) if holds(bad // 2) else (0, bad // 2)
    while bad > good * _CLOSER and bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return good


def _trial(session: _Session, count: int, seconds: float) -> _Trial:
    return asyncio.run(_sessions(session, count, seconds))


class _Punctuality(Arrivals):
    """Notes how long after it was due each frame of one session arrived, and tells `everyone` of each."""

    def __init__(self, late_s: list[float], everyone: Arrivals) -> None:
        super().__init__()
        self._late_s = late_s
        self._everyone = everyone
        self.due: deque[float] = deque()

    def count(self) -> None:
        """One has come: the one that has been on its way for the longest time."""
        if self.due:  # else it is the frame by which a chain shows that it runs
            self._late_s.append(perf_counter() - self.due.popleft())
            self._everyone.count()


async def _sessions(session: _Session, count: int, seconds: float) -> _Trial:
    late_s: list[float] = []
    everyone = Arrivals()
    # A broken chain ends the benchmark instead of holding it for ever.
    async with asyncio.timeout(_HANGS_S), AsyncExitStack() as opened:
        speakers: list[tuple[Send, _Punctuality]] = []
        for _ in range(count):
            arrivals = _Punctuality(late_s, everyone)
            speakers.append((await opened.enter_async_context(session(arrivals)), arrivals))
        frames = max(2, round(seconds / PERIOD_S))
        begin = perf_counter() + 2 * PERIOD_S
        phases = random.Random(1)
        arrived = everyone.expect(count * frames)
        before = process_time()
        async with asyncio.TaskGroup() as talk:
            for send, arrivals in speakers:
                talk.create_task(_talk(send, arrivals, begin + phases.random() * PERIOD_S, frames))
        await arrived
        cpu_s = process_time() - before
    settled = late_s[len(late_s) // 5 :]
    return _Trial(percentile(settled, 99.0), cpu_s / len(late_s) * 1e6)


async def _talk(send: Send, arrivals: _Punctuality, due: float, frames: int) -> None:
    """One timer and one wake-up for a frame, at its place in the period."""
    for _ in range(frames):
        await asyncio.sleep(max(0.0, due - perf_counter()))
        arrivals.due.append(due)
        await send(FRAME)
        due += PERIOD_S
