"""Whatever a program leaves behind, the census names it."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from types import FrameType

import pytest

from support.stages import forever, stubborn
from voicepipe import Census, assert_nothing_left, take_census
from voicepipe.census import census, origins
from voicepipe.census.census import abandon, register_stream, unregister_stream

KINDS = [field.name for field in fields(Census)]
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="counted on Linux only")


def left_since(before: Census) -> dict[str, tuple[str, ...]]:
    """What is left, by kind, where there is something; without who made it."""
    left = take_census().since(before)
    return {kind: tuple(map(unmade, getattr(left, kind))) for kind in KINDS if getattr(left, kind)}


def unmade(line: str) -> str:
    return line.partition(", made ")[0]


async def stopped(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def on_signal(number: int, frame: FrameType | None) -> None: ...


class Stream:
    def __str__(self) -> str:
        return "kitchen microphone"


# -- each kind of leak -------------------------------------------------------------


async def test_a_task_is_left_with_its_name_its_coroutine_and_its_line() -> None:
    before = take_census()
    task = asyncio.create_task(forever(), name="forgotten")
    await asyncio.sleep(0)
    left = left_since(before)
    assert list(left) == ["tasks"]
    (line,) = left["tasks"]
    assert line.startswith("forgotten (forever) at ")
    assert "stages.py:" in line
    assert line.endswith(" in forever")
    await stopped(task)
    assert left_since(before) == {}


async def test_two_tasks_of_one_name_are_two() -> None:
    before = take_census()
    tasks = [asyncio.create_task(forever(), name="twin") for _ in range(2)]
    await asyncio.sleep(0)
    assert len(left_since(before)["tasks"]) == 2
    between = take_census()
    await stopped(tasks[0])
    assert len(left_since(before)["tasks"]) == 1
    assert left_since(between) == {}
    await stopped(tasks[1])


async def test_a_task_that_was_there_before_is_not_left_though_it_stands_elsewhere_now() -> None:
    async def walk() -> None:
        await first.wait()
        await forever()

    first = asyncio.Event()
    task = asyncio.create_task(walk(), name="walker")
    before = take_census()  # not begun
    await asyncio.sleep(0)
    between = take_census()
    first.set()
    await asyncio.sleep(0)
    assert between.tasks != take_census().tasks
    assert left_since(before) == left_since(between) == {}
    other = asyncio.create_task(walk(), name="walker")
    await asyncio.sleep(0)
    assert len(left_since(before)["tasks"]) == 1
    await stopped(task, other)


async def test_the_task_that_asks_is_not_counted() -> None:
    assert not any("test_the_task_that_asks" in line for line in take_census().tasks)


async def test_a_timer_is_left_with_its_callback_unless_it_is_cancelled() -> None:
    before = take_census()
    timer = asyncio.get_running_loop().call_later(3_600, on_late)
    assert left_since(before) == {"timers": ("on_late",)}
    timer.cancel()
    assert left_since(before) == {}


def on_late() -> None: ...


@contextmanager
def thread_named(*names: str) -> Iterator[None]:
    """Threads that wait until the block is left."""
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, name=name) for name in names]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_thread_is_left_with_its_name() -> None:
    before = take_census()
    with thread_named("forgotten thread"):
        (line,) = left_since(before).pop("threads")
        assert line.startswith("forgotten thread (Event.wait) at ")
    assert left_since(before) == {}


def test_a_thread_is_left_with_the_line_it_stands_at() -> None:
    def work() -> None:
        begun.set()
        over.wait()

    before, begun, over = take_census(), threading.Event(), threading.Event()
    thread = threading.Thread(target=work, name="worker")
    thread.start()
    begun.wait()
    (line,) = left_since(before)["threads"]
    over.set()
    thread.join()
    assert line.startswith("worker (test_a_thread_is_left_with_the_line_it_stands_at.<locals>.work) at ")
    assert line.endswith(" in work")


def sleeping_child() -> subprocess.Popen[bytes]:
    child = subprocess.Popen(["sleep", "3600"])
    while not Path(f"/proc/{child.pid}/cmdline").read_bytes():
        pass  # it has begun, but has no arguments yet
    return child


@on_linux
def test_a_child_process_is_left_with_its_command_and_as_a_zombie_too() -> None:
    before = take_census()
    child = sleeping_child()
    assert left_since(before) == {"children": (f"{child.pid} sleep 3600",)}
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert left_since(before) == {"children": (f"{child.pid} (ended, not reaped)",)}
    child.wait()
    assert left_since(before) == {}


@on_linux
def test_a_child_that_has_no_command_line_but_lives_is_left_with_its_name() -> None:
    before, cat = take_census(), shutil.which("cat")
    with subprocess.Popen([" "], executable=cat, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"begun\n")
        child.stdin.flush()
        child.stdout.readline()
        children = left_since(before)["children"]
    assert children == (f"{child.pid} cat",)


@on_linux
def test_a_child_of_another_thread_is_left_too() -> None:
    before, begun, over = take_census(), threading.Event(), threading.Event()

    def work() -> None:
        with sleeping_child() as child:
            begun.set()
            over.wait()
            child.kill()

    thread = threading.Thread(target=work, name="parent")
    thread.start()
    begun.wait()
    left = left_since(before)
    over.set()
    thread.join()
    assert len(left["children"]) == 1
    assert left["children"][0].endswith(" sleep 3600")


@on_linux
def test_a_descriptor_is_left_with_what_it_refers_to(tmp_path: Path) -> None:
    before = take_census()
    number = os.open(tmp_path / "recording.wav", os.O_CREAT | os.O_WRONLY)
    assert left_since(before) == {"descriptors": (f"{number} -> {tmp_path}/recording.wav",)}
    os.close(number)
    assert left_since(before) == {}


@on_linux
def test_a_socket_is_left_as_a_descriptor() -> None:
    before = take_census()
    with socket.socket() as opened:
        (line,) = left_since(before)["descriptors"]
        assert line.startswith(f"{opened.fileno()} -> socket:[")
    assert left_since(before) == {}


@pytest.fixture
def handlers_as_they_were() -> Iterator[None]:
    numbers = [signal.SIGUSR1, signal.SIGTERM, *([signal.SIGRTMIN + 1] if sys.platform == "linux" else [])]
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers_as_they_were")
def test_a_signal_handler_is_left_with_its_name() -> None:
    before = take_census()
    signal.signal(signal.SIGUSR1, on_signal)
    assert left_since(before) == {"signals": ("SIGUSR1 -> on_signal",)}
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert left_since(before) == {}


@on_linux
@pytest.mark.usefixtures("handlers_as_they_were")
def test_a_handler_of_a_signal_that_has_no_name_is_left_with_its_number() -> None:
    before = take_census()
    signal.signal(signal.SIGRTMIN + 1, on_signal)
    assert left_since(before) == {"signals": (f"{signal.SIGRTMIN + 1} -> on_signal",)}


@pytest.mark.real_time
async def test_a_signal_handler_of_the_loop_is_left_too() -> None:
    before, loop = take_census(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, on_late)
    (line,) = left_since(before)["signals"]
    assert line.startswith("SIGUSR1 -> ")
    loop.remove_signal_handler(signal.SIGUSR1)
    assert left_since(before) == {}


def test_the_handler_that_asyncio_itself_has_while_it_runs_is_not_counted() -> None:
    outside = take_census()

    async def inside() -> None:
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert take_census().since(outside).signals == ()

    asyncio.run(inside())


async def test_an_async_generator_is_left_when_it_was_begun_and_not_finished() -> None:
    async def count() -> AsyncIterator[int]:
        for n in range(3):
            yield n

    before = take_census()
    not_begun, forgotten, finished = count(), count(), count()
    assert await anext(aiter(forgotten)) == 0
    assert [n async for n in finished] == [0, 1, 2]
    (line,) = left_since(before)["async_generators"]
    assert "count at " in line
    assert f"{Path(__file__).name}:" in line
    await forgotten.aclose()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    assert left_since(before) == {}
    del not_begun


def test_a_stream_is_left_until_it_is_closed_or_forgotten() -> None:
    before = take_census()
    closed, forgotten = Stream(), Stream()
    register_stream(closed)
    register_stream(closed)
    register_stream(forgotten)
    assert left_since(before) == {"streams": ("kitchen microphone",) * 2}
    unregister_stream(closed)
    unregister_stream(closed)
    assert left_since(before) == {"streams": ("kitchen microphone",)}
    del forgotten
    gc.collect()
    assert left_since(before) == {}


async def test_an_abandoned_task_is_counted_apart_until_it_is_done() -> None:
    before = take_census()
    task = asyncio.create_task(stubborn(5), name="stubborn one")
    await asyncio.sleep(0)
    assert list(left_since(before)) == ["tasks", "timers"]
    abandon(task)
    abandon(task)
    left = left_since(before)
    assert list(left) == ["timers", "abandoned"]
    assert left["abandoned"][0].startswith("stubborn one (stubborn) at ")
    await task
    assert left_since(before) == {}


# -- who made it ---------------------------------------------------------------------


def made(line: str) -> str:
    """The part of a line that says who made the thing, with the file's name for its path."""
    path = str(Path(__file__).parent) + os.sep
    return line.partition(", made ")[2].replace(path, "")


