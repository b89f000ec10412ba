"""The task in which one stage opens, works and cleans up.

A cancel scope, a task group or a context variable that `on_start` enters can only be left in the
same task. A stage that opens something therefore has one task for all of it, from its opening to
its clean-up. The close of the run decides when the clean-up begins.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable
from typing import Protocol

from voicepipe.params import StartParams
from voicepipe.pipeline.era import leave_era
from voicepipe.pipeline.hook_checks import check_result
from voicepipe.pipeline.link import RunHandle
from voicepipe.pipeline.processor import Processor
from voicepipe.pipeline.stage_task import StageExitError, is_running, unwrap
from voicepipe.report import DropReason
from voicepipe.text import quote

__all__ = ["HookSeat", "HookTask"]


class HookSeat(Protocol):
    """The seat, as the task of its hooks sees it."""

    label: str
    run: RunHandle
    opened: bool

    @property
    def processor(self) -> Processor:
        """The stage."""
        ...

    def disable(self, reason: str) -> None:
        """Cut the stage off: its data is dropped and counted, and EndFrame passes by it."""


class _Order(enum.Enum):
    """The order for which a resting task waits."""

    CLEAN_UP = "clean up now"
    LEAVE = "end, because another task cleans up"


class HookTask:
    """The task of one stage's hooks. In the loop's thread.

    Args:
        seat: the seat of the stage.
        params: the argument of `on_start`.
        work: the handling of the stage's frames, between its opening and its clean-up.
    """

    __slots__ = ("_asked", "_order", "_rests", "_seat", "_told", "_waiter", "_work", "cleans_up", "task")

    def __init__(
        self, seat: HookSeat, params: StartParams, work: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._seat = seat
        self._work = work
        loop = seat.run.loop
        self._told: asyncio.Future[BaseException | None] | None = loop.create_future()
        """The result of `on_start`: None, or the exception that it raised."""
        self._rests = False
        """True once the stage's frames are over, so that it only waits for its clean-up."""
        self._order: _Order | None = None
        self._waiter: asyncio.Future[None] | None = None
        """The future of whoever waits now: the task for its order, or the close for the task's rest."""
        self.cleans_up = False
        """True once the clean-up has begun."""
        self._asked = 0
        """The number of cancels that the framework asked for and that are not taken back."""
        name = seat.run.task_name(seat.label, "on_start")
        self.task = loop.create_task(self._live(params), name=name)
        self.task.add_done_callback(self._end)

    async def wait_until_open(self) -> None:
        """Wait until `on_start` has returned. Raises: the exception that `on_start` raised."""
        told = self._told
        assert told is not None
        error = await told
        self._told = None
        if error is not None:
            raise error

    # -- cancels ---------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel the task's present code. The clean-up can still follow."""
        self._asked += 1
        self.task.cancel()

    def uncancel(self) -> None:
        """Take one cancel back, after it has had its effect."""
        self._asked -= 1
        self.task.uncancel()

    @property
    def is_cancelled_by_others(self) -> bool:
        """True if the task has a cancel that the framework did not ask for."""
        return self.task.cancelling() > self._asked

    def _settle(self) -> bool:
        """Take all cancels of the framework back; return True if there were any."""
        asked = self._asked
        while self._asked:
            self.uncancel()
        return asked > 0

    # -- the close of the run ----------------------------------------------------

    @property
    def is_over(self) -> bool:
        """True if the task rests, cleans up, or has ended."""
        return self._rests or self.cleans_up or self.task.done()

    def rest(self) -> asyncio.Future[None]:
        """Return a future that is done when `is_over` is true."""
        waiter: asyncio.Future[None] = self._seat.run.loop.create_future()
        if self.is_over:
            waiter.set_result(None)
        else:
            self._waiter = waiter
        return waiter

    def order_clean_up(self) -> bool:
        """Let the task clean up; return False if it cannot, because it does not rest."""
        able = self._rests or self.cleans_up
        if self._order is None:
            self._order = _Order.CLEAN_UP if able else _Order.LEAVE
            self._wake()
        return able

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # -- the task ----------------------------------------------------------------

    async def _live(self, params: StartParams) -> None:
        cancelled: asyncio.CancelledError | None = None
        leave_era()
        if await self._open(params) and self._work is not None:
            try:
                await self._work()
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is None:
            cancelled = await self._wait_for_order()
        if cancelled is not None:
            await self._clean_up_early(cancelled)
        elif self._order is _Order.CLEAN_UP:
            await self._clean_up()

    async def _open(self, params: StartParams) -> bool:
        """Run `on_start`; return True if it succeeded."""
        seat = self._seat
        seat.opened = True
        failure: BaseException | None = None
        try:
            await check_result(seat.processor, "on_start", seat.processor.on_start(params))
        except BaseException as error:  # the opening of the run raises it
            if type(error) is GeneratorExit and not is_running(self.task):
                raise  # the loop is gone, and the task with it
            failure = error
        if self._told is not None and not self._told.done():
            self._told.set_result(failure)
        self._rename("hooks" if self._work is None else "stage")
        return failure is None

    async def _wait_for_order(self) -> asyncio.CancelledError | None:
        """Wait for an order. Return the cancellation if somebody else cancelled the task meanwhile."""
        self._rests = True
        self._settle()
        self._wake()
        while self._order is None:
            self._waiter = self._seat.run.loop.create_future()
            try:
                await self._waiter
            except asyncio.CancelledError as error:
                if not self._settle() and self._order is None:
                    return error
        return None

    async def _clean_up(self) -> None:
        self.cleans_up = True
        self._wake()
        self._rename("cleanup")
        try:
            stage = self._seat.processor
            await check_result(stage, "cleanup", stage.cleanup())
        except (KeyboardInterrupt, SystemExit) as error:
            raise StageExitError(quote(error)) from error

    async def _clean_up_early(self, cancelled: asyncio.CancelledError) -> None:
        """Clean up at once, because a scope that the stage entered in `on_start` was cancelled.

        The scope would cancel the task again in every turn of the loop until the stage leaves it.
        The exception of the clean-up says more than the cancellation, and comes before it.
        """
        seat = self._seat
        seat.disable(DropReason.PROCESSOR_ERROR)
        failure: BaseException = RuntimeError(
            "the task of the stage was cancelled, by a scope that on_start() entered or from outside the run"
        )
        failure.__cause__ = cancelled
        try:
            await self._clean_up()
        except asyncio.CancelledError:
            pass  # the close of the run cut the clean-up short
        except BaseException as error:  # a stage's failure becomes a PipelineError
            if type(error) is GeneratorExit and not is_running(self.task):
                raise
            failure = unwrap(error)
        seat.run.stage_failed(seat.label, failure)

    def _rename(self, what: str) -> None:
        self.task.set_name(self._seat.run.task_name(self._seat.label, what))

    def _end(self, _: asyncio.Task[None]) -> None:
        """Let nobody wait for a task that has ended."""
        if self._told is not None and not self._told.done():
            self._told.set_result(asyncio.CancelledError())
        self._wake()
