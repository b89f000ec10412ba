"""A process of its own, in an interpreter that has pipecat-ai: what it costs there. Prints a JSON object.

    pipecat_side.py quick|full REPEATS FIGURE,...

Its processors have two tasks and two queues each; none is without. Turn tracking, RTVI and the idle watch,
which a program may do without, are off, and its log is silent.
"""

from __future__ import annotations

import asyncio
import json
import platform
import random
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import percentile, slope, undisturbed

_frames: Any = import_module("pipecat.frames.frames")
_processing: Any = import_module("pipecat.processors.frame_processor")
_Pipeline: Any = import_module("pipecat.pipeline.pipeline").Pipeline
_Worker: Any = import_module("pipecat.pipeline.worker").PipelineWorker
_Runner: Any = import_module("pipecat.workers.runner").WorkerRunner
_PERIOD_S, _LATE_S = 0.02, 0.02


class _Stage(_processing.FrameProcessor):  # type: ignore[misc]  # untyped here
    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class _Arrival(_processing.FrameProcessor):  # type: ignore[misc]
    """The last stage: tells when a frame that was due has come."""

    def __init__(self) -> None:
        super().__init__()
        self.due: deque[float] = deque()
        self.took_s: list[float] = []
        self.none_left = asyncio.Event()

    async def process_frame(self, frame: Any, direction: Any) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, _frames.InputAudioRawFrame):
            self.took_s.append(perf_counter() - self.due.popleft())
            if not self.due:
                self.none_left.set()
        await self.push_frame(frame, direction)


class _Session:
    def __init__(self, worker: Any, arrival: _Arrival) -> None:
        self._worker = worker
        self.arrival = arrival

    async def send(self, due: float | None = None) -> None:
        self.arrival.due.append(perf_counter() if due is None else due)
        self.arrival.none_left.clear()
        frame = _frames.InputAudioRawFrame(audio=bytes(640), sample_rate=16_000, num_channels=1)
        await self._worker.queue_frame(frame)

    async def send_and_wait(self) -> None:
        await self.send()
        await self.arrival.none_left.wait()


@asynccontextmanager
async def _session(stages: int) -> AsyncIterator[_Session]:
    arrival = _Arrival()
    pipeline = _Pipeline([*(_Stage() for _ in range(stages)), arrival])
    worker = _Worker(pipeline, enable_rtvi=False, enable_turn_tracking=False, idle_timeout_secs=None)
    runner = _Runner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    session = _Session(worker, arrival)
    await session.send_and_wait()
    arrival.took_s.clear()
    try:
        yield session
    finally:
        await worker.queue_frame(_frames.EndFrame())
        await running


def _making_us(repeats: int, times: int) -> float:
    """A frame of audio, as its transports make it."""
    audio, costs = bytes(640), []
    for _ in range(repeats):
        with undisturbed():
            begun = perf_counter()
            for _ in range(times):
                _frames.InputAudioRawFrame(audio=audio, sample_rate=16_000, num_channels=1)
            costs.append((perf_counter() - begun) / times * 1e6)
    return median(costs)


async def _hop_us(repeats: int, frames: int) -> float:
    """One more stage, one frame at a time."""
    sizes, slopes = (1, 4, 16), []
    for _ in range(repeats):
        costs = []
        for stages in sizes:
            async with _session(stages) as session:
                begun = perf_counter()
                for _ in range(frames):
                    await session.send_and_wait()
                costs.append((perf_counter() - begun) / frames * 1e6)
        slopes.append(slope(sizes, costs))
    return median(slopes)


async def _flood_us(repeats: int, frames: int) -> float:
    """One more stage, as fast as it goes. Its queues have no limit, so all frames are sent at once."""
    sizes, slopes = (1, 4, 16), []
    for _ in range(repeats):
        costs = []
        for stages in sizes:
            async with _session(stages) as session:
                begun = perf_counter()
                for _ in range(frames):
                    await session.send()
                await session.arrival.none_left.wait()
                costs.append((perf_counter() - begun) / frames * 1e6)
        slopes.append(slope(sizes, costs))
    return median(slopes)


async def _life_ms(cycles: int) -> float:
    """Five stages, a frame, and the end."""
    took = []
    for _ in range(cycles):
        begun = perf_counter()
        async with _session(4):
            pass
        took.append((perf_counter() - begun) * 1e3)
    return median(took)


async def _latencies_us(frames: int) -> tuple[float, float]:
    """Eight stages, one frame every 10 ms: p50 and p99."""
    async with _session(7) as session:
        due = perf_counter()
        for _ in range(frames):
            due += 0.01
            await asyncio.sleep(max(0.0, due - perf_counter()))
            await session.send_and_wait()
        return percentile(session.arrival.took_s, 50.0) * 1e6, percentile(session.arrival.took_s, 99.0) * 1e6


async def _p99_s(count: int, seconds: float) -> float:
    async with AsyncExitStack() as opened:
        sessions = [await opened.enter_async_context(_session(4)) for _ in range(count)]
        begin, phases = perf_counter() + 2 * _PERIOD_S, random.Random(1)
        async with asyncio.TaskGroup() as talk:
            for session in sessions:
                talk.create_task(_talk(session, begin + phases.random() * _PERIOD_S, seconds))
        for session in sessions:
            await session.arrival.none_left.wait()
        return percentile([took for session in sessions for took in session.arrival.took_s], 99.0)


async def _talk(session: _Session, due: float, seconds: float) -> None:
    for _ in range(round(seconds / _PERIOD_S)):
        await asyncio.sleep(max(0.0, due - perf_counter()))
        await session.send(due)
        due += _PERIOD_S


def _most_sessions(seconds: float, first: int) -> int:
    """Double until it is too much, then halve the interval."""
    good, bad = 0, first
    while asyncio.run(_p99_s(bad, seconds)) < _LATE_S:
        good, bad = bad, bad * 2
    while bad - good > max(1, good // 16):
        middle = (good + bad) // 2
        if asyncio.run(_p99_s(middle, seconds)) < _LATE_S:
            good = middle
        else:
            bad = middle
    return good


def _main() -> None:
    import_module("loguru").logger.remove()
    quick, repeats, wanted = sys.argv[1] == "quick", int(sys.argv[2]), sys.argv[3].split(",")
    found: dict[str, float | str] = {"version": version("pipecat-ai"), "python": platform.python_version()}
    if "making" in wanted:
        found["making"] = _making_us(repeats, 500 if quick else 20_000)
    if "hop" in wanted:
        found["hop"] = asyncio.run(_hop_us(repeats, 50 if quick else 500))
    if "flood" in wanted:
        found["flood"] = asyncio.run(_flood_us(repeats, 50 if quick else 2_000))
    if "p50" in wanted:
        found["p50"], found["p99"] = asyncio.run(_latencies_us(30 if quick else 500))
    if "life" in wanted:
        found["life"] = asyncio.run(_life_ms(5 if quick else 100))
    if "sessions" in wanted and not quick:
        found["sessions"] = _most_sessions(1.5, 16)
    print(json.dumps(found))


if __name__ == "__main__":
    _main()
