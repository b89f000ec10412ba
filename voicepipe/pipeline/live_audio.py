"""The live audio that waits in a mailbox: at most so many seconds of it, and its oldest goes first."""

from __future__ import annotations

from collections import deque
from typing import Protocol

from voicepipe.frames import AudioFrame, Frame
from voicepipe.pipeline.ledger import Ledger
from voicepipe.report import DropReason

__all__ = ["MAILBOX_S", "STANDING_S", "LiveAudio", "LiveOwner", "describe_standing"]

MAILBOX_S = 2.0
"""The seconds of live audio that may wait in a mailbox."""
STANDING_S = 1.0
"""The seconds of waiting live audio from which its stage is too slow, and is told of."""


class LiveOwner(Protocol):
    """The owner of a mailbox that takes live audio."""

    @property
    def mailbox_s(self) -> float:
        """The seconds of live audio that may wait."""
        ...

    def tell_of_standing(self, seconds: float) -> None:
        """Tell that so much live audio waits. Called once."""


class LiveAudio:
    """The account of one mailbox. It counts only when enough audio waits to matter.

    Args:
        data: the waiting frames, of every kind.
        ledger: the ledger of the mailbox. It bounds the audio that waits, without a count.
        owner: the owner of the mailbox; None: the usual limit.
    """

    __slots__ = (
        "_at",
        "_data",
        "_frames",
        "_head",
        "_ledger",
        "_limit_s",
        "_owner",
        "_seconds",
        "_tell_s",
        "_watch_s",
    )

    def __init__(self, data: deque[Frame], ledger: Ledger, owner: LiveOwner | None = None) -> None:
        self._data = data
        self._ledger = ledger
        self._limit_s = MAILBOX_S if owner is None else owner.mailbox_s
        self._tell_s = min(STANDING_S, self._limit_s)
        self._watch_s = self._tell_s / 2
        self._owner = owner
        """The owner, until it was told that too much waits."""
        self._frames, self._seconds = 0, 0.0
        """The waiting live frames at the last count, and their duration."""
        self._head: Frame | None = None
        self._at = 0
        """The oldest waiting frame at the last count, and the number of all."""

    def add(self, frame: AudioFrame) -> bool:
        """Account a live frame that was put last; drop the oldest beyond the limit.

        Return True if so much waits that the stage should have a turn before the next frame. A stage
        that has stood pushes all that has waited before it in one go.
        """
        ledger = self._ledger
        waiting = ledger.taken - ledger.given - ledger.lost
        if waiting <= self._watch_s * frame.rate:
            return False  # all audio that waits is no more than that
        self._count()
        if waiting > self._tell_s * frame.rate and self._seconds >= self._tell_s and self._owner is not None:
            owner, self._owner = self._owner, None
            owner.tell_of_standing(self._seconds)
        while self._seconds > self._limit_s and self._frames > 1:
            self._drop_oldest()
        return True

    @property
    def others(self) -> int:
        """The number of waiting frames that are no live audio."""
        self._count()
        return len(self._data) - self._frames

    @property
    def is_full(self) -> bool:
        """True if as much waits as may; the last block may be missing."""
        self._count()
        return self._frames > 0 and self._seconds >= 0.9 * self._limit_s

    def forget(self) -> None:
        """Count anew the next time, because frames were taken out of the middle."""
        self._head = None

    def _count(self) -> None:
        """Count the live frames; only the new ones, if nothing was taken since the last count."""
        data = self._data
        known = self._at if data and data[0] is self._head and len(data) >= self._at else 0
        if not known:
            self._frames, self._seconds = 0, 0.0
        for at in range(len(data) - 1, known - 1, -1):  # the end of a deque is near
            frame = data[at]
            if isinstance(frame, AudioFrame) and frame.live:
                self._frames += 1
                self._seconds += frame.num_samples / frame.rate
        self._head, self._at = (data[0] if data else None), len(data)

    def _drop_oldest(self) -> None:
        for at, frame in enumerate(self._data):
            if isinstance(frame, AudioFrame) and frame.live:
                del self._data[at]
                self._ledger.drop(frame, DropReason.OVERFLOW)
                self._frames -= 1
                self._seconds -= frame.num_samples / frame.rate
                self._head, self._at = self._data[0], len(self._data)
                return


def describe_standing(label: str, seconds: float, held: Frame | None, at: str, limit_s: float) -> str:
    """Return a warning for live audio that stands before a stage."""
    if (
        held is None or type(held) is Frame or (isinstance(held, AudioFrame) and held.live)
    ):  # a bare Frame: it is handed over
        busy, cure = "", "make it faster, or do slow work in a task (self.create_task)"
    else:
        kind = type(held).__name__
        busy = f" with a {kind} in hand"
        cure = f"add `takes = ({kind},)` to its class, so that audio passes by it"
    return (
        f"{label} is too slow for live audio: {seconds:.1f} s of it wait while it stands at {at}{busy}; "
        f"beyond {limit_s:g} s the oldest is dropped. To mend it, {cure}"
    )
