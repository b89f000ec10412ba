"""Every test runs in virtual time, and leaves nothing behind.

A test that needs real time (threads, processes, signals) says so: `@pytest.mark.real_time`. One that keeps
every core busy says `@pytest.mark.alone`: no other runs beside it. One that takes more than about 1.5 s and
mostly repeats a faster one says `@pytest.mark.heavy`: a call of pytest without paths leaves it out.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping

import pytest

from support.left_out import LeftOut, add_options
from voicepipe.census.census import assert_nothing_left, take_census
from voicepipe.testing import VirtualLoop


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    hear_signals()
    keep_bytecode()
    config.pluginmanager.register(LeftOut(config))
    os.environ["VOICEPIPE_CONFIG"] = os.devnull  # nobody's own settings
    config.addinivalue_line("markers", "real_time: run in a real event loop, not in virtual time")
    config.addinivalue_line("markers", "alone: keep the workers beside this one waiting meanwhile")
    config.addinivalue_line(
        "markers", "heavy(after=0): leave out the cases after so many where pytest is called without paths"
    )


def hear_signals() -> None:
    """Undo what `nohup` and a shell's `&` make a process ignore.

    The programs that tests start would ignore it too, and wait for ever for the signal that a test sends. A
    handler is enough: no program inherits it. pytest itself lives on when its terminal is closed.
    """
    for name, handler in (
        ("SIGINT", signal.default_int_handler),
        ("SIGQUIT", signal.SIG_DFL),
        ("SIGHUP", _live_on),
    ):
        number = getattr(signal, name, None)  # Windows lacks some
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def _live_on(*_: object) -> None: ...


def keep_bytecode() -> None:
    """Undo what makes each of several hundred programs compile the package anew.

    That is most of what a short one does. The workers have their environment from here.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Generator[None, object, Mapping[str, Callable[[], asyncio.AbstractEventLoop]]]:
    yield
    real = item.get_closest_marker("real_time") is not None
    return {"real": asyncio.new_event_loop} if real else {"virtual": VirtualLoop}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that are to be alone come first, and one after the other: others wait for them once."""
    items.sort(key=lambda item: item.get_closest_marker("alone") is None)


@pytest.fixture(scope="session")
def door_and_room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The descriptors of two files, the same for all workers of a run."""
    own = tmp_path_factory.getbasetemp()  # a worker's lies in that of the run
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    door, room = (os.open(folder / name, os.O_CREAT | os.O_RDWR, 0o600) for name in ("door", "room"))
    yield door, room
    os.close(door)
    os.close(room)


@pytest.fixture(autouse=True)
def not_beside_one_that_is_alone(
    request: pytest.FixtureRequest, door_and_room: tuple[int, int]
) -> Iterator[None]:
    """Tests share the room; who is to be alone waits in the door until it is empty."""
    try:
        from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
    except ImportError:  # Windows: side by side, as it comes
        yield
        return
    door, room = door_and_room
    flock(door, LOCK_EX)
    flock(room, LOCK_EX if request.node.get_closest_marker("alone") else LOCK_SH)
    flock(door, LOCK_UN)
    yield
    flock(room, LOCK_UN)


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """The census after a test is the census before it."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("nothing_is_left_in_the_loop")
        yield
        return
    before = take_census()
    yield
    assert_nothing_left(before)


@pytest.fixture
async def nothing_is_left_in_the_loop() -> AsyncIterator[None]:
    before = take_census()
    yield
    await asyncio.sleep(0)  # callbacks of tasks that are done
    assert_nothing_left(before)
