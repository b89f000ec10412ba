"""Losses that a device does not own up to: samples vanish, and no count says so."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from voicepipe.checks import check_count, check_number, check_seconds
from voicepipe.text import quote

__all__ = ["LossScript", "Losses"]


Which: TypeAlias = Literal["mic", "speaker", "both"]


@dataclass(frozen=True, slots=True)
class Losses:
    """A script of losses that a device does not own up to, as a busy machine has them.

    Positions go on as if nothing had been lost. The times of later blocks show it, as a real device's do.

    Raises:
        TypeError, ValueError: a field is out of its bounds.
    """

    seconds: float = 0.02
    """The length of each, up to 1 s."""
    every_s: float = 3.0
    """The time from one to the next, 0.1 s or more."""
    side: Which = "mic"
    """The side that loses samples. A microphone misses what is to be heard; a speaker is silent meanwhile."""
    seed: int | None = None
    """Without one they come evenly. With one the time to the next is `every_s` on average: half to one and
    a half of it, at random."""

    def __post_init__(self) -> None:
        check_number("seconds of a loss", self.seconds, at_least=0.0, at_most=1.0)
        check_seconds("every_s of losses", self.every_s)
        if self.every_s < 0.1:
            raise ValueError(f"every_s of losses must be 0.1 or more, not {quote(self.every_s)}")
        if self.side not in ("mic", "speaker", "both"):
            raise ValueError(f"side of losses must be 'mic', 'speaker' or 'both', not {quote(self.side)}")
        if self.seed is not None:
            check_count("seed of losses", self.seed)

    def times(self) -> Iterator[float]:
        """Yield the time from the start of a stream to each loss, without an end."""
        chance = None if self.seed is None else random.Random(self.seed)
        at_s = 0.0
        while True:
            at_s += self.every_s * (1.0 if chance is None else chance.uniform(0.5, 1.5))
            yield at_s


class LossScript:
    """The losses that one side still has before it."""

    def __init__(self) -> None:
        self._now_s = 0.0
        """Seconds of a loss that was asked for, and has not happened."""
        self._clock_s = self._last_s = 0.0
        """The time that its streams have run; and where the present one was seen last."""
        self._losses: Losses | None = None
        self._times: Iterator[float] = iter(())
        self._next_s = math.inf

    def lose(self, seconds: float) -> None:
        """Lose so much in the next block. Raises: TypeError, ValueError."""
        self._now_s += check_seconds("seconds", seconds, at_most=1.0)

    def follow(self, losses: Losses | None) -> None:
        """Lose by a script from now on, in place of the one before; None: by none."""
        self._losses, self._clock_s = losses, 0.0
        self._times = iter(()) if losses is None else losses.times()
        self._next_s = next(self._times, math.inf)

    def take(self, age_s: float) -> float:
        """Return what is lost in the next block, in seconds.

        `age_s`: the time from the start of the stream to that block.
        """
        self._clock_s += max(0.0, age_s - self._last_s)
        self._last_s = age_s
        lost_s, self._now_s = self._now_s, 0.0
        while self._losses is not None and self._clock_s >= self._next_s:
            lost_s += self._losses.seconds
            self._next_s = next(self._times, math.inf)
        return lost_s