async def test_in_virtual_time_a_task_is_left_with_who_made_it_and_where() -> None:
    async def mother() -> asyncio.Task[None]:
        return asyncio.create_task(forever(), name="child")

    before = take_census()
    child = await asyncio.create_task(mother(), name="mother")
    await asyncio.sleep(0)
    (line,) = take_census().since(before).tasks
    assert re.fullmatch(r"by mother at test_census\.py:\d+ in mother", made(line))
    await stopped(child)


async def test_in_virtual_time_a_timer_is_left_with_who_made_it_and_where() -> None:
    before, loop = take_census(), asyncio.get_running_loop()
    first, second = (loop.call_at(3_600, on_late) for _ in range(2))
    (line, other) = take_census().since(before).timers
    assert re.fullmatch(r"at test_census\.py:\d+ in <genexpr>", made(line))
    assert made(line) == made(other)
    sleeper = asyncio.create_task(asyncio.sleep(60), name="sleeper")
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    (line,) = take_census().since(before).timers
    assert "by sleeper" in made(line)
    await stopped(sleeper)


async def test_what_a_callback_made_was_not_made_by_whoever_runs_the_loop() -> None:
    made_here: list[asyncio.Task[None]] = []
    before = take_census()
    asyncio.get_running_loop().call_soon(
        lambda: made_here.append(asyncio.create_task(forever(), name="child"))
    )
    await asyncio.sleep(0)
    (line,) = take_census().since(before).tasks
    assert made(line).startswith("at test_census.py:")
    assert made(line).endswith(" in <lambda>")
    await stopped(*made_here)


