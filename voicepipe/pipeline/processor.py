"""The base classes of stages: `InlineProcessor` never waits, `FrameProcessor` may wait.

Life-cycle frames never reach `process` or `process_frame`. A stage has hooks instead:

    on_start(params)   open resources; called from the last stage to the first
    on_running()       StartFrame has reached the Sink; a source begins here
    on_ending()        an end was requested; a source stops its intake; must not wait
    on_end()           EndFrame has arrived; give out held frames, they go before EndFrame
    on_interruption()  called at once, before the InterruptionFrame arrives; must not wait
    on_fact(fact, direction)  called at once for every fact, even while the stage is busy; must not wait
    on_cancel()        the run was cancelled; queued frames are no longer processed
    cleanup()          close resources; called exactly once for every on_start that began
    seams()            return the ledgers that the stage keeps itself; called for a report; must not wait

`on_start`, the frames, `on_end` and `cleanup` of a stage run in one task. A cancel scope, a task
group or a context variable that `on_start` enters can therefore be left in `cleanup`. An inline stage
with an `on_start` has a task for its hooks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from voicepipe.checks import check_count, check_number
from voicepipe.frames import FactFrame, Frame, FrameDirection, kind_of
from voicepipe.hints import with_hints
from voicepipe.pipeline.live_audio import MAILBOX_S
from voicepipe.pipeline.mailbox import CAPACITY, Congestion, Mailbox
from voicepipe.text import class_name, printable, quote

if TYPE_CHECKING:
    from voicepipe.params import StartParams
    from voicepipe.report import SeamReport

__all__ = [
    "FrameProcessor",
    "InlineProcessor",
    "MailboxSeat",
    "Outlet",
    "Processor",
    "Seat",
    "label_of",
    "overrides",
]

T = TypeVar("T")
OnError = Literal["fail", "report"]
_DOWN = FrameDirection.DOWNSTREAM


class Seat(Protocol):
    """The services that a run gives to a stage while the stage is in it."""

    label: str
    """The name of the stage in this run."""

    def create_task(self, coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start an asyncio task that belongs to the stage."""
        ...

    def handle_soon(self, error: BaseException) -> None:
        """Handle an error of the stage in the next step of the loop. From any thread."""

    def report_error(self, error: BaseException) -> None:
        """Report an exception after which the stage goes on, whatever its error policy is."""

    def push_fact(self, fact: Frame, direction: FrameDirection) -> Congestion | None:
        """Pass on a fact that the stage made; return what its pusher waits for, if anything."""
        ...

    def hold_sources(self) -> None:
        """Let the sources that can wait do so, until `release_sources` was called as often."""

    def release_sources(self) -> None:
        """Let the sources go on."""


class Outlet(Protocol):
    """The way of a stage's frames in one direction."""

    @property
    def send(self) -> Callable[[Frame], Congestion | None]:
        """The function that delivers one frame; it returns the congested place, if any."""
        ...


class FrameInHand(Protocol):
    """The work of a stage's task, as its pushes see it."""

    current: Frame | None
    """The frame in progress."""


class MailboxSeat(Protocol):
    """The additional services for a stage with a mailbox."""

    left: int
    """The number of pushes of its own that the stage has left until it lets other tasks run."""
    in_hand: object
    """The frame in progress until it is pushed on; then the direction or directions of its pushes."""

    @property
    def work(self) -> FrameInHand:
        """The work of the stage's task."""
        ...

    box: Mailbox
    """The mailbox of the stage."""

    @property
    def down(self) -> Outlet:
        """The way downstream."""
        ...

    @property
    def up(self) -> Outlet:
        """The way upstream."""
        ...

    def push_again(self, frame: Frame, direction: FrameDirection) -> None:
        """Note one more push of the frame in progress. Raises: RuntimeError for a second in a direction."""

    def push_unusual(self, frame: Frame, direction: FrameDirection) -> Congestion | None:
        """Push a request frame, or reject a value that is not a frame. Raises as `push_frame`."""

    async def wait_for_room(self, full: Congestion | None) -> None:
        """Wait until there is room; handle the system frames that arrive meanwhile.

        Without a congested place, only let other tasks run.
        """

    def push_now(self, frame: Frame) -> None:
        """Push a frame of live audio, and wait for nobody."""

    def hand_over(self) -> None:
        """Count the frame in progress as given, because the stage's own seam counts it now."""

    def handle_error(self, error: BaseException) -> None:
        """Apply the stage's error policy."""


