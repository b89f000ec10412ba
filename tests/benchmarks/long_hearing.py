"""How often each engine starts a turn in half an hour of music, street or crowd, and what it finds there.

    python tests/benchmarks/long_hearing.py [--minutes 30] [--only silero] [--kind music] [--preset balanced]
                                            [--sounds FOLDER] [--fetch] [--where] [--json FILE]

The recordings are read from Debian packages and public repositories; `--fetch` brings them into the folder.
Each stream is heard alone, and once more with a prompt every 20 s, 10 dB above it. Needs ffmpeg.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product, zip_longest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.hearing.conditions import Condition, MissingSpeechError
from benchmarks.hearing.material import (
    FOLDER,
    KINDS,
    PROMPTS,
    Samples,
    Source,
    bring,
    decoded,
    is_missing,
    recordings,
)
from benchmarks.hearing.prompts import G722_BYTES
from benchmarks.hearing.scoring import Detection, Score, score
from benchmarks.hearing.streams import Stream, stream, trimmed, with_speech
from benchmarks.hearing.subjects import OurStages, listen
from benchmarks.table import Cell, Table
from voicepipe.speech.segmenter import PRESETS
from voicepipe.speech.vad import VADProcessor

ENGINES = ("silero", "webrtc", "webrtc-plain")
LEVEL_DB = -30.0
EVERY_S = 20.0
SNR_DB = 10.0
SHORTEST_S, LONGEST_S = 1.0, 3.0
EACH = 12
"""Prompts of each language."""

COLUMNS = (
    "stream",
    "recorded min",
    "engine",
    "preset",
    *("false starts/h", "time taken %"),
    *("turns found %", "turn F1"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found in one stream."""

    stream: Stream
    false: list[Detection]
    """The turns in the stream alone, where nobody speaks."""
    spoken: Score
    """Beside the prompts."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Their columns."""
        duration_s = self.stream.duration_s
        taken_s = sum(each.ended_s - each.began_s for each in self.false)
        return (
            f"{len(self.false) / duration_s * 3_600:.1f}",
            f"{100 * taken_s / duration_s:.1f}",
            f"{100 - self.spoken.share(self.spoken.missed):.1f}",
            f"{self.spoken.turn_f1:.2f}",
        )

    @property
    def where(self) -> str:
        """The recordings that started turns, and how many each."""
        counts = Counter(self.stream.part_at(each.began_s) for each in self.false)
        return ", ".join(f"{name} {count}" for name, count in counts.most_common()) or "none"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns the exit code; 2 where nothing can be measured."""
    options = _parser().parse_args(arguments)
    kinds = {name: KINDS[name] for name in options.kind or KINDS}
    sources = [*PROMPTS, *chain(*kinds.values())]
    for source in {each.origin: each for each in sources}.values():
        if is_missing(source, options.sounds):
            _bring(source, options.sounds, fetch=options.fetch)
    try:
        streams = [*_streams(kinds, options.sounds, options.minutes * 60)]
        if not streams:
            raise MissingSpeechError("no recordings to listen to: add --fetch")
        said = prompts(options.sounds)
        if not said:
            raise MissingSpeechError("no prompts to mix in: add --fetch")
    except MissingSpeechError as missing:
        print(f"long_hearing.py: {missing}", file=sys.stderr)
        return 2
    title = (
        f"{options.minutes:g} min each at {LEVEL_DB:g} dBFS; prompts every {EVERY_S:g} s, {SNR_DB:g} dB above"
    )
    table = Table("long hearing", title, COLUMNS, tuple(_rows(options, streams, said)))
    print(table)
    if options.json is not None:
        options.json.write_text(json.dumps(table.records(), indent=1) + "\n", encoding="utf-8")
    return 0


def figures(each: Stream, said: Sequence[Samples], engine: str, preset: str) -> Figures:
    """Listen to a stream alone, and with prompts in it."""
    spoken = with_speech(each, said, EVERY_S, SNR_DB)
    return Figures(each, heard(engine, preset, each.alone), score(spoken, heard(engine, preset, spoken)))


def heard(engine: str, preset: str, condition: Condition) -> list[Detection]:
    """Every turn that a stage finds which has heard nothing before."""
    return listen(OurStages(VADProcessor(engine, preset=preset)), condition.audio)[0]


def prompts(folder: Path) -> list[Samples]:
    """Return some of each language, spread over the alphabet, neither very short nor long."""
    said: list[list[Samples]] = []
    for source in PROMPTS:
        files = source.files(folder)
        lengths_s = {path: path.stat().st_size / G722_BYTES for path in files}
        fitting = [path for path in files if SHORTEST_S <= lengths_s[path] <= LONGEST_S]
        chosen = fitting[:: max(1, len(fitting) // EACH)][:EACH]
        said.append([trimmed(decoded(path, LONGEST_S)) for path in chosen])
    return [each for row in zip_longest(*said) for each in row if each is not None]


def _rows(
    options: argparse.Namespace, streams: Sequence[Stream], said: Sequence[Samples]
) -> Iterator[tuple[Cell, ...]]:
    for each, engine, preset in product(streams, options.only or ENGINES, options.preset or ("balanced",)):
        result = figures(each, said, engine, preset)
        if options.where:
            print(f"{each.kind}, {engine}, {preset}: {result.where}", flush=True)
        yield each.kind, f"{each.recorded_s / 60:.1f}", engine, preset, *result.cells


def _streams(kinds: dict[str, tuple[Source, ...]], folder: Path, seconds: float) -> Iterator[Stream]:
    for kind, sources in kinds.items():
        found = [*recordings(sources, folder, seconds)]
        if found:
            yield stream(kind, found, seconds, LEVEL_DB)


def _bring(source: Source, folder: Path, *, fetch: bool) -> None:
    try:
        if not fetch:
            raise MissingSpeechError(f"without {source.name}: {source.command(folder)}, or add --fetch")
        bring(source, folder)
    except MissingSpeechError as missing:
        print(f"long_hearing.py: {missing}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="long_hearing.py",
        description="How often each engine starts a turn in half an hour of music, street or crowd.",
    )
    add = parser.add_argument
    add("--minutes", type=float, default=30.0, help="of each stream; default: %(default)g")
    add("--only", action="append", choices=ENGINES, metavar="NAME", help="this engine alone")
    add("--preset", action="append", choices=[*PRESETS], metavar="NAME", help="default: balanced")
    add("--kind", action="append", choices=[*KINDS], metavar="NAME", help="this kind alone")
    add(
        "--sounds",
        type=Path,
        default=FOLDER,
        metavar="FOLDER",
        help="what is not installed is here; default: %(default)s",
    )
    add("--fetch", action="store_true", help="download what is missing into it")
    add("--where", action="store_true", help="print the recordings that started turns")
    add("--json", type=Path, metavar="FILE", help="write the table to this file too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
