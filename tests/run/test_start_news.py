"""`wait_until_started`: who waits for a run's start is told of it, or that there will be none."""

from __future__ import annotations

import asyncio
import threading

import pytest

from support.stages import Recorder, forever
from voicepipe import (
    FrameProcessor,
    Limits,
    Pipeline,
    PipelineRunner,
    PipelineStartError,
    PipelineTask,
    RunState,
    StartParams,
)


class Slow(Recorder):
    async def on_start(self, params: StartParams) -> None:
        await super().on_start(params)
        await asyncio.sleep(1.0)


class Fails(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        await asyncio.sleep(0.5)
        raise OSError("no such model")


class Begins(FrameProcessor):
    """It is not running before this has returned."""

    async def on_running(self) -> None:
        await asyncio.sleep(2.0)


class Hangs(FrameProcessor):
    async def on_start(self, params: StartParams) -> None:
        await forever()


async def waiting(task: PipelineTask, count: int = 1) -> list[asyncio.Task[None]]:
    waiters = [asyncio.create_task(task.wait_until_started()) for _ in range(count)]
    await asyncio.sleep(0)
    return waiters


async def test_all_who_wait_are_told_when_it_runs() -> None:
    task = PipelineTask(Pipeline([Slow(), Begins()]))
    before = await waiting(task, 3)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.5)
    during = await waiting(task, 2)
    await asyncio.gather(*before, *during)
    assert task.state is RunState.RUNNING
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)
    await task.wait_until_started()  # at once
    task.end()
    await running
    await task.wait_until_started()  # it did start


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (Fails, r"^Fails did not start: OSError: no such model at tests.*test_start_news\.py:\d+$"),
        (
            Hangs,
            r"^Hangs did not start: it took longer than the start limit of 2 s: if it has so much to load, "
            r"raise the limit with PipelineTask\(\.\.\., limits=Limits\(start_s=30\)\)$",
        ),
    ],
)
async def test_a_failed_start_is_raised_to_all_who_wait(stage: type[FrameProcessor], message: str) -> None:
    task = PipelineTask(Pipeline([stage()]), limits=Limits(start_s=2.0))
    waiters = await waiting(task, 3)
    running = asyncio.create_task(task.run())
    errors = await asyncio.gather(*waiters, return_exceptions=True)
    with pytest.raises(PipelineStartError, match=message):
        await running
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert isinstance(error, PipelineStartError)
        assert error.stage == stage.__name__
        assert error.report is not None
        with pytest.raises(PipelineStartError, match=message):
            raise error
    with pytest.raises(PipelineStartError, match=message):
        await task.wait_until_started()


async def test_a_cancel_before_the_start_is_raised_with_its_reason() -> None:
    task = PipelineTask(Pipeline([Hangs()]), name="kitchen")
    (waiter,) = await waiting(task)
    task.cancel("closing time")
    assert (await task.run()).state is RunState.CANCELLED
    with pytest.raises(PipelineStartError, match=r"^kitchen did not start: closing time$"):
        await waiter


async def test_an_outer_cancellation_of_the_opening_is_told() -> None:
    task = PipelineTask(Pipeline([Hangs()]), name="kitchen")
    (waiter,) = await waiting(task)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    running.cancel()
    with pytest.raises(PipelineStartError, match=r"^kitchen did not start: outer cancellation$"):
        await waiter
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_end_before_the_start_still_starts() -> None:
    task = PipelineTask(Pipeline([Slow()]))
    (waiter,) = await waiting(task)
    task.end()
    await task.run()
    await waiter


async def test_a_processor_in_another_run_is_told() -> None:
    stage = Recorder()
    other, task = PipelineTask(Pipeline([stage])), PipelineTask(Pipeline([stage]))
    running = asyncio.create_task(other.run())
    await other.wait_until_started()
    (waiter,) = await waiting(task)
    with pytest.raises(RuntimeError, match="already in a running pipeline"):
        await task.run()
    with pytest.raises(PipelineStartError, match="already in a running pipeline"):
        await waiter
    other.end()
    await running


async def test_who_gives_up_waiting_disturbs_nobody() -> None:
    task = PipelineTask(Pipeline([Slow()]))
    first, second = await waiting(task, 2)
    first.cancel()
    running = asyncio.create_task(task.run())
    await second
    task.end()
    await running


async def test_a_runner_that_cannot_serve_tells_who_waits() -> None:
    task, runner = PipelineTask(Pipeline([Recorder()])), PipelineRunner(blocked_s=0)
    first = PipelineTask(Pipeline([Recorder()]))
    serving = asyncio.create_task(runner.serve(first))
    await first.wait_until_started()
    (waiter,) = await waiting(task)
    with pytest.raises(RuntimeError, match="running already"):
        await runner.serve(task)
    with pytest.raises(PipelineStartError, match="running already"):
        await waiter
    first.end()
    assert await serving == 0


def test_the_start_is_waited_for_in_another_thread_and_loop() -> None:
    told: list[str] = []
    task = PipelineTask(Pipeline([Recorder()]))

    async def wait() -> None:
        ready.set()
        await task.wait_until_started()
        told.append("started")
        task.end()

    ready = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(wait()))
    thread.start()
    assert ready.wait(10)
    asyncio.run(task.run())
    thread.join(10)
    assert told == ["started"]
