"""A block that must leave nothing, and a loop that counts its steps."""

from __future__ import annotations

import asyncio
import threading

import pytest

from support.stages import forever
from voicepipe.testing import SteppingLoop, nothing_left


def test_a_block_that_leaves_nothing_passes_and_one_that_leaves_something_names_it() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="forgotten")
    with nothing_left():
        pass
    with (
        pytest.raises(AssertionError, match=r"left behind:\nthreads: forgotten \(Event\.wait\)"),
        nothing_left(),
    ):
        thread.start()
    with nothing_left():
        over.set()
        thread.join()


async def test_a_block_in_a_loop_sees_what_is_the_loops() -> None:
    async with nothing_left():
        done = asyncio.create_task(asyncio.sleep(1))
        done.add_done_callback(lambda _: None)
        await done
    tasks: list[asyncio.Task[None]] = []
    with pytest.raises(AssertionError, match=r"left behind:\ntasks: forgotten .* made at .*test_leftovers"):
        async with nothing_left():
            tasks.append(asyncio.create_task(forever(), name="forgotten"))
    tasks[0].cancel()
    await asyncio.wait(tasks)


async def test_where_the_block_raises_its_own_error_is_raised() -> None:
    tasks: list[asyncio.Task[None]] = []

    async def fail() -> None:
        async with nothing_left():
            tasks.append(asyncio.create_task(forever(), name="forgotten"))
            raise KeyError("lost")

    with pytest.raises(KeyError):
        await fail()
    tasks[0].cancel()
    await asyncio.wait(tasks)


def test_a_stepping_loop_makes_one_call_between_two_steps() -> None:
    rounds: list[int] = []

    async def walk() -> None:
        for n in range(10):
            await asyncio.sleep(1)
            rounds.append(n)

    def run(step: int) -> tuple[int, float | None]:
        rounds.clear()
        loop, seen = SteppingLoop(), list[int]()
        loop.count_from_here(step, lambda: seen.append(len(rounds)))
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(walk())
            steps = loop.steps
        assert len(seen) <= 1
        return (seen[0] if seen else -1), loop.called_s if step <= steps else -1.0

    calls = [run(step) for step in range(1, 30)]
    counts = [count for count, _ in calls if count >= 0]
    assert sorted(counts) == counts
    assert set(counts) == set(range(11))
    # The step in which a sleep is over is not yet the one in which its task goes on.
    assert all(0 <= time - count <= 1 for count, time in calls if 0 <= count < 10 and time is not None)
