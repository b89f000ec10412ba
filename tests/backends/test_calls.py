"""Calls that may take their time: in a thread, with a limit, and undone where nobody waits any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from support.sound import until
from voicepipe.errors import DeviceTimeoutError
from voicepipe_devices.calls import call

pytestmark = pytest.mark.real_time


class Slow:
    """A call that comes back when it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.undone: list[str] = []

    def __call__(self) -> str:
        self.begun.set()
        assert self.go_on.wait(10)
        return "opened"

    async def until_begun(self) -> None:
        await until(self.begun.is_set)


async def until_no_thread() -> None:
    await until(lambda: not [t for t in threading.enumerate() if t.name.startswith("voicepipe: ")])


async def test_it_returns_what_the_function_returns_and_the_loop_goes_on_meanwhile() -> None:
    slow = Slow()
    task = asyncio.create_task(call(slow, "opening", 5.0, undo=slow.undone.append))
    await slow.until_begun()
    slow.go_on.set()
    assert await task == "opened"
    assert slow.undone == []
    await until_no_thread()


async def test_it_raises_what_the_function_raises() -> None:
    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await call(fails, "opening", 5.0)
    await until_no_thread()


async def test_a_call_that_does_not_come_back_is_given_up_and_undone_when_it_does() -> None:
    slow = Slow()
    with pytest.raises(DeviceTimeoutError, match=r"opening the card: no answer within 0\.05 s"):
        await call(slow, "opening the card", 0.05, undo=slow.undone.append)
    assert [t.daemon for t in threading.enumerate() if t.name == "voicepipe: opening the card"] == [True]
    assert slow.undone == []
    slow.go_on.set()
    await until_no_thread()
    assert slow.undone == ["opened"]


async def test_cancelled_it_waits_on_undoes_and_is_then_cancelled() -> None:
    slow = Slow()
    task = asyncio.create_task(call(slow, "opening", 5.0, undo=slow.undone.append))
    await slow.until_begun()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done(), "whoever waits for it must see that it is not back"
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.undone == ["opened"]
    await until_no_thread()


async def test_cancelled_when_it_has_just_come_back_it_is_undone_once() -> None:
    undone: list[str] = []

    def slow_undo(result: str) -> None:
        threading.Event().wait(0.05)
        undone.append(result)

    task = asyncio.create_task(call(lambda: "opened", "opening", 5.0, undo=slow_undo))
    await asyncio.sleep(0)
    # The loop stands still until the call is back, and only then does the cancellation arrive.
    calling = [t for t in threading.enumerate() if t.name == "voicepipe: opening"]
    for thread in calling:
        thread.join()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert undone == ["opened"]
    await until_no_thread()


async def test_a_call_that_fails_after_it_was_cancelled_is_only_cancelled() -> None:
    slow = Slow()

    def fails() -> str:
        slow()
        raise OSError("late")

    task = asyncio.create_task(call(fails, "opening", 5.0, undo=slow.undone.append))
    await slow.until_begun()
    task.cancel()
    await asyncio.sleep(0.01)
    slow.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.undone == []
    await until_no_thread()


def test_a_call_that_comes_back_after_the_loop_has_closed_harms_nobody() -> None:
    slow = Slow()

    async def gives_up() -> None:
        with pytest.raises(DeviceTimeoutError):
            await call(slow, "opening", 0.01, undo=slow.undone.append)

    asyncio.run(gives_up())
    slow.go_on.set()
    for thread in threading.enumerate():
        if thread.name == "voicepipe: opening":
            thread.join(5)
    assert slow.undone == ["opened"]
