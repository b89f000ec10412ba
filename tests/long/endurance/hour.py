#!/usr/bin/env python3
"""An hour of the echo program on the virtual card, through real PortAudio, with devices that are lost:

    python tests/long/endurance/hour.py FOLDER [--seconds 3600] [--losses 12] [--ppm 60]

It hears a sound that never ends, with speech in it, and passes it on; microphone and speaker have clocks of
their own. Once a second it is noted what came through, how late, what the program says of itself (as
`voicepipe status --json` shows it), and what its processes use. FOLDER gets `seconds.jsonl`, `minutes.csv`,
`program.log`, `verdict.json` and, where there is matplotlib, `picture.png`; the verdict is printed. The exit
status is 1 where something failed.
"""

from __future__ import annotations

import argparse
import array
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from long.endurance.check import Check
from long.endurance.minutes import write_minutes
from long.endurance.picture import draw
from long.endurance.service import Footprint, Service
from long.endurance.through import Sound
from long.endurance.verdict import checks
from soundcard.plugging import PluggedCard, plugged
from soundcard.rooms import load_wav
from soundcard.servers import processes_with
from soundcard.stillness import Seen, seen

__all__ = ["Loss", "live", "losses", "main"]

SPEECH = Path(__file__).parents[3] / "voicepipe" / "data" / "speech.wav"
LOG = "seconds.jsonl"
SPOKEN_S = 1.6
AHEAD_S = 3.0
"""So much sound is put into the card before it is due."""
LATER_S = 0.4
"""A second is looked at so long after it has sounded."""
SETTLE_S = 3.0
"""After the start, before anything is noted."""
BLOCK_S = 0.01
"""Of the program."""
FAULTS = (
    ("mic", "unplug"),
    ("speaker", "unplug"),
    ("both", "stall"),
    ("mic", "vanish"),
    ("both", "unplug"),
    ("speaker", "stall"),
    ("mic", "stall"),
    ("speaker", "vanish"),
)


@dataclass(frozen=True, slots=True)
class Loss:
    """A device that is away for a while. Times in seconds since the first one that is noted."""

    begin_s: float
    end_s: float
    which: str
    kind: str


def losses(seconds: float, count: int) -> list[Loss]:
    """So many, spread over that time, each of another kind; the same ones each time."""
    rng = random.Random(9)
    every_s = seconds / (count + 0.5) if count else 0.0
    begins = [(number + 0.5) * every_s for number in range(count)]
    return [
        Loss(begin_s, begin_s + rng.uniform(2.0, min(8.0, every_s / 3)), *FAULTS[number % len(FAULTS)])
        for number, begin_s in enumerate(begins)
    ]


def live(card: PluggedCard, folder: Path, seconds: float, away: Sequence[Loss], ppm: int) -> list[Check]:
    """Run it for so long, write what was seen to the folder, and judge it.

    Raises:
        AssertionError: the program does not start, or does not end.
    """
    card.clock("mic", ppm)
    card.clock("speaker", 0)
    noted: list[dict[str, Any]] = []
    with TemporaryDirectory() as sockets, ExitStack() as stack:
        service = stack.enter_context(Service(card, Path(sockets), *(["--steady"] if ppm else [])))
        watch = stack.enter_context(seen(card))
        with open(folder / LOG, "w", encoding="utf-8") as log:
            for second in _seconds(card, service, seconds, away):
                noted.append(second)
                print(json.dumps(second), file=log, flush=True)
        ended = service.send(signal.SIGINT).end()
        left = processes_with("VCARD", card.path)
    _note_standstills(noted, watch)
    _write(folder, noted)
    (folder / "program.log").write_text(f"{ended.out}\n{ended.err}", encoding="utf-8")
    return checks(noted, away, ended, left, seconds)


def _seconds(
    card: PluggedCard, service: Service, seconds: float, away: Sequence[Loss]
) -> Iterator[dict[str, Any]]:
    """What there is to note, once a second."""
    sound = Sound(card.rate, load_wav(SPEECH, card.rate)[: round(SPOKEN_S * card.rate)])
    feeding = _Feeding(card, sound)
    feeding.go_on()
    service.has_opened()
    until_s = time.monotonic() + SETTLE_S
    while time.monotonic() < until_s:
        feeding.go_on()
        time.sleep(0.05)
    footprint = Footprint(service.pid)
    begin_s = time.monotonic()
    first = card.now() - round(LATER_S * card.rate)
    for number in range(round(seconds)):
        due_s = begin_s + number + 1
        while (left_s := due_s - time.monotonic()) > 0:
            feeding.go_on()
            _bring_about(card, away, time.monotonic() - begin_s)
            time.sleep(min(left_s, 0.05))
        if service.has_ended:
            return
        try:
            noted = _second(card, service, footprint, sound, first + number * card.rate)
        except OSError:
            continue  # it did not answer: this second is missing in the end
        yield {"t_s": number + 1, "monotonic_s": round(time.monotonic(), 3), **noted}
    card.fault("both", "none")