@pytest.mark.real_time
async def test_in_a_real_loop_who_made_a_task_is_known_in_debug_mode() -> None:
    loop, before = asyncio.get_running_loop(), take_census()
    loop.set_debug(False)
    plain = asyncio.create_task(forever(), name="plain")
    loop.set_debug(True)
    noted = asyncio.create_task(forever(), name="noted")
    loop.set_debug(False)
    await asyncio.sleep(0)
    lines = {line.partition(" ")[0]: made(line) for line in take_census().since(before).tasks}
    assert lines["plain"] == ""
    assert lines["noted"].startswith("at test_census.py:")
    await stopped(plain, noted)


def test_a_stream_is_left_with_where_it_was_opened() -> None:
    before, stream = take_census(), Stream()
    register_stream(stream)
    (line,) = take_census().since(before).streams
    unregister_stream(stream)
    assert made(line).startswith("at test_census.py:")


async def test_another_timer_of_the_same_callback_is_not_more_than_before() -> None:
    loop = asyncio.get_running_loop()
    first = loop.call_later(60, on_late)
    before = take_census()
    first.cancel()
    second = loop.call_later(60, on_late)
    assert not take_census().since(before)
    second.cancel()


def test_an_origin_is_forgotten_with_its_thing() -> None:
    count, stream = len(origins._notes), Stream()
    register_stream(stream)
    assert len(origins._notes) == count + 1
    unregister_stream(stream)
    del stream
    gc.collect()
    assert len(origins._notes) <= count


# -- nothing -------------------------------------------------------------------------


def test_a_census_of_nothing_is_empty_and_says_so() -> None:
    assert not Census()
    assert str(Census()) == "nothing"
    assert Census().counts() == dict.fromkeys(KINDS, 0)


async def test_a_census_since_itself_is_empty() -> None:
    now = take_census()
    assert now.since(now) == Census()
    assert not take_census().since(now)


@pytest.mark.parametrize("kind", KINDS)
def test_a_census_with_anything_in_it_is_not_empty_and_names_it(kind: str) -> None:
    census = Census(**{kind: ("this", "that")})
    assert census
    assert str(census) == f"{kind.replace('_', ' ')}: this\n{kind.replace('_', ' ')}: that"
    assert census.counts() == dict.fromkeys(KINDS, 0) | {kind: 2}


def test_a_census_says_what_is_more_than_before_name_by_name() -> None:
    before = Census(threads=("a", "a", "b"), timers=("x",))
    now = Census(threads=("a", "a", "a", "c"), descriptors=("5 -> /dev/null",))
    assert now.since(before) == Census(threads=("a", "c"), descriptors=("5 -> /dev/null",))
    assert before.since(now) == Census(threads=("b",), timers=("x",))


