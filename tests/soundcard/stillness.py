"""When the machine itself stood still, and when cards counted an overrun or underrun. On one core:

    stillness.py CORE [CARD ...]

A machine whose host gives it no time stops every program, of whatever priority. This one sleeps for a
millisecond at a time, with a priority above that of sound processes, until its stdin ends; then it prints
what it saw, as JSON. Where the system does not grant it that priority it sees itself wait for other programs,
and only what the cards counted is of use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from soundcard.card import Card

__all__ = ["Seen", "seen"]

_PRIORITY = 50
_SLEEP_S = 0.001
_LEAST_S = 0.002
"""Less is no standstill."""
_SOON_S = 0.05
"""A card counts when its program runs again, and so soon after a standstill it is of it."""


@dataclass(slots=True)
class Seen:
    """Times are in seconds, of the system's monotonic clock."""

    granted: bool = True
    """The priority; without it no standstill is told from a wait for other programs, and there are none."""
    stills: list[tuple[float, float]] = field(default_factory=list)
    """Standstills: begin and end."""
    xruns: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    """By card: when, and of which direction."""

    def longest_s(self) -> float:
        """The longest standstill."""
        return max((end - begin for begin, end in self.stills), default=0.0)

    def unexplained(self, card: Card, least_s: float) -> list[tuple[float, str]]:
        """A card's overruns and underruns that stand beside no standstill of at least so long."""
        long = [(begin, end) for begin, end in self.stills if end - begin >= least_s]
        return [
            (at_s, which)
            for at_s, which in self.xruns[card.path]
            if not any(begin <= at_s <= end + _SOON_S for begin, end in long)
        ]


@contextmanager
def seen(*cards: Card) -> Iterator[Seen]:
    """Look on while the block runs; what was seen is complete behind it."""
    result = Seen(xruns={card.path: [] for card in cards})
    watchers: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        for core in sorted(os.sched_getaffinity(0)):
            # Each core may stand still alone. The cards are looked at by one of them.
            paths = [] if watchers else [card.path for card in cards]
            command = [sys.executable, __file__, str(core), *paths]
            watcher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            watchers.append(stack.enter_context(watcher))
            stack.callback(watcher.kill)
        yield result
        for watcher in watchers:
            out, _ = watcher.communicate(timeout=10)
            told = json.loads(out)
            result.granted = told["granted"]
            if result.granted:
                result.stills += [(begin, end) for begin, end in told["stills"]]
            for path, at_s, which in told["xruns"]:
                result.xruns[path].append((at_s, which))


def _look_on(cards: Sequence[Card], over: threading.Event) -> dict[str, list[tuple[object, ...]]]:
    stills: list[tuple[object, ...]] = []
    xruns: list[tuple[object, ...]] = []
    directions = [(card.path, which, getattr(card, which)) for card in cards for which in ("mic", "speaker")]
    counts = [direction.xruns for _, _, direction in directions]
    last_s = time.monotonic()
    while not over.is_set():
        time.sleep(_SLEEP_S)
        now_s = time.monotonic()
        if now_s - last_s > _SLEEP_S + _LEAST_S:
            stills.append((last_s, now_s))
        last_s = now_s
        for at, (path, which, direction) in enumerate(directions):
            if (count := direction.xruns) != counts[at]:
                xruns += [(path, now_s, which)] * (count - counts[at])
                counts[at] = count
    return {"stills": stills, "xruns": xruns}


def _wait_for_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> None:
    """Look on until stdin ends."""
    over, granted = threading.Event(), True
    os.sched_setaffinity(0, {int(sys.argv[1])})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except PermissionError:
        granted = False
    threading.Thread(target=_wait_for_the_end, args=[over], daemon=True).start()
    print(json.dumps({"granted": granted, **_look_on([Card(path) for path in sys.argv[2:]], over)}))


if __name__ == "__main__":
    main()
