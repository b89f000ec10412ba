"""An event loop in virtual time: when every task waits, the clock jumps to the next event.

There are two kinds of events: the loop's own timers, and the ticks of simulated hardware.
The ticks go on while the loop is blocked, as with a real sound card. Sleeping takes no real
time, an hour of audio takes seconds, and each run of a test gives the same result.
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
from voicepipe.text import quote

__all__ = ["VirtualClockError", "VirtualLoop", "run_virtual"]

T = TypeVar("T")
MOST_STEPS = 100_000
"""The number of loop steps without progress of the clock after which a test counts as an endless loop."""
_JOB_POLL_S = 0.05


class VirtualClockError(RuntimeError):
    """The error of a test that would hang: no event is left, or the loop runs endlessly."""


class VirtualHardware:
    """The simulated hardware's clock and timers, in virtual time. Its calls run between loop steps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._due: list[tuple[float, int, Tick]] = []
        self._numbers = itertools.count()
        self.ticking = False
        """True during a call. It is then a foreign context, like a sound card's thread."""

    def now(self) -> float:
        """Return the loop's time in seconds."""
        return self._loop.time()

    def call_at(self, when: float, callback: Callable[[], None]) -> Tick:
        """Schedule a call at the time `when`."""
        tick = Tick(when, callback)
        heapq.heappush(self._due, (when, next(self._numbers), tick))
        return tick

    def rest(self) -> None:
        """Return at once, because no call is ever in progress while the loop runs."""

    def next_time(self) -> float | None:
        """Return the time of the next call; None if no call is scheduled."""
        while self._due and self._due[0][2].cancelled:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def run_until(self, now: float) -> None:
        """Make the calls that are due until `now`, each at its time."""
        while (when := self.next_time()) is not None and when <= now:
            tick = heapq.heappop(self._due)[2]
            self._loop.set_time(max(when, self._loop.time()))
            self.ticking = True
            try:
                tick.callback()
            finally:
                self.ticking = False


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop with a clock that begins at 0 and jumps.

    While a job runs in an executor, the clock stands still. If real file descriptors are watched
    and no event is due, the loop waits for them in real time.

    Raises (from the function that runs the loop):
        VirtualClockError: no event is left, or 100,000 steps took no time.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._jobs = 0
        self._steps = 0
        self.hardware = VirtualHardware(self)
        """The clock and timers of a simulated card."""
        super().__init__(_VirtualSelector(self))
        self.set_time(0.0)
        self._own_descriptors = len(self._virtual_selector.get_map())

    @property
    def _virtual_selector(self) -> _VirtualSelector:
        selector: _VirtualSelector = self._selector  # type: ignore[attr-defined]  # asyncio's own
        return selector

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._now

    def set_time(self, now: float) -> None:
        """Move the clock, never back. For `VirtualHardware`."""
        self._now = now
        self._steps = 0
        # asyncio may call a timer early by its clock resolution. This clock does not move by itself, so
        # code that waits for the rest would loop endlessly. The resolution is the least step of a float.
        self._clock_resolution = math.ulp(now)

    def freeze(self, seconds: float) -> None:
        """Block the loop, like a stage that never yields. The hardware goes on meanwhile."""
        until = self._now + check_seconds("seconds", seconds)
        self.hardware.run_until(until)
        self.set_time(until)

    # The census names the creator of a leftover task or timer.

    def create_task(self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:  # type: ignore[override]
        """Create a task as usual, and note its creator."""
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
        """Schedule a timer as usual, and note its creator."""
        timer = super().call_at(when, callback, *args, context=context)
        note_origin(timer)
        return timer

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a job as usual. The clock stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    def _job_done(self, _: object) -> None:
        self._jobs -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Shut the executor down as usual, in real time."""
        self._jobs += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self._jobs -= 1

    def _write_to_self(self) -> None:
        # Hardware ticks run inside select(), after which asyncio runs all ready callbacks anyway.
        if threading.get_ident() != getattr(self, "_thread_id", None):
            super()._write_to_self()  # type: ignore[misc]  # asyncio's own

    def advance(self, timeout: float | None) -> float | None:
        """Jump to the next event, because nothing is ready.

        Returns:
            The seconds of real time to wait; None: without limit.
        """
        self._steps += 1
        if self._steps > MOST_STEPS:
            self._steps = 0  # the clean-up that follows gets its own steps
            raise VirtualClockError(
                f"the loop runs endlessly: {MOST_STEPS} steps took no time\n{self._describe_tasks()}"
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
            f"the test would hang: no timer, no hardware tick and no job is left\n{self._describe_tasks()}"
        )

    def _describe_tasks(self) -> str:
        return (
            "\n".join(f"{task.get_name()} waits at {where(task)}" for task in asyncio.all_tasks(self))
            or "no task"
        )


class _VirtualSelector(selectors.BaseSelector):
    """A real selector that is polled without waiting."""

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
    """Run a coroutine like `asyncio.run`, in virtual time, and return its result.

    Raises:
        VirtualClockError: the coroutine would hang or loop endlessly.
        TypeError: it is no coroutine.
        RuntimeError: an event loop runs here already.
    """
    if not asyncio.iscoroutine(main):
        hint = ": call it, run_virtual(main())" if callable(main) else ""
        raise TypeError(f"run_virtual() takes a coroutine, not {quote(main)}{hint}")
    if asyncio._get_running_loop() is not None:
        main.close()
        raise RuntimeError(
            "run_virtual() cannot run inside another event loop: call it in a plain function, "
            "such as a test that is not async"
        )
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
