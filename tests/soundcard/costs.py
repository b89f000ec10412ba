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
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # run by its path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soundcard.card import Card

ROOT = Path(__file__).parents[2]
ECHO = [sys.executable, "-m", "voicepipe.echo", "--live", "--rate", "48000", "--block", "480"]
BACKENDS = ("portaudio:inside", "portaudio:outside")
DEVICES = ["--latency", "0.04", "--mic", "vcard", "--speaker", "vcard"]


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
    """Processor time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(card: Card, backend: str, seconds: float, compiled: str) -> tuple[float, float, float, int]:
    """Start-up in ms, memory in MB, share of a core in percent, processes."""
    began_s = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'devices'}", "PYTHONPYCACHEPREFIX": compiled}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as it is where it was started before
    program = subprocess.Popen(
        [*ECHO, *DEVICES, "--backend", backend], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while not (card.mic.running and card.speaker.running):
            time.sleep(0.002)
            if program.poll() is not None:
                sys.exit("it did not open the card")
        start_s = time.monotonic() - began_s
        time.sleep(2.0)
        members = family(program.pid)
        before_s, since_s = sum(map(cpu_s, members)), time.monotonic()
        time.sleep(seconds)
        share = (sum(map(cpu_s, members)) - before_s) / (time.monotonic() - since_s)
        return start_s * 1000, sum(map(memory_mb, members)), share * 100, len(members)
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
    rows: dict[str, list[float]] = {}
    with Card() as card, TemporaryDirectory() as compiled:
        for backend in BACKENDS:
            measured(card, backend, 0.1, compiled)  # compiles
        rounds = [  # in turn, so that what else the machine does meets both
            [measured(card, backend, options.seconds, compiled) for backend in BACKENDS]
            for _ in range(options.repeats)
        ]
        for backend, runs in zip(BACKENDS, zip(*rounds, strict=True), strict=True):
            rows[backend] = [statistics.median(column) for column in zip(*runs, strict=True)]
            start_ms, memory, share, processes = rows[backend]
            print(f"{backend:<20} {start_ms:>9.0f} {memory:>7.1f} {share:>6.1f} {processes:>10.0f}")
    ratios = [b / a for a, b in zip(*rows.values(), strict=True)]
    print(f"{'ratio':<20} {ratios[0]:>9.2f} {ratios[1]:>7.2f} {ratios[2]:>6.2f}")


if __name__ == "__main__":
    main()