@with_hints
class Processor:
    """One element of a pipeline. Derive from `InlineProcessor` or `FrameProcessor`.

    A subclass with its own `__init__` does not have to call this one. Create no tasks, threads
    or handles in a constructor; open them in `on_start`.

    Raises:
        ValueError: `on_error` is neither "fail" nor "report".
    """

    has_device: ClassVar[bool] = False
    """True for a stage over a device: a `DeviceStage`."""
    on_error: OnError = "fail"
    """The effect of an exception that escapes this stage.

    "fail": the run ends, and `run()` raises PipelineError. "report": the frame is dropped and
    counted, an ErrorFrame travels upstream, and the run goes on."""
    _name: str = ""
    _seat: Seat | None = None
    _checked: ClassVar[type | None] = None
    """The class whose hooks were checked last. A class of its own is checked before its first run."""
    _keeps_ledgers: bool = False
    """True for a stage with `seams` of its own, by the same check."""

    def __init__(self, *, name: str = "", on_error: OnError = "fail") -> None:
        if on_error not in ("fail", "report"):
            raise ValueError(f"on_error must be 'fail' or 'report', not {quote(on_error)}")
        self._name = name
        self.on_error = on_error

    @property
    def name(self) -> str:
        """The name in logs and reports: the given name, or the class name."""
        return (printable(self._name) if self._name else "") or type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name}>"

    async def on_start(self, params: StartParams) -> None:
        """Open the resources of the stage. Raise an exception to stop the run before it starts."""

    async def on_running(self) -> None:
        """Begin to produce frames. Every stage is open, and StartFrame has reached the Sink."""

    def on_ending(self) -> None:
        """Stop the intake of a source. EndFrame is on its way. Must not wait."""

    def on_interruption(self) -> None:
        """Drop the held output, because the user interrupts the program. Must not wait."""

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        """Note a fact, such as the start of the user's speech, as soon as it is known. Must not wait.

        Called once for each fact and direction, even while a frame is in progress. The fact also
        reaches `process` at once, and `process_frame` when the stage is free.
        """

    async def on_cancel(self) -> None:
        """React to a cancel of the run. This runs while the stage's own task is cancelled."""

    async def cleanup(self) -> None:
        """Close the resources of the stage. Called exactly once for every `on_start` that began."""

    def seams(self) -> list[SeamReport]:
        """Return the ledgers that the stage keeps itself, for the report. At any time of the run."""
        return []

    def create_task(self, coroutine: Coroutine[Any, Any, T], *, name: str = "") -> asyncio.Task[T]:
        """Start an asyncio task that belongs to this stage.

        It is cancelled and awaited when the run closes. An exception that escapes it counts as
        an error of the stage.

        Raises:
            RuntimeError: the stage is not in a running pipeline.
        """
        if self._seat is None:
            coroutine.close()
            raise RuntimeError(f"{self.name} is not in a running pipeline: make tasks in on_start or later")
        return self._seat.create_task(coroutine, name)

    def _note_unawaited(self, error: RuntimeError) -> bool:
        """Take the error of a coroutine of this stage that nobody awaited; return False if no run does."""
        seat = self._seat
        if seat is not None:
            seat.handle_soon(error)
        return seat is not None


class InlineProcessor(Processor):
    """A stage that never waits. It has no queue and no task; its code runs where the frame is pushed."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return the frames that go on in the same direction in place of `frame`.

        Return `(frame,)` to pass the frame on, and `()` to drop it. The next call comes only after
        this one has returned. Must not block, because nothing else runs meanwhile.
        """
        return (frame,)

    def push_fact(self, fact: FactFrame, direction: FrameDirection = _DOWN) -> None:
        """Push a fact at any moment, in either direction: from a hook, a task of the stage or a timer.

        All stages in that direction have it when this returns, or as soon as the fact that is
        being passed has arrived everywhere. In the loop's thread.

        Raises:
            TypeError: `fact` is no fact. A stage that never waits returns all other frames from `process`.
            RuntimeError: the stage is not in a running pipeline.
        """
        if not isinstance(fact, FactFrame):
            raise TypeError(
                f"{self.name} must push a fact, not {kind_of(fact)}: process() returns other frames"
            )
        if self._seat is None:
            raise RuntimeError(f"{self.name} is not in a running pipeline: push facts in on_start or later")
        self._seat.push_fact(fact, direction)

    def on_end(self) -> Iterable[Frame]:
        """Return the frames that the stage still holds. They go before EndFrame."""
        return ()


