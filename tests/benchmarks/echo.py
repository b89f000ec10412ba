"""What the running echo program costs, beside a bare bridge of two sounddevice streams through asyncio."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import ratio
from benchmarks.table import Cell, Table
from soundcard.costs import ECHO, STREAMS, Cost, measured, middle
from soundcard.plugging import CannotRunError, plugged

__all__ = ["measure"]

_WIRE = Path(__file__).parents[1] / "soundcard" / "wire.py"
_COMMANDS = {
    "bare bridge": [sys.executable, str(_WIRE), "asyncio", *STREAMS, "--input", "vcard", "--output", "vcard"],
    "echo program": [*ECHO, "--backend", "portaudio"],
}
_MOST_REPEATS = 5
_COLUMNS = (
    "program",
    "first block ms",
    "first block ratio",
    "PSS MB",
    "PSS ratio",
    "CPU %",
    "CPU ratio",
    "processes",
)


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Both by turns, 10 ms blocks at 48 kHz. Without a card the table is empty and says why."""
    seconds, settle_s = (0.5, 0.2) if quick else (5.0, 2.0)
    found: dict[str, list[Cost]] = {name: [] for name in _COMMANDS}
    try:
        with TemporaryDirectory() as directory, plugged(Path(directory) / "card") as card:
            env = _with_compiled_modules(card.env, directory)
            for command in _COMMANDS.values():
                measured(card, command, 0.1, settle_s=0.1, env=env)  # compiles
            for _ in range(min(repeats, _MOST_REPEATS)):
                for name, command in _COMMANDS.items():
                    found[name].append(measured(card, command, seconds, settle_s=settle_s, env=env))
    except CannotRunError as error:
        return [Table("echo", f"Echo: not measured: {error}", _COLUMNS, ())]
    rows = tuple(_row(name, costs, found["bare bridge"]) for name, costs in found.items())
    return [Table("echo", "Echo, blocks of 10 ms, all processes together", _COLUMNS, rows)]


def _with_compiled_modules(env: Mapping[str, str], directory: str) -> dict[str, str]:
    """As an installed program has them, whatever this process may write."""
    usual = {name: value for name, value in env.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return usual | {"PYTHONPYCACHEPREFIX": str(Path(directory) / "compiled")}


def _row(name: str, costs: list[Cost], floor: list[Cost]) -> tuple[Cell, ...]:
    cost = middle(costs)
    starts, memory, cpu = (
        ratio([getattr(each, what) for each in costs], [getattr(each, what) for each in floor])
        for what in ("first_block_ms", "memory_mb", "cpu_percent")
    )
    return (
        name,
        cost.first_block_ms,
        starts,
        cost.memory_mb,
        memory,
        cost.cpu_percent,
        cpu,
        round(cost.processes),
    )
