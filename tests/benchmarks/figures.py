"""What a series of measurements comes to."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import linear_regression, median

__all__ = ["Spread", "percentile", "ratio", "slope", "undisturbed"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of a series, and its ends."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Raises ValueError for an empty series."""
        return cls(median(values), min(values), max(values))


def ratio(subject: Sequence[float], floor: Sequence[float]) -> Spread:
    """How often the floor's cost fits into the subject's, repeat by repeat.

    Both series have one figure for each repeat: what slowed the machine meanwhile slowed both.
    """
    pairs = zip(subject, floor, strict=True)
    # A machine that is too busy for a single session of the floor's has no ratio to tell.
    return Spread.of([cost / least if least else math.inf for cost, least in pairs])


def slope(sizes: Sequence[int], costs: Sequence[float]) -> float:
    """What one more stage costs: least squares of the costs over the sizes."""
    return linear_regression(sizes, costs).slope


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many of a hundred do not exceed; 100 gives the highest.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values, so no percentile")
    return sorted(values)[max(0, math.ceil(percent / 100 * len(values)) - 1)]


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection meanwhile: it would strike whoever happens to be measured."""
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
