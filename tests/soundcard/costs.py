#!/usr/bin/env python3
"""What a stream in a process of its own costs, beside one in the program's process. On a card that is up:

    . "$(tests/soundcard/up -q)"; python tests/soundcard/costs.py [--seconds 10] [--repeats 3]

Runs `voicepipe.echo --live` with each, and prints for both: from the program's start until both streams run,
the memory of all its processes together (PSS), and their processor time as a share of one core.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # run by its path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soundcard.card import Card

__all__ = ["ECHO", "STREAMS", "Cost", "measured", "middle"]

ROOT = Path(__file__).parents[2]
_CPUCLOCK_SCHED = 2
"""Linux's number of the clock that counts what a process runs; its id has the process's besides."""
BACKENDS = ("portaudio:inside", "portaudio:outside")
BLOCK = 480
STREAMS = ["--rate", "48000", "--block", str(BLOCK), "--latency", "0.04"]
ECHO = [sys.executable, "-m", "voicepipe.echo", "--live", *STREAMS, "--mic", "vcard", "--speaker", "vcard"]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program on the card costs."""

    start_ms: float
    """From the command until both streams run."""
    first_block_ms: float
    """From the command until it has taken its first block from the microphone."""
    memory_mb: float
    """The proportional set size of all its processes."""
    cpu_percent: float
    """Of one core, all its processes together."""
    processes: int


def middle(costs: Sequence[Cost]) -> Cost:
    """Each figure's median."""
    return Cost(*(statistics.median(column) for column in zip(*map(astuple, costs), strict=True)))


def family(pid: int) -> list[int]:
    """A process and all that came of it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    threads = [Path(f"/proc/{pid}/task/{t}/children") for t in os.listdir(f"/proc/{pid}/task")]
    everyone = {*children, *(c for path in threads for c in path.read_text().split())}
    return [pid, *(member for child in everyone for member in family(int(child)))]


def memory_mb(pid: int) -> float:
    """Proportional set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def cpu_s(pid: int) -> float:
    """Processor time so far: by the process's own clock, since /proc counts in steps of 10 ms.

    Raises:
        OSError: it is gone.
    """
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def measured(
    card: Card,
    command: Sequence[str],
    seconds: float,
    *,
    settle_s: float = 2.0,
    compiled: str = "",
    env: Mapping[str, str] = os.environ,
) -> Cost:
    """Run a program that uses the card, for so long; and end it as Ctrl-C would.

    Raises:
        RuntimeError: it ended before it had opened the card.
    """
    began_s, starts = time.monotonic(), card.mic.starts
    environment = {**env, "PYTHONPATH": f"{ROOT}:{ROOT / 'devices'}"}
    if compiled:
        environment["PYTHONPYCACHEPREFIX"] = compiled
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as it is where it was started before
    program = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def until(reached: Callable[[], bool]) -> float:
        while not reached():
            time.sleep(0.002)
            if program.poll() is not None:
                raise RuntimeError(f"it did not open the card: {' '.join(command)}")
        return (time.monotonic() - began_s) * 1000

    try:
        first_block_ms = until(lambda: card.mic.starts > starts and card.mic.appl >= BLOCK)
        start_ms = until(lambda: bool(card.mic.running and card.speaker.running))
        time.sleep(settle_s)
        members = family(program.pid)
        before_s, since_s = sum(map(cpu_s, members)), time.monotonic()
        time.sleep(seconds)
        share = (sum(map(cpu_s, members)) - before_s) / (time.monotonic() - since_s)
        return Cost(start_ms, first_block_ms, sum(map(memory_mb, members)), share * 100, len(members))
    finally:
        program.send_signal(signal.SIGINT)
        program.wait(10)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"{'':<20} {'start ms':>9} {'PSS MB':>7} {'CPU %':>6} {'processes':>10}")
    rows: dict[str, Cost] = {}
    with Card() as card, TemporaryDirectory() as compiled:
        commands = {backend: [*ECHO, "--backend", backend] for backend in BACKENDS}
        for command in commands.values():
            measured(card, command, 0.1, compiled=compiled)  # compiles
        rounds = [  # in turn, so that what else the machine does meets both
            [measured(card, command, options.seconds, compiled=compiled) for command in commands.values()]
            for _ in range(options.repeats)
        ]
        for backend, costs in zip(BACKENDS, zip(*rounds, strict=True), strict=True):
            cost = rows[backend] = middle(costs)
            print(
                f"{backend:<20} {cost.start_ms:>9.0f} {cost.memory_mb:>7.1f} {cost.cpu_percent:>6.1f} "
                f"{cost.processes:>10.0f}"
            )
    inside, outside = rows.values()
    print(
        f"{'ratio':<20} {outside.start_ms / inside.start_ms:>9.2f} "
        f"{outside.memory_mb / inside.memory_mb:>7.2f} {outside.cpu_percent / inside.cpu_percent:>6.2f}"
    )


if __name__ == "__main__":
    main()
