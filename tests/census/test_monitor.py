"""A monitor logs what has grown, once, and ends with its block."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.stages import forever
from voicepipe import CensusMonitor, take_census


class Lines(logging.Handler):
    """Keeps what is logged, by level."""

    def __init__(self) -> None:
        super().__init__()
        self.infos: list[str] = []
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        (self.warnings if record.levelno == logging.WARNING else self.infos).append(record.getMessage())


def monitor(every_s: float = 10.0) -> tuple[CensusMonitor, Lines]:
    logger, lines = logging.Logger("test"), Lines()
    logger.addHandler(lines)
    return CensusMonitor(every_s, logger), lines


def on_time() -> None: ...


@pytest.fixture
async def tasks() -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that the test leaks, stopped after it."""
    leaked: list[asyncio.Task[None]] = []
    yield leaked
    for task in leaked:
        task.cancel()
    if leaked:
        await asyncio.wait(leaked)


def leak(name: str, tasks: list[asyncio.Task[None]]) -> asyncio.Task[None]:
    tasks.append(asyncio.create_task(forever(), name=name))
    return tasks[-1]


async def test_a_census_is_logged_once_in_an_interval() -> None:
    watch, lines = monitor(10)
    async with watch:
        for count in (0, 1, 2, 3):
            assert len(lines.infos) == count
            await asyncio.sleep(10)
            await asyncio.sleep(0)
    await asyncio.sleep(100)
    assert len(lines.infos) == 4
    assert lines.warnings == []


async def test_the_line_says_how_many_there_are_of_each_kind_that_there_is(
    tasks: list[asyncio.Task[None]],
) -> None:
    leak("one", tasks)
    leak("two", tasks)
    timer = asyncio.get_running_loop().call_later(100, on_time)
    watch, lines = monitor()
    watch.look()
    timer.cancel()
    (line,) = lines.infos
    count = take_census().counts()
    assert line.startswith("census: ")
    assert f"{count['tasks']} tasks" in line
    assert f"{count['timers'] + 1} timers" in line
    for kind, number in count.items():
        assert (kind.replace("_", " ") in line) == (number > 0 or kind == "timers")


async def test_what_was_there_when_it_settled_is_no_growth(tasks: list[asyncio.Task[None]]) -> None:
    watch, lines = monitor(10)
    async with watch:
        leak("settled", tasks)
        await asyncio.sleep(55)
    assert lines.warnings == []


async def test_growth_is_logged_once_with_the_name_of_what_grew(tasks: list[asyncio.Task[None]]) -> None:
    watch, lines = monitor(10)
    async with watch:
        leak("old", tasks)
        await asyncio.sleep(15)
        leak("forgotten", tasks)
        await asyncio.sleep(4)
        assert lines.warnings == []
        await asyncio.sleep(100)
    (line,) = lines.warnings
    assert line.startswith("census: tasks grew to 3: forgotten (forever) at ")
    assert "old" not in line


async def test_it_warns_again_when_there_is_still_more(tasks: list[asyncio.Task[None]]) -> None:
    watch, lines = monitor(10)
    async with watch:
        await asyncio.sleep(15)
        for name in "abc":
            leak(name, tasks)
            await asyncio.sleep(20)
    assert [line.split(" (")[0] for line in lines.warnings] == [
        "census: tasks grew to 2: a",
        "census: tasks grew to 3: b",
        "census: tasks grew to 4: c",
    ]


async def test_what_comes_and_goes_grows_only_beyond_the_most_there_ever_was(
    tasks: list[asyncio.Task[None]],
) -> None:
    watch, lines = monitor(10)
    async with watch:
        await asyncio.sleep(15)
        for name in "abc":
            task = leak(name, tasks)
            await asyncio.sleep(10)
            task.cancel()
            await asyncio.sleep(10)
    assert len(lines.warnings) == 1
    assert "tasks grew to 2: a (" in lines.warnings[0]


async def test_kinds_grow_apart_from_each_other(tasks: list[asyncio.Task[None]]) -> None:
    watch, lines = monitor(10)
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(1_000, on_time) for _ in range(5)]
    async with watch:
        await asyncio.sleep(15)
        leak("a", tasks)
        for timer in timers:
            timer.cancel()
        await asyncio.sleep(50)  # fewer in all, and one task more
        assert [line.split(" (")[0] for line in lines.warnings] == ["census: tasks grew to 2: a"]
        lines.warnings.clear()
        timers = [loop.call_later(1_000, on_time) for _ in range(5)]
        await asyncio.sleep(50)
        assert lines.warnings == []
        timers.append(loop.call_later(1_000, on_time))
        await asyncio.sleep(50)
        assert [line.split(":")[1] for line in lines.warnings] == [" timers grew to 7"]
        for timer in timers:
            timer.cancel()


async def test_a_line_names_five_at_most(tasks: list[asyncio.Task[None]]) -> None:
    watch, lines = monitor(10)
    async with watch:
        await asyncio.sleep(15)
        for n in range(9):
            leak(f"leak-{n}", tasks)
        await asyncio.sleep(10)
    (line,) = lines.warnings
    assert line.startswith("census: tasks grew to 10: leak-0 (forever) at ")
    assert line.count("leak-") == 5


async def test_kinds_of_two_words_are_written_as_two_words() -> None:
    async def count() -> AsyncIterator[int]:
        for n in range(3):
            yield n

    watch, lines = monitor()
    watch.look()
    more = take_census().counts()["async_generators"] + 1
    numbers = count()
    await anext(aiter(numbers))
    watch.look()
    await numbers.aclose()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    assert f"{more} async generators" in lines.infos[-1]
    assert lines.warnings[0].startswith(f"census: async generators grew to {more}: test_kinds_of_two_words")


async def test_it_ends_with_its_block_whatever_ends_that() -> None:
    before = take_census()
    watch, _ = monitor()
    async with watch:
        assert any("voicepipe:census monitor" in line for line in take_census().since(before).tasks)
    assert not take_census().since(before)
    with pytest.raises(LookupError):
        async with watch:
            raise LookupError
    assert not take_census().since(before)

    async def watched() -> None:
        async with watch:
            await forever()

    task = asyncio.create_task(watched())
    await asyncio.sleep(25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not take_census().since(before)


async def test_it_can_be_left_before_its_first_census() -> None:
    watch, lines = monitor(10)
    async with watch:
        await asyncio.sleep(9)
    async with watch:
        pass
    await watch.__aexit__(None, None, None)
    assert lines.infos == []


def test_by_default_it_logs_as_voicepipe_census(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "voicepipe.census"):
        CensusMonitor().look()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("voicepipe.census", "INFO")
    assert record.getMessage().startswith("census: ")


@pytest.mark.parametrize("every_s", [-1, math.nan, math.inf])
def test_an_interval_that_is_no_time_is_refused_by_name(every_s: float) -> None:
    with pytest.raises(ValueError, match=r"^every_s must be a finite number from 0"):
        CensusMonitor(every_s)


@pytest.mark.parametrize("every_s", [True, "300", None])
def test_an_interval_that_is_no_number_is_refused_by_name(every_s: Any) -> None:
    with pytest.raises(TypeError, match=r"^every_s must be a number, not "):
        CensusMonitor(every_s)
