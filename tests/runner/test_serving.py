"""`serve()` in somebody else's loop: a server keeps its signals; Python's own handlers are nobody's."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import FrameType
from typing import Any

import pytest

from support.stages import Recorder
from voicepipe import Pipeline, PipelineRunner, PipelineTask, RunState
from voicepipe.runner import runner as runner_module
from voicepipe.runner.signals import SIGNALS, owner_of, signals_without_owner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: raise_signal knows no SIGHUP")
SIGINT, SIGTERM, SIGHUP = SIGNALS


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    runner_module._log_owners.cache_clear()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Server:
    """It ends at a signal, as uvicorn does: its handlers are there before its application starts."""

    def __init__(self, *numbers: signal.Signals) -> None:
        self.heard: list[int] = []
        for number in numbers:
            signal.signal(number, self.handle_exit)

    def handle_exit(self, number: int, frame: FrameType | None) -> None:
        self.heard.append(number)


@asynccontextmanager
async def serving(**arguments: Any) -> AsyncIterator[PipelineTask]:
    task = PipelineTask(Pipeline([Recorder()]))
    running = asyncio.create_task(PipelineRunner(blocked_s=0, **arguments).serve(task))
    await task.wait_until_started()
    yield task
    task.end()
    assert await running == 0


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
async def test_a_server_keeps_its_signals(number: signal.Signals, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = Server(SIGINT, SIGTERM)
    handlers = [signal.getsignal(each) for each in SIGNALS]
    for _ in range(2):
        async with serving() as task:
            assert [signal.getsignal(each) for each in SIGNALS] == handlers
            signal.raise_signal(number)
            await asyncio.sleep(1)
            assert task.state is RunState.RUNNING
    assert server.heard == [number, number]
    assert [signal.getsignal(each) for each in SIGNALS] == handlers
    (line,) = [message for message in caplog.messages if "left to" in message]
    assert line == (
        "SIGINT and SIGTERM: left to runner.test_serving.Server.handle_exit; "
        "call task.end() where it shuts down, or set handle_signals=True"
    )


async def test_a_loop_keeps_the_signals_that_its_owner_handles() -> None:
    """As hypercorn and aiohttp do it, with add_signal_handler."""
    heard: list[str] = []
    loop = asyncio.get_running_loop()
    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, heard.append, number.name)
    try:
        assert signals_without_owner() == ()
        async with serving() as task:
            assert owner_of(SIGINT)
            assert task.state is RunState.RUNNING
    finally:
        for number in (SIGINT, SIGTERM):
            loop.remove_signal_handler(number)


async def test_a_server_that_is_to_lose_them_loses_them_for_as_long_as_it_takes() -> None:
    server = Server(SIGINT, SIGTERM)
    before = signal.getsignal(SIGINT)
    task = PipelineTask(Pipeline([Recorder()]))
    running = asyncio.create_task(PipelineRunner(blocked_s=0, handle_signals=True).serve(task))
    await task.wait_until_started()
    assert signal.getsignal(SIGINT) != before
    task.end()
    assert await running == 0
    assert signal.getsignal(SIGINT) == before
    assert server.heard == []


@pytest.mark.parametrize(
    ("owned", "free"),
    [
        ((), (SIGINT, SIGTERM, SIGHUP)),
        ((SIGINT,), (SIGTERM, SIGHUP)),
        ((SIGTERM,), (SIGINT,)),  # SIGHUP goes with SIGTERM
        ((SIGHUP,), (SIGINT, SIGTERM)),
        ((SIGINT, SIGTERM), ()),
        ((SIGINT, SIGTERM, SIGHUP), ()),
    ],
)
async def test_each_signal_without_an_owner_is_listened_to(
    owned: tuple[signal.Signals, ...], free: tuple[signal.Signals, ...]
) -> None:
    Server(*owned)
    assert signals_without_owner() == free
    before = {number: signal.getsignal(number) for number in SIGNALS}
    async with serving():
        taken = tuple(number for number in SIGNALS if signal.getsignal(number) != before[number])
        assert taken == free
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


def test_a_function_a_partial_and_an_object_are_owners() -> None:
    class Callable_:  # noqa: N801
        def __call__(self, number: int, frame: FrameType | None) -> None: ...

    def function(number: int, frame: FrameType | None) -> None: ...

    handlers: list[Callable[[int, FrameType | None], Any]] = [Callable_(), function, lambda *_: None]
    for handler in handlers:
        signal.signal(SIGINT, handler)
        assert owner_of(SIGINT).startswith("runner.test_serving.")


def test_pythons_own_handlers_are_nobodys() -> None:
    for handler in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler):
        signal.signal(SIGINT, handler)
        assert owner_of(SIGINT) == ""


def test_the_handler_that_asyncio_run_installs_is_nobodys_and_ctrl_c_ends_the_tasks() -> None:
    signal.signal(SIGINT, signal.default_int_handler)

    async def main() -> None:
        assert signal.getsignal(SIGINT) is not signal.default_int_handler
        assert SIGINT in signals_without_owner()
        task = PipelineTask(Pipeline([Recorder()]))
        running = asyncio.create_task(PipelineRunner(blocked_s=0).serve(task))
        await task.wait_until_started()
        signal.raise_signal(SIGINT)
        assert await running == 0
        assert task.state is RunState.ENDED

    asyncio.run(main())


def test_in_another_thread_it_serves_without_signals() -> None:
    answers: list[object] = []

    async def main() -> None:
        async with serving() as task:
            answers.append(task.state)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    thread.join(20)
    assert answers == [RunState.RUNNING]


@pytest.mark.parametrize("value", [1, 0, "yes", "", [], 1.0])
def test_a_choice_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=r"^handle_signals must be True, False or None, not "):
        PipelineRunner(handle_signals=value)
