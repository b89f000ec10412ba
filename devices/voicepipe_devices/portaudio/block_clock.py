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


_DOUBTED_S, _TRUE_S = 0.02, 0.04
"""A shorter delay is doubted, and a longer one is true; between them it stays as it was."""


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
        doubts_delay: do not believe stamps that are older than a block by less than 20 to 40 ms. PipeWire's
            are so by up to its quantum, as it counts the buffer's free space, or a quantum twice. A headset
            by Bluetooth has a delay of more than that, and it is true.
    """

    def __init__(self, latency_s: float, block_s: float = 0.0, *, doubts_delay: bool = False) -> None:
        self._sign = -1 if block_s else 1
        self._offset_s = -block_s or latency_s
        self._difference = ClockDifference()
        self._judge = StampJudge(latency_s + block_s)
        self._line = CallbackLine()
        self._recent: deque[float] = deque(maxlen=_STAMPS)
        """The last stamps by our clock, each without the length of all blocks before it."""
        self._last_s = 0.0
        self._doubt = _Doubt() if doubts_delay else None

    @property
    def stamps(self) -> Stamps:
        """The worth of the library's stamps."""
        verdict = self._judge.verdict
        return "early" if verdict == "good" and self._doubt is not None and self._doubt.is_on else verdict

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
            if self._doubt is not None:
                self._doubt.look(line_s + self._offset_s - stamp_s - difference_s)
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


class _Doubt:
    """Doubts a delay that the stamps tell beside the length of a block, while it is a little one."""

    def __init__(self) -> None:
        self.is_on = True
        self._delay_s = 0.0
        self._count = 0

    def look(self, delay_s: float) -> None:
        """Note the delay as the stamps tell it."""
        self._count += 1
        self._delay_s += (delay_s - self._delay_s) / min(self._count, _STAMPS)
        if self._delay_s > _TRUE_S:
            self.is_on = False
        elif self._delay_s < _DOUBTED_S:
            self.is_on = True
