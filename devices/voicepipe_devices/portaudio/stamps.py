"""The time stamps of a sound library: how far its clock is from ours, and whether they can be believed."""

from __future__ import annotations

from voicepipe.devices.values import Stamps
from voicepipe_devices.tap import RecentLeast

__all__ = ["STEP_S", "ClockDifference", "StampJudge"]

OLDEST_S = 2.0
"""No block is that much older, or newer, than its callback, beside the latency that the library reports."""
STEP_S = 0.002
"""A stamp that is off the line of the one before it by more has jumped."""
SET_S = 0.5
"""A larger change is of a clock that was set."""
_WINDOW_S = 2.0
_MEMORY = 50
"""The stamps that count for the verdict."""
_BAD, _GOOD = 0.25, 0.05
"""A greater share of bad stamps is not believed, and then no share above the second one."""
_FEW = 10
"""So many stamps prove nothing on jumps: a device may need a while to find its pace."""


class ClockDifference:
    """The difference of our clock to a library's, though each look at both comes late.

    A callback's thread looks at our clock some time behind the library, which looked at its own:
    microseconds, or, where another thread held Python's lock meanwhile, a hundred milliseconds. So the least
    difference of the last two seconds is the true one. JACK's clock stands still in an overrun, and is
    followed that soon.
    """

    def __init__(self) -> None:
        self._recent = RecentLeast(_WINDOW_S)

    def look(self, now_s: float, library_s: float) -> float:
        """Return the difference, after a look at our clock, and one at the library's before it."""
        seen_s = now_s - library_s
        least_s = self._recent.add(now_s, seen_s)
        if seen_s > least_s + SET_S:
            self._recent = RecentLeast(_WINDOW_S)
            return self._recent.add(now_s, seen_s)
        return least_s


class StampJudge:
    """Judges the stamps of a stream's blocks, by the last fifty.

    Args:
        latency_s: the latency that the library reports.
    """

    def __init__(self, latency_s: float) -> None:
        self.verdict: Stamps = "good"
        self._most_s = OLDEST_S + latency_s
        self._count = 0
        self._absent = self._jumping = 0.0
        """The shares of stamps that make no sense, and of jumps."""
        self._why: Stamps = "missing"
        self._last_s: float | None = None

    def accepts(self, stamp_s: float, delay_s: float, passed_s: float) -> bool:
        """Judge one stamp; return True if it can be used for its block.

        Args:
            stamp_s: the stamp; 0 is none.
            delay_s: between the stamp and the library's present time. It is no less than 0, and 0 is none.
            passed_s: the length of all blocks before this one.
        """
        self._count += 1
        if is_absent := not (stamp_s and 0.0 < delay_s <= self._most_s):
            self._why = "absurd" if stamp_s and delay_s else "missing"
        elif self._last_s is not None:
            jumps = abs(stamp_s - passed_s - self._last_s) > STEP_S
            self._jumping += (jumps - self._jumping) / min(self._count, _MEMORY)
        self._last_s = None if is_absent else stamp_s - passed_s
        self._absent += (is_absent - self._absent) / min(self._count, _MEMORY)
        self.verdict = self._judge()
        return not is_absent

    def _judge(self) -> Stamps:
        before = self.verdict
        if self._absent > (_GOOD if before in ("missing", "absurd") else _BAD):
            return self._why
        if self._count >= _FEW and self._jumping > (_GOOD if before == "unsteady" else _BAD):
            return "unsteady"
        return "good"
