"""What voice detection costs: the stage, with its level, rules and positions, beside its engine alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from time import perf_counter

import numpy as np

from benchmarks.figures import Spread, ratio, undisturbed
from benchmarks.table import Cell, Table
from voicepipe.frames import FrameDirection, InputAudioFrame
from voicepipe.sample import speech
from voicepipe.speech.detectors.registry import open_engine
from voicepipe.speech.vad import VADProcessor

__all__ = ["measure"]

_RATE = 16_000
_ROUNDS = 12
"""How often each piece is judged in a repeat. Its shortest time counts: other programs only add."""
_PIECE_S = 0.48
"""A piece of the voice: whole frames, and whole windows of every engine."""
_QUIET = 0.03
_CASES = (
    ("silero", 1.0, 0.01),
    ("silero", 1.0, 0.02),
    ("silero", _QUIET, 0.01),
    ("silero", _QUIET, 0.02),
    ("webrtc", 1.0, 0.02),
    ("webrtc-plain", 1.0, 0.02),
)
_COLUMNS = ("engine, level, frames", "engine alone", "stage", "ratio")


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Each engine on the bundled voice, 16 kHz mono, in frames as a microphone makes them."""
    rows = [_row(*case, repeats, 1 if quick else _ROUNDS) for case in _CASES]
    title = (
        "Voice detection, µs for 10 ms of the bundled voice: the engine called alone, and the stage around it"
    )
    return [Table("vad", title, _COLUMNS, tuple(rows))]


def _row(engine: str, loudness: float, frame_s: float, repeats: int, rounds: int) -> tuple[Cell, ...]:
    voice = np.rint(np.frombuffer(speech(), np.int16) * loudness).astype(np.int16).tobytes()
    found = [_seconds(engine, voice, frame_s, rounds) for _ in range(repeats)]
    alone, stage = zip(*found, strict=True)
    level = "as it is" if loudness == 1.0 else "quiet"
    name = f"{engine}, {level}, {1e3 * frame_s:.0f} ms"
    return (
        name,
        Spread.of([1e6 * s for s in alone]),
        Spread.of([1e6 * s for s in stage]),
        ratio(stage, alone),
    )


def _seconds(engine: str, voice: bytes, frame_s: float, rounds: int) -> tuple[float, float]:
    """Return what 10 ms cost the engine alone and the stage, measured in turn."""
    size = 2 * round(_PIECE_S * _RATE)
    pieces = [voice[at : at + size] for at in range(0, len(voice) - size + 1, size)]
    frames = [list(_frames(n, piece, frame_s)) for n, piece in enumerate(pieces)]
    windows = [_cut(piece, 2 * open_engine(engine).window) for piece in pieces]
    alone, stage = [1.0] * len(pieces), [1.0] * len(pieces)
    with undisturbed():
        for _ in range(rounds):
            alone = [*map(min, alone, _time_engine(engine, windows))]
            stage = [*map(min, stage, _time_stage(engine, frames))]
    blocks = len(pieces) * _PIECE_S / 0.01
    return sum(alone) / blocks, sum(stage) / blocks


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def _frames(number: int, piece: bytes, frame_s: float) -> Iterator[InputAudioFrame]:
    for n, data in enumerate(_cut(piece, 2 * round(frame_s * _RATE))):
        begin_s = number * _PIECE_S + n * frame_s
        position = round(begin_s * _RATE)
        yield InputAudioFrame(data, _RATE, 1, position, begin_s, live=True, origin="microphone")


def _time_engine(name: str, pieces: Iterable[list[bytes]]) -> Iterator[float]:
    score = open_engine(name).score
    for windows in pieces:
        began = perf_counter()
        for window in windows:
            score(window)
        yield perf_counter() - began


def _time_stage(name: str, pieces: Iterable[list[InputAudioFrame]]) -> Iterator[float]:
    process, down = VADProcessor(name).process, FrameDirection.DOWNSTREAM
    for frames in pieces:
        began = perf_counter()
        for frame in frames:
            process(frame, down)
        yield perf_counter() - began
