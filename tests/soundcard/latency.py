#!/usr/bin/env python3
"""Measures how long sound takes from the microphone through a program to the speaker, to the frame.

    latency.py [options] -- COMMAND ...

Starts COMMAND (which opens the virtual sound card and passes sound on), plays clicks into the
microphone, looks for each at the speaker, stops COMMAND with SIGINT, and prints p50/p95/max in
ms, clicks lost, and the card's own count of overruns, underruns and frames that came too late.
Both ends are read by one clock, in card frames, so the measuring itself adds no error above one
frame, however busy the machine is.
"""

from __future__ import annotations

import argparse
import array
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soundcard.card import Card

__all__ = ["main"]

_DIED, _OPENED_NOTHING = 2, 3


@dataclass(frozen=True, slots=True)
class _Counters:
    """What the card has counted so far."""

    overruns: int
    underruns: int
    late_frames: int

    @classmethod
    def of(cls, card: Card) -> _Counters:
        return cls(card.mic.xruns, card.speaker.xruns, card.speaker.late)

    def since(self, before: _Counters) -> _Counters:
        return _Counters(
            self.overruns - before.overruns,
            self.underruns - before.underruns,
            self.late_frames - before.late_frames,
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """One measurement."""

    latencies_ms: list[float | None]
    """By click; None: lost."""
    at_start: _Counters
    counted: _Counters
    wall_s: float
    died: bool

    @property
    def heard_ms(self) -> list[float]:
        return sorted(ms for ms in self.latencies_ms if ms is not None)


class _OpenedNothingError(Exception):
    """The command did not open microphone and speaker."""


def _percentile(sorted_values: Sequence[float], percent: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(percent / 100 * len(sorted_values)))]


def _onset(samples: array.array[int], floor: int) -> int | None:
    """The first frame at half of the window's peak."""
    peak = max(max(samples), -min(samples))
    if peak < floor:
        return None
    return next(i for i, sample in enumerate(samples) if abs(sample) * 2 >= peak)


def _measure(card: Card, options: argparse.Namespace, alive: Callable[[], bool]) -> list[float | None]:
    """The latency of each click, in ms."""
    count, every = options.count, int(options.every_ms * card.rate / 1000)
    spread = card.rate // 50
    rng = random.Random(options.seed)
    click = array.array("h", [12000] * (card.rate // 2000))  # 0.5 ms
    start = card.now(card.mic) + card.rate // 2
    # Spread over all positions within a block.
    at = [start + i * every + rng.randrange(spread) for i in range(count)]
    found: list[float | None] = []
    fed = 0
    while len(found) < count and alive():
        now = card.now(card.mic)
        while fed < count and at[fed] - now < card.rate:
            card.put(at[fed], click)
            fed += 1
        frame = at[len(found)]
        if now > frame + every:
            onset = _onset(card.heard(card.at_speaker(frame), every - spread), options.floor)
            found.append(None if onset is None else onset * 1000 / card.rate)
        else:
            time.sleep(0.05)
    return found


def _wait_for_streams(card: Card, alive: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not (card.mic.running and card.speaker.running):
        if not alive() or time.monotonic() > end:
            raise _OpenedNothingError
        time.sleep(0.02)


@contextmanager
def _busy_loops(count: int) -> Iterator[None]:
    loops: list[subprocess.Popen[bytes]] = []
    try:
        loops += (subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count))
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextmanager
def _running(command: Sequence[str]) -> Iterator[Callable[[], bool]]:
    """Run the command, and end it as Ctrl-C would. Gives a function that tells whether it lives."""
    with subprocess.Popen(command) as child:
        try:
            yield lambda: child.poll() is None
        finally:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                print("the command did not end within 5 s of SIGINT: killed", file=sys.stderr)
                child.kill()


def _run(card: Card, options: argparse.Namespace) -> _Run:
    before = _Counters.of(card)
    with _busy_loops(options.load), _running(options.command) as alive:
        _wait_for_streams(card, alive, options.start_timeout)
        time.sleep(options.settle)
        began, at_start = time.monotonic(), _Counters.of(card)
        latencies_ms = _measure(card, options, alive)
        wall_s, died = time.monotonic() - began, not alive()
        counted = _Counters.of(card).since(at_start)
    return _Run(latencies_ms, at_start.since(before), counted, wall_s, died)


def _report(run: _Run, options: argparse.Namespace) -> dict[str, object]:
    heard = run.heard_ms
    use = resource.getrusage(resource.RUSAGE_CHILDREN)  # would hold the busy loops too
    cpu = round((use.ru_utime + use.ru_stime) / (run.wall_s + options.settle) * 100, 1)
    report: dict[str, object] = {
        "label": options.label,
        "clicks": options.count,
        "lost": options.count - len(heard),
        "p50": round(_percentile(heard, 50), 2) if heard else None,
        "p95": round(_percentile(heard, 95), 2) if heard else None,
        "max": round(heard[-1], 2) if heard else None,
        "min": round(heard[0], 2) if heard else None,
        "overruns": run.counted.overruns,
        "underruns": run.counted.underruns,
        "late_frames": run.counted.late_frames,
        "startup_xruns": run.at_start.overruns + run.at_start.underruns,
        "cpu_percent": None if options.load else cpu,
        "load1": round(os.getloadavg()[0], 1),
        "died": run.died,
    }
    if options.json:
        report["ms"] = run.latencies_ms
    return report


def _status(run: _Run, options: argparse.Namespace) -> int:
    """The exit status: whether the command lived, and kept the limits."""
    heard = run.heard_ms
    if run.died:
        return _DIED
    if options.max_lost is not None and options.count - len(heard) > options.max_lost:
        return 1
    limit = options.max_p95_ms
    return int(limit is not None and (not heard or round(_percentile(heard, 95), 2) > limit))


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--card", help="the card's file (default: $VCARD)")
    add("--count", type=int, default=100, help="clicks")
    add("--every-ms", type=float, default=250, help="between clicks; longer than the longest latency")
    add("--settle", type=float, default=1.0, help="seconds from both streams running to the first click")
    add("--start-timeout", type=float, default=30, help="seconds for the command to open the card")
    add("--floor", type=int, default=1500, help="quietest peak that counts as a click (of 32767)")
    add("--load", type=int, default=0, metavar="N", help="busy loops to run beside the command")
    add("--seed", type=int, default=1)
    add("--label", default="")
    add("--json", action="store_true", help="every single latency too")
    add("--max-p95-ms", type=float, help="exit 1 above this")
    add("--max-lost", type=int, help="exit 1 above this")
    add("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.command[:1] == ["--"]:
        del options.command[0]
    if not options.command:
        parser.error("no command")
    if not (options.card or os.environ.get("VCARD")):
        parser.error("no card: source what `up` prints, or name its file with --card")
    return options


def main() -> int:
    """Do what the command line says. Returns the exit status."""
    options = _options()
    try:
        with Card(options.card) as card:
            run = _run(card, options)
    except _OpenedNothingError:
        print("the command did not open microphone and speaker", file=sys.stderr)
        return _OPENED_NOTHING
    print(json.dumps(_report(run, options)), flush=True)
    return _status(run, options)


if __name__ == "__main__":
    sys.exit(main())
