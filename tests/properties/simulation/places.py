"""The places of the stages of a shape: who comes behind whom, in which branch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from properties.simulation.scenario import Branches, Shape, StageSpec

__all__ = ["Place", "places_in"]


@dataclass(frozen=True, slots=True)
class Place:
    """The place of one stage in a shape."""

    spec: StageSpec
    path: tuple[tuple[str, int], ...]
    """From the outermost row inwards: the n-th of a row, the n-th branch."""

    def is_before(self, other: Place) -> bool:
        """Return True if what goes downstream from here comes to the other."""
        for (kind, mine), (_, others) in zip(self.path, other.path, strict=False):
            if mine != others:
                return kind == "row" and mine < others
        return False


def places_in(shape: Shape, path: tuple[tuple[str, int], ...] = ()) -> Iterator[Place]:
    """Yield the place of every stage, in order."""
    for number, part in enumerate(shape):
        here = (*path, ("row", number))
        if isinstance(part, StageSpec):
            yield Place(part, here)
        elif isinstance(part, Branches):
            for branch, row in enumerate(part.branches):
                yield from places_in(row, (*here, ("branch", branch)))
        else:
            yield from places_in(part, here)