class FrameProcessor(Processor):
    """A stage that may wait. It has one bounded mailbox and one asyncio task.

    A stage that needs only some frames says so with `takes`. All others then pass by it at once, however
    long it is busy:

        class Assistant(FrameProcessor):
            takes = (UtteranceFrame,)

    Args:
        mailbox: the number of waiting downstream frames above which a pusher waits, 1 to 100,000. Live
            audio does not count.
        mailbox_s: the seconds of live audio that may wait, 0.1 to 600. Beyond that, the oldest is
            dropped and counted as `overflow`. Nobody waits for it.

    Raises:
        TypeError, ValueError: `mailbox` is not a whole number from 1 to 100,000, or `mailbox_s` is out of
            its bounds.
    """

    takes: tuple[type[Frame], ...] | None = None
    """The classes of frames that enter the mailbox, in both directions; None: all.

    Frames of other classes pass by the stage at once, system frames and facts too. The hooks
    `on_fact` and `on_interruption` are called all the same."""
    mailbox_size: int = CAPACITY
    mailbox_s: float = MAILBOX_S
    """The seconds of live audio that may wait in the mailbox."""
    _mailbox_seat: MailboxSeat | None = None
    cut_on_interruption: ClassVar[bool] = False
    """True if an interruption cancels the handling of *any* data frame, not only of an interruptible one.

    Set it in a stage that makes the program's answer. The cancelled frame is counted as
    interrupted. Waiting frames that are not interruptible stay."""

    may_take_s: float | None = None
    """The time for which the stage may make no progress while a run drains; None: `Limits.stall_s`.

    Set it in a stage that waits for a slow service, such as a language model. An attribute of the
    class or the object, or a property. A run does not start if it is no time in seconds."""

    def __init__(
        self,
        *,
        name: str = "",
        on_error: OnError = "fail",
        mailbox: int = CAPACITY,
        mailbox_s: float | None = None,
    ) -> None:
        super().__init__(name=name, on_error=on_error)
        if mailbox is not CAPACITY:
            self.mailbox_size = check_count("mailbox", mailbox, at_least=1, at_most=100_000)
        if mailbox_s is not None:
            self.mailbox_s = check_number("mailbox_s", mailbox_s, at_least=0.1, at_most=600.0)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Handle one frame, and push the frames that should go on. One call at a time.

        There is one exception. While a push in this method waits for room downstream, another
        call handles each system frame that arrives.
        """
        await self.push_frame(frame, direction)

    async def push_frame(self, frame: Frame, direction: FrameDirection = _DOWN) -> None:
        """Push a frame. A downstream push then waits while a mailbox is full; upstream never waits.

        Work on live audio waits for nobody: the place that is full drops its oldest live audio.

        A new EndFrame, CancelFrame or InterruptionFrame asks the task to end, cancel or interrupt
        the run. The push of an InterruptionFrame returns when the queued output is dropped. What this
        call pushes later belongs to the answer that follows. Frames that are
        pushed after EndFrame has passed are dropped and counted. Every
        256th frame that is not the one in hand lets other tasks run, so a task that only pushes cannot
        keep the event loop for itself.

        Raises:
            TypeError: `frame` is not a frame.
            ValueError: `frame` is a StartFrame; only the task sends it.
            RuntimeError: the stage is not in a running pipeline, or it has already pushed the frame that
                it is handling in this direction. Push a copy to send a frame twice.
        """
        seat = self._mailbox_seat
        if seat is None:
            raise RuntimeError(
                f"{self.name} is not in a running pipeline: "
                f"it cannot push {kind_of(frame)} before on_start or after cleanup"
            )
        if frame is seat.in_hand:  # most pushes are of this kind: it was checked when it came
            seat.in_hand = direction
            full = (seat.down if direction is _DOWN else seat.up).send(frame)
            if full is not None:
                await seat.wait_for_room(full)
            return
        seat.left -= 1
        if not isinstance(frame, Frame) or frame.is_request:
            full = seat.push_unusual(frame, direction)
        else:
            if frame is seat.work.current:
                seat.push_again(frame, direction)
            full = (seat.down if direction is _DOWN else seat.up).send(frame)
        if full is not None or seat.left <= 0:
            await seat.wait_for_room(full)

    async def on_end(self) -> None:
        """Push the frames that the stage still holds. They go before EndFrame."""

    def progress(self) -> object:
        """Return a value that changes as long work advances (a position, a counter).

        While a run drains, a stage must make progress within its limit (`may_take_s`). It is stuck if it
        handles no frame, pushes no frame, and this value does not change. A stage that plays sound
        returns its position.
        """
        return None


def overrides(processor: Processor, hook: str) -> bool:
    """Return True if the stage has its own version of the hook."""
    return getattr(type(processor), hook) is not getattr(Processor, hook) or hook in processor.__dict__


def label_of(processor: Processor) -> str:
    """Return the stage's name for logs and reports; the name of its class if its own name raises."""
    try:
        name = processor.name
        if type(name) is str and name.isprintable() and 0 < len(name) <= 200:
            return name  # as nearly always
        return printable(name) or class_name(processor)
    except BaseException:  # a stage's own property may raise whatever it likes
        return class_name(processor)
