"""A figure beside its target, and a table of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.table import Cell, Table

__all__ = ["Goal", "Line", "missed", "table_of"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A target."""

    bound: float
    most: bool = False
    """True: a figure may be so large at most; else it must be so large at least."""
    unit: str = ""

    def is_met(self, figure: float | None) -> bool:
        """Return True if a figure is good enough."""
        return figure is not None and (figure <= self.bound if self.most else figure >= self.bound)

    def __str__(self) -> str:
        return f"{'<=' if self.most else '>='} {self.bound:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of every subject."""

    name: str
    figures: dict[str, float | None]
    """By subject; None: it has none."""
    goal: Goal | None
    """The target of the product; None: the figure is there to be read."""
    judged: str
    """The subject that the target is for."""
    note: str = ""

    @property
    def is_missed(self) -> bool:
        """True where the product falls short of the target."""
        return self.goal is not None and not self.goal.is_met(self.figures.get(self.judged))


def missed(lines: Iterable[Line]) -> list[Line]:
    """Return those whose target is missed."""
    return [line for line in lines if line.is_missed]


def table_of(name: str, title: str, lines: Iterable[Line]) -> Table:
    """Make a table of them."""
    lines = list(lines)
    subjects = list(dict.fromkeys(subject for line in lines for subject in line.figures))
    rows: list[tuple[Cell, ...]] = []
    for line in lines:
        figures = [_shown(line.figures.get(subject)) for subject in subjects]
        verdict = "" if line.goal is None else "MISSED" if line.is_missed else "met"
        rows.append((line.name, *figures, None if line.goal is None else str(line.goal), verdict, line.note))
    return Table(name, title, (name, *subjects, "target", "", "note"), tuple(rows))


def _shown(figure: float | None) -> str | None:
    return None if figure is None else f"{figure:.1f}"
