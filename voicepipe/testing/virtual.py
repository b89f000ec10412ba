"""An event loop in virtual time: when every task waits, the clock jumps to the next thing that will happen.

Two kinds of things happen: the loop's own timers, and the ticks of the hardware's world,
which go on while the loop is frozen, as a sound card's do. Sleeping takes no time, an hour
of audio takes seconds, and the same test does the same every time.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import math
import selectors
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

from voicepipe.census.origins import note_origin
from voicepipe.census.stack import where
from voicepipe.checks import check_seconds
from voicepipe.devices.hardware import Tick

__all__ = ["VirtualClockError", "VirtualLoop", "run_virtual"]

T = TypeVar("T")
MOST_STEPS = 100_000
"""Loop steps without the clock moving, after which a test counts as going in circles."""
_JOB_POLL_S = 0.05


class VirtualClockError(RuntimeError):
    """Nothing can ever happen again, or the loop goes in circles: a test that would hang."""


class VirtualHardware:
    """The world outside the loop, in virtual time. Its calls run between the loop's steps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._due: list[tuple[float, int, Tick]] = []
        self._numbers = itertools.count()
        self.ticking = False
        """A call is being made: this is foreign context, as a sound card's thread is."""

    def now(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        """Make a call at that time."""
        tick = Tick(when, callback)
        heapq.heappush(self._due, (when, next(self._numbers), tick))
        return tick

    def rest(self) -> None:
        """Nothing to wait for: no call is ever being made while the loop runs."""

    def next_time(self) -> float | None:
        """When the next call is due."""
        while self._due and self._due[0][2].cancelled:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def run_until(self, now: float) -> None:
        """Make the calls that are due, each at its time."""
        while (when := self.next_time()) is not None and when <= now:
            tick = heapq.heappop(self._due)[2]
            self._loop.set_time(max(when, self._loop.time()))
            self.ticking = True
            try:
                tick.callback()
            finally:
                self.ticking = False


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose clock begins at 0 and jumps.

    While a job runs in an executor, the clock stands still. Where real file descriptors are
    watched and nothing is due, it waits for them in real time.

    Raises (from whatever runs the loop):
        VirtualClockError: nothing can ever happen again, or 100,000 steps took no time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._jobs = 0
        self._steps = 0
        self.hardware = VirtualHardware(self)
        """The world that a simulated card ticks in."""
        super().__init__(_VirtualSelector(self))
        self.set_time(0.0)
        self._own_descriptors = len(self._virtual_selector.get_map())

    @property
    def _virtual_selector(self) -> _VirtualSelector:
        selector: _VirtualSelector = self._selector  # type: ignore[attr-defined]  # asyncio's own
        return selector

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def set_time(self, now: float) -> None:
        """Move the clock; never back. For the hardware's world."""
        self._now = now
        self._steps = 0
        # asyncio calls timers so much early. Where the clock does not move by itself, whoever is called
        # early and waits for the rest would go in circles: no timer is, not by the least of a float.
        self._clock_resolution = math.ulp(now)

    def freeze(self, seconds: float) -> None:
        """Block the loop, as a stage that never yields does; the hardware ticks on meanwhile."""
        until = self._now + check_seconds("seconds", seconds)
        self.hardware.run_until(until)
        self.set_time(until)

    # Whoever leaves a task or a timer behind is to be named: the census tells.

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:  # type: ignore[override]
        """As always; notes who made it."""
        task: asyncio.Task[T] = super().create_task(coro, **options)
        note_origin(task)
        return task

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As always; notes who made it."""
        timer = super().call_at(when, callback, *args, context=context)
        note_origin(timer)
        return timer

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As always; the clock stands still until the job is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: object) -> None:
        self._jobs -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """As always, in real time."""
        self._jobs += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jobs -= 1

    def _write_to_self(self) -> None:
        # Hardware ticks run inside select(), whose return looks at what is ready anyway.
        if threading.get_ident() != getattr(self, "_thread_id", None):
            super()._write_to_self()  # type: ignore[misc]  # asyncio's own

    def advance(self, timeout: float | None) -> float | None:
        """Nothing is ready: jump to what happens next. Returns the real time to wait, None for ever."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            self._steps = 0  # whoever cleans up now has steps of its own
            raise VirtualClockError(
                f"the loop goes in circles: {MOST_STEPS} steps took no time\n{self._standing()}"
            )
        if timeout is not None and timeout <= 0:
            self.hardware.run_until(self._now)
            return 0.0
        if self._jobs:
            return _JOB_POLL_S
        timers = getattr(self, "_scheduled", None)
        times = [
            when
            for when in (timers[0].when() if timers else None, self.hardware.next_time())
            if when is not None
        ]
        if times:
            now = max(self._now, min(times))
            self.hardware.run_until(now)
            self.set_time(max(now, self._now))
            return 0.0
        if len(self._virtual_selector.get_map()) > self._own_descriptors:
            return None
        raise VirtualClockError(
            f"nothing can ever happen again: no timer, no tick, no job\n{self._standing()}"
        )

    def _standing(self) -> str:
        return (
            "\n".join(f"{task.get_name()} waits at {where(task)}" for task in asyncio.all_tasks(self))
            or "no task"
        )


class _VirtualSelector(selectors.BaseSelector):
    """A real selector that is asked only what is ready now."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        return ready or self._real.select(self._loop.advance(timeout))


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in virtual time.

    Raises:
        VirtualClockError: the coroutine waits for something that can never happen.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
