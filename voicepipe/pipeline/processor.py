"""The stages a user writes: `InlineProcessor`, which never waits, and `FrameProcessor`, which may.

Life-cycle frames never reach `process` or `process_frame`; a stage has hooks instead:

    on_start(params)   open what you need; called from the last stage to the first
    on_running()       StartFrame has reached the Sink; a source begins here
    on_ending()        at once when the End is asked for; a source stops taking in more
    on_end()           EndFrame is here: give out what you hold, it goes before the End
    on_interruption()  at once, before the InterruptionFrame arrives; must not wait
    on_cancel()        the run is cancelled; nothing queued is processed any more
    cleanup()          close what you opened; exactly once for every on_start that began
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from voicepipe.checks import check_count
from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.mailbox import CAPACITY, Congestion, Mailbox
from voicepipe.text import printable, shown

if TYPE_CHECKING:
    from voicepipe.params import StartParams

__all__ = ["FrameProcessor", "InlineProcessor", "MailboxSeat", "Outlet", "Processor", "Seat", "overrides"]

T = TypeVar("T")
OnError = Literal["fail", "report"]
_DOWN = FrameDirection.DOWNSTREAM


class Seat(Protocol):
    """What a run gives a stage for as long as the stage is in it."""

    def create_task(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start a task that belongs to the stage."""
        ...


class Outlet(Protocol):
    """Where a stage's frames go in one direction."""

    @property
    def send(self) -> Callable[[Frame], Congestion | None]:
        """Deliver one frame; return where the pusher should wait for room."""
        ...


class MailboxSeat(Protocol):
    """What a run gives a stage with a mailbox, besides."""

    pushed: int
    """Counts the stage's pushes."""
    box: Mailbox
    """Where frames wait for the stage, and the stage for frames."""

    @property
    def down(self) -> Outlet:
        """The way downstream."""
        ...

    @property
    def up(self) -> Outlet:
        """The way upstream."""
        ...

    def push_unusual(self, frame: Frame, direction: FrameDirection) -> None:
        """Push something that is a request, or no frame at all. Raises as `push_frame`."""

    async def wait_for_room(self, full: Congestion) -> None:
        """Wait until there is room, handling the system frames that arrive meanwhile."""

    def hand_over(self) -> None:
        """Count the frame in progress as given: it is in the stage's own books now."""


class Processor:
    """What can stand in a pipeline. Derive from `InlineProcessor` or `FrameProcessor`.

    A subclass with its own `__init__` need not call this one. No task, thread or handle
    is made in a constructor; open such things in `on_start`.

    Raises:
        ValueError: `on_error` is neither "fail" nor "report".
    """

    on_error: OnError = "fail"
    """What an exception that escapes this stage does. "fail": the run ends, `run()` raises
    PipelineError. "report": the frame is dropped and counted, an ErrorFrame travels
    upstream, and the run goes on."""
    _name: str = ""
    _seat: Seat | None = None

    def __init__(self, *, name: str = "", on_error: OnError = "fail") -> None:
        if on_error not in ("fail", "report"):
            raise ValueError(f"on_error must be 'fail' or 'report', not {shown(on_error)}")
        self._name = name
        self.on_error = on_error

    @property
    def name(self) -> str:
        """What logs and reports call this stage: the name it was given, or its class."""
        return printable(self._name) or type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name}>"

    async def on_start(self, params: StartParams) -> None:
        """Open what the stage needs. Raise to stop the run before it starts."""

    async def on_running(self) -> None:
        """Every stage is open and StartFrame has reached the Sink; a source begins here."""

    def on_ending(self) -> None:
        """The End was asked for, and is on its way: a source takes in nothing more. Must not wait."""

    def on_interruption(self) -> None:
        """What was queued to be said is being dropped; drop yours. Must not wait."""

    async def on_cancel(self) -> None:
        """The run is cancelled. Runs beside the cancellation of this stage's own task."""

    async def cleanup(self) -> None:
        """Close what was opened. Called exactly once for every `on_start` that began."""

    def create_task(self, coroutine: Coroutine[Any, Any, T], *, name: str = "") -> asyncio.Task[T]:
        """A task that belongs to this stage: cancelled and awaited when the run closes.

        An exception that escapes it is an error of the stage.

        Raises:
            RuntimeError: the stage is in no running pipeline.
        """
        if self._seat is None:
            coroutine.close()
            raise RuntimeError(f"{self.name} is in no running pipeline: make tasks in on_start or later")
        return self._seat.create_task(coroutine, name)


class InlineProcessor(Processor):
    """A stage that never waits. It has no queue and no task: it runs inside whoever pushes to it."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """What goes on, in the same direction, in place of `frame`.

        Return `(frame,)` to pass it on and `()` to drop it. Never called again before it
        has returned. Must not block: nothing else runs meanwhile.
        """
        return (frame,)

    def on_end(self) -> Iterable[Frame]:
        """The EndFrame is here: what the stage still holds. It goes before the End."""
        return ()


class FrameProcessor(Processor):
    """A stage that may wait. It has one bounded mailbox and one task.

    Args:
        mailbox: how many downstream frames wait here before a pusher does, 1 to 100,000.

    Raises:
        TypeError, ValueError: `mailbox` is no whole number in its bounds.
    """

    mailbox_size: int = CAPACITY
    _mailbox_seat: MailboxSeat | None = None
    cut_on_interruption: ClassVar[bool] = False
    """Whether an interruption cancels the handling of *any* data frame here, not only of an
    interruptible one: right for a stage that makes the program's answer. The frame is then
    counted as interrupted; data that waits stays."""

    def __init__(self, *, name: str = "", on_error: OnError = "fail", mailbox: int = CAPACITY) -> None:
        super().__init__(name=name, on_error=on_error)
        self.mailbox_size = check_count("mailbox", mailbox, at_least=1, at_most=100_000)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Handle one frame; push on what should go on. One call at a time.

        The exception: while a push in here waits for room downstream, a system frame
        that arrives is handled by another call.
        """
        await self.push_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        """Pass a frame on. Downstream data waits afterwards where a mailbox is full; upstream never waits.

        An EndFrame, CancelFrame or InterruptionFrame of the stage's own asks the task for it. What is
        pushed after the End has passed is dropped, and counted.

        Raises:
            TypeError: it is no frame.
            ValueError: a StartFrame; only the task starts.
            RuntimeError: the stage is in no running pipeline.
        """
        seat = self._mailbox_seat
        if seat is None:
            raise RuntimeError(f"{self.name} is in no running pipeline: it cannot push {frame!r}")
        seat.pushed += 1
        if not isinstance(frame, Frame) or frame.is_request:
            seat.push_unusual(frame, direction)
            return
        full = (seat.down if direction is _DOWN else seat.up).send(frame)
        if full is not None:
            await seat.wait_for_room(full)

    async def on_end(self) -> None:
        """The EndFrame is here: push what the stage still holds. It goes before the End."""

    def progress(self) -> object:
        """Anything that changes while the stage gets on with a long piece of work.

        While a run drains, a stage that neither handles nor pushes a frame, and whose progress stands
        still for the stall limit, counts as stuck. A stage that plays sound returns its position here.
        """
        return None


def overrides(processor: Processor, hook: str) -> bool:
    """Tell whether the stage has its own version of a hook."""
    return getattr(type(processor), hook) is not getattr(Processor, hook)
