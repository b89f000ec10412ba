"""How well each engine finds words at a low level, and what a room starts that is brought up to be heard.

    python tests/benchmarks/levels.py [--only NAME] [--snr DB] [--prompts FOLDER] [--json FILE]

It exits with 1 where an engine that is given a normal level (`silero`, `webrtc`) misses more than it may: one
more of 55 prompts at a peak of -44 dBFS than at -20, three more at -56, or where a room starts a turn.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "devices"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from benchmarks.hearing.conditions import RATE, Floats, Ints, MissingSpeechError
from benchmarks.hearing.prompts import AFTER_S, BEFORE_S, FOLDER, SNR_DB, Prompt, at_level, prompts
from benchmarks.hearing.scoring import Detection
from benchmarks.hearing.subjects import OurStages, listen
from benchmarks.table import Cell, Table
from voicepipe.errors import BackendMissingError
from voicepipe.speech.vad import VADProcessor

ENGINES = ("silero", "webrtc", "webrtc-plain")
RAW = ("webrtc-plain",)
PEAKS_DB = (-20, -32, -44, -50, -56)
MORE_MISSED = {-44: 1, -56: 3}
ROOMS_DB = (-45, -55, -65, -75, -85, -95)
ROOM_S = 20
NEAR_S = 0.3
"""A turn that begins so near to a prompt is it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table. Returns the exit code; 2 where the prompts are missing."""
    options = _parser().parse_args(arguments)
    try:
        words = prompts(options.prompts)
    except MissingSpeechError as missing:
        print(f"levels.py: {missing}", file=sys.stderr)
        return 2
    rows: list[tuple[Cell, ...]] = []
    broken: list[str] = []
    for engine in options.only or ENGINES:
        try:
            VADProcessor(engine)
        except BackendMissingError as missing:
            print(f"levels.py: {engine}: {missing}", file=sys.stderr)
            continue
        missed = {peak_db: count_missed(engine, words, peak_db, options.snr) for peak_db in PEAKS_DB}
        started = sum(count_started(engine, room) for room in rooms())
        rows.append((engine, *missed.values(), started))
        if engine not in RAW:
            broken += [f"{engine}: {each}" for each in faults(missed, started)]
    columns = ("engine", *(f"missed at {peak_db} dB" for peak_db in PEAKS_DB), "started by rooms")
    title = f"{len(words)} prompts, noise {options.snr} dB below the peak"
    table = Table("levels", title, columns, tuple(rows))
    print(table)
    for each in broken:
        print(f"levels.py: {each}", file=sys.stderr)
    if options.json is not None:
        options.json.write_text(json.dumps(table.records(), indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


def faults(missed: dict[int, int], started: int) -> Iterator[str]:
    """What an engine does worse at a low level than it may."""
    for peak_db, more in MORE_MISSED.items():
        if missed[peak_db] > missed[PEAKS_DB[0]] + more:
            yield f"{missed[peak_db]} missed at {peak_db} dBFS, {missed[PEAKS_DB[0]]} at {PEAKS_DB[0]}"
    if started:
        yield f"{started} turns in rooms where nobody speaks"


def count_missed(engine: str, words: Sequence[Prompt], peak_db: int, snr_db: float) -> int:
    """How many prompts start no turn."""
    return sum(not _is_found(word, heard(engine, at_level(word, peak_db, snr_db=snr_db))) for word in words)


def count_started(engine: str, room: Ints) -> int:
    """How many turns there are in a room."""
    return len(heard(engine, room))


def heard(engine: str, audio: Ints) -> list[Detection]:
    """Every turn that is found by a stage that has heard nothing before."""
    return listen(OurStages(VADProcessor(engine)), audio)[0]


def _is_found(word: Prompt, found: Sequence[Detection]) -> bool:
    begin, end = BEFORE_S - NEAR_S, BEFORE_S + word.duration_s + min(NEAR_S, AFTER_S)
    return any(begin <= each.began_s <= end for each in found)


def rooms() -> Iterator[Ints]:
    """Rooms without speech, at levels down to the rounding: hiss, a hum, a rumble, knocks; zeros, dither."""
    count = ROOM_S * RATE
    rng = np.random.default_rng(1)
    times = np.arange(count) / RATE
    hiss = rng.normal(0, 1, count)
    hum = sum(np.sin(2 * np.pi * 50 * n * times) / n for n in (1, 2, 3))
    spectrum = np.fft.rfft(rng.normal(0, 1, count))
    rumble = np.fft.irfft(spectrum / np.maximum(np.arange(len(spectrum)) / ROOM_S, 20))
    knocks = hiss * (1 + 30 * np.exp(-(times % 0.7) / 0.01))
    for sound in (hiss, hum, rumble, rumble * (1 + 0.6 * np.sin(2 * np.pi * 0.3 * times)), knocks):
        for level_db in ROOMS_DB:
            yield _ints(np.asarray(sound) / np.median(np.abs(sound)) * 10 ** (level_db / 20))
    yield np.zeros(count, np.int16)
    yield rng.integers(-1, 2, count).astype(np.int16)


def _ints(audio: Floats) -> Ints:
    return np.round(audio * 32_767).clip(-32_768, 32_767).astype(np.int16)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="levels.py", description="How well words are found at a low level.")
    parser.add_argument("--only", action="append", choices=ENGINES, metavar="NAME", help="this engine alone")
    parser.add_argument(
        "--snr", type=float, default=SNR_DB, metavar="DB", help="peak over noise; default: %(default)s"
    )
    parser.add_argument(
        "--prompts", type=Path, default=FOLDER, metavar="FOLDER", help="their folder; default: %(default)s"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table to this file too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
