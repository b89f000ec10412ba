"""How soon is a program silent that is interrupted? Through real PortAudio, on a virtual card of its own.

    python tests/benchmarks/barge_in.py                # every row, 60 interruptions each
    python tests/benchmarks/barge_in.py --busy         # beside two busy loops
    python tests/benchmarks/barge_in.py --count 20 --only fact,silero
    python tests/benchmarks/barge_in.py --only echo-6,echo-0 [FOLDER]   # in a room, with the canceller

The program speaks; at a random moment it is interrupted. Times are from the decision, or from the user's
first sound at the microphone, to the last sample that sounds at the speaker, by the card's own record. In
the rows with an echo the microphone hears the speaker, so much softer than the user, and the canceller runs;
in all others it does not, as with headphones. The exit status is 1 where the speaker is silent later than
promised, or an interruption was missed.

FOLDER: labelled speech, whose users interrupt in a room (default: $VOICEPIPE_LABELLED_SPEECH). Without it the
bundled voice does.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

if __name__ == "__main__":  # run by its path
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (1, 2)]

import numpy as np
import soxr

from benchmarks.cancelling.rooms import room, through
from benchmarks.cancelling.voices import USER_DB, program, utterances
from benchmarks.figures import percentile
from benchmarks.hearing.conditions import MissingSpeechError
from benchmarks.table import Cell, Table
from soundcard.plugging import CannotRunError, PluggedCard, plugged
from soundcard.rooms import ProgramOnCard, Samples, load_wav
from soundcard.test_standing_still import busy_loops

__all__ = ["main", "row_of", "words_of"]

RATE = 48_000
BLOCK_S, SPARE_S = 0.02, 0.03
LOUD = 300
"""Louder than what a converter leaves of silence; 0 to 32767."""
ORDERS = {"task": "task.interrupt()", "stage": "a stage's InterruptionFrame", "fact": "the user's start"}
ENGINES = ("webrtc", "silero")
ECHOES = {"echo-6": -6.0, "echo-0": 0.0}
"""The level of the echo at the microphone, beside that of the user, in dB."""
ECHO_GOALS_S = (0.2, 0.3)
"""From the first sound of the user to silence, in a room with an echo of -6 dB: half of all, and 95 %."""
FLOOR = 40
"""In a room the program has no pause: a little noise, louder than that, lies under its words."""
SOONEST_S = 0.03
"""A start that is told earlier behind the first sound was not the user's."""
MOST_FALSE = 30
WITHIN_S = 1.5
"""Within which the program is silent, or has missed it."""
_PROGRAM = str(Path(__file__).with_name("barge_in_program.py"))
_SPEECH = Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav"


@dataclass(slots=True)
class Found:
    """The times of one way to interrupt, in seconds."""

    silent: list[float] = field(default_factory=list)
    """From the decision to silence."""
    decided: list[float] = field(default_factory=list)
    """From the first sound to the decision."""
    whole: list[float] = field(default_factory=list)
    """From the first sound to silence."""
    missed: int = 0
    false: int = 0
    """Starts of the user where nobody spoke: the program has taken itself for one."""


