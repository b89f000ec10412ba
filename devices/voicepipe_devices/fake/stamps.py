"""The times that a device gives its blocks: they may be off, and unsteady, while its sound is not."""

from __future__ import annotations

import random

from voicepipe.checks import check_number, check_seconds

__all__ = ["Stamps"]


class Stamps:
    """The stamps of one side of the card."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._off_s = self._jitter_s = 0.0

    def step(self, seconds: float) -> None:
        """Be so much later from now on, or earlier. Steps add up. Raises: TypeError, ValueError."""
        self._off_s += check_number("seconds", seconds, at_least=-60.0, at_most=60.0)

    def jitter(self, seconds: float) -> None:
        """Be up to so much early or late, at random, from now on. Raises: TypeError, ValueError."""
        self._jitter_s = check_seconds("seconds", seconds, at_most=1.0)

    def of(self, time_s: float) -> float:
        """Return the stamp of what happens at that time."""
        off_s = self._off_s
        return time_s + off_s + (self._random.uniform(-1, 1) * self._jitter_s if self._jitter_s else 0.0)
