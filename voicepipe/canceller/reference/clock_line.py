"""The line from a device's positions to times, through stamps that jitter and losses that nobody told of."""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple, TypeAlias

__all__ = ["PRIOR_PPM", "ClockLine", "Step"]

PRIOR_PPM = 50.0
"""The usual difference between a device's clock and the loop's, before anything was measured."""
STEP_S = 0.002
"""A stamp beside the line by more than that may be behind a loss."""
SEEN = 5
"""So many blocks in a row must show a step, and agree on it: one stamp may be late, and the next one too."""
CLEAR, CLEARLY_SEEN = 4.0, 3
"""A step so many times as large needs fewer blocks, which agree twice as well: echo is heard until then."""
JITTERS = 3.0
"""A step is so many times as large as the jitter from stamp to stamp. Five in a row are hardly ever."""
RISE, FALL = 0.05, 0.01
"""The weights of a stamp in the average jitter, where it grows, and where it shrinks."""
SPREAD_RISE, SPREAD_FALL = 0.2, 0.01
"""Those of a group in the uncertainty of groups. Stamps of whole milliseconds look certain for seconds."""
GROUP = 10
"""Stamps of which one is taken: they are late, some more than others, and hardly ever early."""
TAKEN = 1
"""Its place among them in order, from the earliest. The very earliest one may be wrong."""
WITHIN = 3
"""The first one and this one are apart by twice the uncertainty of the second one, whatever the jitter is."""
SLOW_STEP_S = 0.002
"""A step that only groups show: the stamps of single blocks hide it."""
SLOW_SEEN = 3
SPREADS = 5.0
"""And it is so many times as large as groups are uncertain."""
FIRST_S = 0.005
"""The uncertainty of the first stamp."""
SPREAD_S, LEAST_SPREAD_S = 0.0003, 0.00001
"""The uncertainty of a group, before any was seen, and at best."""
WANDER_PPM = 0.1
"""A crystal's change in a second: it warms up."""
_PPM = 1e-6

_Stamp: TypeAlias = tuple[float, float, int]
"""The distance from the line, the nominal time, the position."""


class Step(NamedTuple):
    """A sudden change of what lies between positions and times: a loss, or another delay."""

    position: int
    """The first sample behind it."""
    by_s: float
    """The time by which samples come later than before; negative: earlier."""


