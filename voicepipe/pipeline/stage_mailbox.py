"""The mailbox of a stage that keeps several queues itself, and must not hold one for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicepipe.frames import FactFrame, Frame, FrameDirection
from voicepipe.pipeline.processor import FrameProcessor

__all__ = ["StageMailbox"]


class StageMailbox:
    """The services of a stage's seat beside `push_frame`. In the loop's thread; without effect out of a run.

    Args:
        stage: the stage.
    """

    def __init__(self, stage: FrameProcessor) -> None:
        self._stage = stage

    def count_apart(self, kind: type[Frame]) -> None:
        """Give frames of a class a limit of their own. A pusher of others does not wait for their room."""
        seat = self._stage._mailbox_seat
        if seat is not None:
            seat.box.apart = kind

    def pick(self, wanted: Callable[[Frame], bool]) -> Frame | None:
        """Take the first waiting frame for which `wanted` returns True, out of its turn; None: there is none.

        For a stage that holds the frame in progress, and would hold others with it. The stage's own ledger
        counts the audio from then on.
        """
        seat = self._stage._mailbox_seat
        return None if seat is None else seat.box.pick(wanted)

    def next_is(self, wanted: Callable[[Frame], bool]) -> bool:
        """Return True if the next frame waits already, and `wanted` returns True for it."""
        seat = self._stage._mailbox_seat
        return seat is not None and seat.box.is_plain and bool(seat.box.data) and wanted(seat.box.data[0])

    async def wait(self) -> None:
        """Wait for the next frame, or for a wake-up call. In the stage's own task."""
        seat = self._stage._mailbox_seat
        if seat is not None:
            await seat.box.wait(asyncio.get_running_loop())

    def tell(self, fact: FactFrame) -> None:
        """Push a fact in both directions, at once."""
        seat = self._stage._mailbox_seat
        if seat is not None:
            seat.push_unusual(fact, FrameDirection.UPSTREAM)
            seat.push_unusual(fact, FrameDirection.DOWNSTREAM)
