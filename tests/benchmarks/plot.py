"""Draws the figures of a run over the size they belong to. Needs matplotlib, which nothing else here does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.table import Table

__all__ = ["MissingMatplotlibError", "check_matplotlib", "draw"]

_Records = list[dict[str, Any]]


class MissingMatplotlibError(Exception):
    """There is no matplotlib; says how to get it."""


def check_matplotlib() -> None:
    """Before anything is measured.

    Raises:
        MissingMatplotlibError: it cannot be imported.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingMatplotlibError(
            f"a plot needs matplotlib ({error}): python -m pip install matplotlib"
        ) from error


def draw(tables: Iterable[Table], file: Path) -> None:
    """Write a picture, of the format that the file's name ends in, of the tables that have a size.

    Raises:
        MissingMatplotlibError: as `check_matplotlib`.
        ValueError: none of the tables has a size, or the format is unknown.
    """
    check_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    records = {table.name: table.records() for table in tables if table.rows}
    panels = [panel for panel in _PANELS if panel[0] in records]
    if not panels:
        raise ValueError("nothing to draw: measure hops, latency or density")
    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(12, 4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for place, (name, title, size, per_size, lines) in enumerate(panels):
        axes = figure.add_subplot(rows, 2, place + 1)
        if size:
            _curves(axes, records[name], size, per_size, lines)
        else:
            _bars(axes, records[name], lines)
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(file, dpi=110)


_Lines = Mapping[str, str]
_HOPS: _Lines = {"coroutines": "k--", "inline": "C0-", "queue": "0.5", "mailbox": "C1-"}
_PACED: _Lines = {"by hand": "k--", "data": "C0-", "system": "C1-", "interruptible": "C2:"}
_PANELS: tuple[tuple[str, str, str, bool, _Lines], ...] = (
    ("hops_flood", "A frame's whole way, in a flood (µs)", "stages", True, _HOPS),
    ("hops_inline", "A single frame's whole way, inline stages (µs)", "stages", True, _PACED),
    ("hops_mailbox", "A single frame's whole way, mailbox stages (µs)", "stages", True, _PACED),
    ("hops_mixed", "A single frame's whole way, mixed stages (µs)", "stages", True, _PACED),
    (
        "sessions",
        "Processor time of a frame through five stages (µs)",
        "sessions",
        False,
        {
            "inline by hand": "C0--",
            "inline": "C0-",
            "two mailboxes by hand": "C1--",
            "two mailboxes": "C1-",
            "mailbox by hand": "C2--",
            "mailbox": "C2-",
        },
    ),
    ("density", "Most sessions with p99 under 20 ms", "", False, {"by hand": "0.6", "voicepipe": "C0"}),
    ("latency", "Push to sink, 8 stages (µs)", "", False, {"p50": "C0", "p99": "C1", "max": "0.7"}),
)
"""Table, title, the column with the size, whether a figure is for one of them, and the lines."""


def _curves(axes: Any, records: _Records, size: str, per_size: bool, lines: _Lines) -> None:
    rows = [record for record in records if record[size].isdecimal()]
    sizes = [int(record[size]) for record in rows]
    for name, style in lines.items():
        scale = [count if per_size else 1 for count in sizes]
        values = [record[name] * times for record, times in zip(rows, scale, strict=True)]
        if style.startswith("0."):
            axes.plot(sizes, values, "--", color=style, marker=".", label=name)
        else:
            axes.plot(sizes, values, style, marker=".", label=name)
    axes.set_xlabel(size)
    axes.set_ylim(bottom=0)


def _bars(axes: Any, records: _Records, lines: _Lines) -> None:
    first = next(iter(records[0]))
    width = 0.8 / len(lines)
    for place, (name, color) in enumerate(lines.items()):
        at = [row + place * width for row in range(len(records))]
        drawn = axes.bar(at, [record[name] for record in records], width, color=color, label=name)
        axes.bar_label(drawn, fmt="%.0f", fontsize=7)
    middle = [row + width * (len(lines) - 1) / 2 for row in range(len(records))]
    axes.set_xticks(middle, [record[first] for record in records])
