"""What an import costs, each time in a process of its own."""

from __future__ import annotations

import json
import os
import pkgutil
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import voicepipe
from benchmarks.table import Cell, Table

__all__ = ["measure"]

_ROOT = Path(__file__).resolve().parents[2]
_BASE = ("numpy", "voicepipe")
_FEW = ["voicepipe.frames", "voicepipe.runner", "voicepipe.task"]
_OWN_TIME = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")
_Step = dict[str, Any]


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """numpy, voicepipe on top of it, and public modules on top of both: when it is quick, three of them."""
    with TemporaryDirectory(prefix="voicepipe-imports-") as cache:
        processes = _Processes(Path(cache))
        modules = _FEW if quick else list(_public_modules(voicepipe.__path__, "voicepipe."))
        processes.importing(*_BASE, *modules)  # and so compile
        return [_base(processes, repeats), _modules(processes, modules, repeats)]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one process has found."""

    steps: list[_Step]
    loaded: set[str]
    own_ms: dict[str, float]
    """What a module's own lines took, without what they import; where it was asked for."""


@dataclass(frozen=True, slots=True)
class _Processes:
    """New processes with one cache of compiled modules: the first to import a module compiles it.

    The cache is not the interpreter's, so that a read-only one, or none, makes no difference.
    """

    cache: Path

    def importing(self, *names: str, own_time: bool = False) -> _Outcome:
        """Import these in this order."""
        script = Path(__file__).with_name("importing.py")
        # -P: without the directory of the script, whose files would be modules.
        command = [sys.executable, "-P", *(["-X", "importtime"] if own_time else []), str(script), *names]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        own = {name: int(micros) / 1e3 for micros, name in _OWN_TIME.findall(done.stderr)}
        return _Outcome(found["steps"], set(found["loaded"]), own)

    def _environment(self) -> dict[str, str]:
        usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        path = [str(_ROOT), str(_ROOT / "devices"), usual.get("PYTHONPATH", "")]
        return usual | {
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "PYTHONPYCACHEPREFIX": str(self.cache),
        }


def _base(processes: _Processes, repeats: int) -> Table:
    """asyncio is the part of `import voicepipe` that no asyncio program is without."""
    found: defaultdict[str, list[_Step]] = defaultdict(list)
    for _ in range(repeats):
        for name in ("asyncio", "voicepipe"):
            numpy, top = processes.importing("numpy", name).steps
            found["numpy"].append(numpy)
            found[f"{name}, on numpy"].append(top)
    rows = tuple((what, *_middle(steps)) for what, steps in found.items())
    return Table("imports", "Imports: ms and MiB", ("module", "ms", "MiB"), rows)


def _modules(processes: _Processes, modules: Iterable[str], repeats: int) -> Table:
    """What voicepipe imports itself has cost already: its own share of that is shown."""
    loaded = processes.importing(*_BASE).loaded
    shares = [processes.importing(*_BASE, own_time=True).own_ms for _ in range(repeats)]
    rows: list[tuple[Cell, ...]] = []
    for name in modules:
        if name in loaded:
            rows.append((name, None, None, median(share[name] for share in shares), "in voicepipe"))
            continue
        steps = [processes.importing(*_BASE, name).steps[-1] for _ in range(repeats)]
        rows.append((name, *_middle(steps), None, steps[-1]["error"] or "on top"))
    title = "Public modules: ms and MiB on top of voicepipe, or the ms of their own within its import"
    return Table("modules", title, ("module", "ms", "MiB", "own ms", "where"), tuple(rows))


def _middle(steps: Iterable[_Step]) -> tuple[float, float | None]:
    listed = list(steps)
    mib = [step["mib"] for step in listed if step["mib"] is not None]
    return median(step["seconds"] for step in listed) * 1e3, median(mib) if mib else None


def _public_modules(path: Iterable[str], prefix: str) -> Iterator[str]:
    """Names, at whatever depth, without importing any."""
    for module in pkgutil.iter_modules(path):
        if module.name.startswith("_"):
            continue
        yield prefix + module.name
        if module.ispkg:
            inside = [str(Path(parent) / module.name) for parent in path]
            yield from _public_modules(inside, f"{prefix}{module.name}.")
