"""The pytest plugin. It is found where voicepipe is installed, and does nothing that a test does not ask for.

    @pytest.mark.virtual_time      # an async test in virtual time
    simulated_card                 # a fixture: a new SimulatedCard
    nothing_left                   # a fixture: whatever the test leaves behind fails it

With pytest-asyncio the marker gives the test, and its async fixtures, a loop in virtual time. Where
nobody else runs async tests, it runs the test itself.

`nothing_left` looks twice. What belongs to the test's event loop (tasks, timers, async generators)
is looked for at the end of the test, in the loop, before its async fixtures are torn down: later it
is too late, for whoever closes the loop cancels what is left in it, in silence. What belongs to the
process (threads, children, streams, descriptors, signal handlers) is looked for behind the test's
other fixtures, where it comes first in their list.
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
_OF_THE_LOOP = ("tasks", "timers", "async_generators", "abandoned")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{MARKER}: run this async test in virtual time, where sleeping takes none (voicepipe)"
    )


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Generator[None, Any, Any]:
    """pytest-asyncio asks for each async test what loop it wants: only a marked one gets another."""
    factories = yield
    if item.get_closest_marker(MARKER) is not None:
        from voicepipe.testing.virtual import VirtualLoop

        return {"virtual": VirtualLoop}
    if factories is None:  # nobody else has an answer, and pytest-asyncio wants one where it has asked
        import asyncio

        return {"asyncio": asyncio.new_event_loop}
    return factories


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """What an async test asks for is seen to in its loop, whoever runs that."""
    test = getattr(item, "obj", None)
    if not inspect.iscoroutinefunction(test):
        return (yield)
    asked: AsyncTest = test
    if "nothing_left" in getattr(item, "fixturenames", ()):
        asked = _leaves_nothing(asked)
    if item.get_closest_marker(MARKER) is not None:
        asked = _in_virtual_time(asked)
    item.obj = asked  # type: ignore[attr-defined]
    try:
        return (yield)
    finally:
        item.obj = test  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked async test that is nobody else's; pytest-asyncio's are plain functions by now."""
    test = pyfuncitem.obj
    if pyfuncitem.get_closest_marker(MARKER) is None or not inspect.iscoroutinefunction(test):
        return None
    from voicepipe.testing.virtual import run_virtual

    names = pyfuncitem._fixtureinfo.argnames
    run_virtual(test(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def simulated_card() -> SimulatedCard:
    """A simulated sound card, with faults to order: `voicepipe.testing.SimulatedCard`."""
    from voicepipe.testing import SimulatedCard

    return SimulatedCard()


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Fails a test that leaves anything behind; names each thing."""
    from voicepipe.census.census import assert_nothing_left, take_census

    before = take_census()
    yield
    # Outside the loop: nothing of a loop is counted.
    assert_nothing_left(before)


def _leaves_nothing(test: AsyncTest) -> AsyncTest:
    @functools.wraps(test)
    async def checked(*arguments: Any, **named: Any) -> object:
        import asyncio

        from voicepipe.census.census import assert_nothing_left, take_census

        before = _of_the_loop(take_census())
        result = await test(*arguments, **named)
        await asyncio.sleep(0)  # the callbacks of tasks that are done
        assert_nothing_left(before, _of_the_loop(take_census()))
        return result

    return checked


def _in_virtual_time(test: AsyncTest) -> AsyncTest:
    @functools.wraps(test)
    async def checked(*arguments: Any, **named: Any) -> object:
        import asyncio

        from voicepipe.testing.virtual import VirtualLoop

        loop = asyncio.get_running_loop()
        if not isinstance(loop, VirtualLoop):
            pytest.fail(
                f"the marker {MARKER} has no say in this loop, {loop!r}: "
                "it takes pytest-asyncio 1.4 or later, or no plugin at all that runs async tests",
                pytrace=False,
            )
        return await test(*arguments, **named)

    return checked


def _of_the_loop(census: Census) -> Census:
    """What of a census belongs to the event loop."""
    return type(census)(**{kind: getattr(census, kind) for kind in _OF_THE_LOOP})
