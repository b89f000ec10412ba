"""Every test runs in virtual time, and leaves nothing behind.

A test that needs real time (threads, processes, signals) says so: `@pytest.mark.real_time`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping

import pytest

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
def nothing_is_left(nothing_left: None) -> None:
    """Every test is held to what the plugin's fixture says."""
