"""What is written down while a scenario is played: who did what, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from voicepipe import DataFrame, FactFrame, Frame, FrameDirection, SystemFrame

__all__ = ["Answer", "Began", "Ceased", "Entry", "Fact", "Follows", "Journal", "Ping", "Token"]


@dataclass(frozen=True, slots=True, eq=False)
class Token(DataFrame):
    """Data that says who made it, and that it was the n-th of its maker."""

    maker: str
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Answer(Token):
    """What would be heard: an interruption drops it."""

    interruptible: ClassVar[bool] = True
    begun: int
    """The number of lines of the journal when the work on it began."""


@dataclass(frozen=True, slots=True, eq=False)
class Fact(FactFrame):
    """A fact that says who made it, and that it was the n-th of its maker."""

    origin: str
    """The maker, by which the framework tells the pairs of one from those of another."""
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Began(Fact):
    """A start."""


@dataclass(frozen=True, slots=True, eq=False)
class Ceased(Fact):
    """The stop of the start before it."""

    closes: ClassVar[type[FactFrame] | None] = Began


@dataclass(frozen=True, slots=True, eq=False)
class Follows(Fact):
    """A fact that a stage makes of another. It has no partner."""

    of: Fact
    """The other."""


@dataclass(frozen=True, slots=True, eq=False)
class Ping(SystemFrame):
    """A system frame of the program: a stage handles it while a push of its own waits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line."""

    at_s: float
    who: str
    what: str
    """A hook; "took" and "done" around a frame's handling; "gave"; "raises"; "hangs"; "tells" a fact, "knows"
    of one; "interrupted": the interruption that it asked for was carried out."""
    frame: Frame | None = None
    direction: FrameDirection | None = None

    def __str__(self) -> str:
        way = "" if self.direction is None else f" {self.direction.value}"
        shown = "" if self.frame is None else f" {self.frame}{way}"
        return f"{self.at_s:8.4f} {self.who:12} {self.what}{shown}"


@dataclass(slots=True)
class Journal:
    """The lines, and what was seen that should never be seen."""

    clock: Callable[[], float]
    entries: list[Entry] = field(default_factory=list)
    deepest: dict[str, int] = field(default_factory=dict)
    """How many downstream frames, but for live audio, a stage has seen waiting in its mailbox at most."""
    longest_s: dict[str, float] = field(default_factory=dict)
    """How many seconds of live audio have waited there at most."""
    outrages: list[str] = field(default_factory=list)
    """Found while it was played: a touch of the loop from the audio side, a callback after the close, ..."""

    def note(
        self, who: str, what: str, frame: Frame | None = None, direction: FrameDirection | None = None
    ) -> None:
        """Write a line."""
        self.entries.append(Entry(self.clock(), who, what, frame, direction))

    def of(self, who: str) -> list[Entry]:
        """The lines of one stage, or of one task's end."""
        return [entry for entry in self.entries if entry.who == who]
