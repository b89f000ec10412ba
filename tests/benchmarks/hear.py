"""How well each engine finds speech in noise: a table.

    python tests/benchmarks/hear.py [FOLDER | --made] [--only NAME] [--rate HZ] [--shifts N]
                                      [--json FILE] [--md FILE]

FOLDER holds labelled speech (`set.json` and its audio); VOICEPIPE_LABELLED_SPEECH names it otherwise.
It needs the package soundfile. With --made the speech is made: of prompts in Debian packages, and noises.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import soxr

from benchmarks.hearing.conditions import RATE, Condition, Ints, MissingSpeechError, conditions, take_folder
from benchmarks.hearing.made import made
from benchmarks.hearing.scoring import Score, add_up, score
from benchmarks.hearing.subjects import SUBJECTS, OurStages, Subject, listen
from benchmarks.table import Cell, Table
from voicepipe.errors import BackendMissingError

COLUMNS = (
    "engine",
    *("frame F1 clean", "20 dB", "10 dB", "5 dB", "0 dB", "mix", "talk"),
    *("turn F1 clean", "mix", "less one noise"),
    *("missed %", "split %", "merged %", "clipped %", "false/min", "noise false/min"),
    *("onset ms", "onset mix", "release ms", "release mix"),
    "us/10 ms",
)
SHIFTED = 512
"""Samples over which the shifts are spread: the longest window of an engine."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns the exit code; 2 where the speech is missing."""
    options = _parser().parse_args(arguments)
    try:
        heard = made() if options.made else _labelled(options.folder)
    except MissingSpeechError as missing:
        print(f"hear.py: {missing}", file=sys.stderr)
        return 2
    heard = [each.later(n * SHIFTED // options.shifts) for each in heard for n in range(options.shifts)]
    rows: list[tuple[Cell, ...]] = []
    for name, make in SUBJECTS.items():
        if options.only and not any(wanted in name for wanted in options.only):
            continue
        if options.rate != RATE and not isinstance(make(), OurStages):
            continue  # the others take one rate
        try:
            rows.append((name, *measure(make, heard, options.rate)))
        except BackendMissingError as missing:
            print(f"hear.py: {name}: {missing}", file=sys.stderr)
    table = Table("hearing", f"{len(heard)} conditions; p50/p95 of delays", COLUMNS, tuple(rows))
    print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(table.records(), indent=1) + "\n", encoding="utf-8")
    if options.md is not None:
        options.md.write_text(_markdown(table), encoding="utf-8")
    return 0


def _labelled(folder: Path | None) -> list[Condition]:
    if folder is None:
        raise MissingSpeechError("no labelled speech: name its folder, or set VOICEPIPE_LABELLED_SPEECH")
    return conditions(folder)


def measure(make: Callable[[], Subject], heard: Sequence[Condition], rate: int = RATE) -> tuple[Cell, ...]:
    """One row, but for its name. At another rate than the set's it is for our stages alone."""
    groups: dict[str, list[Score]] = {}
    mixes: dict[str, list[Score]] = {}
    seconds = sum(condition.duration_s for condition in heard)
    spent_s = 0.0
    for condition in heard:
        subject = make()
        if isinstance(subject, OurStages):
            subject.rate = rate
        found, took_s = listen(subject, _at_rate(condition.audio, rate), rate)
        spent_s += took_s
        judged = score(condition, found)
        groups.setdefault(condition.group, []).append(judged)
        if condition.group.endswith("dB"):
            groups.setdefault("mix", []).append(judged)
            mixes.setdefault(condition.noise, []).append(judged)
    total = {group: add_up(scores) for group, scores in groups.items()}
    clean, mix, noise = (total.get(group, Score()) for group in ("clean", "mix", "noise"))
    frames = [_rounded(total, group) for group in ("clean", "20dB", "10dB", "5dB", "0dB", "mix", "talk")]
    both = add_up([clean, mix])
    return (
        *frames,
        f"{clean.turn_f1:.2f}",
        f"{mix.turn_f1:.2f}",
        less_one(mixes),
        f"{mix.share(mix.missed):.1f}",
        f"{mix.share(mix.split):.1f}",
        f"{mix.share(mix.merged):.1f}",
        f"{both.clipped:.1f}",
        f"{mix.false_a_minute:.2f}",
        f"{noise.false_a_minute:.2f}",
        _delays(clean.onsets_s),
        _delays(mix.onsets_s),
        _delays(clean.releases_s),
        _delays(mix.releases_s),
        f"{spent_s / seconds * 1e4:.1f}",
    )


def _at_rate(audio: Ints, rate: int) -> Ints:
    if rate == RATE:
        return audio
    floats = soxr.resample(audio.astype(np.float64), RATE, rate, "VHQ")
    converted: Ints = np.clip(np.rint(floats), -32_768, 32_767).astype(np.int16)
    return converted


def _rounded(total: dict[str, Score], group: str) -> str | None:
    return f"{total[group].frame_f1:.3f}" if group in total else None


def less_one(mixes: dict[str, list[Score]]) -> str | None:
    """The lowest turn F1 of the mixes without those of one noise, and the noise that is left out then."""
    if len(mixes) < 2:
        return None
    rest = {left: add_up(each for name in mixes if name != left for each in mixes[name]) for left in mixes}
    worst = min(rest, key=lambda left: rest[left].turn_f1)
    return f"{rest[worst].turn_f1:.2f} ({worst})"


def _delays(seconds: Sequence[float]) -> str | None:
    if not seconds:
        return None
    half, most = (1_000 * float(each) for each in np.percentile(seconds, [50, 95]))
    return f"{half:.0f}/{most:.0f}"


def _markdown(table: Table) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    return "".join("| " + " | ".join("-" if c is None else str(c) for c in line) + " |\n" for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hear.py", description="How well each engine finds speech in noise."
    )
    take_folder(parser)
    parser.add_argument("--made", action="store_true", help="speech that is made, in place of a folder")
    parser.add_argument("--only", action="append", metavar="NAME", help="engines with this in their name")
    parser.add_argument(
        "--rate",
        type=int,
        default=RATE,
        metavar="HZ",
        help="our stages hear the set at this rate, converted by soxr at its best; default: the set's own",
    )
    parser.add_argument(
        "--shifts",
        type=int,
        choices=range(1, 33),
        default=1,
        metavar="N",
        help="hear everything so often, each time a part of 32 ms later: engines judge by windows",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to this file too")
    parser.add_argument("--md", type=Path, metavar="FILE", help="and to this one, as Markdown")
    return parser


if __name__ == "__main__":
    sys.exit(main())
