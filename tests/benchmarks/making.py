"""What it takes to make a frame of audio, and to make one from another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from benchmarks.figures import ratio, undisturbed
from benchmarks.table import Cell, Table
from voicepipe import AudioFrame, InputAudioFrame, OutputAudioFrame

__all__ = ["measure"]

_TIMES, _QUICK_TIMES = 20_000, 500
_BLOCK = bytes(640)
"""20 ms of a microphone."""


@dataclass(frozen=True, slots=True, eq=False)
class _Floor:
    """The same fields in a frozen dataclass that checks nothing and works nothing out."""

    data: bytes
    rate: int = 16_000
    channels: int = 1
    position: int = 0
    captured_s: float | None = None
    live: bool = field(default=False, kw_only=True)
    origin: str = field(default="", kw_only=True)
    ear: bytes | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Own(AudioFrame):
    """A frame of a user's own."""

    speaker: str = ""


_HEARD = InputAudioFrame(_BLOCK, 16_000, 1, 320_000, 20.5, live=True, origin="microphone")
_SUNG = _Own(_BLOCK, 16_000, 1, 320_000, 20.5, "Ada", live=True, origin="microphone")
_WAYS: dict[str, Callable[[], object]] = {
    "as a microphone makes it": lambda: InputAudioFrame(
        _BLOCK, 16_000, 1, 320_000, 20.5, live=True, origin="microphone"
    ),
    "of its data alone": lambda: InputAudioFrame(_BLOCK),
    "with_data": lambda: _HEARD.with_data(_BLOCK),
    "OutputAudioFrame.of": lambda: OutputAudioFrame.of(_HEARD),
    "parts_of, one part": lambda: list(OutputAudioFrame.parts_of(_HEARD)),
    "of a user's own class": lambda: _Own(
        _BLOCK, 16_000, 1, 320_000, 20.5, "Ada", live=True, origin="microphone"
    ),
    "with_data of that": lambda: _SUNG.with_data(_BLOCK),
}


def _floor() -> object:
    return _Floor(_BLOCK, 16_000, 1, 320_000, 20.5, live=True, origin="microphone")


def measure(repeats: int, *, quick: bool) -> list[Table]:
    """Every way by turns with the floor, which has all fields."""
    times = _QUICK_TIMES if quick else _TIMES
    rows: list[tuple[Cell, ...]] = []
    for name, make in _WAYS.items():
        with undisturbed():
            pairs = [(_us(_floor, times), _us(make, times)) for _ in range(repeats)]
        floor, ours = ([*side] for side in zip(*pairs, strict=True))
        rows.append((name, median(floor), median(ours), ratio(ours, floor)))
    title = "A frame of audio is made: µs; by hand: a frozen dataclass with the same fields, and no check"
    return [Table("making", title, ("frame", "by hand", "voicepipe", "ratio"), tuple(rows))]


def _us(make: Callable[[], object], times: int) -> float:
    begun = perf_counter()
    for _ in range(times):
        make()
    return (perf_counter() - begun) / times * 1e6
