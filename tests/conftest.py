"""Every test runs in virtual time, and leaves nothing behind.

A test that needs real time (threads, processes, signals) says so: `@pytest.mark.real_time`.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping

import pytest

from voicepipe.census import assert_nothing_left, take_census
from voicepipe.testing import VirtualLoop


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "real_time: run in a real event loop, not in virtual time")


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Generator[None, object, Mapping[str, Callable[[], asyncio.AbstractEventLoop]]]:
    yield
    real = item.get_closest_marker("real_time") is not None
    return {"real": asyncio.new_event_loop} if real else {"virtual": VirtualLoop}


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