class Speaking(ProgramOnCard):
    """The program on its card."""

    def __init__(self, card: PluggedCard, engine: str, voice: str = "") -> None:
        super().__init__(card, _PROGRAM, engine, voice, flags=())
        self._seen = 0
        self.loud = FLOOR // 2 if voice else LOUD
        self.early: list[float] = []
        """The starts that were told before what was waited for."""

    def order(self, order: str) -> None:
        """Let it do that."""
        self.write(f"{order}\n")

    def told(self, what: str, within_s: float, since_s: float = 0.0) -> float | None:
        """Return the time of the next line that tells that, since then; None if none comes in time.

        Where the card has lost audio in a turn, there is one start more.
        """
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            lines = self.out.splitlines(keepends=True)
            while self._seen < len(lines) and lines[self._seen].endswith("\n"):
                line = json.loads(lines[self._seen])
                self._seen += 1
                if line["what"] == what and line["at_s"] >= since_s:
                    return float(line["at_s"])
                if line["what"] == "started":
                    self.early.append(float(line["at_s"]))
            time.sleep(0.005)  # another process writes the line: it has to be looked at
        return None

    def speaks(self) -> None:
        """Wait until it has been heard for a random time."""
        self.order("play")
        deadline = time.monotonic() + 5
        while not np.any(np.abs(self.heard(self.card.now(), RATE // 50)) > self.loud):
            if time.monotonic() > deadline:
                raise RuntimeError(f"it does not speak: {self.end()}")
        time.sleep(random.uniform(0.2, 0.8))  # the random moment is what is measured

    def silent_s(self, since_s: float) -> float | None:
        """Return the moment of its last sample; None if it goes on for too long."""
        epoch_s = self.card.speaker.epoch_ns / 1e9
        begin = round((since_s - epoch_s) * RATE)
        loud = np.flatnonzero(np.abs(self.heard(begin, round(WITHIN_S * RATE)).astype(np.int32)) > self.loud)
        if len(loud) == 0:
            return since_s
        last = int(loud[-1]) + 1
        return None if last > (WITHIN_S - 0.1) * RATE else epoch_s + (begin + last) / RATE


def words_of(speech: Samples) -> list[Samples]:
    """Return beginnings of speech, 0.8 s each, cut at their first sound: those after 0.1 s of quiet."""
    size = RATE // 100
    level = np.abs(speech[: len(speech) // size * size].astype(np.int32)).reshape(-1, size).max(axis=1)
    loud = level > level.max() // 10
    begins = [at for at in range(10, len(loud) - 80) if loud[at] and not loud[at - 10 : at].any()]
    return [speech[at * size : at * size + round(0.8 * RATE)] for at in begins]


def by_order(program: Speaking, order: str, count: int) -> Found:
    """Interrupt so often by an order."""
    found = Found()
    for _ in range(count):
        program.speaks()
        program.order(order)
        at_s = program.told("started" if order == "fact" else "decided", 2.0)
        silent_s = None if at_s is None else program.silent_s(at_s)
        if at_s is None or silent_s is None:
            found.missed += 1
            program.order("task")
            time.sleep(WITHIN_S)  # so that the next one does not hear what is left of this one
        else:
            found.silent.append(silent_s - at_s)
    return found


def by_ear(program: Speaking, words: list[Samples], count: int) -> Found:
    """Interrupt so often by words."""
    found = Found()
    while count > 0 and found.false < MOST_FALSE:
        began_s = time.monotonic()
        program.speaks()
        start = program.say(random.choice(words), after_s=0.1)
        first_s = program.card.mic.epoch_ns / 1e9 + start / RATE
        at_s = program.told("started", 2.0, first_s + SOONEST_S)
        if any(began_s < early_s for early_s in program.early):  # it was silent before the user spoke
            found.false += 1
            program.early.clear()
            program.order("task")
            time.sleep(WITHIN_S)  # the user is heard meanwhile, by the real clock
            continue
        count -= 1
        silent_s = None if at_s is None else program.silent_s(max(first_s, at_s - 0.05))
        if at_s is None or silent_s is None:
            found.missed += 1
            program.order("task")
            time.sleep(WITHIN_S)  # so that the next one does not hear what is left of this one
        else:
            found.silent.append(silent_s - at_s)
            found.decided.append(at_s - first_s)
            found.whole.append(silent_s - first_s)
        program.told("stopped", 3.0)
    return found


def voice_for(folder: Path, echo_db: float) -> tuple[str, list[float]]:
    """Return a file of the program's words, and a room in which their echo has that level beside a user.

    Raises:
        MissingSpeechError: there is no synthesiser, or another voice.
    """
    spoken = program(10.0, seed=7)
    spoken = spoken + np.random.default_rng(7).choice([-1, 1], len(spoken)) * FLOOR / 32_768
    way = room(1, 0.3).impulse
    way = way * 10 ** ((USER_DB + echo_db) / 20) / np.std(through(spoken, way))
    file = folder / "voice.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(np.clip(np.rint(spoken * 32_767), -32_767, 32_767).astype("<i2").tobytes())
    return str(file), (soxr.resample(way, 16_000, RATE, "VHQ") / 3).tolist()  # three taps for each


def users(folder: str | None) -> list[Samples]:
    """Return the beginnings of what users say in a room, `USER_DB` loud."""
    if folder is None:
        spoken = [load_wav(_SPEECH, RATE).astype(np.float64) / 32_768]
    else:
        spoken = [soxr.resample(said.audio, 16_000, RATE) for said in utterances(Path(folder), 1.0)]
    words = []
    for audio in spoken:
        levelled = audio * 10 ** (USER_DB / 20) / np.std(audio)
        quiet = np.zeros(RATE // 5)
        words += words_of(np.rint(32_767 * np.concatenate([quiet, levelled, quiet])).astype(np.int16))[:3]
    return words


def _rows(options: argparse.Namespace, folder: Path) -> Iterator[tuple[tuple[Cell, ...], str]]:
    """Yield the rows, and what each row's limit has to say."""
    for name in options.only:
        with ExitStack() as stack:
            card = stack.enter_context(plugged(folder / name))
            engine, voice = name if name in ENGINES else "", ""
            if name in ECHOES:
                voice, way = voice_for(folder, ECHOES[name])
                engine = "silero"
                card.room(way)
            program = stack.enter_context(Speaking(card, engine, voice))
            program.has_opened()
            stack.enter_context(busy_loops(2) if options.busy else nullcontext())
            time.sleep(1.0)  # the devices settle, and the busy loops have begun
            before = card.speaker.xruns + card.mic.xruns
            if voice:
                program.order("play")  # the canceller learns the room
                time.sleep(11.0)  # enough for that, by the real clock
                program.early.clear()
            words = users(options.speech) if voice else words_of(load_wav(_SPEECH, RATE))
            found = (
                by_ear(program, words, options.count) if engine else by_order(program, name, options.count)
            )
            counted = card.speaker.xruns + card.mic.xruns - before
            limit_s = BLOCK_S + card.speaker.buffer / RATE + SPARE_S
            program.order("quit")
            ended = program.end()
            if voice:
                print(ended.out.splitlines()[-1], file=sys.stderr)
        what = ORDERS.get(name, f"voice detection, {name}")
        if voice:
            what = f"in a room, echo {ECHOES[name]:+.0f} dB ({found.false} false)"
        yield row_of(f"{what}: decision to silence", found.silent, found.missed, counted, limit_s)
        if found.whole:
            yield row_of("    first sound to decision", found.decided, found.missed, counted, None)
            goal_s = ECHO_GOALS_S[1] if name == "echo-6" else None
            yield row_of("    first sound to silence", found.whole, found.missed, counted, goal_s)


def row_of(
    what: str, seconds: list[float], missed: int, counted: int, limit_s: float | None
) -> tuple[tuple[Cell, ...], str]:
    """Return the row of a table, and its name again if it is late or something was missed."""
    ends = [percentile(seconds, percent) * 1000 if seconds else None for percent in (50, 95, 100)]
    late = limit_s is not None and (ends[1] is None or ends[1] > limit_s * 1000)
    limit = None if limit_s is None else limit_s * 1000
    return (what, len(seconds), *ends, limit, missed, counted), what if late or missed else ""


def _options(arguments: list[str] | None) -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choices = [*ORDERS, *ENGINES, *ECHOES]
    parser.add_argument("speech", nargs="?", default=os.environ.get("VOICEPIPE_LABELLED_SPEECH"))
    parser.add_argument("--count", type=int, default=60, help="interruptions for each row")
    parser.add_argument("--busy", action="store_true", help="beside two busy loops")
    parser.add_argument("--only", default=",".join(choices), help="the rows, with commas between them")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    options.only = options.only.split(",")
    if wrong := set(options.only) - set(choices):
        parser.error(f"unknown row {', '.join(sorted(wrong))}; choose {', '.join(choices)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says. Returns the exit status."""
    options = _options(arguments)
    random.seed(options.seed)
    try:
        with TemporaryDirectory(prefix="barge-in-") as folder:
            rows = list(_rows(options, Path(folder)))
    except (CannotRunError, MissingSpeechError) as error:
        print(f"barge_in.py: {error}", file=sys.stderr)
        return 2
    title = "Interrupted while it speaks, ms" + (", both cores busy" if options.busy else "")
    columns = ("from, to", "n", "p50", "p95", "max", "p95 at most", "missed", "xruns")
    print(Table("barge_in", title, columns, tuple(row for row, _ in rows)))
    late = [fault for _, fault in rows if fault]
    if late:
        print(f"\nlate, or missed: {'; '.join(late)}")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
