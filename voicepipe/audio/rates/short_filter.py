"""A change of rate by a ratio of small whole numbers, as 48 to 16 kHz: by a short filter."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeAlias

from voicepipe.audio.format import SAMPLE_BYTES
from voicepipe.audio.rates.filter_plan import FilterPlan, plan_filter, ratio_of
from voicepipe.audio.rates.long_sums import long_sums

__all__ = ["ShortFilter", "Sums"]

MOST_GROUPS = 480
"""Made at a time: of a larger product BLAS would start threads, and a long integer takes more memory."""

Sums: TypeAlias = Callable[[FilterPlan, bytes, int, int], bytes]


class ShortFilter:
    """Converts the rate of a stream of int16 that comes in pieces.

    It passes what is below 0.4 of the lower rate as it is, and takes 50 dB from what has no place there, from
    0.5 on. Sample `n` of the result stands for the moment of sample `n * source_rate / target_rate`. Before
    the first sample and behind the last, it hears silence.

    It needs no numpy. A program that has loaded it saves time by it, and every sample is the same.

    Args:
        source_rate: samples a second of what goes in.
        target_rate: samples a second of what comes out; `suits_short_filter` accepts the two.
        channels: of both, interleaved.
        sums: makes the sums; None: numpy, where the program has loaded it.
    """

    def __init__(
        self, source_rate: int, target_rate: int, channels: int = 1, sums: Sums | None = None
    ) -> None:
        self._plan = plan_filter(*ratio_of(source_rate, target_rate))
        self._rates = source_rate, target_rate
        self._channels = channels
        self._sample_bytes = SAMPLE_BYTES * channels
        self._sums = _quickest_sums() if sums is None else sums
        self._begin()

    def _begin(self) -> None:
        self._taken = self._given = 0
        self._waiting = bytes(self._plan.before * self._sample_bytes)
        """The samples that the next result needs, from the oldest one that the filter sees."""

    @property
    def delay_s(self) -> float:
        """The most that it holds back, in seconds."""
        source_rate, target_rate = self._rates
        return self.lag / target_rate + (self._plan.down - 1) / source_rate

    @property
    def lag(self) -> int:
        """Results that it always holds back, where whole groups of samples go in."""
        return self._plan.lag

    def convert(self, data: bytes | memoryview) -> bytes:
        """Take so many whole samples, and return the results that they complete."""
        self._taken += len(data) // self._sample_bytes
        out = self._advance(data)
        self._given += len(out) // self._sample_bytes
        return out

    def flush(self) -> bytes:
        """End the stream, and return the rest of it. A later call of `convert` begins a new stream."""
        plan, size = self._plan, self._sample_bytes
        due = (2 * self._taken * plan.up + plan.down) // (2 * plan.down) - self._given
        rest = self._advance(bytes((plan.ahead + plan.down) * size)) if due else b""
        self._begin()
        return rest[: due * size]

    def _advance(self, data: bytes | memoryview) -> bytes:
        plan = self._plan
        waiting = self._waiting + data
        group_bytes = plan.down * self._sample_bytes
        groups = max(0, len(waiting) // group_bytes - plan.width + 1)
        self._waiting = waiting[groups * group_bytes :]
        parts: list[bytes] = []
        for at in range(0, groups, MOST_GROUPS):
            some = min(MOST_GROUPS, groups - at)
            seen = waiting[at * group_bytes : (at + some + plan.width - 1) * group_bytes]
            parts.append(self._sums(plan, seen, some, self._channels))
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _quickest_sums() -> Sums:
    if "numpy" not in sys.modules:
        return long_sums
    from voicepipe.audio.rates.matrix_sums import matrix_sums  # here, for it needs numpy

    return matrix_sums
