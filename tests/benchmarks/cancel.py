"""How well the echo canceller keeps its promises: each line of its table of targets, by one command.

    python tests/benchmarks/cancel.py LINE [LINE ...] [--offline | --real] [options]
    python tests/benchmarks/cancel.py --plot FILE.svg

A line is one of those that `--help` lists, or `all`. Beside the product stand the bare microphone and AEC3
alone, in the same run. The exit status is 1 where a target is missed, and 2 where something is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.cancelling.clock_lines import busy_lines, drift_lines, loss_lines, queue_lines
from benchmarks.cancelling.echo_lines import clipping_lines, path_lines, room_lines
from benchmarks.cancelling.goals import Line, missed, table_of
from benchmarks.cancelling.half_duplex_lines import half_duplex_lines
from benchmarks.cancelling.picture import draw
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.real import real
from benchmarks.cancelling.simulated import simulated
from benchmarks.cancelling.subjects import offline
from benchmarks.cancelling.transcripts import MissingModelError
from benchmarks.cancelling.voice_lines import jump_lines, noticed_lines, own_voice_lines
from benchmarks.cancelling.word_lines import word_lines
from benchmarks.hearing.conditions import MissingSpeechError
from benchmarks.plot import MissingMatplotlibError
from soundcard.plugging import CannotRunError
from voicepipe.errors import BackendMissingError, EngineError

LINES: dict[str, tuple[Callable[[Plan], list[Line]], str]] = {
    "rooms": (room_lines, "the echo that is left in rooms"),
    "clipping": (clipping_lines, "the same where the loudspeaker clips"),
    "path-change": (path_lines, "the same after the loudspeaker has been moved"),
    "own-voice": (own_voice_lines, "what of the program's speech is taken for a user's"),
    "jump": (jump_lines, "the same where the delay of the loudspeaker jumps"),
    "noticed": (noticed_lines, "the users over the program that are noticed in time"),
    "drift": (drift_lines, "the echo where two clocks drift apart"),
    "losses": (loss_lines, "the echo where a card loses samples and does not own up to it"),
    "queued": (queue_lines, "the echo where a minute of speech is queued"),
    "half-duplex": (half_duplex_lines, "what is heard over the program where nothing cancels its echo"),
    "busy": (busy_lines, "the echo through real PortAudio, alone and beside two busy programs"),
    "words": (word_lines, "the words over the program that a recogniser gets wrong"),
}

_WAYS = {"offline": offline, "simulated": simulated(), "real": real}
_MISSING = (MissingSpeechError, MissingModelError, BackendMissingError, EngineError, CannotRunError)
_OWN_WAYS = """\
Without an option a line is played on a simulated card. Some lines have one way only: drift, losses and queued
are simulated, busy is real, and half-duplex needs no card."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    plan = Plan(
        _WAYS[options.way],
        options.speech,
        options.seed,
        options.rooms,
        options.minutes,
        options.seconds,
        options.utterances,
    )
    for file in (options.plot, options.json):
        if file is not None and not file.parent.is_dir():
            parser.error(f"there is no folder {file.parent}: make it first")
    if options.plot is not None:
        return _plot(plan, options.plot)
    unknown = [name for name in options.lines if name not in (*LINES, "all")]
    if not options.lines or unknown:
        parser.error(f"unknown line {unknown[0]!r}: --help lists them" if unknown else "name a line, or all")
    chosen = list(LINES) if "all" in options.lines else list(dict.fromkeys(options.lines))
    lines: list[Line] = []
    status = 0
    for name in chosen:
        began_s = time.monotonic()
        try:
            found = LINES[name][0](plan)
        except _MISSING as missing:
            print(f"cancel.py: {name}: {missing}", file=sys.stderr)
            status = 2
            continue
        title = f"{name}: {LINES[name][1]}; seed {plan.seed}, {time.monotonic() - began_s:.0f} s"
        print(table_of(name, title, found), end="\n\n", flush=True)
        lines += found
    if options.json is not None:
        records = table_of("figure", "", lines).records()
        options.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    short = missed(lines)
    if short:
        print(f"{len(short)} of {len(lines)} targets missed: {', '.join(line.name for line in short)}")
    return status or bool(short)


def _plot(plan: Plan, file: Path) -> int:
    try:
        draw(plan, file)
    except (*_MISSING, MissingMatplotlibError, ValueError) as error:
        print(f"cancel.py: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cancel.py",
        description="Measure how well the echo canceller keeps its promises.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="lines:\n"
        + "\n".join(f"  {name:12} {about}" for name, (_, about) in LINES.items())
        + f"\n\n{_OWN_WAYS}",
    )
    given = os.environ.get("VOICEPIPE_LABELLED_SPEECH")
    parser.add_argument("lines", nargs="*", metavar="LINE", help="see below")
    parser.add_argument(
        "--speech",
        type=Path,
        default=Path(given) if given else None,
        metavar="FOLDER",
        help="labelled speech of users; default: VOICEPIPE_LABELLED_SPEECH",
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--offline",
        action="store_const",
        dest="way",
        const="offline",
        default="simulated",
        help="judge the engine alone: no card and no clocks, it is told to the sample what sounded",
    )
    ways.add_argument(
        "--real",
        action="store_const",
        dest="way",
        const="real",
        help="through real PortAudio and a virtual card, where nobody talks over the program",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the echo over time, and end")
    parser.add_argument(
        "--seed", type=_from(0, int), default=1_000, help="of rooms and programs; default: %(default)s"
    )
    parser.add_argument("--rooms", type=_from(1, int), default=5, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--minutes",
        type=_from(0.2, float),
        default=10.0,
        help="of own voice in each room; of losses half as many; default: %(default)g",
    )
    parser.add_argument(
        "--seconds",
        type=_from(7.0, float),
        default=30.0,
        help="of a scene without a user; default: %(default)g",
    )
    parser.add_argument(
        "--utterances", type=_from(1, int), default=132, metavar="N", help="of users; default: %(default)s"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file too")
    return parser


def _from(least: float, kind: type[int | float]) -> Callable[[str], float]:
    """Return what reads a number that is no less than that."""

    def number(text: str) -> float:
        found = kind(text)
        if not least <= found < 1e6:
            raise argparse.ArgumentTypeError(f"must be {least:g} or more, not {text}")
        return found

    return number


if __name__ == "__main__":
    sys.exit(main())
