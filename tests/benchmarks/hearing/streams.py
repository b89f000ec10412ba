"""Recordings of one kind in a row, as long as wanted, and the same with prompts in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.hearing.conditions import RATE, Condition, Ints, Spans
from benchmarks.hearing.material import Recording, Samples

__all__ = ["Stream", "stream", "trimmed", "with_speech"]

FADE_S = 0.05
"""At both ends of a recording, so that none begins or ends with a knock."""
QUIETEST_DB = -35
"""What is so far below the peak, at the ends of a prompt, is no part of it."""
EDGE_S = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Sound without speech."""

    kind: str
    audio: Samples
    recorded_s: float
    """How much of it is new; the rest repeats it."""
    parts: tuple[tuple[float, str], ...]
    """When each recording begins, in seconds, and its name."""

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return len(self.audio) / RATE

    @property
    def alone(self) -> Condition:
        """The stream as a condition in which nobody speaks."""
        return Condition(self.kind, self.kind, _ints(self.audio), ())

    def part_at(self, at_s: float) -> str:
        """Return the name of the recording there."""
        return [name for begin_s, name in self.parts if begin_s <= at_s][-1]


def stream(kind: str, found: Sequence[Recording], seconds: float, level_db: float) -> Stream:
    """Put recordings in a row, each at one level (its root mean square), and repeat them until it is full."""
    levelled = [(each.name, _at_level(_faded(each.audio), level_db)) for each in found]
    row: list[Samples] = []
    parts: list[tuple[float, str]] = []
    count, wanted = 0, round(seconds * RATE)
    while count < wanted:
        for name, audio in levelled:
            parts.append((count / RATE, name))
            row.append(audio)
            count += len(audio)
    recorded = sum(len(audio) for _, audio in levelled)
    return Stream(kind, np.concatenate(row)[:wanted], min(recorded, wanted) / RATE, tuple(parts))


def with_speech(under: Stream, said: Sequence[Samples], every_s: float, snr_db: float) -> Condition:
    """Return the stream with a prompt in it at each interval, so far above it where they meet."""
    audio = under.audio.copy()
    turns: list[tuple[float, float]] = []
    period = round(every_s * RATE)
    for number, at in enumerate(range(period // 2, len(audio), period)):
        prompt = said[number % len(said)]
        place = audio[at : at + len(prompt)]
        if len(place) < len(prompt):
            break
        gain = 10 ** (snr_db / 20) * max(_rms(place), 1e-4) / _rms(prompt)
        place += prompt * gain
        turns.append((at / RATE, (at + len(prompt)) / RATE))
    return Condition(under.kind, under.kind, _ints(audio), _spans(turns))


def trimmed(prompt: Samples) -> Samples:
    """Return a prompt without the silence at its ends."""
    size = round(EDGE_S * RATE)
    count = len(prompt) // size
    powers = np.square(prompt[: count * size].reshape(count, size)).mean(1)
    if not np.any(powers):
        return prompt[:0]
    loud = np.flatnonzero(powers > np.max(powers) * 10 ** (QUIETEST_DB / 10))
    return prompt[loud[0] * size : (loud[-1] + 1) * size]


def _at_level(audio: Samples, level_db: float) -> Samples:
    return audio * np.float32(10 ** (level_db / 20) / max(_rms(audio), 1e-9))


def _faded(audio: Samples) -> Samples:
    count = min(len(audio) // 2, round(FADE_S * RATE))
    ramp = np.linspace(0, 1, count, dtype=np.float32)
    faded = audio.copy()
    faded[:count] *= ramp
    faded[len(faded) - count :] *= ramp[::-1]
    return faded


def _rms(audio: Samples) -> float:
    return float(np.sqrt(np.square(audio, dtype=np.float64).mean())) if len(audio) else 0.0


def _ints(audio: Samples) -> Ints:
    return np.round(audio * 32_767).clip(-32_768, 32_767).astype(np.int16)


def _spans(turns: list[tuple[float, float]]) -> Spans:
    return tuple(turns)
