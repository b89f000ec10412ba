"""A device, kept for a stage: its loss is noticed and told, and it is looked for until it is back.

While it is lost, three things go on side by side, each a task of the stage's own: the dead
stream is closed, which may take for ever; everybody is told; and the device is opened again
by the same request, after 0.5, 1 and 2 s, and then every 3 s. None of them holds up the end
of the run: what does not come back when it is cancelled is named as abandoned.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from itertools import chain, repeat
from typing import Any, Generic, Literal, Protocol, TypeVar, get_args

from voicepipe.census.census import abandon
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import Backend, StreamInfo
from voicepipe.endpoints.device_state import DeviceState
from voicepipe.endpoints.reminder import Reminder
from voicepipe.errors import (
    BackendMissingError,
    DeviceBusyError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from voicepipe.frames import DeviceLostFrame, DeviceRestoredFrame, EndFrame, Frame, FrameDirection
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.report import DeviceKind, DeviceStatistics, DropReason, SeamReport
from voicepipe.text import printable, shown

__all__ = ["Keeper", "OnLoss", "check_on_loss"]

OnLoss = Literal["wait", "end", "fail"]
"""What the loss of a device does to the run."""

FIRST_WAITS_S = (0.5, 1.0, 2.0)
"""Before the first attempts to open it again."""
WAIT_S = 3.0
"""Before each later one."""

_log = logging.getLogger("voicepipe")
_ABSENT = (BackendMissingError, DeviceBusyError, DeviceNotFoundError, DevicePermissionError)
"""Errors that say why it cannot be had: to start the program again would not help."""
_ADVICE: dict[str, str] = {
    "wait": "plug it in again, or start the sound server; the run goes on and looks for it",
    "end": "the run ends for it",
}


def check_on_loss(value: object, backend: Backend) -> OnLoss:
    """The policy, where it is one. What a back end does not get back (a file) always fails.

    Raises:
        ValueError: it is none.
    """
    for policy in get_args(OnLoss):
        if value == policy:
            lost_for_good = backend.lost_for_good
            found: OnLoss = "fail" if lost_for_good and policy == "wait" else policy
            return found
    raise ValueError(f"on_loss must be 'wait', 'end' or 'fail', not {shown(value)}")


class Stream(Protocol):
    """What a keeper asks of either kind of stream."""

    @property
    def info(self) -> StreamInfo:
        """What was opened."""
        ...

    @property
    def error(self) -> DeviceError | None:
        """Why it is dead."""
        ...

    @property
    def counts(self) -> CallbackCounts:
        """Its callbacks so far."""
        ...

    @property
    def callbacks(self) -> int | None:
        """The number of callbacks so far; None: it makes none."""
        ...

    async def start(self) -> None:
        """Let it begin."""
        ...

    async def close(self) -> None:
        """Give the device back."""
        ...


S = TypeVar("S", bound=Stream)


class Keeper(Generic[S]):
    """The stream that a stage has now, and the search for the next. In the loop's thread.

    Args:
        stage: whose it is: its tasks and its pushes.
        kind: "microphone" or "speaker".
        device: what was asked for; empty: the default one.
        on_loss: what a loss does.
        opens: opens a stream; takes the stream's wake-up call.
        news: what the stage does when a stream has news.
        lost: the stage lets go of this stream, at once.
        found: the stage makes sure of a stream that was opened and started again. Raises: DeviceError.
    """

    def __init__(
        self,
        stage: FrameProcessor,
        kind: DeviceKind,
        device: str,
        on_loss: OnLoss,
        *,
        opens: Callable[[Callable[[], None]], Awaitable[S]],
        news: Callable[[], None],
        lost: Callable[[S], None],
        found: Callable[[S], Awaitable[None]],
    ) -> None:
        self.stream: S | None = None
        """None while there is none."""
        self._stage = stage
        self._kind: DeviceKind = kind
        self._on_loss = on_loss
        self._opens, self._tell_stage, self._let_go, self._found = opens, news, lost, found
        self._clock = asyncio.get_running_loop().time
        self._running = self._ending = self._retired = False
        self._device = printable(device) or "(the default one)"
        self._info: StreamInfo | None = None
        """Of the last stream that was opened and had worked, or of the first."""
        self._counts = CallbackCounts()
        """Of the streams that are lost."""
        self._reconnections = 0
        """How often it came back."""
        self._lost_at: float | None = None
        """Since when it is lost; None while it is not, or nobody knows."""
        self._waits: Iterator[float] = iter(())
        self._reminder = Reminder()
        self._pauses = False
        """Between two attempts to open the first stream."""
        self._absences = 0
        """Searches that found it absent."""
        self._absent = ""
        """Why it cannot be had, where the last search found out."""
        self._unclosed: set[S] = set()
        """Streams that were let go of, and whose close has not begun."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._search: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    # -- the stage's side ----------------------------------------------------------

    async def open(self, *, patient: bool = False) -> S:
        """Open the first stream. A patient one waits for a device that is absent, if the policy is to wait.

        Raises:
            DeviceError: it does not open; or it is absent, and is not waited for.
        """
        patient = patient and self._on_loss == "wait"
        while self.stream is None:
            try:
                self.stream = await self._opens(self._news)
            except BackendMissingError:
                raise
            except _ABSENT as error:
                if not patient:
                    raise
                await self._wait_for_the_first(error)
        stream = self.stream
        self._lost_at, self._absent, self._info = None, "", stream.info
        _log.info("the %s %s", self._kind, stream.info.how)
        return stream

    @property
    def waits_for(self) -> str:
        """Why the first stream cannot be had, between two attempts to open it; else empty."""
        return self._absent if self._pauses else ""

    @property
    def awaits_the_first(self) -> bool:
        """There is no first stream yet, for its device is absent."""
        return self._info is None and self._lost_at is not None

    async def _wait_for_the_first(self, error: DeviceError) -> None:
        now = self._clock()
        if self._lost_at is None:
            self._lost_at, self._waits = now, chain(FIRST_WAITS_S, repeat(WAIT_S))
        self._note_absence(error)
        if self._reminder.is_due(now):
            _log.warning(
                "the %s %s is not there (%s): the run waits for it",
                self._kind,
                self._device,
                printable(error),
            )
        self._pauses = True
        try:
            await asyncio.sleep(next(self._waits))
        finally:
            self._pauses = False

    def watch(self) -> None:
        """The run has begun: from now on a loss is what the policy makes of it.

        Raises:
            DeviceError: it is lost already.
        """
        self.check()
        self._running = True

    def check(self) -> bool:
        """Whether there is a device.

        Raises:
            DeviceError: it is lost, and that is an error: by the policy, or before the run has begun.
        """
        stream = self.stream
        if stream is not None and stream.error is not None:
            self._notice(stream)
            if self.stream is stream:
                raise stream.error
        return self.stream is not None

    @contextlib.contextmanager
    def bears_loss(self) -> Iterator[None]:
        """Within, a call to the present stream that fails because the device is lost just ends."""
        stream = self.stream
        try:
            yield
        except DeviceError:
            self.check()
            if self.stream is stream:
                raise

    async def confirm(self) -> None:
        """The device works again: tell everybody, where it had been lost."""
        stream, lost_at = self.stream, self._lost_at
        if stream is None or lost_at is None:
            return
        now = self._clock()
        self._lost_at = None
        self._absent = ""
        self._info = stream.info
        self._reconnections += 1
        device, lost_s = printable(stream.info.device), now - lost_at
        if self._reminder.works_again(now):
            _log.info("the %s %s is back after %.1f s: %s", self._kind, device, lost_s, stream.info.how)
        await self._push(DeviceRestoredFrame(device, self._kind, lost_s))

    def state(self) -> DeviceState:
        """How the device stands."""
        stream, lost_at = self.stream, self._lost_at
        counted = None if stream is None else stream.callbacks
        return DeviceState(
            self._kind,
            self._device if stream is None else printable(stream.info.device),
            callbacks=self._counts.calls + (counted or 0) if stream is None or counted is not None else None,
            lost_s=None if lost_at is None else self._clock() - lost_at,
            absent=self._absent,
            absences=self._absences,
            reconnections=self._reconnections,
        )

    def stop(self) -> None:
        """The run ends: do not look for it any more."""
        self._ending = True
        if self._search is not None:
            self._search.cancel()

    async def told(self) -> None:
        """Return when everybody knows of the last loss."""
        if self._telling is not None:
            await asyncio.wait([self._telling])

    def retire(self) -> None:
        """The stage is done with it: what happens to it now is not a loss."""
        self._retired = True
        self.stop()

    async def close(self) -> None:
        """Give back the present stream, and what of the lost ones nobody has begun to close."""
        self.retire()
        # The others the run's closing has cancelled; these were made when it had just looked.
        unseen = {task for task in self._tasks if not task.cancelling()}
        for task in unseen:
            task.cancel()
        try:
            if self.stream is not None:
                await self.stream.close()
        finally:
            for stream in list(self._unclosed):  # a task that is cancelled before its first step does nothing
                await self._close(stream)
            await _wait_out(unseen)

    def statistics(self, seam: SeamReport) -> DeviceStatistics | None:
        """How the device is doing, with what its ledger says; None where it was never opened."""
        stream, info = self.stream, self._info
        if info is None:
            return None
        microphone = self._kind == "microphone"
        lost = seam.dropped.get(DropReason.MIC_OVERFLOW, 0)
        away = seam.dropped.get(DropReason.DEVICE_LOST, 0)
        counts = self._counts if stream is None else self._counts.and_then(stream.counts)
        return DeviceStatistics(
            stage=self._stage.name,
            kind=self._kind,
            device=printable(info.device),
            lost=stream is None,
            rate=info.format.rate,
            channels=info.format.channels,
            blocks=counts.calls,
            samples=seam.taken - lost - away if microphone else seam.given,
            overflow=lost if microphone else 0,
            underflow=0 if microphone else counts.underflows,
            late=counts.late,
            longest_wait_s=counts.longest_wait_s,
            reconnections=self._reconnections,
            fill_s=info.format.seconds(seam.held),
            latency_s=info.latency_s,
        )

    # -- loss ------------------------------------------------------------------------

    def _news(self) -> None:
        """A stream's wake-up call."""
        stream = self.stream
        if stream is not None and stream.error is not None:
            self._notice(stream)
        self._tell_stage()

    def _notice(self, stream: S) -> None:
        """The stream has failed: let go of it, where that is no error."""
        borne = self._running and not self._retired and self._on_loss != "fail"
        error = stream.error
        if not borne or not isinstance(error, DeviceLostError):
            return
        self.stream = None
        self._device = printable(stream.info.device)
        self._counts = self._counts.and_then(stream.counts)
        self._let_go(stream)
        self._close_later(stream)
        if self._lost_at is None:  # else it was opened again, and failed before it had worked
            self._lost_at = self._clock()
            self._waits = chain(FIRST_WAITS_S, repeat(WAIT_S))
            self._telling = self._do(self._tell(error), "loss")
        self._remind(error)
        if self._on_loss == "wait" and not self._ending:
            self._search = self._do(self._look_for_it(), "search")

    def _do(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = self._stage.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _tell(self, error: DeviceError) -> None:
        await self._push(DeviceLostFrame(self._device, self._kind, printable(error)))
        if self._on_loss == "end":
            await self._stage.push_frame(EndFrame(f"the {self._kind} {self._device} is lost"))

    async def _push(self, frame: Frame) -> None:
        await self._stage.push_frame(frame, FrameDirection.UPSTREAM)
        await self._stage.push_frame(frame)

    def _remind(self, error: DeviceError) -> None:
        now = self._clock()
        if self._reminder.is_due(now):
            since_s = now - (now if self._lost_at is None else self._lost_at)
            lost = f"lost for {since_s:.0f} s" if since_s >= 1 else "lost"
            advice = "the run is ending" if self._ending else _ADVICE[self._on_loss]
            _log.warning("the %s %s is %s (%s): %s", self._kind, self._device, lost, printable(error), advice)

    def _close_later(self, stream: S) -> None:
        self._unclosed.add(stream)
        self._do(self._close(stream), "close")

    async def _close(self, stream: S) -> None:
        self._unclosed.discard(stream)
        try:
            await stream.close()
        except DeviceError as error:
            _log.debug("closing the lost %s %s: %s", self._kind, self._device, printable(error))

    # -- return ----------------------------------------------------------------------

    async def _look_for_it(self) -> None:
        for wait_s in self._waits:
            await asyncio.sleep(wait_s)
            try:
                self.stream = await self._attempt()
            except DeviceError as error:
                self._note_absence(error)
                self._remind(error)
            else:
                break
        self._news()

    def _note_absence(self, error: DeviceError) -> None:
        absent = isinstance(error, _ABSENT)
        self._absent = printable(error) if absent else ""
        self._absences += absent

    async def _attempt(self) -> S:
        """A stream that works. Raises: DeviceError."""
        stream = await self._opens(self._news)
        try:
            await stream.start()
            await self._found(stream)
        except DeviceError:
            self._close_later(stream)
            raise
        except BaseException:  # cancelled: the run does not wait for the tasks of a stage that it closed
            await stream.close()
            raise
        return stream


async def _wait_out(tasks: set[asyncio.Task[None]]) -> None:
    """Return when they are done, and not before: so whoever cancels this names it, where they hang."""
    cancelled: asyncio.CancelledError | None = None
    while left := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
            for task in left:
                abandon(task)
    if cancelled is not None:
        raise cancelled