class ClockLine:
    """Follows the times of one stream's samples.

    The line is a Kalman filter of two numbers, the offset and the slope. A straight line through stamps alone
    is bent by each loss; here a step changes the offset, and the slope stays as it was learned.

    Stamps are late rather than early. So of each ten the second earliest is taken.

    Args:
        rate: samples a second, as the device says.
        ppm: the slope to begin with, of a stream of the same device.
    """

    def __init__(self, rate: int, ppm: float = 0.0) -> None:
        self._rate = rate
        self.steps = 0
        """The number of steps so far."""
        self.is_begun = False
        """True once there was a stamp."""
        self._at_s = 0.0
        """The nominal time, position / rate, at which the two numbers and their variances stand."""
        self._offset_s = 0.0
        self._slope = ppm * _PPM
        self._offset_var = FIRST_S**2
        self._both_var = 0.0
        self._slope_var = (PRIOR_PPM * _PPM) ** 2
        self._jitter_s = self._last_beside_s = 0.0
        self._last_group: tuple[float, float] | None = None
        """The last group's nominal time, and the difference of the true one from it."""
        self._spread_var = SPREAD_S**2
        self._is_measured = False
        """True once a group has shown how uncertain groups are."""
        self._group: list[_Stamp] = []
        self._beside: deque[_Stamp] = deque(maxlen=SEEN)
        self._slowly_beside: list[_Stamp] = []

    @property
    def ppm(self) -> float:
        """The slope: positive where a second of samples takes longer than a second."""
        return self._slope / _PPM

    @property
    def ppm_error(self) -> float:
        """The standard deviation of the slope."""
        return math.sqrt(self._slope_var) / _PPM

    @property
    def error_s(self) -> float:
        """The standard deviation of the offset."""
        return math.sqrt(self._offset_var)

    @property
    def is_sure(self) -> bool:
        """True where more than the first few stamps behind a step have told the offset."""
        return self._last_group is not None

    @property
    def is_in_doubt(self) -> bool:
        """True where the last stamps look as behind a step, and are too few to make it certain."""
        return bool(self._beside)

    def time_of(self, position: float) -> float:
        """Return the time of a sample."""
        at_s = position / self._rate
        return at_s + self._offset_s + self._slope * (at_s - self._at_s)

    def position_at(self, time_s: float) -> float:
        """Return the position of the sample at that time."""
        return (time_s - self._offset_s + self._slope * self._at_s) / (1.0 + self._slope) * self._rate

    def loosen(self) -> None:
        """Trust the slope no more than at first: the stream may be of another device."""
        self._slope_var = (PRIOR_PPM * _PPM) ** 2
        self._both_var = 0.0

    def put(self, position: int, time_s: float, *, after_gap: bool = False) -> Step | None:
        """Take the stamp of a block, and return the step that it makes certain.

        Args:
            position: of the block's first sample.
            time_s: of that sample.
            after_gap: positions jumped just before it, so a step is no surprise. One stamp makes it certain.
        """
        if not math.isfinite(time_s):
            return None
        at_s = position / self._rate
        if not self.is_begun:
            self.is_begun = True
            self._at_s, self._offset_s = at_s, time_s - at_s
        beside_s = time_s - at_s - self._offset_s - self._slope * (at_s - self._at_s)
        limit_s = max(STEP_S, JITTERS * self._jitter_s)
        self._note_jitter(beside_s, limit_s)
        stamp = (beside_s, at_s, position)
        if abs(beside_s) > limit_s:
            self._beside.append(stamp)
            seen = [stamp] if after_gap else self._agreeing(limit_s)
            return self._take_step(seen) if seen else None
        self._beside.clear()
        self._group.append(stamp)
        return self._take_group() if len(self._group) >= GROUP else None

    def _note_jitter(self, beside_s: float, limit_s: float) -> None:
        """Measure from stamp to stamp: neither a step nor a slope that is unknown looks like jitter."""
        more_s = min(abs(beside_s - self._last_beside_s), limit_s) - self._jitter_s
        self._last_beside_s = beside_s
        self._jitter_s += (RISE if more_s > 0.0 else FALL) * more_s

    def _agreeing(self, limit_s: float) -> list[_Stamp]:
        """Return the last blocks, if they are enough to agree on a step."""
        for count, times, apart in ((CLEARLY_SEEN, CLEAR, 0.5), (SEEN, 1.0, 1.0)):
            last = list(self._beside)[-count:]
            first_s, last_s = min(last)[0], max(last)[0]
            least_s = min(abs(first_s), abs(last_s))
            if len(last) == count and last_s - first_s <= apart * limit_s and least_s >= times * limit_s:
                return last
        return []

    def _take_step(self, seen: list[_Stamp]) -> Step:
        by_s = min(seen)[0]
        self._group = [(beside_s - by_s, at_s, position) for beside_s, at_s, position in seen]
        self._beside.clear()
        self._shift(by_s)
        return Step(seen[0][2], by_s)

    def _shift(self, by_s: float) -> None:
        self.steps += 1
        self._offset_s += by_s
        self._last_beside_s -= by_s
        self._last_group = None
        self._offset_var = self._jitter_s**2 + self._spread_var
        self._both_var = 0.0
        self._slowly_beside.clear()

    def _take_group(self) -> Step | None:
        """Move the line towards the group."""
        group = sorted(self._group)
        self._group = []
        beside_s, at_s, _ = taken = group[TAKEN]
        self._advance(at_s)
        limit_s = max(SLOW_STEP_S, SPREADS * math.sqrt(self._spread_var + self._offset_var))
        if abs(beside_s) > limit_s:
            return self._slow_step(taken, limit_s)
        self._slowly_beside.clear()
        self._note_spread(at_s, self._offset_s + beside_s, (group[WITHIN][0] - group[0][0]) / 2)
        self._correct(beside_s)
        return None

    def _note_spread(self, at_s: float, offset_s: float, within_s: float) -> None:
        """Measure from group to group. The first group is taken for as uncertain as its stamps are apart."""
        var = self._spread_var
        if self._last_group is not None:
            last_at_s, last_s = self._last_group
            more_var = (offset_s - last_s - self._slope * (at_s - last_at_s)) ** 2 - var
            var += (SPREAD_RISE if more_var > 0.0 else SPREAD_FALL) * more_var
        elif not self._is_measured:
            self._is_measured = True
            var = within_s**2
        self._last_group = at_s, offset_s
        var = max(LEAST_SPREAD_S**2, var)
        if var > self._spread_var:
            self._trust_less(var / self._spread_var)
        self._spread_var = var

    def _trust_less(self, times: float) -> None:
        """Note that all was learned from stamps that are less certain than they seemed."""
        times = min(times, (PRIOR_PPM * _PPM) ** 2 / self._slope_var)
        if times > 1.0:
            self._offset_var *= times
            self._both_var *= times
            self._slope_var *= times

    def _slow_step(self, taken: _Stamp, limit_s: float) -> Step | None:
        """Return the step, if groups in a row agree on it."""
        groups = self._slowly_beside
        groups.append(taken)
        if len(groups) > SLOW_SEEN:
            del groups[0]
        if len(groups) < SLOW_SEEN or max(groups)[0] - min(groups)[0] > limit_s:
            return None
        by_s = sorted(groups)[SLOW_SEEN // 2][0]
        step = Step(groups[0][2], by_s)
        self._shift(by_s)
        return step

    def _advance(self, at_s: float) -> None:
        """Move the place at which the numbers stand, which makes them less certain."""
        passed_s = at_s - self._at_s
        self._at_s = at_s
        self._offset_s += self._slope * passed_s
        self._offset_var += passed_s * (2.0 * self._both_var + passed_s * self._slope_var)
        self._both_var += passed_s * self._slope_var
        self._slope_var += (WANDER_PPM * _PPM) ** 2 * abs(passed_s)

    def _correct(self, beside_s: float) -> None:
        total = self._offset_var + self._spread_var
        offset_gain, slope_gain = self._offset_var / total, self._both_var / total
        self._offset_s += offset_gain * beside_s
        self._slope += slope_gain * beside_s
        self._slope_var -= slope_gain * self._both_var
        self._both_var *= 1.0 - offset_gain
        self._offset_var *= 1.0 - offset_gain
