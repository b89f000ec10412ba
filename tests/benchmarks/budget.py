"""What the hot paths may cost, in counts that a busy machine does not change; for each version of Python.

    python tests/benchmarks/budget.py            # what they cost now, beside the budget
    python tests/benchmarks/budget.py --renew    # and write that down as the budget of this Python

Renew it with every Python that the file names, where the cost is meant to change; the difference then
stands in the commit.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

if __name__ == "__main__":  # run by its path
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (1, 2)]

from benchmarks.counting import counting
from benchmarks.floors import Arrivals, Send
from benchmarks.subjects import FRAME, KINDS, chain_of, running, stages_of
from voicepipe import Frame, InputAudioFrame, Pipeline, PipelineTask

__all__ = ["VERSION", "Costs", "costs_now", "read_budget"]

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
_FILE = Path(__file__).with_suffix(".json")
_FRAMES = 128
_WARM_UP = 64
"""Frames before the counting: a pipeline of inline stages lets go of the loop at every 64th."""
_SESSIONS = 20

Costs = dict[str, float]
"""What is counted, by name, each for one frame or one life."""


def read_budget() -> dict[str, Costs]:
    """For each version of Python that has a budget."""
    budget: dict[str, Costs] = json.loads(_FILE.read_text(encoding="utf-8"))
    return budget


def costs_now() -> Costs:
    """Count everything. Takes a second."""
    costs: Costs = {}
    for name, pattern, frame, drive in (
        ("data, one inline stage", "I", FRAME, _pace),
        ("data, five inline stages", "IIIII", FRAME, _pace),
        ("data, one mailbox stage", "M", FRAME, _pace),
        ("data, five mailbox stages", "MMMMM", FRAME, _pace),
        ("data, two of five with mailboxes", "IMIMI", FRAME, _pace),
        ("data in a flood, five mailbox stages", "MMMMM", FRAME, _flood),
        ("system, five mailbox stages", "MMMMM", KINDS["system"], _pace),
        ("interruptible, five mailbox stages", "MMMMM", KINDS["interruptible"], _pace),
    ):
        costs |= _labelled(name, asyncio.run(_frames(pattern, frame, drive)))
    for name, pattern in (("inline", "IIIII"), ("mailbox", "MMMMM")):
        costs |= _labelled(f"life of five {name} stages", asyncio.run(_life(pattern)))
        costs[f"session of five {name} stages: objects"] = asyncio.run(_objects(pattern))
    costs["an audio frame is made: instructions"] = _making()
    return costs


def _labelled(name: str, counts: tuple[float, float]) -> Costs:
    return dict(zip((f"{name}: instructions", f"{name}: callbacks"), counts, strict=True))


async def _pace(send: Send, arrivals: Arrivals, frame: Frame, frames: int) -> None:
    for _ in range(frames):
        arrived = arrivals.expect(1)
        await send(frame)
        await arrived


async def _flood(send: Send, arrivals: Arrivals, frame: Frame, frames: int) -> None:
    arrived = arrivals.expect(frames)
    for _ in range(frames):
        await send(frame)
    await arrived


async def _frames(
    pattern: str, frame: Frame, drive: Callable[[Send, Arrivals, Frame, int], Awaitable[None]]
) -> tuple[float, float]:
    arrivals = Arrivals()
    async with chain_of(pattern, arrivals) as send:
        with counting() as count:
            await drive(send, arrivals, frame, _WARM_UP)
            count.restart()
            await drive(send, arrivals, frame, _FRAMES)
    return count.instructions / _FRAMES, count.callbacks / _FRAMES


def _task(pattern: str) -> PipelineTask:
    return PipelineTask(Pipeline(stages_of(pattern)))


async def _life(pattern: str) -> tuple[float, float]:
    async def live() -> None:
        task = _task(pattern)
        task.end()
        await task.run()

    with counting() as count:
        await live()
        count.restart()
        await live()
    return float(count.instructions), float(count.callbacks)


async def _objects(pattern: str) -> float:
    """What the garbage collector sees of a running session."""
    async with running([_task(pattern)]):
        pass
    gc.collect()
    before = len(gc.get_objects())
    async with running([_task(pattern) for _ in range(_SESSIONS)]):
        gc.collect()
        return round((len(gc.get_objects()) - before) / _SESSIONS)


def _making() -> float:
    with counting() as count:
        InputAudioFrame(bytes(640))
        count.restart()
        InputAudioFrame(bytes(640))
    return float(count.instructions)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="budget.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--renew", action="store_true", help="write what it costs now as the budget")
    options = parser.parse_args()
    budget = read_budget() if _FILE.exists() else {}
    now, allowed = costs_now(), budget.get(VERSION, {})
    for name, cost in now.items():
        print(f"{name:<60} {cost:>9.1f} {allowed.get(name, float('nan')):>9.1f}")
    if options.renew:
        renewed = dict(sorted({**budget, VERSION: {n: round(c, 4) for n, c in now.items()}}.items()))
        _FILE.write_text(json.dumps(renewed, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
