"""The outlets of a stage: where its frames go before its start, after its end, and after an interruption."""

from __future__ import annotations

from typing import Protocol

from voicepipe.frames import (
    DataFrame,
    Frame,
    FrameDirection,
    InputAudioFrame,
    TranscriptionFrame,
    UtteranceFrame,
)
from voicepipe.pipeline.ledger import Ledger
from voicepipe.pipeline.link import RunHandle
from voicepipe.pipeline.mailbox import Congestion
from voicepipe.pipeline.processor import FrameProcessor, Outlet
from voicepipe.report import DropReason

__all__ = ["Current", "Held", "Sealed"]

_USER_SPEECH = (InputAudioFrame, UtteranceFrame, TranscriptionFrame)
"""The user's speech. No interruption drops it."""


class OutletSeat(Protocol):
    """The seat, as its outlets see it."""

    ledger: Ledger
    processor: FrameProcessor

    @property
    def run(self) -> RunHandle:
        """The run."""
        ...


class SealedSeat(OutletSeat, Protocol):
    """The seat of a stage that takes no more."""

    @property
    def past_down(self) -> Outlet:
        """The way downstream from here."""
        ...

    @property
    def past_up(self) -> Outlet:
        """The way upstream from here."""
        ...


class Sealed:
    """The outlet of a stage that has ended. Later pushes are dropped and counted.

    What still comes to the stage passes by it, if it is not dropped.
    """

    __slots__ = ("_reason", "_seat")

    def __init__(self, seat: SealedSeat, reason: str) -> None:
        self._seat = seat
        self._reason = reason

    def send(self, frame: Frame) -> Congestion | None:
        """Drop the frame and count it."""
        self._seat.ledger.refuse(frame, self._reason)
        return None

    def bypass(self, frame: Frame, direction: FrameDirection) -> Congestion | None:
        """Take a frame in place of the mailbox."""
        seat = self._seat
        if direction is FrameDirection.UPSTREAM:
            return seat.past_up.send(frame)
        return seat.past_down.send(frame) if frame.is_system else self.send(frame)


class Held:
    """The outlet of a stage that StartFrame has not passed. Pushed frames wait for it."""

    __slots__ = ("_label", "frames")
    limit = 256

    def __init__(self, label: str) -> None:
        self._label = label
        self.frames: tuple[Frame, ...] = ()

    def send(self, frame: Frame) -> Congestion | None:
        """Keep the frame until StartFrame has passed.

        Raises:
            RuntimeError: the stage pushed more than 256 frames before the start.
        """
        if len(self.frames) >= self.limit:
            raise RuntimeError(
                f"{self._label} pushed over {self.limit} frames before the start: push them in on_running()"
            )
        self.frames += (frame,)
        return None


class Current:
    """The outlet of a stage once a run was interrupted: work that began before makes nothing heard."""

    __slots__ = ("_past", "_seat")

    def __init__(self, seat: OutletSeat, past: Outlet) -> None:
        self._seat = seat
        self._past = past

    def send(self, frame: Frame) -> Congestion | None:
        """Send a frame, unless it would be heard and its work began before the last interruption."""
        if self._seat.run.eras.is_stale() and self._goes(frame):
            self._seat.ledger.refuse(frame, DropReason.INTERRUPTED)
            return None
        return self._past.send(frame)

    def _goes(self, frame: Frame) -> bool:
        """Return True for a frame that an interruption drops."""
        if frame.interruptible:
            return True
        answers = self._seat.processor.cut_on_interruption and isinstance(frame, DataFrame)
        return answers and not isinstance(frame, _USER_SPEECH)