def test_a_census_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Census().tasks = ("a",)  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_what_is_left_is_an_assertion_error_that_names_each_thing() -> None:
    before = Census(threads=("a",))
    assert_nothing_left(before, Census(threads=("a",)))
    assert_nothing_left(before, Census())
    with pytest.raises(AssertionError) as failed:
        assert_nothing_left(before, Census(threads=("a", "b"), timers=("x",)))
    assert str(failed.value) == "left behind:\ntimers: x\nthreads: b"


def test_without_a_second_census_the_present_is_compared() -> None:
    stream = Stream()
    before = take_census()
    assert_nothing_left(before)
    register_stream(stream)
    with pytest.raises(AssertionError, match="streams: kitchen microphone"):
        assert_nothing_left(before)
    unregister_stream(stream)


# -- from anywhere ---------------------------------------------------------------------


def test_names_from_outside_are_escaped_and_capped() -> None:
    before = take_census()
    with thread_named("\x1b[31mred\u202e", "x" * 1_000):
        red, long = left_since(before)["threads"]
    assert red.startswith(r"\x1b[31mred\u202e (")
    assert len(long) == 200


@pytest.mark.real_time
async def test_from_another_thread_everything_is_counted_but_what_is_the_loops() -> None:
    before, stream = take_census(), Stream()
    register_stream(stream)
    timer = asyncio.get_running_loop().call_later(3_600, on_late)
    seen: list[Census] = []
    thread = threading.Thread(target=lambda: seen.append(take_census()), name="observer")
    thread.start()
    thread.join()
    unregister_stream(stream)
    timer.cancel()
    (census,) = seen
    assert (census.tasks, census.timers, census.async_generators) == ((), (), ())
    left = census.since(before)
    assert [unmade(line) for line in left.streams] == ["kitchen microphone"]
    assert [line.partition(" (")[0] for line in left.threads] == ["observer"]


def test_outside_a_loop_there_are_no_tasks() -> None:
    census = take_census()
    assert (census.tasks, census.timers, census.async_generators) == ((), (), ())


def test_a_stream_that_another_thread_opens_in_the_midst_of_a_census_is_counted() -> None:
    before, streams, late = take_census(), [Stream() for _ in range(5)], Stream()
    for stream in streams:
        register_stream(stream)

    def open_in_the_midst(frame: FrameType, event: str, argument: object) -> None:
        """Where a thread switch could be: the set is being read, and its first stream is out."""
        if frame.f_code.co_qualname == "WeakSet.__iter__" and "item" in frame.f_locals and event == "call":
            sys.setprofile(None)
            thread = threading.Thread(target=register_stream, args=(late,))
            thread.start()
            thread.join()

    sys.setprofile(open_in_the_midst)
    try:
        left = left_since(before)
    finally:
        sys.setprofile(None)
    assert left["streams"] == ("kitchen microphone",) * 6
    for stream in (*streams, late):
        unregister_stream(stream)


# -- without /proc -------------------------------------------------------------------------


@pytest.fixture
def no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a jail without /proc; tests may not unmount it."""
    monkeypatch.setattr(census, "_PROC", "/nowhere")


@on_linux
@pytest.mark.usefixtures("no_proc")
def test_without_proc_the_census_is_poorer_and_taken(tmp_path: Path) -> None:
    before = take_census()
    assert before.children == ()
    assert "0 -> " in before.descriptors[0]
    with (tmp_path / "x").open("w"):
        (left,) = take_census().since(before).descriptors
        assert left.endswith("-> a file")
    assert_nothing_left(before)


@on_linux
@pytest.mark.usefixtures("no_proc")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: os.open(os.devnull, os.O_RDONLY), "a device"),
        (lambda: os.open(os.path.curdir, os.O_RDONLY), "a folder"),
        (lambda: socket.socket().detach(), "a socket"),
        (lambda: os.eventfd(0), "anon_inode"),
        (lambda: os.memfd_create("x"), "a file"),
    ],
    ids=["device", "folder", "socket", "eventfd", "memory"],
)
def test_without_proc_a_descriptor_is_named_by_its_kind(make: Callable[[], int], kind: str) -> None:
    before = take_census()
    number = make()
    try:
        assert take_census().since(before).descriptors == (f"{number} -> {kind}",)
    finally:
        os.close(number)
