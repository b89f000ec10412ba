"""The pytest plugin. pytest finds it by itself; it acts only on tests that use it.

    @pytest.mark.virtual_time      # an async test in virtual time
    simulated_card                 # a fixture: a new SimulatedCard
    nothing_left                   # a fixture: the test fails if it leaves anything behind

With pytest-asyncio, the marker gives the test and its async fixtures a loop in virtual time. Without
a plugin for async tests, the marker runs the test itself.

`nothing_left` checks twice. At the end of the test, in its event loop, it checks the tasks, timers and
async generators of that loop. Later would be too late, because the close of a loop silently cancels
them. After the teardown of the other fixtures, it checks the process: threads, children, streams,
descriptors, signal handlers. For this, put it first in the test's list of fixtures.
"""

# Imported in every project of a user who has voicepipe installed: nothing but pytest here.
from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from voicepipe.census.census import Census
    from voicepipe_devices.fake import SimulatedCard

__all__ = ["nothing_left", "simulated_card"]

AsyncTest = Callable[..., Awaitable[object]]
MARKER = "virtual_time"
_OF_UNITTEST = (
    f"the marker {MARKER} cannot replace the event loop of unittest: write the test as an async function "
    "outside unittest.TestCase, or call voicepipe.testing.run_virtual(...) in a plain test method"
)
_OF_THE_LOOP = ("tasks", "timers", "async_generators", "abandoned")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `virtual_time`."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}: run this async test in virtual time, where sleeping takes no real time (voicepipe)",
    )


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Generator[None, Any, Any]:
    """Give pytest-asyncio a virtual loop for a marked test, and change nothing for other tests."""
    factories = yield
    if item.get_closest_marker(MARKER) is not None:
        from voicepipe.testing.virtual import VirtualLoop

        return {"virtual": VirtualLoop}
    if factories is None:  # no other plugin has answered, and pytest-asyncio requires an answer
        import asyncio

        return {"asyncio": asyncio.new_event_loop}
    return factories


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Wrap an async test so that its marker and fixture take effect in its own loop."""
    test = getattr(item, "obj", None)
    if item.get_closest_marker(MARKER) is not None and (refusal := _refusal(item, test)):
        pytest.fail(refusal, pytrace=False)
    if not inspect.iscoroutinefunction(test):
        return (yield)
    asked: AsyncTest = test
    if "nothing_left" in getattr(item, "fixturenames", ()):
        asked = _with_leftover_check(asked)
    if item.get_closest_marker(MARKER) is not None:
        asked = _with_virtual_time(asked)
    item.obj = asked  # type: ignore[attr-defined]
    try:
        return (yield)
    finally:
        item.obj = test  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked async test that no other plugin runs. pytest-asyncio has made its own tests plain."""
    test = pyfuncitem.obj
    if pyfuncitem.get_closest_marker(MARKER) is None or not inspect.iscoroutinefunction(test):
        return None
    from voicepipe.testing.virtual import run_virtual

    names = pyfuncitem._fixtureinfo.argnames
    run_virtual(test(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def simulated_card() -> SimulatedCard:
    """Return a simulated sound card, with faults on demand: `voicepipe.testing.SimulatedCard`."""
    from voicepipe.testing import SimulatedCard

    return SimulatedCard()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves anything behind, and name each leftover."""
    from voicepipe.census.census import assert_nothing_left, take_census

    before = take_census()
    yield
    # This runs outside the loop, so nothing of a loop is counted.
    assert_nothing_left(before)


def _refusal(item: pytest.Item, test: object) -> str:
    """Return the reason why this marked test cannot run in virtual time; empty where it can.

    A plain test may be in a class or a module that is marked for its other tests.
    """
    if inspect.iscoroutinefunction(test):
        return _OF_UNITTEST if _is_of_unittest(item) else ""
    runs = f"the marker {MARKER} runs async tests, and {item.name} is"
    if inspect.isasyncgenfunction(test):
        return f"{runs} an async generator: remove its yield"
    if any(mark.name == MARKER for mark in item.own_markers) and not hasattr(test, "hypothesis"):
        return (
            f"{runs} a plain function: make it `async def`, "
            "or remove the marker and call voicepipe.testing.run_virtual(...) in it"
        )
    return ""


def _is_of_unittest(item: pytest.Item) -> bool:
    import unittest  # pytest has it loaded

    of = getattr(item, "cls", None)
    return isinstance(of, type) and issubclass(of, unittest.TestCase)


def _with_leftover_check(test: AsyncTest) -> AsyncTest:
    @functools.wraps(test)
    async def run_test(*arguments: Any, **named: Any) -> object:
        import asyncio

        from voicepipe.census.census import assert_nothing_left, take_census

        before = _of_the_loop(take_census())
        result = await test(*arguments, **named)
        await asyncio.sleep(0)  # the callbacks of tasks that are done
        assert_nothing_left(before, _of_the_loop(take_census()))
        return result

    return run_test


def _with_virtual_time(test: AsyncTest) -> AsyncTest:
    @functools.wraps(test)
    async def run_test(*arguments: Any, **named: Any) -> object:
        import asyncio

        from voicepipe.testing.virtual import VirtualLoop

        loop = asyncio._get_running_loop()  # None under another library, such as trio
        if not isinstance(loop, VirtualLoop):
            pytest.fail(
                f"the marker {MARKER} cannot replace this loop, {loop or 'which is not of asyncio'!r}; use "
                "pytest-asyncio 1.4 or later, or no plugin for async tests (no marker `anyio` or `trio`)",
                pytrace=False,
            )
        return await test(*arguments, **named)

    return run_test


def _of_the_loop(census: Census) -> Census:
    """Return the part of a census that belongs to the event loop."""
    return type(census)(**{kind: getattr(census, kind) for kind in _OF_THE_LOOP})
