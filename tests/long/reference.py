"""Tries to lead the canceller's reference astray: random clocks, and losses that nobody tells of.

    python tests/long/reference.py 1000            # seeds from 0 on; the status is 1 if a rule is broken
    python tests/long/reference.py 1 --from 25     # one of them
    python tests/long/reference.py --losses 90     # so many losses in five minutes, and a filter behind it

The clocks are arithmetic: a seed of 40 s takes about half a second.
"""

from __future__ import annotations

import argparse
import sys
from bisect import bisect_left
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from canceller.echo_path import Residue, echo_left, erle_db
from canceller.scripted_clocks import Device, Jump, Room, card, losses
from canceller.scripts import broken_rules, script

SECONDS = 300.0
WANTED_DB = 25.0
WITHIN_S = 1.0
LOOK_S = 0.1
HEARD = 0.01
"""The power of a look's echo from which the reduction can be measured."""


def try_seeds(first: int, count: int) -> bool:
    """Try so many scripts, and print what is broken; return True if nothing is."""
    red = 0
    for seed in range(first, first + count):
        broken = list(broken_rules(script(seed)))
        red += bool(broken)
        for rule in broken:
            print(f"seed {seed}: {rule}", flush=True)
    print(f"{count} seeds, {red} red")
    return not red


def try_losses(count: int, ppm: float, side: str) -> bool:
    """Print how soon the echo is reduced again after each loss; return True if all are in time."""
    jumps = losses(count, SECONDS - 3.0, 1)
    mic = Device(jitter=card, jumps=jumps if side == "microphone" else ())
    speaker = Device(jitter=card, ppm=ppm, jumps=jumps if side == "speaker" else ())
    looks = list(echo_left(Room(mic, (speaker,), SECONDS, seed=1)))
    times, best = (
        sorted(took for jump in jumps if (took := _took_s(looks, jump, jumps, of_truth=of_truth)) is not None)
        for of_truth in (False, True)
    )
    late_ones = sum(took > WITHIN_S for took in times)
    print(f"{side}, {ppm:+.0f} ppm, {count} losses: {WANTED_DB:.0f} dB again after {_spread(times)} of sound")
    print(f"    with the true reference after {_spread(best)}")
    print(
        f"    over all {erle_db(looks, 5, SECONDS):.1f} dB, "
        f"with the true reference {erle_db(looks, 5, SECONDS, of_truth=True):.1f} dB; "
        f"later than {WITHIN_S:.0f} s: {late_ones}"
    )
    return not late_ones


def _spread(times: list[float]) -> str:
    middle, most = times[len(times) // 2], times[len(times) * 95 // 100]
    return f"p50 {middle:.1f}, p95 {most:.1f}, max {times[-1]:.1f} s ({len(times)} measured)"


def _took_s(
    looks: list[Residue], jump: Jump, jumps: tuple[Jump, ...], *, of_truth: bool = False
) -> float | None:
    """Return the seconds of sound from a loss to the first look with enough reduction; None: another came."""
    at_s = jump.at_s + jump.by_s
    end_s = min((other.at_s for other in jumps if other.at_s > jump.at_s), default=SECONDS)
    took_s = 0.0
    while at_s + LOOK_S < end_s:
        first = bisect_left(looks, at_s, key=lambda one: one.at_s)
        those = [one for one in looks[first : first + 20] if one.at_s < at_s + LOOK_S]
        at_s += LOOK_S
        if sum(one.echo for one in those) < HEARD:
            continue
        if erle_db(those, 0.0, SECONDS, of_truth=of_truth) >= WANTED_DB:
            return took_s
        took_s += LOOK_S
    return None


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seeds", nargs="?", type=int, default=0)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--losses", type=int, default=0)
    options = parser.parse_args()
    well = try_seeds(options.first, options.seeds) if options.seeds else True
    if options.losses:
        for side in ("microphone", "speaker"):
            for ppm in (0.0, 150.0):
                well &= try_losses(options.losses, ppm, side)
    return not well


if __name__ == "__main__":
    sys.exit(main())
