"""Plays scenarios of runs that are stopped at any moment, in any way, and holds them against the rules.

    python tests/long/simulate.py 20000              # seeds 0 to 19,999, a process for each core
    python tests/long/simulate.py 300 --from 1000    # 300 seeds from 1,000 on
    python tests/long/simulate.py --seed 4711        # one of them, told in full: how a red one is replayed

The exit status is 1 if a rule was broken. What the simulation is, and what it cannot see, is in
`tests/properties/simulation/__init__.py`.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from properties.simulation.play import play
from properties.simulation.rules import broken_rules, check
from properties.simulation.scenario import Scenario

_CHUNK = 50
HANGS_S = 60
"""A scenario that takes so long, in real time, never ends."""


def check_all(seeds: Iterable[int]) -> list[tuple[int, list[str]]]:
    """The seeds that broke a rule, with what they broke."""
    found = [(seed, broken) for seed in seeds if (broken := check(seed))]
    gc.collect()
    return found


def tell(seed: int) -> list[str]:
    """Play one scenario and print everything."""
    scenario = Scenario.of(seed)
    print(scenario)
    played = play(scenario)
    print("\n".join(str(entry) for entry in played.journal.entries))
    for run in played.runs:
        print(f"{run.spec.name}: {run.error!r}\n{run.task.report}")
        print("\n".join(f"  {seam}" for seam in run.task.report.seams) if run.task.report else "")
    broken = broken_rules(played)
    print("\n".join(f"BROKEN: {line}" for line in broken) or "every rule holds")
    return broken


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Play scenarios, and hold them against the rules.")
    parser.add_argument("count", nargs="?", type=int, default=300, help="how many seeds (300)")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first of them (0)")
    parser.add_argument("--seed", type=int, help="play this one only, and tell everything")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--first-red", action="store_true", help="stop at the first seed that breaks a rule")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return bool(tell(chosen.seed))
    seeds = range(chosen.first, chosen.first + chosen.count)
    if chosen.first_red:
        return _first_red(seeds)
    began = time.monotonic()
    chunks = [seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)]
    red = 0
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for found in pool.map(check_all, chunks):
            for seed, broken in found:
                red += 1
                print(f"seed {seed}: python tests/long/simulate.py --seed {seed}")
                print("\n".join(f"  {line}" for line in broken), flush=True)
    print(f"{len(seeds)} seeds, {red} red, in {time.monotonic() - began:.0f} s")
    return bool(red)


def _first_red(seeds: range) -> int:
    for seed in seeds:
        print(f"seed {seed}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        broken = check(seed)
        if broken:
            print(f"seed {seed}: {broken[0]}")
            return 1
    faulthandler.cancel_dump_traceback_later()
    return 0


if __name__ == "__main__":
    sys.exit(main())
