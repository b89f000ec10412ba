"""The thread that watches the loop: what it reports, and what it leaves alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any

import pytest

from support.stages import Does
from voicepipe import Frame, FrameDirection, FrameProcessor, InlineProcessor, PipelineTask, TextFrame
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.runner.loop_watchdog import LoopWatchdog

pytestmark = pytest.mark.real_time

LIMIT_S = 0.1


class Reports:
    """What a watchdog tells."""

    def __init__(self) -> None:
        self.all: list[tuple[str, float, str]] = []
        self.news = threading.Event()

    def __call__(self, stage: str, seconds: float, stack: str) -> None:
        self.all.append((stage, seconds, stack))
        self.news.set()

    @property
    def stages(self) -> list[str]:
        return [stage for stage, _, _ in self.all]


def block(reports: Reports, times: int = 1) -> None:
    """Block the loop until it was reported so often, and a little longer."""
    deadline = time.monotonic() + 10
    while len(reports.all) < times and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(3 * LIMIT_S)


async def run(*stages: FrameProcessor | InlineProcessor) -> None:
    """One frame through the stages."""
    task = PipelineTask(Pipeline(stages))
    await task.queue_frame(TextFrame("hello"))
    task.end()
    await task.run()


# -- who blocks ----------------------------------------------------------------------------


async def test_a_stage_that_blocks_the_loop_is_named_with_its_stack() -> None:
    reports = Reports()

    async def sleep(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        block(reports)

    async with LoopWatchdog(LIMIT_S, reports):
        began = time.monotonic()
        await run(Does(sleep, name="culprit"))
    ((stage, seconds, stack),) = reports.all
    assert stage == "culprit"
    assert LIMIT_S <= seconds <= time.monotonic() - began
    innermost, within, above, last = stack.split(" < ")
    assert [line.split(":")[0] for line in (innermost, within, above)] == [
        "test_loop_watchdog.py",
        "test_loop_watchdog.py",
        "stages.py",
    ]
    assert innermost.endswith(" in block")
    assert within.endswith(" in sleep")
    assert last.startswith("stage_work.py:")


async def test_an_inline_stage_is_named_and_not_its_caller() -> None:
    reports = Reports()

    class Inline(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            block(reports)
            return (frame,)

    async def push(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)

    async with LoopWatchdog(LIMIT_S, reports):
        await run(Does(push, name="caller"), Inline(name="callee"))
    assert reports.stages == ["callee"]


@pytest.mark.heavy
async def test_what_is_no_stage_has_no_name() -> None:
    reports = Reports()
    async with LoopWatchdog(LIMIT_S, reports):
        await asyncio.sleep(0)
        block(reports)
    ((stage, _, stack),) = reports.all
    assert stage == ""
    assert " in test_what_is_no_stage_has_no_name" in stack


@pytest.mark.heavy
async def test_a_loop_in_another_thread_is_watched_there() -> None:
    reports = Reports()

    async def sleep(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        block(reports)

    async def watched() -> None:
        async with LoopWatchdog(LIMIT_S, reports):
            await run(Does(sleep, name="culprit"))

    await asyncio.to_thread(asyncio.run, watched())
    await asyncio.get_running_loop().shutdown_default_executor()
    assert reports.stages == ["culprit"]


# -- how often -----------------------------------------------------------------------------


@pytest.mark.heavy
async def test_each_time_the_loop_is_blocked_is_reported_once() -> None:
    reports = Reports()
    async with LoopWatchdog(LIMIT_S, reports):
        for times in (1, 2, 3):
            block(reports, times)
            assert len(reports.all) == times
            await asyncio.sleep(3 * LIMIT_S)
    assert len(reports.all) == 3


@pytest.mark.heavy
async def test_a_loop_that_waits_is_not_blocked() -> None:
    reports = Reports()
    async with LoopWatchdog(0.5, reports):
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            time.sleep(0.005)  # noqa: ASYNC251  # busy, and in time
            await asyncio.sleep(0)
        await asyncio.sleep(0.5)
    assert reports.all == []


@pytest.mark.heavy
async def test_c_code_that_keeps_the_interpreter_lock_is_reported_when_it_lets_go() -> None:
    """Nothing else runs meanwhile, the watchdog neither."""
    reports = Reports()
    size = 1_000_000
    while await asyncio.to_thread(seconds_to_add, size) < 5 * LIMIT_S:
        size *= 2

    async def add(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        seconds_to_add(size)

    async with LoopWatchdog(LIMIT_S, reports):
        await asyncio.sleep(2 * LIMIT_S)
        await run(Does(add, name="culprit"))
        await asyncio.to_thread(reports.news.wait, 10)
    await asyncio.get_running_loop().shutdown_default_executor()
    assert reports.all
    assert reports.all[0][1] >= LIMIT_S


def seconds_to_add(size: int) -> float:
    began = time.thread_time()  # what a busy machine adds would be missing the next time
    sum(range(size))
    return time.thread_time() - began


# -- its own life ----------------------------------------------------------------------------


async def test_its_thread_ends_with_it() -> None:
    def watching() -> int:
        return [thread.name for thread in threading.enumerate()].count("voicepipe:watchdog")

    async with LoopWatchdog(3600.0, Reports()):
        assert watching() == 1
        began = time.monotonic()
    assert watching() == 0
    assert time.monotonic() - began < 0.5


async def test_a_loop_that_was_closed_ends_nothing() -> None:
    reports = Reports()
    loop = asyncio.new_event_loop()
    watchdog = LoopWatchdog(LIMIT_S, reports)

    def leave_it_open() -> None:
        loop.run_until_complete(watchdog.__aenter__())
        loop.close()
        time.sleep(3 * LIMIT_S)

    await asyncio.to_thread(leave_it_open)
    await watchdog.__aexit__()
    await asyncio.get_running_loop().shutdown_default_executor()
    assert reports.all == []


@pytest.mark.parametrize("limit", [-1.0, float("nan"), "2", None, True])
def test_a_limit_is_a_time(limit: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="limit_s must be"):
        LoopWatchdog(limit, Reports())
