"""Processes as the system lists them, and programs of these tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["ROOT", "children_of", "is_alive", "last_of", "run_python", "started", "wait_for"]

ROOT = Path(__file__).resolve().parents[2]
PATH = os.pathsep.join(str(ROOT / folder) for folder in ("", "devices", "tests"))
PATIENCE_S = 20.0


def is_alive(pid: int) -> bool:
    """Return False for a process that has ended, also where nobody has looked at it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, listing.read_text().split())
        except OSError:
            pass  # that thread has ended
    return found


def wait_for(condition: Callable[[], bool], limit_s: float = PATIENCE_S) -> float:
    """Wait until it is so; return the seconds that it took, or those that were too few."""
    began_s = time.monotonic()
    while not condition() and time.monotonic() - began_s < limit_s:
        time.sleep(0.002)  # another process tells nobody: it has to be looked at
    return time.monotonic() - began_s


def last_of(pids: Iterable[int], limit_s: float) -> float:
    """Wait until all have ended; return the seconds. Those that live on are ended, and named."""
    pids = list(pids)
    seconds = wait_for(lambda: not any(map(is_alive, pids)), limit_s)
    left = [pid for pid in pids if is_alive(pid)]
    for pid in left:
        os.kill(pid, 9)
    assert not left, f"{len(left)} of {len(pids)} processes live on after {seconds:.1f} s"
    return seconds


def started(*command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a Python program of these tests."""
    return subprocess.Popen(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": PATH, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run_python(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    with started(*command, **environment) as process:
        out, err = process.communicate(timeout=PATIENCE_S)
    return subprocess.CompletedProcess(command, process.returncode, out, err)
