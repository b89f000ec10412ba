"""Hardware in real time: calls come in order, from a thread that exists only while some are due."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from voicepipe.devices.hardware import ThreadedHardware

PATIENCE_S = 5.0
"""For what comes at once, or never."""
FAR_S = 3_600.0


@pytest.fixture
def hardware() -> Iterator[ThreadedHardware]:
    made = ThreadedHardware()
    yield made
    made.rest()


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def ticking_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "voicepipe:hardware"]


def ticked(hardware: ThreadedHardware, when: float) -> None:
    """Wait for a call at that time, and so for all that are due before."""
    done = threading.Event()
    hardware.call_at(when, done.set)
    assert done.wait(PATIENCE_S)


def test_calls_come_in_the_order_of_their_times_however_asked_for(
    hardware: ThreadedHardware,
) -> None:
    order: list[int] = []
    began = hardware.now() + 0.02
    numbers = list(range(30))
    random.Random(1).shuffle(numbers)
    for number in numbers:
        hardware.call_at(began + number / 2_000, partial(order.append, number))
    ticked(hardware, began + 0.02)
    assert order == list(range(30))


def test_calls_of_one_time_come_in_the_order_they_were_asked_for(hardware: ThreadedHardware) -> None:
    order: list[int] = []
    when = hardware.now() + 0.01
    for number in range(30):
        hardware.call_at(when, partial(order.append, number))
    ticked(hardware, when)
    assert order == list(range(30))


def test_a_call_comes_from_a_thread_of_the_hardware_not_before_its_time(
    hardware: ThreadedHardware,
) -> None:
    seen: list[tuple[str, float]] = []
    when = hardware.now() + 0.01
    hardware.call_at(when, lambda: seen.append((threading.current_thread().name, hardware.now())))
    ticked(hardware, when)
    ((name, at),) = seen
    assert name == "voicepipe:hardware"
    assert at >= when


def test_an_earlier_call_that_is_asked_for_later_comes_first(hardware: ThreadedHardware) -> None:
    far = hardware.call_at(hardware.now() + FAR_S, forbidden)
    time.sleep(0.01)  # the thread waits for that one by now
    ticked(hardware, hardware.now() + 0.01)
    far.cancel()


def forbidden() -> None:
    raise AssertionError("it was cancelled")


def test_a_call_whose_time_has_passed_comes_at_once(hardware: ThreadedHardware) -> None:
    ticked(hardware, hardware.now() - 100)


def test_a_call_may_ask_for_the_next_one(hardware: ThreadedHardware) -> None:
    times: list[float] = []
    over = threading.Event()

    def tick() -> None:
        times.append(hardware.now())
        if len(times) < 10:
            hardware.call_at(times[-1] + 0.001, tick)
        else:
            over.set()

    hardware.call_at(hardware.now(), tick)
    assert over.wait(PATIENCE_S)
    assert times == sorted(times)
    assert len(times) == 10


def test_there_is_no_thread_before_the_first_call_and_one_for_all_of_them(hardware: ThreadedHardware) -> None:
    assert ticking_threads() == []
    ticks = [hardware.call_at(hardware.now() + FAR_S, forbidden) for _ in range(5)]
    assert len(ticking_threads()) == 1
    for tick in ticks:
        tick.cancel()


@pytest.mark.usefixtures("impatient_threads")
def test_the_thread_ends_when_nothing_is_due_and_another_one_begins_with_the_next_call(
    hardware: ThreadedHardware,
) -> None:
    for _ in range(300):
        ticked(hardware, hardware.now())
        hardware.rest()
        assert ticking_threads() == []


def test_rest_waits_for_a_thread_that_is_ending(hardware: ThreadedHardware) -> None:
    class LeavesSlowly:
        def __del__(self) -> None:
            time.sleep(0.02)

    called = threading.Event()

    def call(held: LeavesSlowly) -> None:
        called.set()

    # The thread lets go of the call, and of what that holds, when it has seen that nothing else is due.
    hardware.call_at(hardware.now(), partial(call, LeavesSlowly()))
    assert called.wait(PATIENCE_S)
    time.sleep(0.005)
    hardware.rest()
    assert ticking_threads() == []


def test_a_cancelled_call_does_not_come_and_keeps_no_thread(hardware: ThreadedHardware) -> None:
    tick = hardware.call_at(hardware.now() + 0.01, forbidden)
    tick.cancel()
    tick.cancel()
    ticked(hardware, hardware.now() + 0.02)
    far = [hardware.call_at(hardware.now() + FAR_S, forbidden) for _ in range(3)]
    for tick in far:
        tick.cancel()
    hardware.rest()
    assert ticking_threads() == []


def test_a_call_can_cancel_the_next_one(hardware: ThreadedHardware) -> None:
    when = hardware.now() + 0.01
    cancelled = hardware.call_at(when + 0.005, forbidden)
    hardware.call_at(when, cancelled.cancel)
    ticked(hardware, when + 0.01)


def test_rest_returns_when_no_call_is_being_made_though_others_are_due(hardware: ThreadedHardware) -> None:
    far = hardware.call_at(hardware.now() + FAR_S, forbidden)
    begun = threading.Event()
    done: list[bool] = []

    def slow() -> None:
        begun.set()
        time.sleep(0.02)
        done.append(True)

    hardware.call_at(hardware.now(), slow)
    assert begun.wait(PATIENCE_S)
    hardware.rest()
    assert done == [True]
    assert len(ticking_threads()) == 1
    far.cancel()


def test_rest_does_not_wait_for_what_is_due_later(hardware: ThreadedHardware) -> None:
    far = hardware.call_at(hardware.now() + FAR_S, forbidden)
    hardware.rest()
    assert not far.cancelled
    far.cancel()


def test_rest_where_nothing_ever_was_due_returns(hardware: ThreadedHardware) -> None:
    hardware.rest()
    hardware.rest()


def test_calls_may_be_asked_for_and_cancelled_from_any_thread(hardware: ThreadedHardware) -> None:
    came: list[tuple[int, int]] = []
    begin = threading.Barrier(4)

    def note(who: int, number: int) -> Callable[[], None]:
        return lambda: came.append((who, number))

    def ask(who: int) -> None:
        begin.wait()
        for number in range(100):
            hardware.call_at(hardware.now() + FAR_S, forbidden).cancel()
            hardware.call_at(number / 1_000, note(who, number))

    threads = [threading.Thread(target=ask, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ticked(hardware, hardware.now())
    assert sorted(came) == [(who, number) for who in range(4) for number in range(100)]


@pytest.mark.real_time
async def test_its_clock_is_the_event_loops(hardware: ThreadedHardware) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(100):
        before, now, after = loop.time(), hardware.now(), loop.time()
        assert before <= now <= after


@pytest.mark.real_time
async def test_a_call_wakes_an_event_loop(hardware: ThreadedHardware) -> None:
    loop, rung = asyncio.get_running_loop(), asyncio.Event()

    def ring() -> None:
        loop.call_soon_threadsafe(rung.set)

    hardware.call_at(hardware.now() + 0.005, ring)
    async with asyncio.timeout(PATIENCE_S):
        await rung.wait()
    hardware.rest()
    await asyncio.sleep(0)
