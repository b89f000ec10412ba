"""A stage over a device: what a run asks of a microphone, a speaker, and anybody's own."""

from __future__ import annotations

from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.report import DeviceState, DeviceStatistics, SeamReport

__all__ = ["DeviceStage"]


class DeviceStage(FrameProcessor):
    """A stage that works by itself when no frame waits: it captures, plays, or watches its device.

    A device has a clock of its own. When it has news, the stage calls `wake_up`, and its task calls
    `work_when_idle`. The other members tell the run, its report and a service how the device stands;
    each has a default.
    """

    async def work_when_idle(self) -> bool:
        """Do a piece of work, when no frame waits; return whether there was any.

        Called again until it returns False, and then after each `wake_up`. Must not wait where there is
        nothing to do.
        """
        return False

    def wake_up(self) -> None:
        """Have `work_when_idle` called again. In the loop's thread."""
        seat = self._mailbox_seat
        if seat is not None:
            seat.box.wake()

    def take_charge(self) -> None:
        """Take the frame in progress into the stage's own books (`seams`).

        An interruption does not cut its handling from then on, and a cancel drops nothing of it here.
        """
        seat = self._mailbox_seat
        if seat is not None:
            seat.hand_over()

    def waits_for(self) -> str:
        """Return why the device cannot be had, while `on_start` of a patient run waits for it.

        The start limit does not count meanwhile. Empty: it does not wait.
        """
        return ""

    def seams(self) -> list[SeamReport]:
        """Return the seams that the stage keeps itself, besides its mailbox."""
        return []

    def device_state(self) -> DeviceState | None:
        """Return how the device stands, or None where none was opened. In the loop's thread."""
        return None

    def device_statistics(self) -> DeviceStatistics | None:
        """Return what the device has done so far, or None where none was opened. In the loop's thread."""
        return None
