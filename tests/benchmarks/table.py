"""A table of figures, for a reader and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from benchmarks.figures import Spread

__all__ = ["Cell", "Table"]

Cell = str | int | float | Spread | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns. The first column names the row."""

    name: str
    """Its key in the JSON."""
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __str__(self) -> str:
        lines = [self.columns, *(tuple(map(_text, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join([self.title, "", *(_aligned(line, widths) for line in lines)])

    def records(self) -> list[dict[str, object]]:
        """The rows by column name; a spread is its median, low and high."""
        return [dict(zip(self.columns, map(_plain, row), strict=True)) for row in self.rows]


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
    return "  ".join([f"  {first.strip():<{widths[0]}}", *others]).rstrip()


def _plain(cell: Cell) -> object:
    return asdict(cell) if isinstance(cell, Spread) else cell


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return "-"
        case Spread(middle, low, high):
            return f"{_digits(middle)} ({_digits(low)}..{_digits(high)})"
        case float():
            return _digits(cell)
        case int():
            return f"{cell:,}"
    return cell


def _digits(value: float) -> str:
    places = 3 if abs(value) < 1 else 2 if abs(value) < 100 else 0
    return f"{value:,.{places}f}"
