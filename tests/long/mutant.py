"""One planted bug: where it is, what it is, and what must turn red."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mutant"]


@dataclass(frozen=True)
class Mutant:
    """One planted bug."""

    name: str
    place: str
    """The class or function, as `planting` wants it."""
    old: str
    """An expression, or statements in a row, that the place has exactly once."""
    new: str
    """What stands there instead."""
    tests: str = ""
    """The test files, or the one test, that must turn red; empty where the simulation is enough."""
    unseen: str = ""
    """Why no seed of the simulation shows it; empty: one must."""
