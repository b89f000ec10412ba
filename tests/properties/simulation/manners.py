"""The manners of a stage in a scenario: what it takes, and what it does with facts and answers."""

from __future__ import annotations

import random
from dataclasses import dataclass

from properties.simulation.journal import Answer, Fact, Ping, Token
from voicepipe import DataFrame, Frame, InputAudioFrame, InterruptionFrame, OutputAudioFrame, SystemFrame

__all__ = ["PLAIN", "Manners", "manners_of", "standing_of"]

CLASSES: dict[str, type[Frame]] = {
    kind.__name__: kind
    for kind in (
        *(Token, Answer, Fact, Ping, DataFrame, SystemFrame),
        *(InputAudioFrame, OutputAudioFrame, InterruptionFrame),
    )
}
TAKES = (
    *(("Token",), ("Token",), ("Token", "Fact"), ("Answer",), ("Fact",), ("Fact", "InputAudioFrame")),
    *(("InputAudioFrame",), ("OutputAudioFrame", "Ping"), ("DataFrame",), ("SystemFrame",)),
    *(("InterruptionFrame", "Token"), ("DataFrame", "SystemFrame")),
)
TELLING = (
    *("tells", "tells", "ticks", "ticks", "floods", "early", "ends"),
    *("keeps", "holds", "doubles", "follows"),
)


@dataclass(frozen=True, slots=True)
class Manners:
    """What a stage does besides what its specification names."""

    takes: tuple[str, ...] | None = None
    """The classes that it takes, by name; None: all."""
    mailbox_s: float = 2.0
    tells: str = ""
    """What it does with facts: tells its own ("tells", "ticks", "floods", "early", "ends"), or handles those
    of others ("keeps" and pushes them later, "holds", "doubles", "follows" with one of its own)."""
    answers_s: float = 0.0
    """A child task answers every fourth data frame so much later; 0: none does."""
    interrupts: int = 0
    """With this data frame it asks for an interruption, and goes on pushing; 0: with none."""
    stands_s: float = 0.0
    """It stands so long, once."""
    stands_at: int = 0
    """With this data frame, from 1."""

    @property
    def classes(self) -> tuple[type[Frame], ...] | None:
        """The classes that it takes."""
        return None if self.takes is None else tuple(CLASSES[name] for name in self.takes)

    def __str__(self) -> str:
        shown = [
            f"{name}={value!r}"
            for name in self.__dataclass_fields__
            if (value := getattr(self, name)) != getattr(PLAIN, name)
        ]
        return f" {' '.join(shown)}" if shown else ""


PLAIN = Manners()


def manners_of(seed: int, name: str, *, inline: bool, busy: bool) -> Manners:
    """Draw the manners of a stage, which are a function of the seed and its name.

    Only one that may be busy has a task of its own that pushes for ever.
    """
    draw = random.Random(f"{seed} {name} manners")
    takes = draw.choice(TAKES) if draw.random() < 0.35 else None
    mailbox_s = draw.choice((0.1, 0.3, 1.0)) if draw.random() < 0.4 else 2.0
    tells = draw.choice(TELLING) if draw.random() < 0.6 else ""
    answers_s = draw.choice((0.02, 0.3, 1.0)) if draw.random() < 0.3 else 0.0
    interrupts = draw.choice((1, 2, 10, 40)) if draw.random() < 0.1 else 0
    if inline:
        return Manners(tells=tells)
    if not busy:
        answers_s = 0.0
        if tells == "ticks":
            tells = "tells"
    return Manners(takes, mailbox_s, tells, answers_s, interrupts)


def standing_of(seed: int, name: str) -> Manners:
    """Draw the manners of a stage that stands."""
    draw = random.Random(f"{seed} {name} stands")
    return Manners(
        draw.choice((None, None, ("Token",), ("InputAudioFrame",))),
        draw.choice((0.3, 2.0, 2.0)),
        draw.choice(("", "tells", "ticks")),
        stands_s=draw.choice((10.0, 20.0, 30.0)),
        stands_at=draw.choice((1, 5, 20)),
    )
