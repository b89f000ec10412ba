"""The taps of a short filter between two rates whose ratio is one of small whole numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from voicepipe.audio.rates.low_pass import low_pass

__all__ = ["TAP_BITS", "FilterPlan", "plan_filter", "ratio_of", "suits_short_filter"]

MOST_PARTS = 6
"""The largest number in a ratio: 6:1 is 48 to 8 kHz. With larger ones, the work is in too many pieces."""
REACH = 16
"""Samples of the lower rate that the filter sees on each side: it holds back 1 ms at 16 kHz, 2 at 8."""
TAP_BITS = 14
"""The taps that make one sample add up to 1 << TAP_BITS. What they are rounded by lies 75 dB below."""


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """The filter of one ratio, in groups: `down` samples go in, `up` come out, and the same again."""

    up: int
    down: int
    ahead: int
    """Samples behind the first one of a group that its last result needs."""
    width: int
    """Groups that the filter sees at a time."""
    taps: tuple[tuple[int, ...], ...]
    """For each result of a group, the factors of the samples of `width` groups, the oldest first."""

    @property
    def before(self) -> int:
        """Samples before the first one of a group that its first result needs."""
        return self.width * self.down - self.ahead - 1

    @property
    def lag(self) -> int:
        """Results that wait when whole groups have gone in: they need samples that follow."""
        return self.ahead // self.down * self.up


def ratio_of(source_rate: int, target_rate: int) -> tuple[int, int]:
    """Return the samples that come out, and those that go in for them: the smallest such numbers."""
    common = math.gcd(source_rate, target_rate)
    return target_rate // common, source_rate // common


def suits_short_filter(source_rate: int, target_rate: int) -> bool:
    """Return True where the ratio of two rates is one of small whole numbers."""
    return max(ratio_of(source_rate, target_rate)) <= MOST_PARTS


@lru_cache(maxsize=32)
def plan_filter(up: int, down: int) -> FilterPlan:
    """Design the filter at the least common multiple of the rates: a result has every `up`-th of its taps."""
    parts = max(up, down)
    reach = REACH * parts
    exact = low_pass(reach, 0.5 / parts)
    ahead = ((up - 1) * down + reach) // up
    width = -(-(ahead + reach // up + 1) // down)
    rows: list[tuple[int, ...]] = []
    for nth in range(up):
        places = [nth * down - at * up + reach for at in range(ahead + 1 - width * down, ahead + 1)]
        rows.append(_whole([exact[place] if 0 <= place <= 2 * reach else 0.0 for place in places]))
    return FilterPlan(up, down, ahead, width, tuple(rows))


def _whole(taps: list[float]) -> tuple[int, ...]:
    """Round taps, so that their sum is exact: what does not move stays as loud as it is."""
    total = sum(taps)
    whole = [round(tap / total * (1 << TAP_BITS)) for tap in taps]
    whole[whole.index(max(whole))] += (1 << TAP_BITS) - sum(whole)
    return tuple(whole)
