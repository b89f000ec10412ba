"""Sound from a thread, requests from others, in real time, where threads take turns as often as they can.

A tenth of the pipelines by default; all 200 of them:

    VOICEPIPE_TIMES=10 pytest -n0 tests/process/test_threads.py
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from process.running import PATIENCE_S
from support.counts import count_of
from support.sound import assert_accounted, noise
from support.stages import InlineRecorder, Loopback, Recorder
from voicepipe import (
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    SpeakerOutput,
    assert_nothing_left,
    take_census,
)
from voicepipe_devices.fake import SimulatedCard

pytestmark = pytest.mark.real_time

LOOPS = 2
"""Event loops, each in a thread of its own."""
AT_ONCE = 5
"""Pipelines at a time in each of them."""
LONGEST_S = 0.3
"""From the start of a pipeline until it is certain to be asked to stop."""


@pytest.fixture(autouse=True)
def impatient_threads() -> Iterator[None]:
    """Threads take turns thousands of times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def made(seed: int) -> PipelineTask:
    """What is heard is said, over a card of its own; some run out, some have a stage that waits."""
    rng = random.Random(seed)
    card = SimulatedCard(f"card {seed}", drift_ppm=rng.uniform(-5e4, 5e4), jitter_s=0.002, seed=seed)
    card.mic.hear(noise(rng.uniform(0.05, LONGEST_S), seed))
    if seed % 4 == 0:
        card.mic.run_out()
    block_s = rng.choice((0.005, 0.01, 0.02))
    backend = card.backend()
    between: Processor = Recorder() if rng.random() < 0.5 else InlineRecorder()
    mic, speaker = MicrophoneInput(backend, block_s=block_s), SpeakerOutput(backend, block_s=block_s)
    return PipelineTask(Pipeline([mic, between, Loopback(), speaker]), name=f"seed {seed}")


def pester(task: PipelineTask, seed: int) -> None:
    """Ask for this and that at random moments, and in the end for its end. In a thread of its own."""
    rng = random.Random(-seed)
    requests: list[Callable[[], None]] = [task.interrupt, task.interrupt, task.end, task.cancel]
    for _ in range(rng.randrange(4)):
        time.sleep(rng.uniform(0, LONGEST_S / 4))
        rng.choice(requests)()
    time.sleep(rng.uniform(0, LONGEST_S / 4))
    (task.cancel if rng.random() < 0.3 else task.end)()


async def run_one(seed: int) -> RunReport:
    task = made(seed)
    loop = asyncio.get_running_loop()
    refused: list[BaseException] = []

    def work() -> None:
        try:
            pester(task, seed)
        except BaseException as error:
            refused.append(error)
            loop.call_soon_threadsafe(task.cancel)

    thread = threading.Thread(target=work, name=f"pesters seed {seed}")
    thread.start()
    try:
        return await task.run()
    finally:
        while thread.is_alive():  # noqa: ASYNC110  # not a thing of the loop's
            await asyncio.sleep(0.01)
        thread.join()
        assert refused == []


async def run_many(seeds: list[int]) -> list[RunReport]:
    before = take_census()
    room = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> RunReport:
        async with room:
            return await run_one(seed)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(seed)) for seed in seeds]
    left = take_census().since(before)
    # Of this loop only: the other one is at work.
    assert (left.tasks, left.timers, left.async_generators, left.abandoned) == ((), (), (), ())
    return [task.result() for task in tasks]


def test_pipelines_are_asked_from_other_threads_and_account_for_every_sample() -> None:
    before = take_census()
    reports: list[RunReport] = []
    failed: list[BaseException] = []

    def work(seeds: list[int]) -> None:
        try:
            # In its debug mode asyncio notices whoever touches the loop from another thread.
            reports.extend(asyncio.run(run_many(seeds), debug=seeds[0] == 1))
        except BaseException as error:
            failed.append(error)

    seeds = list(range(1, count_of(200) + 1))
    loops = [
        threading.Thread(target=work, args=(seeds[n::LOOPS],), name=f"loop {n}", daemon=True)
        for n in range(LOOPS)
    ]
    for loop in loops:
        loop.start()
    deadline = time.monotonic() + PATIENCE_S + len(seeds)
    for loop in loops:
        loop.join(max(0.0, deadline - time.monotonic()))
    assert not [loop.name for loop in loops if loop.is_alive()]
    assert failed == []
    assert_nothing_left(before)
    states: Counter[RunState] = Counter()
    for report in reports:
        assert_accounted(report)
        assert (report.errors, report.slow, report.abandoned) == ((), (), ()), report
        states[report.state] += 1
    assert states.total() == len(seeds)
    assert states.keys() == {RunState.ENDED, RunState.CANCELLED}
