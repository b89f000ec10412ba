#!/usr/bin/env python3
"""Is live echo as near as one block to the bare callback? Eight starts of each in turn, on a card of its own:

    python tests/soundcard/starts.py [--starts 8] [--clicks 60]

Prints the latency of each start as latency.py measures it, the median of the starts, and how many blocks of
480 frames the echo is behind. How the clocks of microphone and speaker stand to each other is another with
each start, and so is the latency of both programs: hence the median of several.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

if __name__ == "__main__":  # run by its path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soundcard.plugging import HERE, PluggedCard, plugged

__all__ = ["main"]

_BLOCK, _RATE = 480, 48000
_STREAMS = ("--rate", str(_RATE), "--block", str(_BLOCK), "--latency", "low")
_PROGRAMS = {
    "callback": (str(HERE / "wire.py"), "duplex", *_STREAMS),
    "echo": ("-m", "voicepipe.echo", "--live", *_STREAMS, "--mic", "vcard", "--speaker", "vcard"),
}


def _start(card: PluggedCard, program: tuple[str, ...], clicks: int) -> dict[str, Any]:
    """What latency.py reports of one start."""
    measure = [sys.executable, str(HERE / "latency.py"), "--count", str(clicks)]
    done = subprocess.run(
        [*measure, "--", sys.executable, *program],
        env={**os.environ, **card.env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(program)} ended with status {done.returncode}: {done.stderr.strip()}")
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--starts", type=int, default=8, help="of each program")
    parser.add_argument("--clicks", type=int, default=60, help="to measure with, in each start")
    return parser.parse_args()


def main() -> None:
    """Do what the command line says."""
    options = _options()
    medians: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    print("ms          min    p50    p95    max   lost  overruns  underruns", flush=True)
    with TemporaryDirectory() as directory, plugged(Path(directory)) as card:
        for _ in range(options.starts):
            for name, program in _PROGRAMS.items():
                got = _start(card, program, options.clicks)
                medians[name].append(got["p50"])
                times = "".join(f"{got[figure]:>7.2f}" for figure in ("min", "p50", "p95", "max"))
                counts = f"{got['lost']:>7}{got['overruns']:>10}{got['underruns']:>11}"
                print(f"{name:<8}{times}{counts}", flush=True)
    callback, echo = (statistics.median(medians[name]) for name in _PROGRAMS)
    behind = (echo - callback) / (_BLOCK * 1000 / _RATE)
    print(f"median of the starts: callback {callback:.2f}, echo {echo:.2f}: {behind:.3f} blocks behind")


if __name__ == "__main__":
    main()