def _second(
    card: PluggedCard, service: Service, footprint: Footprint, sound: Sound, frame: int
) -> dict[str, Any]:
    """What sounded in the second from that frame of the speaker on, and how the program is.

    `silence`: samples that the speaker was given because nothing waited for it.
    `not_played`: those that were dropped before it.
    """
    played = np.array(card.heard(frame, card.rate), dtype=np.int16)
    heard = sound.heard(played, _at_microphone(card, frame))
    unpinged_s = service.notices()
    asked = card.now(card.mic)
    (task,) = (status := service.status())["tasks"]
    answered = card.now(card.mic)
    mic, speaker = task["statistics"]
    drift = task["seams"][-1]["dropped"].get("drift", 0)
    return {
        "latency_ms": None if heard.latency_s is None else round(1e3 * heard.latency_s, 2),
        "missing_ms": round(1e3 * heard.missing_s),
        "mic_fill_ms": round(1e3 * mic["fill_s"], 2),
        "speaker_fill_ms": round(1e3 * speaker["fill_s"], 2),
        "lost": [device["kind"] for device in task["statistics"] if device["lost"]],
        "dropped": task["dropped"],
        "drift": drift,
        "taken": next(seam["taken"] for seam in task["seams"] if seam["name"] == "the microphone device"),
        "unbalanced": [seam["name"] for seam in task["seams"] if not _is_balanced(seam)],
        "mic": {name: mic[name] for name in ("blocks", "overflow", "late", "reconnections")},
        "speaker": {name: speaker[name] for name in ("blocks", "underflow", "late", "reconnections")},
        "silence": round(BLOCK_S * speaker["rate"]) * speaker["blocks"] - speaker["samples"],
        "not_played": sum(task["seams"][-1]["dropped"].values()) - drift,
        "errors": len(task["errors"]),
        "open": {kind: len(found) for kind, found in status["census"].items()},
        "unpinged_s": round(unpinged_s, 2),
        "ready": service.is_ready,
        "card": {
            "frame": answered,
            "asked": asked,  # it counted at some moment between these two
            "overruns": card.mic.xruns,
            "underruns": card.speaker.xruns,
        },
        "load": round(os.getloadavg()[0], 2),
        **footprint.now(),
    }


def _is_balanced(seam: dict[str, Any]) -> bool:
    """What went in came out, is held, or was dropped for a reason."""
    return bool(seam["taken"] == seam["given"] + seam["held"] + sum(seam["dropped"].values()))


def _at_microphone(card: PluggedCard, frame: int) -> int:
    """The microphone's frame at the moment of a speaker's."""
    guess = frame
    for _ in range(3):
        guess += frame - card.at_speaker(guess)
    return guess


class _Feeding:
    """Puts the sound into the microphone, a while before it is due."""

    def __init__(self, card: PluggedCard, sound: Sound) -> None:
        self._card, self._sound = card, sound
        self._next = card.now(card.mic)

    def go_on(self) -> None:
        """Often enough, at least every second."""
        card = self._card
        until = card.now(card.mic) + round(AHEAD_S * card.rate)
        if until - self._next >= card.rate // 2:
            samples = self._sound.at(self._next, until - self._next)
            card.put(self._next, array.array("h", samples.tobytes()))
            self._next = until


def _bring_about(card: PluggedCard, away: Sequence[Loss], now_s: float) -> None:
    """Set the fault of this moment."""
    wanted = dict.fromkeys(("mic", "speaker"), "none")
    for loss in away:
        if loss.begin_s <= now_s < loss.end_s:
            wanted |= {which: loss.kind for which in wanted if loss.which in (which, "both")}
    for which, kind in wanted.items():
        card.fault(which, kind)


def _note_standstills(noted: Sequence[dict[str, Any]], watch: Seen) -> None:
    """For how long the machine itself stood still at most, in the second before each note."""
    for second in noted:
        end_s = second["monotonic_s"]
        within = [end - begin for begin, end in watch.stills if end_s - 1 < end <= end_s]
        second["stood_still_ms"] = round(1e3 * max(within, default=0.0), 1)


def _write(folder: Path, noted: Sequence[dict[str, Any]]) -> None:
    """What was noted, once more, for standstills are known only at the end."""
    lines = "".join(json.dumps(second) + "\n" for second in noted)
    (folder / LOG).write_text(lines, encoding="utf-8")


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new one")
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--losses", type=int, default=12, help="how often a device is lost")
    parser.add_argument("--ppm", type=int, default=60, help="how much faster the microphone's clock runs")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says. Returns the exit status."""
    options = _options()
    options.folder.mkdir(parents=True)
    away = losses(options.seconds, options.losses)
    with TemporaryDirectory() as directory, plugged(Path(directory)) as card:
        verdict = live(card, options.folder, options.seconds, away, options.ppm)
    for check in verdict:
        print(check)
    told = [check.as_dict() for check in verdict]
    (options.folder / "verdict.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    write_minutes(options.folder / LOG, options.folder / "minutes.csv")
    draw(options.folder / LOG, options.folder / "picture.png")
    return 0 if all(check.holds for check in verdict) else 1


if __name__ == "__main__":
    sys.exit(main())
