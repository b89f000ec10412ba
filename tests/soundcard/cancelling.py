"""How well is the echo cancelled through real PortAudio? A program speaks on and on, on a card in a room.

    python tests/soundcard/cancelling.py                 # every row, 30 s each
    python tests/soundcard/cancelling.py drift+ losses --seconds 300

The reduction is from the bare microphone to what voice detection hears, in dB: in the first seconds of the
echo, and later. A row tells, too, how often the program took itself for a user.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from soundcard.plugging import HERE, CannotRunError, PluggedCard, plugged
from soundcard.rooms import ProgramOnCard
from soundcard.test_standing_still import busy_loops
from voicepipe.testing import room_impulse

__all__ = ["ECHO_DB", "SpeakingOnCard", "in_room", "main"]

ECHO_DB = -50.0
"""A microphone that hears the program is louder."""
STEP_S = 0.1
"""The time of one line of the program."""
LOSS_S, LOSSES_EVERY_S = 0.02, 3.3
"""Ninety in five minutes."""


class SpeakingOnCard(ProgramOnCard):
    """The program that speaks on and on, and tells the levels: `speaking.py`."""

    def __init__(self, card: PluggedCard, device: str, engine: str = "") -> None:
        super().__init__(card, str(HERE / "speaking.py"), device, engine)

    def lines(self, what: str) -> list[dict[str, Any]]:
        """Return what it has told so far."""
        whole = self.out[: self.out.rfind("\n") + 1].splitlines()
        return [line for line in map(json.loads, whole) if line["what"] == what]

    def levels(self, from_s: float, to_s: float = float("inf")) -> list[dict[str, Any]]:
        """Return the levels of that time."""
        return [line for line in self.lines("level") if from_s <= line["at_s"] < to_s]

    def reduction_db(self, from_s: float, seconds: float) -> float | None:
        """Return the reduction of the echo in that time; None: not known yet, or there was no echo."""
        lines = self.levels(from_s, from_s + seconds)
        if len(lines) < round(seconds / STEP_S) - 1:
            return None
        mic, ear = (np.mean([10 ** (line[key] / 10) for line in lines]) for key in ("mic_db", "ear_db"))
        return None if mic < 10 ** (ECHO_DB / 10) else float(10 * np.log10(mic / ear))

    def first_echo_s(self, since_s: float, within_s: float) -> float:
        """Wait for an echo that is captured since then; return its time."""

        def found() -> list[float]:
            return [line["at_s"] for line in self.levels(since_s) if line["mic_db"] > ECHO_DB]

        self.wait_for(found, within_s, "an echo")
        return found()[0]

    @property
    def disturbed(self) -> tuple[int, ...]:
        """Counts that grow where the machine held up the sound: the card's own, and the program's gaps."""
        mic, speaker = self.card.mic, self.card.speaker
        gaps = [line["gaps"] for line in self.lines("level")]
        return (mic.xruns, speaker.xruns, speaker.late, *gaps[-1:])

    def wait_for(self, fact: Callable[[], object], within_s: float, what: str) -> Self:
        """Wait until something is so."""
        deadline = time.monotonic() + within_s
        while not fact():
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
            time.sleep(0.05)  # the program tells by lines, and a card has no event
        return self


def in_room(card: PluggedCard) -> None:
    """Put a card into a room."""
    card.room(room_impulse(card.rate, level_db=-12.0, seed=3).tolist())


@dataclass(frozen=True, slots=True)
class Condition:
    """One row."""

    ppm: int = 0
    loses: str = ""
    busy: int = 0
    clip: float = 0.0
    moved: bool = False


CONDITIONS = {
    "plain": Condition(),
    "drift+": Condition(ppm=150),
    "drift-": Condition(ppm=-150),
    "losses": Condition(loses="mic"),
    "losses-speaker": Condition(loses="speaker"),
    "busy": Condition(busy=2),
    "clip4": Condition(clip=4.0),
    "clip8": Condition(clip=8.0),
    "moved": Condition(moved=True),
}


def measure(card: PluggedCard, condition: Condition, seconds: float, engine: str) -> dict[str, Any]:
    """Let the program speak for so long; return the row."""
    in_room(card)
    if condition.clip:
        card.room(room_impulse(card.rate, level_db=-12.0, seed=3).tolist(), condition.clip)
    card.clock("speaker", condition.ppm)
    if condition.loses:
        card.loss(condition.loses, LOSS_S, LOSSES_EVERY_S)
    load: AbstractContextManager[object] = busy_loops(condition.busy) if condition.busy else nullcontext()
    with load, SpeakingOnCard(card, "vcard", engine) as program:
        began_s = program.has_opened().first_echo_s(0.0, 20.0)
        changed_s = began_s + seconds / 2
        if condition.moved:
            time.sleep(max(0.0, changed_s - time.monotonic()))  # half of the row, by the real clock
            card.room(room_impulse(card.rate, level_db=-12.0, seed=4).tolist())
            changed_s = time.monotonic()
        time.sleep(max(0.0, began_s + seconds - time.monotonic()))  # the rest of the row, likewise
        row = {
            "1 to 2 s": program.reduction_db(began_s + 1, 1),
            "2 to 5 s": program.reduction_db(began_s + 2, 3),
            "later": program.reduction_db(began_s + 5, seconds - 6),
            "worst second": min(
                (
                    found
                    for s in range(2, int(seconds) - 2)
                    if (found := program.reduction_db(began_s + s, 1))
                ),
                default=None,
            ),
            "own turns": len(program.lines("UserStartedSpeakingFrame")),
            "xruns": card.mic.xruns + card.speaker.xruns,
            "lost": round((card.mic.lost + card.speaker.lost) / card.rate / LOSS_S),
        }
        if condition.moved:
            row["2 to 4 s after"] = program.reduction_db(changed_s + 2, 2)
        program.write("\n").end()
        return row


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each condition. Returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", default=[*CONDITIONS], help=", ".join(CONDITIONS))
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--engine", default="silero", help="the voice detection")
    options = parser.parse_args(arguments)
    if wrong := set(options.rows) - set(CONDITIONS):
        parser.error(f"unknown row {', '.join(sorted(wrong))}; choose {', '.join(CONDITIONS)}")
    for name in options.rows:
        try:
            with TemporaryDirectory() as folder, plugged(Path(folder) / name) as card:
                row = measure(card, CONDITIONS[name], options.seconds, options.engine)
        except CannotRunError as error:
            print(f"cancelling.py: {error}", file=sys.stderr)
            return 2
        told = (
            f"{key}: {value:.1f}" if isinstance(value, float) else f"{key}: {value}"
            for key, value in row.items()
        )
        print(f"{name:15} {', '.join(told)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
