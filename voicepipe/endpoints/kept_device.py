"""The device of a stage: its stream, the notice of its loss, and the search until it is back.

While the device is lost, three tasks of the stage run side by side. One closes the dead stream,
which may take for ever. One tells the run. One opens the device again by the same request,
after 0.5, 1 and 2 s, and then every 3 s. None of them delays the end of the run: a task that
does not stop when it is cancelled is reported as abandoned.

A stream that may be dead is replaced by another one in the same way, but nobody is told of that. So is
the stream of a device in whose place the program asks for another one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Generic, get_args

from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.optional import stamps_of
from voicepipe.devices.port import Backend, StreamInfo, StreamRequest
from voicepipe.endpoints.device_log import DeviceLog, OnLoss
from voicepipe.endpoints.lost_streams import LostStreams
from voicepipe.endpoints.open_stream import S, open_checked
from voicepipe.endpoints.replacement import Finish, Replacements
from voicepipe.endpoints.search import ABSENT, Search
from voicepipe.errors import BackendMissingError, DeviceError, DeviceLostError
from voicepipe.frames import (
    DeviceLostFrame,
    DeviceRestoredFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
)
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.report import DeviceKind, DeviceState, DeviceStatistics, DropReason, SeamReport
from voicepipe.text import printable, quote

__all__ = ["KeptDevice", "OnLoss", "check_device", "check_on_loss"]


def check_on_loss(value: object, backend: Backend) -> OnLoss:
    """Check the policy, and return it.

    A back end whose devices do not come back, such as a file, gets "fail" instead of "wait".

    Raises:
        ValueError: `value` is not a policy.
    """
    for policy in get_args(OnLoss):
        if value == policy:
            lost_for_good = backend.lost_for_good
            found: OnLoss = "fail" if lost_for_good and policy == "wait" else policy
            return found
    raise ValueError(f"on_loss must be 'wait', 'end' or 'fail', not {quote(value)}")


def check_device(name: str, backend: Backend) -> None:
    """Check the name of a device that is to be used in place of the present one.

    Raises:
        TypeError, ValueError: it is no name, or the back end has files in place of devices.
    """
    StreamRequest(device=name)
    if backend.lost_for_good:
        raise ValueError(f"the back end {backend.name} has files, not devices: nothing else can be chosen")


class KeptDevice(Generic[S]):
    """The present stream of a stage, and the search for the next one. In the loop's thread.

    Args:
        stage: the owner; it starts the tasks and pushes the frames.
        kind: "microphone" or "speaker".
        device: the requested name; empty: the default device.
        on_loss: the policy for a loss.
        open_stream: opens a stream of a device; takes its name, and the stream's wake-up call.
        on_news: called when a stream has news.
        on_lost: called when a stream is lost; the stage lets go of it at once.
        on_gone: called when no other stream opens in place of one that was let go without an error.
        on_found: called when a stream was opened and started again; checks it. Raises: DeviceError.
    """

    def __init__(
        self,
        stage: FrameProcessor,
        kind: DeviceKind,
        device: str,
        on_loss: OnLoss,
        *,
        open_stream: Callable[[str, Callable[[], None]], Awaitable[S]],
        on_news: Callable[[], None],
        on_lost: Callable[[S], None],
        on_gone: Callable[[], None] = lambda: None,
        on_found: Callable[[S], Awaitable[None]],
    ) -> None:
        self.stream: S | None = None
        """The present stream; None while the device is absent or lost."""
        self.device = device
        """The name by which the device is requested; empty: the default device."""
        self._stage = stage
        self._kind: DeviceKind = kind
        self._on_loss: OnLoss = on_loss
        self._open_stream, self._on_news = open_stream, on_news
        self._on_lost, self._on_gone, self._on_found = on_lost, on_gone, on_found
        self._clock = asyncio.get_running_loop().time
        self._log = DeviceLog(kind, device, on_loss)
        self._search = Search()
        self._lost_streams = LostStreams(stage.create_task, kind)
        self._running = self._ending = self._retired = False
        self._info: StreamInfo | None = None
        """The description of the last stream that worked, or of the first one."""
        self._counts = CallbackCounts()
        """The callback counts of the lost streams."""
        self._reconnections = 0
        """The number of times that the device came back."""
        self._lost_at: float | None = None
        """The time of the loss; None while the device is not lost."""
        self._failure: DeviceError | None = None
        """The error of a reopening that failed, if the policy is "fail"."""
        self._looking: asyncio.Task[None] | None = None
        self._replacements = Replacements[S](self, self._lost_streams.do)
        self._telling: asyncio.Task[None] | None = None

    # -- opening -------------------------------------------------------------------

    async def open(self, *, patient: bool = False) -> S:
        """Open the first stream, and return it.

        Args:
            patient: wait for a device that is absent, if the policy is "wait".

        Raises:
            DeviceError: the device does not open, or it is absent and `patient` does not apply.
        """
        patient = patient and self._on_loss == "wait"
        while self.stream is None:
            try:
                self.stream = await self.open_named(self.device)
            except BackendMissingError:
                raise
            except ABSENT as error:
                if not patient:
                    raise
                await self._wait_for_the_first(error)
        self._lost_at, self._info = None, self.stream.info
        self._search.succeed()
        self._log.log_opened(self._info)
        return self.stream

    async def _wait_for_the_first(self, error: DeviceError) -> None:
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
            self._search.begin()
        self._search.note(error)
        self._log.log_absent(error, now)
        await self._search.pause()
        self.device = self._replacements.take_name() or self.device

    @property
    def waits_for(self) -> str:
        """The reason why the first stream is absent, between two attempts to open it; else empty."""
        return self._search.absent if self._info is None and self._search.pauses else ""

    @property
    def awaits_the_first(self) -> bool:
        """True while the first stream does not exist because its device is absent."""
        return self._info is None and self._lost_at is not None

    def watch(self) -> None:
        """Apply the policy to a loss from now on, because the run has begun.

        Raises:
            DeviceError: the device is lost already.
        """
        self.check()
        self._running = True
        self._replacements.begin()

    # -- while it runs -------------------------------------------------------------

    def check(self) -> bool:
        """Return True if there is a device.

        Raises:
            DeviceError: the device is lost, and the policy is "fail" or the run has not begun.
        """
        stream = self.stream
        if stream is not None and stream.error is not None:
            self._notice(stream)
            if self.stream is stream:
                raise stream.error
        if self._failure is not None:
            raise self._failure
        return self.stream is not None

    @property
    def is_settled(self) -> bool:
        """True while there is a stream that works, and the run knows of it."""
        stream = self.stream
        return stream is not None and stream.error is None and self._lost_at is None

    async def is_there(self) -> bool:
        """Return True if there is a device; tell the run if a lost device works again.

        Raises:
            DeviceError: as `check`.
        """
        there = self.check()
        await self.confirm()
        return there

    async def confirm(self) -> None:
        """Tell the run that the device works again, if it was lost."""
        stream, lost_at = self.stream, self._lost_at
        if stream is None or lost_at is None:
            return
        now = self._clock()
        self._lost_at, self._info = None, stream.info
        self._search.succeed()
        self._reconnections += 1
        self._log.log_back(stream.info, now - lost_at, now)
        await self._push(DeviceRestoredFrame(printable(stream.info.device), self._kind, now - lost_at))

    @contextlib.contextmanager
    def tolerate_loss(self) -> Iterator[None]:
        """Suppress the DeviceError of a stream that is lost, if the policy is not to fail."""
        stream = self.stream
        try:
            yield
        except DeviceError:
            self.check()
            if self.stream is stream:
                raise

    def state(self) -> DeviceState:
        """Return the present state of the device."""
        stream, lost_at = self.stream, self._lost_at
        counted = None if stream is None else stream.callbacks
        return DeviceState(
            self._kind,
            self._log.device or "(the default one)" if stream is None else printable(stream.info.device),
            callbacks=self._counts.calls + (counted or 0) if stream is None or counted is not None else None,
            lost_s=None if lost_at is None else self._clock() - lost_at,
            absent=self._search.absent,
            absences=self._search.absences,
            reconnections=self._reconnections,
        )

    def statistics(self, seam: SeamReport) -> DeviceStatistics | None:
        """Return the device's counts, joined with its ledger; None if it was never opened."""
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
            lost=stream is None and self._lost_at is not None,
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
            stamps=stamps_of(stream),
        )

    # -- the end -------------------------------------------------------------------

    def stop(self) -> None:
        """Stop the search for the device, because the run ends."""
        self._ending = True
        self._replacements.stop()
        if self._looking is not None:
            self._looking.cancel()

    async def wait_until_told(self) -> None:
        """Wait until the run was told of the last loss."""
        if self._telling is not None:
            await asyncio.wait([self._telling])

    def retire(self) -> None:
        """Ignore any later loss, because the stage no longer needs the device."""
        self._retired = True
        self.stop()

    async def close(self) -> None:
        """Close the present stream, and the lost streams whose close has not begun."""
        self.retire()
        await self._lost_streams.finish(self.stream)

    # -- loss ------------------------------------------------------------------------

    def _take_news(self) -> None:
        """Handle a stream's wake-up call."""
        stream = self.stream
        if stream is not None and stream.error is not None:
            self._notice(stream)
        self._on_news()

    def _notice(self, stream: S) -> None:
        """Let go of a stream that has failed, unless the failure is an error of the stage."""
        tolerated = self._running and not self._retired and self._on_loss != "fail"
        error = stream.error
        if not tolerated or not isinstance(error, DeviceLostError):
            return
        self.let_go(stream)
        self._lose(error)

    def _lose(self, error: DeviceError) -> None:
        """Tell the run that there is no stream, and look for the device, as the policy says."""
        if self._lost_at is None:  # else it was opened again, but failed before it worked
            self._lost_at = self._clock()
            self._search.begin()
            self._telling = self._lost_streams.do(self._tell(error), "loss")
        self._remind(error, self._lost_at)
        self._look(self._lost_at)

    def _look(self, since_s: float) -> None:
        """Begin the search for the device, unless it is on."""
        searches = self._looking is not None and not self._looking.done()
        if self._on_loss == "wait" and not self._ending and not searches:
            self._looking = self._lost_streams.do(self._look_for_it(since_s), "search")

    async def _tell(self, error: DeviceError) -> None:
        device = self._log.device
        await self._push(DeviceLostFrame(device, self._kind, printable(error)))
        if self._on_loss == "end":
            await self._stage.push_frame(EndFrame(f"the {self._kind} {device} is lost"))

    async def _push(self, frame: Frame) -> None:
        await self._stage.push_frame(frame, FrameDirection.UPSTREAM)
        await self._stage.push_frame(frame)

    def _remind(self, error: DeviceError, since_s: float) -> None:
        self._log.log_lost(error, since_s, self._clock(), ending=self._ending)

    # -- another stream of a device that is there -----------------------------------

    def reopen(self, finish: Finish[S]) -> bool:
        """Open the device again, because its stream may be dead; return False if that is not possible now.

        The run is told only if the device does not open.

        Args:
            finish: returns when the captured audio of the old stream can be read.
        """
        stream = self.stream
        if stream is None or stream.error is not None or self._ending or not self._running:
            return False
        return self._replacements.reopen(stream, finish)

    def change(self, device: str, finish: Finish[S]) -> bool:
        """Use another device; return False if that is not possible now, because the run ends or has ended.

        If the other one does not open, the present one stays in use, and an ErrorFrame goes upstream. The
        last of several requests counts.
        """
        if self._ending:
            return False
        self._replacements.ask(device, finish)
        if self._running:
            self._replacements.begin()
        return True

    @property
    def in_use(self) -> str:
        """The name of the device in use, or else the requested one; empty: the default device."""
        return self.device if self.stream is None or self._retired else self.stream.info.device

    @property
    def is_changing(self) -> bool:
        """True while the old stream was let go, and another one is about to take its place."""
        return self.stream is None and self._lost_at is None and self._replacements.is_changing

    async def until_changed(self) -> None:
        """Wait until no change of the device is under way."""
        await self._replacements.until_changed()

    # -- calls from the replacement ---------------------------------------------------

    async def pause_search(self) -> None:
        """Stop the search for a lost device for a while."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    def search_again(self) -> None:
        """Go on with the search, if there is still no device."""
        if self.stream is None and self._lost_at is not None:
            self._look(self._lost_at)

    async def open_named(self, device: str) -> S:
        """Open a stream of that device. Raises: as `open_checked`."""
        return await open_checked(self._kind, self._open_stream(device, self._take_news))

    async def begin(self, stream: S) -> None:
        """Start and check a stream; close it if that fails. Raises: DeviceError."""
        try:
            await stream.start()
            await self._on_found(stream)
        except DeviceError:
            self._lost_streams.close_later(stream)
            raise
        except BaseException:  # cancelled: the run does not wait for the tasks of a stage that it closed
            await stream.close()
            raise

    def let_go(self, stream: S) -> asyncio.Task[None]:
        """Give up the present stream; return the task that closes it."""
        self.stream = None
        self._log.device = printable(stream.info.device)
        self._counts = self._counts.and_then(stream.counts)
        self._on_lost(stream)
        return self._lost_streams.close_later(stream)

    def adopt(self, stream: S, device: str) -> None:
        """Use this stream of that device from now on."""
        if self._looking is not None:
            self._looking.cancel()  # the old one was lost in the meantime
        if device != self.device:
            self._log.log_changed(stream.info)
        self.stream, self.device = stream, device
        if self._lost_at is None:
            self._info = stream.info
        self._take_news()

    async def refuse(self, device: str, error: DeviceError) -> None:
        """Say that the device was not changed, and why."""
        if self.stream is not None:
            self._log.device = printable(self.stream.info.device)
        line = self._log.log_refused(device, error)
        await self._stage.push_frame(ErrorFrame(line, self._stage.name), FrameDirection.UPSTREAM)

    def lose(self, error: DeviceError) -> None:
        """Treat the device as lost: the old stream is gone, and no other one opens."""
        self._on_gone()
        if self._on_loss == "fail":
            self._failure = error
            self._on_news()
        else:
            self._lose(error)
            self._search.note(error)

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
        """Open and check a stream, and return it. Raises: DeviceError."""
        stream = await self.open_named(self.device)
        await self.begin(stream)
        return stream
