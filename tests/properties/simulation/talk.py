"""The canceller of a run as a value."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

__all__ = ["UNTOLD", "Talk", "talk_of"]

SHARE = 0.2
"""So many of the runs with both devices have a canceller."""
FAILS = 0.5
"""So many of their engines fail in mid-run."""
RECORDED = 0.5
"""So many of these runs are recorded."""
UNTOLD = ("lose", "lose", "step_stamps")
"""What a device does not own up to."""

Place = Literal["microphone", "stage"]


@dataclass(frozen=True, slots=True)
class Talk:
    """The canceller of a run."""

    place: Place
    """It is the microphone's own, or a stage behind it."""
    delay: int
    """The samples by which its engine is late."""
    fails_at: int
    """The block of its engine, from 1, with which that fails; 0: it never does."""
    may_fall_back: bool
    """Half-duplex takes the place of an engine that is of no use."""
    is_recorded: bool
    """All tracks of the run are recorded."""


def talk_of(seed: int, name: str) -> Talk | None:
    """Draw the canceller of a run, apart, so that nothing else of a seed changes; None: it has none."""
    draw = random.Random(f"{seed} {name} canceller")
    if draw.random() >= SHARE:
        return None
    place: Place = draw.choice(("microphone", "microphone", "stage"))
    delay = draw.choice((0, 4, 10, 13))
    fate = random.Random(f"{seed} {name} engine")  # apart again
    fails_at = fate.choice((1, 2, 10, 100)) if fate.random() < FAILS else 0
    return Talk(place, delay, fails_at, fate.random() < 0.5, fate.random() < RECORDED)
