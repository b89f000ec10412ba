"""A device, kept for a stage: its loss is noticed and told, and it is looked for until it is back.

While it is lost, three things go on side by side, each a task of the stage's own: the dead
stream is closed, which may take for ever; everybody is told; and the device is opened again
by the same request, after 0.5, 1 and 2 s, and then every 3 s. None of them holds up the end
of the run: what does not come back when it is cancelled is named as abandoned.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, Protocol, TypeVar, get_args

from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import Backend, StreamInfo
from voicepipe.endpoints.device_log import DeviceLog, OnLoss
from voicepipe.endpoints.lost_streams import LostStreams
from voicepipe.endpoints.search import ABSENT, Search
from voicepipe.errors import BackendMissingError, DeviceError, DeviceLostError
from voicepipe.frames import DeviceLostFrame, DeviceRestoredFrame, EndFrame, Frame, FrameDirection
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.report import DeviceKind, DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.text import printable, shown

__all__ = ["KeptDevice", "OnLoss", "check_on_loss"]


def check_on_loss(value: object, backend: Backend) -> OnLoss:
    """Return the policy. What a back end does not get back (a file) always fails instead of waiting.

    Raises:
        ValueError: it is no policy.
    """
    for policy in get_args(OnLoss):
        if value == policy:
            lost_for_good = backend.lost_for_good
            found: OnLoss = "fail" if lost_for_good and policy == "wait" else policy
            return found
    raise ValueError(f"on_loss must be 'wait', 'end' or 'fail', not {shown(value)}")


class Stream(Protocol):
    """What is asked of either kind of stream."""

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

    async def start(self) -> None:
        """Let it begin."""
        ...

    async def close(self) -> None:
        """Give the device back."""
        ...


S = TypeVar("S", bound=Stream)


class KeptDevice(Generic[S]):
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
        self._on_loss: OnLoss = on_loss
        self._opens, self._tell_stage, self._let_go, self._found = opens, news, lost, found
        self._clock = asyncio.get_running_loop().time
        self._log = DeviceLog(kind, device, on_loss)
        self._search = Search()
        self._lost_streams = LostStreams(stage.create_task, kind)
        self._running = self._ending = self._retired = False
        self._info: StreamInfo | None = None
        """Of the last stream that was opened and had worked, or of the first."""
        self._counts = CallbackCounts()
        """Of the streams that are lost."""
        self._reconnections = 0
        """How often it came back."""
        self._lost_at: float | None = None
        """Since when it is lost; None while it is not, or nobody knows."""
        self._looking: asyncio.Task[None] | None = None
        self._telling: asyncio.Task[None] | None = None

    # -- opening -------------------------------------------------------------------

    async def open(self, *, patient: bool = False) -> S:
        """Open the first stream. A patient one waits for a device that is absent, if the policy is to wait.

        Raises:
            DeviceError: it does not open; or it is absent, and is not waited for.
        """
        patient = patient and self._on_loss == "wait"
        while self.stream is None:
            try:
                self.stream = await self._opens(self._take_news)
            except BackendMissingError:
                raise
            except ABSENT as error:
                if not patient:
                    raise
                await self._wait_for_the_first(error)
        self._lost_at, self._info = None, self.stream.info
        self._search.succeed()
        self._log.opened(self._info)
        return self.stream

    async def _wait_for_the_first(self, error: DeviceError) -> None:
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
            self._search.begin()
        self._search.note(error)
        self._log.absent(error, now)
        await self._search.pause()

    @property
    def waits_for(self) -> str:
        """Why the first stream cannot be had, between two attempts to open it; else empty."""
        return self._search.absent if self._info is None and self._search.pauses else ""

    @property
    def awaits_the_first(self) -> bool:
        """There is no first stream yet, for its device is absent."""
        return self._info is None and self._lost_at is not None

    def watch(self) -> None:
        """Have a loss be what the policy makes of it from now on: the run has begun.

        Raises:
            DeviceError: it is lost already.
        """
        self.check()
        self._running = True

    # -- while it runs -------------------------------------------------------------

    def check(self) -> bool:
        """Return whether there is a device.

        Raises:
            DeviceError: it is lost, and that is an error: by the policy, or before the run has begun.
        """
        stream = self.stream
        if stream is not None and stream.error is not None:
            self._notice(stream)
            if self.stream is stream:
                raise stream.error
        return self.stream is not None

    async def is_there(self) -> bool:
        """Return whether there is a device; tell everybody that it works again, where it had been lost.

        Raises:
            DeviceError: as `check`.
        """
        there = self.check()
        await self.confirm()
        return there

    async def confirm(self) -> None:
        """Tell everybody that the device works again, where it had been lost."""
        stream, lost_at = self.stream, self._lost_at
        if stream is None or lost_at is None:
            return
        now = self._clock()
        self._lost_at, self._info = None, stream.info
        self._search.succeed()
        self._reconnections += 1
        self._log.back(stream.info, now - lost_at, now)
        await self._push(DeviceRestoredFrame(printable(stream.info.device), self._kind, now - lost_at))

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

    def state(self) -> DeviceState:
        """Return how the device stands."""
        stream, lost_at = self.stream, self._lost_at
        counted: int | None = getattr(stream, "callbacks", None)  # the port does not ask for it
        return DeviceState(
            self._kind,
            self._log.device if stream is None else printable(stream.info.device),
            callbacks=self._counts.calls + (counted or 0) if stream is None or counted is not None else None,
            lost_s=None if lost_at is None else self._clock() - lost_at,
            absent=self._search.absent,
            absences=self._search.absences,
            reconnections=self._reconnections,
        )

    def statistics(self, seam: SeamReport) -> DeviceStatistics | None:
        """Return how the device is doing, with what its ledger says; None where it was never opened."""
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

    # -- the end -------------------------------------------------------------------

    def stop(self) -> None:
        """Look for it no more: the run ends."""
        self._ending = True
        if self._looking is not None:
            self._looking.cancel()

    async def wait_until_told(self) -> None:
        """Return when everybody knows of the last loss."""
        if self._telling is not None:
            await asyncio.wait([self._telling])

    def retire(self) -> None:
        """Take no loss for one from now on: the stage is done with the device."""
        self._retired = True
        self.stop()

    async def close(self) -> None:
        """Give back the present stream, and what of the lost ones nobody has begun to close."""
        self.retire()
        await self._lost_streams.finish(self.stream)

    # -- loss ------------------------------------------------------------------------

    def _take_news(self) -> None:
        """Take a stream's wake-up call."""
        stream = self.stream
        if stream is not None and stream.error is not None:
            self._notice(stream)
        self._tell_stage()

    def _notice(self, stream: S) -> None:
        """Let go of a stream that has failed, where that is no error."""
        borne = self._running and not self._retired and self._on_loss != "fail"
        error = stream.error
        if not borne or not isinstance(error, DeviceLostError):
            return
        self.stream = None
        self._log.device = printable(stream.info.device)
        self._counts = self._counts.and_then(stream.counts)
        self._let_go(stream)
        self._lost_streams.close_later(stream)
        if self._lost_at is None:  # else it was opened again, and failed before it had worked
            self._lost_at = self._clock()
            self._search.begin()
            self._telling = self._lost_streams.do(self._tell(error), "loss")
        self._remind(error, self._lost_at)
        if self._on_loss == "wait" and not self._ending:
            self._looking = self._lost_streams.do(self._look_for_it(self._lost_at), "search")

    async def _tell(self, error: DeviceError) -> None:
        device = self._log.device
        await self._push(DeviceLostFrame(device, self._kind, printable(error)))
        if self._on_loss == "end":
            await self._stage.push_frame(EndFrame(f"the {self._kind} {device} is lost"))

    async def _push(self, frame: Frame) -> None:
        await self._stage.push_frame(frame, FrameDirection.UPSTREAM)
        await self._stage.push_frame(frame)

    def _remind(self, error: DeviceError, since_s: float) -> None:
        self._log.lost(error, since_s, self._clock(), ending=self._ending)

    # -- return ----------------------------------------------------------------------

    async def _look_for_it(self, since_s: float) -> None:
        while self.stream is None:
            await self._search.pause()
            try:
                self.stream = await self._attempt()
            except DeviceError as error:
                self._search.note(error)
                self._remind(error, since_s)
        self._take_news()

    async def _attempt(self) -> S:
        """Return a stream that works. Raises: DeviceError."""
        stream = await self._opens(self._take_news)
        try:
            await stream.start()
            await self._found(stream)
        except DeviceError:
            self._lost_streams.close_later(stream)
            raise
        except BaseException:  # cancelled: the run does not wait for the tasks of a stage that it closed
            await stream.close()
            raise
        return stream
