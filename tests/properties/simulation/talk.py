"""The canceller of a run as a value."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal

__all__ = ["UNTOLD", "Talk", "talk_of"]

SHARE = 0.2
"""So many of the runs with both devices have a canceller."""
UNTOLD = ("lose", "lose", "step_stamps")
"""What a device does not own up to."""


@dataclass(frozen=True, slots=True)
class Talk:
    """The canceller of a run."""

    place: Literal["microphone", "stage"]
    """It is the microphone's own, or a stage behind it."""
    delay: int
    """The samples by which its engine is late."""


def talk_of(seed: int, name: str) -> Talk | None:
    """Draw the canceller of a run, apart, so that nothing else of a seed changes; None: it has none."""
    draw = random.Random(f"{seed} {name} canceller")
    if draw.random() >= SHARE:
        return None
    return Talk(draw.choice(("microphone", "microphone", "stage")), draw.choice((0, 4, 10, 13)))
