"""The same measures of pipecat-ai, where an interpreter that has it was named, beside those of voicepipe."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Spread
from benchmarks.table import Cell, Table

__all__ = ["measure"]

_SCRIPT = Path(__file__).with_name("pipecat_side.py")
_OURS = {
    "making": ("making", "as a microphone makes it", "voicepipe"),
    "hop": ("hops_mailbox", "slope", "data"),
    "hop, inline": ("hops_inline", "slope", "data"),
    "flood": ("hops_flood", "slope", "mailbox"),
    "flood, inline": ("hops_flood", "slope", "inline"),
    "p50": ("latency", "mailbox", "p50"),
    "p99": ("latency", "mailbox", "p99"),
    "p50, inline": ("latency", "inline", "p50"),
    "life": ("lifecycle", "mailbox, ended", "ms"),
    "life, inline": ("lifecycle", "inline, ended", "ms"),
    "sessions": ("density", "mailbox", "voicepipe"),
    "sessions, inline": ("density", "inline", "voicepipe"),
}
"""The table, row and column of each figure."""
_NAMES = {
    "making": "a frame of audio is made, µs",
    "hop": "one more stage, one frame at a time, µs",
    "flood": "one more stage, in a flood, µs",
    "p50": "push to sink, 8 stages, p50, µs",
    "p99": "push to sink, 8 stages, p99, µs",
    "life": "a life of five stages, ms",
    "sessions": "most sessions with p99 under 20 ms",
}


def measure(python: str, repeats: int, tables: Sequence[Table], *, quick: bool) -> Table:
    """Measure there what the tables of the same run have, and compare.

    Raises:
        RuntimeError: it failed; says how.
    """
    ours = {figure: _look_up(tables, *place) for figure, place in _OURS.items()}
    wanted = ",".join(name for name in _NAMES if ours[name] is not None)
    command = [python, "-P", "-W", "ignore", str(_SCRIPT), "quick" if quick else "full", str(repeats), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeError(f"{python} cannot be run: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise RuntimeError(f"pipecat-ai could not be measured with {python}: {last}")
    found: dict[str, float | str] = json.loads(done.stdout)
    title = f"voicepipe beside pipecat-ai {found.pop('version')} on Python {found.pop('python')}"
    title += "; a stage of pipecat-ai always has queues and tasks"
    rows = tuple(_compare(name, float(theirs), ours) for name, theirs in found.items())
    return Table(
        "pipecat", title, ("what", "mailbox", "ratio", "inline", "ratio, inline", "pipecat-ai"), rows
    )


def _look_up(tables: Sequence[Table], name: str, row: str, column: str) -> float | None:
    """Return None for a section that was left out."""
    for table in tables:
        if table.name == name:
            cells = next(cells for cells in table.rows if cells[0] == row)
            cell = cells[table.columns.index(column)]
            assert isinstance(cell, (int, float, Spread))
            return cell.median if isinstance(cell, Spread) else cell
    return None


def _compare(name: str, theirs: float, ours: dict[str, float | None]) -> tuple[Cell, ...]:
    cells: list[Cell] = [_NAMES[name]]
    for figure in (name, f"{name}, inline"):
        own = ours.get(figure)
        cells += [own, None if own is None or not theirs else own / theirs]
    return (*cells, theirs)
