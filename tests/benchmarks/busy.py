"""Every processor kept busy while something is measured, as by other programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

__all__ = ["NICE", "busy"]

NICE = {"low": 19, "nice 5": 5, "normal": 0}
"""How much the loops give way, by the name of their priority."""
_LOOP = """
import os, sys
if hasattr(os, "sched_setscheduler"):  # on Linux, whatever the benchmark itself was started with
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
os.nice(int(sys.argv[1]))
parent = os.getppid()
print(flush=True)
while os.getppid() == parent:  # a benchmark that is killed leaves none behind
    for _ in range(100_000):
        pass
"""


@contextmanager
def busy(priority: str | None, count: int | None = None) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run so many loops meanwhile, at that priority: one for each processor by default. None: no loop."""
    if priority is None:
        count = 0
    elif count is None:
        count = os.cpu_count() or 1
    command = [sys.executable, "-c", _LOOP, str(NICE.get(priority or "", 0))]
    with ExitStack() as opened:
        loops: list[subprocess.Popen[bytes]] = []
        for _ in range(count):
            loop = opened.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            opened.callback(loop.kill)
            assert loop.stdout is not None
            loop.stdout.readline()
            loops.append(loop)
        yield loops
