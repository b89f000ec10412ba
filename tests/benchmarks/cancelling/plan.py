"""What is measured: how much, from which seed, with whose speech."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cancelling.rooms import Room, room
from benchmarks.cancelling.subjects import Play

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of a measurement."""

    play: Play
    """Plays a scene."""
    speech: Path | None = None
    """The folder with the user's speech."""
    seed: int = 1_000
    """Of rooms, programs and noise."""
    rooms: int = 5
    minutes: float = 10.0
    """Of the program's own speech, in each room; half as much is played on a card that loses samples."""
    seconds: float = 30.0
    """Of a scene in which only the echo is measured."""
    utterances: int = 132
    """At least so many, each level of the echo."""

    def rooms_of(self, reverberation_s: float, count: int | None = None) -> list[Room]:
        """Draw the rooms."""
        return [room(self.seed + n, reverberation_s) for n in range(count or self.rooms)]
