"""Live sound that stands still: some scenarios are a live path in which nothing else goes wrong."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

__all__ = ["BACK_S", "LOOK_S", "Still", "Stills", "standing_of"]

SHARE = 0.05
"""So many of the scenarios are such."""
FIRST_S = 1.6
"""By then the usual delay is known."""
BACK_S = 2.0
PERIODS = 6
"""The delay is back after that time, and so many periods of a stage that gives the sound out in bursts."""
LOOK_S = 0.4
"""And then it is looked at for so long."""
WHO = ("speech", "speech", "loop", "loop", "mic", "speaker", "speaker", "all", "stopped")
SHORTEST_S, LONGEST_S = 0.01, 1.5
LONGEST_SIDE_S = 0.8
"""A side of the card that stands for longer, all in all, counts as lost."""


@dataclass(frozen=True, slots=True)
class Still:
    """One standstill, or several in short order."""

    who: str
    """"loop"; a side of the card, "mic" or "speaker", which loses what passes meanwhile; "all" of them;
    "stopped", the speaker, which loses nothing; or "speech": something is said before the live sound."""
    spans: tuple[tuple[float, float], ...]
    """Each one's begin and duration."""

    @property
    def begin_s(self) -> float:
        """When the first one begins."""
        return self.spans[0][0]

    @property
    def end_s(self) -> float:
        """When the last one is over."""
        return sum(self.spans[-1])


@dataclass(frozen=True, slots=True)
class Stills:
    """A live path, and what stands still in it."""

    stills: tuple[Still, ...]
    mic_block_s: float = 0.04
    speaker_block_s: float = 0.04
    steady: bool = False
    is_stereo: bool = False
    """The voice comes in another format than the speaker's."""
    has_background: bool = False
    """A sound without a sound waits beside the voice: numbers stay numbers."""
    gathers_s: float = 0.0
    """A stage gives the sound out in bursts, so far apart."""

    @property
    def back_s(self) -> float:
        """Within which the delay is back. In bursts a queue is short only once in each period."""
        return BACK_S + PERIODS * self.gathers_s

    @property
    def over_s(self) -> float:
        """When the last of it was looked at."""
        return max((still.end_s for still in self.stills), default=FIRST_S) + self.back_s + LOOK_S + 0.1


def standing_of(seed: int) -> Stills | None:
    """Draw the standstills of a scenario; None: it is another kind of scenario."""
    draw = random.Random(f"{seed} stands still")
    if draw.random() >= SHARE:
        return None
    path = Stills(
        (),
        *draw.choice(((0.04, 0.04), (0.02, 0.02), (0.02, 0.04), (0.04, 0.02))),
        steady=draw.random() < 0.3,
        is_stereo=draw.random() < 0.25,
        has_background=draw.random() < 0.25,
        gathers_s=draw.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 0.5)),
    )
    stills: list[Still] = []
    begin_s = FIRST_S + 2 * path.gathers_s + draw.uniform(0.0, 0.5)
    for _ in range(draw.choices((0, 1, 2), (1, 6, 3))[0]):
        stills.append(_still(draw, begin_s, path))
        begin_s = stills[-1].end_s + path.back_s + LOOK_S + draw.uniform(0.05, 0.3)
    return replace(path, stills=tuple(stills))


def _still(draw: random.Random, begin_s: float, path: Stills) -> Still:
    # Where formats meet numbers are no numbers.
    who = draw.choice(WHO[2:] if path.is_stereo else WHO)
    count = draw.randint(2, 4) if draw.random() < 0.3 else 1
    longest_s = LONGEST_S if who in ("loop", "speech") else LONGEST_SIDE_S / count
    spans: list[tuple[float, float]] = []
    for _ in range(count):
        seconds = round(SHORTEST_S * (longest_s / SHORTEST_S) ** draw.random(), 3)
        spans.append((round(begin_s, 3), seconds))
        begin_s += seconds + draw.uniform(0.05, 0.3)
    return Still(who, tuple(spans))
