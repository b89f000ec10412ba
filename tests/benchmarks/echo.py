"""What the running echo program costs, and how late it is, beside a bare bridge of two sounddevice streams.

Beside them the echo program at its own defaults, and pipecat-ai's local audio at its own, where there is one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.figures import ratio
from benchmarks.table import Cell, Table
from soundcard.costs import ECHO, STREAMS, Cost, measured, middle
from soundcard.plugging import CannotRunError, plugged

__all__ = ["measure"]

_SOUNDCARD = Path(__file__).parents[1] / "soundcard"
_BRIDGE = [sys.executable, str(_SOUNDCARD / "wire.py"), "asyncio", "--input", "vcard", "--output", "vcard"]
_DEFAULTS = [sys.executable, "-m", "voicepipe.echo", "--live", "--mic", "vcard", "--speaker", "vcard"]
_LOW = ["--rate", "48000", "--block", "480", "--latency", "low"]
_PIPECAT = Path(__file__).with_name("pipecat_echo.py")
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
_LATENCY_COLUMNS = ("program", "mouth to ear ms", "longest ms", "clicks lost")


def measure(repeats: int, *, quick: bool, pipecat: str | None = None) -> list[Table]:
    """All by turns. Without a card the tables are empty, and say why.

    Args:
        repeats: how often each is measured; five times at most.
        quick: measure only briefly.
        pipecat: an interpreter that has pipecat-ai.
    """
    costly = {
        "bare bridge": [*_BRIDGE, *STREAMS],
        "echo program": [*ECHO, "--backend", "portaudio"],
        "echo at its defaults": [*_DEFAULTS, "--backend", "portaudio"],
        "echo, 20 ms, high": [*_DEFAULTS, "--backend", "portaudio", "--block", "320", "--latency", "high"],
    }
    late = {"bare bridge": [*_BRIDGE, *_LOW]}
    late |= {name: costly[name] for name in ("echo at its defaults", "echo, 20 ms, high")}
    if pipecat is not None:
        costly["pipecat-ai at its defaults"] = late["pipecat-ai at its defaults"] = [
            pipecat,
            "-P",
            str(_PIPECAT),
        ]
    try:
        with TemporaryDirectory() as directory, plugged(Path(directory) / "card") as card:
            env = _with_compiled_modules(card.env, directory)
            for command in costly.values():
                measured(card, command, 0.1, settle_s=0.1, env=env)  # compiles
            times = min(repeats, _MOST_REPEATS)
            seconds, settle_s = (0.5, 0.2) if quick else (5.0, 2.0)
            costs: dict[str, list[Cost]] = {name: [] for name in costly}
            clicks: dict[str, list[dict[str, float]]] = {name: [] for name in late}
            for turn in range(times):
                for name, command in costly.items():
                    costs[name].append(measured(card, command, seconds, settle_s=settle_s, env=env))
                for name, command in late.items() if not (quick and turn) else ():
                    clicks[name].append(_latency(command, env, quick=quick))
    except CannotRunError as error:
        return [Table("echo", f"Echo: not measured: {error}", _COLUMNS, ())]
    return [
        Table(
            "echo",
            "Echo, all processes together; the first two in blocks of 10 ms at 48 kHz",
            _COLUMNS,
            tuple(_row(name, found, costs["bare bridge"]) for name, found in costs.items()),
        ),
        Table(
            "echo_latency",
            "Echo, from the microphone to the speaker at a latency of `low`: the medians of several starts",
            _LATENCY_COLUMNS,
            tuple(_latency_row(name, found) for name, found in clicks.items()),
        ),
    ]


def _latency(command: Sequence[str], env: Mapping[str, str], *, quick: bool) -> dict[str, float]:
    """Return what latency.py reports of one start."""
    paths = os.pathsep.join(str(_SOUNDCARD.parents[1] / folder) for folder in ("", "devices"))
    length = ("--count", "1", "--settle", "0.1") if quick else ("--count", "16")
    measure = [sys.executable, str(_SOUNDCARD / "latency.py"), *length]
    done = subprocess.run(
        [*measure, "--", *command],
        env={**env, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _latency_row(name: str, found: list[dict[str, float]]) -> tuple[Cell, ...]:
    heard = [each for each in found if each["p50"] is not None]
    if not heard:
        return (name, None, None, sum(each["lost"] for each in found))
    return (
        name,
        median(each["p50"] for each in heard),
        max(each["max"] for each in heard),
        round(sum(each["lost"] for each in found)),
    )


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
