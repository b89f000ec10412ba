"""From a sound library's clock to ours: when a block was captured, or when it sounds."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from voicepipe.devices.values import Stamps
from voicepipe_devices.portaudio.stamps import ClockDifference, StampJudge
from voicepipe_devices.tap import CallbackLine

__all__ = ["BlockClock", "BlockTime"]

_STEP_S = 1e-6
_STAMPS = 51
"""The stamps whose middle one counts where they jump."""


class BlockTime(NamedTuple):
    """The time at which the first sample of a block was captured, or sounds."""

    time_s: float
    """By our clock."""
    stamp_s: float | None
    """By the library's; None: it does not tell."""

    def later(self, seconds: float) -> BlockTime:
        """Return the time that is so much later."""
        return BlockTime(self.time_s + seconds, None if self.stamp_s is None else self.stamp_s + seconds)


class BlockClock:
    """Tells the times of blocks, by the library's stamps, or without them by the callbacks.

    Without stamps a block sounds a reported latency behind its callback. One of a microphone began its own
    length before it: behind every sound server the soonest callback comes just then, with any latency.

    Args:
        latency_s: between the callback and the air, as the library reports it.
        block_s: the length of a block of a microphone, whose first sample is the oldest; 0: of a speaker.
    """

    def __init__(self, latency_s: float, block_s: float = 0.0) -> None:
        self._sign = -1 if block_s else 1
        self._offset_s = -block_s or latency_s
        self._difference = ClockDifference()
        self._judge = StampJudge(latency_s + block_s)
        self._line = CallbackLine()
        self._recent: deque[float] = deque(maxlen=_STAMPS)
        """The last stamps by our clock, each without the length of all blocks before it."""
        self._last_s = 0.0

    @property
    def stamps(self) -> Stamps:
        """The worth of the library's stamps."""
        return self._judge.verdict

    def look(self, now_s: float, library_s: float, stamp_s: float, passed_s: float) -> BlockTime:
        """Return the time of a block.

        Args:
            now_s: this moment, by our clock.
            library_s: and by the library's, which it looked at before.
            stamp_s: the time of the first sample, by the library's.
            passed_s: the length of all blocks before this one.
        """
        difference_s = self._difference.look(now_s, library_s)
        line_s = self._line.time_s(now_s, passed_s)
        accepted = self._judge.accepts(stamp_s, self._sign * (stamp_s - library_s), passed_s)
        if accepted:
            self._recent.append(stamp_s + difference_s - passed_s)
        if accepted and self.stamps == "good":
            time_s = stamp_s + difference_s
        elif self._recent and self.stamps in ("good", "unsteady"):
            time_s = passed_s + sorted(self._recent)[len(self._recent) // 2]
        else:
            time_s = line_s + self._offset_s
        if self._sign < 0:  # a microphone's times never go back
            time_s = self._last_s = max(time_s, self._last_s + _STEP_S)
        return BlockTime(time_s, stamp_s if accepted else None)

    def restart(self) -> None:
        """Forget the past, as the device has lost samples, or played none for a while."""
        self._line = CallbackLine()
        self._recent.clear()
