"""Turns with hesitations, made of labelled ones: a silence of their own room is put where a word ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from benchmarks.hearing.conditions import RATE, Condition, Floats, Ints

__all__ = ["GAPS_S", "HEARD_BEHIND_S", "Item", "items_of", "joined", "room_of"]

GAPS_S = (0.3, 0.5, 0.8, 1.1, 1.5)
HEARD_BEHIND_S = 10.0
"""The silence behind each turn: more than the longest wait of a judge."""
_LEAST_S = 1.4
"""Nobody hesitates in a shorter turn here."""
_PLACES = (0.35, 0.65)
"""The hesitation is at the quietest place in this part of the turn."""
_QUIET_S = 0.05
_FADE_S = 0.01
_EDGE_S = 0.15
"""Kept before and behind a turn: its labels are as exact as that."""


@dataclass(frozen=True, slots=True)
class Item:
    """One turn, which ought to be heard as one."""

    audio: Ints
    gap_s: float
    """The length of the hesitation in it; 0 for a turn as it was said."""
    end_s: float = 0.0
    """Its end, in seconds from the begin of the audio."""


def items_of(condition: Condition) -> Iterator[Item]:
    """Yield each turn as it was said, and with a hesitation of each length."""
    room = room_of(condition)
    for begin, end in condition.turns:
        audio = condition.audio[_at(begin - _EDGE_S) : _at(end + _EDGE_S)]
        yield _item(audio, 0.0)
        if end - begin >= _LEAST_S:
            at = _quietest(audio)
            for gap_s in GAPS_S:
                yield _item(_join(_join(audio[:at], _silence(room, gap_s)), audio[at:]), gap_s)


def joined(items: Sequence[Item], room: Ints) -> tuple[Ints, list[Item]]:
    """Return one stretch of audio with all of them, each with silence behind it; and where they are."""
    parts, placed, count = [_silence(room, 2.0)], [], 2 * RATE
    for item in items:
        parts += [item.audio, _silence(room, HEARD_BEHIND_S)]
        placed.append(Item(item.audio, item.gap_s, count / RATE + item.end_s))
        count += len(item.audio) + len(parts[-1])
    return np.concatenate(parts), placed


def room_of(condition: Condition) -> Ints:
    """Return the sound of the room: the longest stretch between turns."""
    spans = [(0.0, 0.0), *condition.turns]
    between = [(end + 0.4, begin - 0.4) for (_, end), (begin, _) in pairwise(spans)]
    begin, end = max(between, key=lambda span: span[1] - span[0])
    return condition.audio[_at(begin) : _at(end)]


def _item(audio: Ints, gap_s: float) -> Item:
    return Item(audio, gap_s, len(audio) / RATE - _EDGE_S)


def _silence(room: Ints, seconds: float) -> Ints:
    """Return so much of the room, there and back, so that it has no seam."""
    return np.resize(np.concatenate([room, room[::-1]]), int(seconds * RATE))


def _quietest(audio: Ints) -> int:
    """Return the sample at the middle of the quietest place: between two words, or in a closure."""
    size = _at(_QUIET_S)
    power: Floats = np.convolve(audio.astype(np.float64) ** 2, np.ones(size) / size, "same")
    first, last = (int(len(audio) * place) for place in _PLACES)
    return first + int(np.argmin(power[first:last]))


def _join(before: Ints, behind: Ints) -> Ints:
    """Return both, the one faded into the other."""
    size = _at(_FADE_S)
    rising = np.linspace(0, 1, size)
    seam = before[-size:] * (1 - rising) + behind[:size] * rising
    return np.concatenate([before[:-size], np.rint(seam).astype(np.int16), behind[size:]])


def _at(seconds: float) -> int:
    return max(0, round(seconds * RATE))
