"""In virtual time sleeping takes no time, the hardware ticks on, and what would hang is an error."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from support.stages import forever, stubborn
from voicepipe.testing import VirtualClockError, VirtualLoop, run_virtual


def virtual_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def now() -> float:
    return virtual_loop().time()


# -- the clock -------------------------------------------------------------------


def test_the_clock_begins_at_0_and_an_hour_of_sleep_takes_no_time() -> None:
    async def sleep() -> tuple[float, float]:
        began = now()
        await asyncio.sleep(3_600)
        return began, now()

    began = time.monotonic()
    assert run_virtual(sleep()) == (0.0, 3_600.0)
    assert time.monotonic() - began < 5


async def test_no_timer_comes_early_not_by_the_least_that_a_float_can_say() -> None:
    """Whoever waits until a time, looks, and waits for the rest would go in circles."""
    for until in (0.7 + 0.7, 1.6, 1.1 + 2.2):
        while now() < until:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=until - now())
        assert now() == until


async def test_a_month_of_sleep_is_more_than_a_selector_can_wait_and_takes_no_time_either() -> None:
    began = now()
    await asyncio.sleep(30 * 86_400)
    assert now() - began == 30 * 86_400


async def test_timers_run_in_the_order_of_their_times_each_at_its_time() -> None:
    loop, began = virtual_loop(), now()
    ran: list[tuple[float, float]] = []
    whens = [random.Random(7).uniform(0, 100) for _ in range(200)]

    def note(when: float) -> None:
        ran.append((when, loop.time() - began))

    for when in whens:
        loop.call_at(began + when, note, when)
    await asyncio.sleep(101)
    assert [when for when, _ in ran] == sorted(whens)
    assert [at for _, at in ran] == pytest.approx(sorted(whens))


async def test_a_cancelled_timer_does_not_move_the_clock() -> None:
    loop, began = virtual_loop(), now()
    loop.call_later(5, forbidden).cancel()
    await asyncio.sleep(1)
    assert now() - began == 1


def forbidden() -> None:
    raise AssertionError("it was cancelled")


async def test_tasks_that_are_ready_all_run_before_the_clock_moves() -> None:
    async def step(number: int) -> float:
        for _ in range(number):
            await asyncio.sleep(0)
        return now()

    sleeping = asyncio.create_task(asyncio.sleep(0.001))
    began = now()
    assert await asyncio.gather(*(step(number) for number in range(50))) == [began] * 50
    await sleeping


async def test_a_timeout_comes_at_its_time() -> None:
    began = now()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await forever()
    assert now() - began == 5
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(forever(), 2)
    assert now() - began == 7
    async with asyncio.timeout(5):
        await asyncio.sleep(4)
    assert now() - began == 11


def test_what_main_returns_or_raises_comes_out() -> None:
    async def answer() -> int:
        await asyncio.sleep(1)
        return 42

    async def fail() -> None:
        await asyncio.sleep(1)
        raise LookupError("lost")

    assert run_virtual(answer()) == 42
    with pytest.raises(LookupError, match="lost"):
        run_virtual(fail())


# -- the hardware's world --------------------------------------------------------


async def test_hardware_ticks_between_timers_each_at_its_time() -> None:
    loop, began = virtual_loop(), now()
    hardware = loop.hardware
    order: list[tuple[str, float]] = []

    def note(what: str) -> Callable[[], None]:
        return lambda: order.append((what, hardware.now() - began))

    for when in (3, 1, 2, 4):
        loop.call_at(began + when, note("timer"))
    for soon in (2.5, 2.75, 0.5):
        hardware.call_at(began + soon, note("tick"))
    await asyncio.sleep(5)
    assert order == [
        ("tick", 0.5),
        ("timer", 1),
        ("timer", 2),
        ("tick", 2.5),
        ("tick", 2.75),
        ("timer", 3),
        ("timer", 4),
    ]


async def test_ticks_of_one_time_come_in_the_order_they_were_asked_for() -> None:
    hardware = virtual_loop().hardware
    order: list[int] = []
    for number in range(20):
        hardware.call_at(now() + 1, partial(order.append, number))
    await asyncio.sleep(2)
    assert order == list(range(20))


async def test_a_tick_may_ask_for_the_next_one() -> None:
    hardware, began = virtual_loop().hardware, now()
    times: list[float] = []

    def tick() -> None:
        times.append(hardware.now() - began)
        if len(times) < 5:
            hardware.call_at(hardware.now() + 0.25, tick)

    hardware.call_at(began + 0.25, tick)
    await asyncio.sleep(1)
    assert times == [0.25, 0.5, 0.75, 1.0]
    await asyncio.sleep(1)
    assert times[4:] == [1.25]


async def test_a_cancelled_tick_does_not_come() -> None:
    hardware = virtual_loop().hardware
    tick = hardware.call_at(now() + 1, forbidden)
    tick.cancel()
    tick.cancel()
    hardware.rest()
    await asyncio.sleep(2)
    assert hardware.next_time() is None


async def test_a_tick_that_is_late_comes_at_once_and_the_clock_does_not_go_back() -> None:
    loop = virtual_loop()
    await asyncio.sleep(10)
    times: list[float] = []
    began = now()
    loop.hardware.call_at(began - 5, lambda: times.append(loop.time()))
    await asyncio.sleep(1)
    assert times == [began]


async def test_a_tick_is_foreign_context_and_nothing_else_is() -> None:
    loop = virtual_loop()
    seen: list[bool] = []
    loop.hardware.call_at(now() + 1, lambda: seen.append(loop.hardware.ticking))
    loop.call_later(2, lambda: seen.append(loop.hardware.ticking))
    await asyncio.sleep(3)
    assert seen == [True, False]
    assert not loop.hardware.ticking


async def test_a_tick_wakes_the_loop_as_a_sound_cards_thread_does() -> None:
    loop, began = virtual_loop(), now()
    rung = asyncio.Event()

    def ring() -> None:
        loop.call_soon_threadsafe(rung.set)

    loop.hardware.call_at(began + 3, ring)
    await rung.wait()
    assert now() - began == 3


async def test_a_frozen_loop_stands_still_and_the_hardware_ticks_on() -> None:
    loop, began = virtual_loop(), now()
    order: list[tuple[str, float]] = []
    for when in (1, 2):
        loop.hardware.call_at(began + when, lambda: order.append(("tick", loop.time() - began)))
    loop.hardware.call_at(began + 6, lambda: order.append(("tick", loop.time() - began)))
    loop.call_at(began + 1.5, lambda: order.append(("timer", loop.time() - began)))
    loop.freeze(5)
    assert now() - began == 5
    assert order == [("tick", 1), ("tick", 2)]
    await asyncio.sleep(2)
    assert order[2:] == [("timer", 5), ("tick", 6)]


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
async def test_a_loop_cannot_be_frozen_for_no_time(seconds: float) -> None:
    began = now()
    with pytest.raises(ValueError, match="seconds"):
        virtual_loop().freeze(seconds)
    virtual_loop().freeze(0)
    assert now() == began


# -- what would hang ---------------------------------------------------------------


def test_a_deadlock_is_an_error_that_names_who_waits_and_where() -> None:
    async def wait_for_each_other() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(forever(), name="philosopher")
            group.create_task(forever(), name="second philosopher")

    with pytest.raises(VirtualClockError, match="the test would hang: no timer") as stuck:
        run_virtual(wait_for_each_other())
    lines = str(stuck.value).splitlines()
    assert len(lines) == 4
    for name in ("philosopher", "second philosopher"):
        (line,) = [line for line in lines if line.startswith(f"{name} waits at ")]
        assert "stages.py:" in line
        assert line.endswith(" in forever")


def test_a_deadlock_is_found_after_the_last_thing_that_happens() -> None:
    happened: list[str] = []

    async def main() -> None:
        virtual_loop().hardware.call_at(5, lambda: happened.append("tick"))
        virtual_loop().call_later(7, lambda: happened.append("timer"))
        await forever()

    with pytest.raises(VirtualClockError):
        run_virtual(main())
    assert happened == ["tick", "timer"]


def test_after_a_deadlock_tasks_are_cancelled_and_may_clean_up() -> None:
    cleaned: list[float] = []

    async def main() -> None:
        try:
            await asyncio.sleep(3)
            await forever()
        finally:
            await asyncio.sleep(2)
            cleaned.append(now())

    with pytest.raises(VirtualClockError):
        run_virtual(main())
    assert cleaned == [5]


def test_a_loop_that_goes_in_circles_is_an_error_that_names_who_does_and_lets_it_clean_up() -> None:
    cleaned: list[float] = []

    async def spin() -> None:
        try:
            for _ in range(10**9):
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(2)
            cleaned.append(now())

    async def main() -> None:
        await asyncio.create_task(spin(), name="squirrel")

    with pytest.raises(VirtualClockError, match="runs endlessly: 100000 steps took no time") as stuck:
        run_virtual(main())
    assert "\nsquirrel waits at " in str(stuck.value)
    assert f"{__file__}:" in str(stuck.value)
    assert cleaned == [2]


def test_a_loop_that_works_hard_and_gets_on_does_not_go_in_circles() -> None:
    async def main() -> float:
        for _ in range(2):
            for _ in range(51_000):
                await asyncio.sleep(0)
            await asyncio.sleep(1)
        return now()

    assert run_virtual(main()) == 2


def test_a_clock_error_is_a_runtime_error() -> None:
    assert issubclass(VirtualClockError, RuntimeError)


# -- the real world ------------------------------------------------------------------


def test_the_clock_stands_still_while_a_job_runs_in_an_executor() -> None:
    order: list[str] = []

    async def main() -> None:
        loop, release = virtual_loop(), threading.Event()
        loop.call_later(0.001, lambda: order.append("timer"))
        loop.hardware.call_at(0.001, lambda: order.append("tick"))
        job = asyncio.create_task(asyncio.to_thread(release.wait))
        releasing = threading.Timer(0.03, release.set)
        releasing.start()
        await job
        releasing.join()
        order.append("job")
        assert now() == 0
        await asyncio.sleep(1)
        assert now() == 1

    run_virtual(main())
    assert order[0] == "job"
    assert sorted(order[1:]) == ["tick", "timer"]


def test_the_clock_stands_still_until_the_last_of_several_jobs_is_done() -> None:
    async def main() -> list[float]:
        async def job(seconds: float) -> float:
            await asyncio.to_thread(time.sleep, seconds)
            return now()

        times = await asyncio.gather(job(0.001), job(0.02), job(0.01))
        await asyncio.sleep(3)
        return [*times, now()]

    assert run_virtual(main()) == [0, 0, 0, 3]


def test_a_job_that_fails_lets_the_clock_go_on() -> None:
    def fail() -> None:
        raise LookupError("no such job")

    async def main() -> float:
        with pytest.raises(LookupError, match="no such job"):
            await asyncio.to_thread(fail)
        await asyncio.sleep(2)
        return now()

    assert run_virtual(main()) == 2


async def test_sockets_are_waited_for_in_real_time() -> None:
    loop, began = virtual_loop(), now()
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        sender = threading.Timer(0.02, there.sendall, [b"hello"])
        sender.start()
        assert await loop.sock_recv(here, 100) == b"hello"
        sender.join()
    assert now() == began


async def test_a_server_and_its_client_talk_over_loopback() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    writer.write(b"is anybody there\n")
    assert await reader.read() == b"is anybody there\n"
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_another_thread_wakes_a_loop_that_waits_for_a_socket() -> None:
    loop = virtual_loop()
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        receiving = asyncio.create_task(loop.sock_recv(here, 100))
        await asyncio.sleep(0)
        rung = asyncio.Event()
        caller = threading.Timer(0.02, loop.call_soon_threadsafe, [rung.set])
        caller.start()
        await rung.wait()
        caller.join()
        receiving.cancel()
        await asyncio.wait([receiving])


# -- the same again ------------------------------------------------------------------


def story(seed: int) -> list[tuple[str, float]]:
    """What happens among ten tasks and a jittery card."""
    choose = random.Random(seed)
    events: list[tuple[str, float]] = []

    async def main() -> None:
        loop = virtual_loop()
        queue: asyncio.Queue[float] = asyncio.Queue(3)

        def tick() -> None:
            events.append(("tick", loop.time()))
            if loop.time() < 20:
                loop.hardware.call_at(loop.time() + choose.uniform(0.01, 0.5), tick)

        async def talk(name: str, turn: Callable[[], Awaitable[object]]) -> None:
            for _ in range(30):
                await asyncio.sleep(choose.uniform(0, 0.3))
                await turn()
                events.append((name, loop.time()))

        async def stumble() -> None:
            loop.freeze(choose.uniform(0, 0.2))

        loop.hardware.call_at(0.1, tick)
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(talk(f"putter {number}", lambda: queue.put(loop.time())))
                group.create_task(talk(f"getter {number}", queue.get))
            group.create_task(talk("stumbler", stumble))
            group.create_task(stubborn(5))

    run_virtual(main())
    return events


def test_the_same_seed_tells_the_same_story_and_another_one_does_not() -> None:
    first = story(1)
    assert len(first) > 300
    assert story(1) == first
    assert story(2) != first
    assert [at for _, at in first] == sorted(at for _, at in first)


def test_many_loops_leave_nothing() -> None:
    for _ in range(20):
        run_virtual(asyncio.sleep(60))


async def nothing() -> None: ...


async def numbers() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (nothing, r"takes a coroutine, not <function nothing.*: call it, run_virtual\(main\(\)\)"),
        (numbers, r"takes a coroutine, not <function numbers"),
        (numbers(), r"takes a coroutine, not <async_generator"),
        (5, "takes a coroutine, not 5"),
        (None, "takes a coroutine, not None"),
    ],
    ids=["function", "generator function", "generator", "number", "None"],
)
def test_what_is_no_coroutine_is_refused_in_words(given: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        run_virtual(given)


async def test_inside_another_loop_it_is_refused_in_words() -> None:
    with pytest.raises(RuntimeError, match="cannot run inside another event loop: call it in a plain"):
        run_virtual(nothing())
