"""The standstills of a run, drawn from a seed: who stands still, and for how long."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

__all__ = ["WHO", "Standstill", "standstills"]

WHO = ("program", "microphone", "speaker", "all")
"""The program itself, the process of one of its streams, or all of them together."""
SHORTEST_S, LONGEST_S = 0.01, 1.5
_BURSTS = 0.3
"""So many of them are bursts."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """One standstill, or several in short order."""

    who: str
    stands_s: tuple[float, ...]
    apart_s: float
    """From the end of one to the begin of the next."""
    waits_s: float
    """For so long nothing happens before it."""

    @property
    def seconds(self) -> float:
        """The duration from the first begin to the last end."""
        return sum(self.stands_s) + self.apart_s * (len(self.stands_s) - 1)

    def __str__(self) -> str:
        return f"{self.who} " + "+".join(f"{1e3 * seconds:.0f}" for seconds in self.stands_s)


def standstills(count: int, seed: int) -> list[Standstill]:
    """Draw so many, the same ones each time. Short ones are as frequent as long ones."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        several = draw.randint(2, 5) if draw.random() < _BURSTS else 1
        stands_s = tuple(_length_s(draw) for _ in range(several))
        who = WHO[number % len(WHO)]
        found.append(Standstill(who, stands_s, draw.uniform(0.05, 0.4), draw.uniform(0.0, 0.5)))
    return found


def _length_s(draw: random.Random) -> float:
    return math.exp(draw.uniform(math.log(SHORTEST_S), math.log(LONGEST_S)))
