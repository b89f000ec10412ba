"""A long run in a table that a person can read: a line for every minute."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

__all__ = ["write_minutes"]

_Second = dict[str, Any]
_COLUMNS: dict[str, tuple[str, Callable[[Sequence[float]], float]]] = {
    "latency_ms": ("latency_ms", statistics.median),
    "latency_ms_most": ("latency_ms", max),
    "speaker_fill_ms": ("speaker_fill_ms", statistics.median),
    "not_heard_ms": ("missing_ms", sum),
    "memory_mb": ("private_mb", statistics.median),
    "memory_mb_of_the_program": ("program_private_mb", statistics.median),
    "processor_percent": ("cpu_percent", statistics.fmean),
    "stood_still_ms_most": ("stood_still_ms", max),
    "load": ("load", max),
}
"""What is told of each minute: from which figure of its seconds, and how."""


def write_minutes(log: Path, file: Path) -> None:
    """Write the table of that log."""
    noted: list[_Second] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    with file.open("w", encoding="utf-8", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["minute", *_COLUMNS, "lost"])
        for minute, seconds in groupby(noted, lambda second: (second["t_s"] - 1) // 60):
            writer.writerow([minute, *_row(list(seconds))])


def _row(seconds: Sequence[_Second]) -> list[str]:
    row = []
    for name, how in _COLUMNS.values():
        values = [second[name] for second in seconds if second.get(name) is not None]
        row.append(f"{how(values):.1f}" if values else "")
    return [*row, " and ".join(sorted({kind for second in seconds for kind in second["lost"]}))]
