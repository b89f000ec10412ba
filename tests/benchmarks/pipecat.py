"""The same measures of pipecat-ai, where an interpreter that has it was named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from benchmarks.table import Table

__all__ = ["measure"]

_SCRIPT = Path(__file__).with_name("pipecat_side.py")


def measure(python: str, repeats: int, *, quick: bool) -> Table:
    """Run it there.

    Raises:
        RuntimeError: it failed; says how.
    """
    command = [python, "-P", "-W", "ignore", str(_SCRIPT), "quick" if quick else "full", str(repeats)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise RuntimeError(f"{python} cannot be run: {error}") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
        raise RuntimeError(f"pipecat-ai could not be measured with {python}: {last}")
    found: dict[str, float | str] = json.loads(done.stdout)
    title = f"pipecat-ai {found.pop('version')}, the same measures"
    return Table("pipecat", title, ("what", "pipecat-ai"), tuple(found.items()))
