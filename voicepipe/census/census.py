"""A census of what a process has open; a run must leave nothing of it.

    before = take_census()
    await task.run()
    print(take_census().since(before) or "nothing left")

Counts are by name: what was there before is taken off, name by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import stat
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar
from weakref import WeakSet

from voicepipe.census.origins import note_origin, origin_of
from voicepipe.census.own_descriptors import descriptors_of_uvloop
from voicepipe.census.stack import where
from voicepipe.text import printable

__all__ = ["Census", "abandon", "assert_nothing_left", "register_stream", "take_census", "unregister_stream"]

T = TypeVar("T")
_PROC = "/proc"
_MOST_TRIED = 1_024
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a disk",
}
_abandoned: WeakSet[asyncio.Task[Any]] = WeakSet()
_streams: WeakSet[Any] = WeakSet()


@dataclass(frozen=True, slots=True)
class Census:
    """The things that are open, by kind; each a line that names the thing. False where there is none."""

    tasks: tuple[str, ...] = ()
    """asyncio tasks of the running loop that are not done, without the current one, each with where it
    stands; in a `VirtualLoop`, or in asyncio's debug mode, also with who made it, and where."""
    timers: tuple[str, ...] = ()
    """Scheduled callbacks of the running loop that are not cancelled; who made them, as above."""
    threads: tuple[str, ...] = ()
    """Threads, without the main one, each with what it runs and where it stands."""
    children: tuple[str, ...] = ()
    """Child processes, zombies too. Linux only; empty elsewhere, and where there is no /proc."""
    streams: tuple[str, ...] = ()
    """Open device streams, each with who opened it."""
    descriptors: tuple[str, ...] = ()
    """File descriptors, with what they refer to; without /proc, with its kind. Linux only."""
    signals: tuple[str, ...] = ()
    """Signals with a handler other than Python's own, or asyncio's."""
    async_generators: tuple[str, ...] = ()
    """Async generators of the running loop that were begun and not finished."""
    abandoned: tuple[str, ...] = ()
    """Tasks that refused to stop, and were given up by the run that made them. Counted apart."""

    def since(self, before: Census) -> Census:
        """Return what there is now and was not then."""
        return Census(*(_more(getattr(self, f.name), getattr(before, f.name)) for f in fields(self)))

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) for f in fields(self))

    def counts(self) -> dict[str, int]:
        """Return the number of things of each kind."""
        return {f.name: len(getattr(self, f.name)) for f in fields(self)}

    def __str__(self) -> str:
        lines = [
            f"{f.name.replace('_', ' ')}: {item}" for f in fields(self) for item in getattr(self, f.name)
        ]
        return "\n".join(lines) or "nothing"


def take_census() -> Census:
    """Count what this process has open now.

    From any thread; tasks, timers and async generators are those of the running loop of
    the calling thread, if there is one.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    given_up = [task for task in _members(_abandoned) if not task.done()]
    return Census(
        tasks=_sort(_tasks(loop, set(given_up))) if loop else (),
        timers=_sort(_timers(loop)) if loop else (),
        threads=_sort(_threads()),
        children=_sort(_children()),
        streams=_sort(_with_origin(str(stream), stream) for stream in _members(_streams)),
        descriptors=_sort(_descriptors()),
        signals=_sort(_signals()),
        async_generators=_sort(_async_generators(loop)) if loop else (),
        abandoned=_sort(_describe(task) for task in given_up),
    )


def assert_nothing_left(before: Census, now: Census | None = None) -> None:
    """Compare the present with an earlier census.

    Raises:
        AssertionError: something is left; names each thing.
    """
    left = (take_census() if now is None else now).since(before)
    if left:
        raise AssertionError(f"left behind:\n{left}")


def abandon(task: asyncio.Task[Any]) -> None:
    """Count this task as abandoned from now on."""
    _abandoned.add(task)


def register_stream(stream: object) -> None:
    """Register a stream that a back end has opened; `str(stream)` names it. From any thread."""
    _streams.add(stream)
    note_origin(stream)


def unregister_stream(stream: object) -> None:
    """Unregister a stream that is closed. From any thread."""
    _streams.discard(stream)


def _more(now: tuple[str, ...], before: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is not in `before`. A task that has moved on to another line is still the same one."""
    if now == before:
        return ()
    new, gone = Counter(now) - Counter(before), Counter(before) - Counter(now)
    known = Counter(_name_of(item) for item in gone.elements())
    more = []
    for item in new.elements():
        name = _name_of(item)
        if known[name]:
            known[name] -= 1
        else:
            more.append(item)
    return tuple(more)


def _name_of(item: str) -> str:
    """Return the name of a thing, without its line and its maker."""
    name, stands, _ = item.partition(", made ")[0].partition(") at ")
    return name + stands


def _members(those: WeakSet[T]) -> list[T]:
    """List what is in it, though other threads may change it in the midst."""
    # Tried again, as asyncio.all_tasks does: a finalizer that came to a lock would wait for ever.
    while True:
        with contextlib.suppress(RuntimeError):
            return list(those)


def _sort(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))


def _tasks(loop: asyncio.AbstractEventLoop, given_up: set[asyncio.Task[Any]]) -> Iterator[str]:
    current = asyncio.current_task(loop)
    for task in asyncio.all_tasks(loop):
        if task is not current and task not in given_up:
            yield _describe(task)


def _describe(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    what = f"{task.get_name()} ({getattr(coroutine, '__qualname__', coroutine)}) at {where(task)}"
    return _with_origin(what, task)


def _with_origin(what: str, thing: object) -> str:
    origin = origin_of(thing)
    return f"{printable(what)}, {printable(origin)}" if origin else printable(what)


def _threads() -> Iterator[str]:
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            target = getattr(thread, "_target", None) or type(thread)
            name = f"{thread.name} ({getattr(target, '__qualname__', target)})"
            yield printable(f"{name} at {_innermost(frames.get(thread.ident or 0))}")


def _innermost(frame: FrameType | None) -> str:
    """Return the line that a thread stands at, outside the module `threading`."""
    stands = frame
    while stands is not None and stands.f_code.co_filename == threading.__file__:
        stands = stands.f_back
    stands = stands or frame
    if stands is None:
        return "not started"
    return f"{stands.f_code.co_filename}:{stands.f_lineno} in {stands.f_code.co_name}"


def _timers(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    # asyncio has no public list of its timers; another loop implementation may have none at all.
    for handle in getattr(loop, "_scheduled", ()):
        if not handle.cancelled():
            callback = getattr(handle, "_callback", None)
            yield _with_origin(f"{getattr(callback, '__qualname__', callback)}", handle)


def _async_generators(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    for generator in getattr(loop, "_asyncgens", ()):
        if generator.ag_frame is not None:
            code = generator.ag_code
            yield printable(f"{generator.__qualname__} at {code.co_filename}:{code.co_firstlineno}")


def _children() -> Iterator[str]:
    for listing in Path(f"{_PROC}/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in listing.read_text().split():
                yield printable(f"{pid} {_command_of(pid)}")


def _command_of(pid: str) -> str:
    with contextlib.suppress(OSError):
        command = Path(f"{_PROC}/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        if command.strip():
            return command.strip()
        # A child that has just begun has no command line yet, as one that has ended has none any more.
        name, _, state = Path(f"{_PROC}/{pid}/stat").read_text(errors="replace").rpartition(")")
        return "(ended, not reaped)" if state.startswith(" Z") else name.partition("(")[2]
    return "(gone)"


def _descriptors() -> Iterator[str]:
    if sys.platform != "linux":
        return
    try:
        numbers = os.listdir(f"{_PROC}/self/fd")
    except OSError:  # no /proc, as in some jails, or none that this process may read
        yield from _kinds_of_descriptors()
        return
    targets: dict[str, str] = {}
    for number in numbers:
        # The one that listdir itself used is gone by now.
        with contextlib.suppress(OSError):
            targets[number] = os.readlink(f"{_PROC}/self/fd/{number}")
    own = descriptors_of_uvloop(targets)
    yield from (printable(f"{number} -> {target}") for number, target in targets.items() if number not in own)


def _kinds_of_descriptors() -> Iterator[str]:
    """Yield the numbers and kinds of those among the first thousand."""
    for number in range(_MOST_TRIED):
        with contextlib.suppress(OSError):
            mode = stat.S_IFMT(os.fstat(number).st_mode)
            yield f"{number} -> {_KINDS.get(mode, 'anon_inode')}"


@functools.cache
def _valid_signals() -> tuple[int, ...]:
    return tuple(signal.valid_signals())


def _signals() -> Iterator[str]:
    usual = {signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler, None}
    for number in _valid_signals():
        handler = signal.getsignal(number)
        # asyncio.run has a handler of its own for SIGINT while it runs.
        own = getattr(getattr(handler, "func", None), "__self__", None)
        if handler not in usual and not isinstance(own, asyncio.Runner):
            # Most real-time signals have a number only.
            name = getattr(number, "name", int(number))
            yield printable(f"{name} -> {getattr(handler, '__qualname__', handler)}")
