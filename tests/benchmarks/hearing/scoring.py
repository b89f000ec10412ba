"""What was found beside what was said: frames, turns, delays.

A turn is found right when one detection covers it and no other turn, and says where it began and ended within
0.3 s. Frames of 10 ms count except within 50 ms of an edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.hearing.conditions import RATE, Condition, Spans

__all__ = ["Detection", "Score", "add_up", "score"]

COLLAR = 5
"""Frames on both sides of an edge that do not count."""
RIGHT_WITHIN_S = 0.3
EARLY_S = 0.25
"""An end claimed so much before the turn's own end was premature."""
CLIPPED_S = 0.02

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detection:
    """One stretch that an engine took for speech, in seconds. When it said so is how much it had heard."""

    began_s: float
    """Where speech began, as it says."""
    start_said_s: float
    audio_from_s: float
    """Where the audio begins that is handed on."""
    ended_s: float
    end_said_s: float


@dataclass(slots=True)
class Score:
    """Counts over one condition or several, and what follows from them."""

    hits: int = 0
    false_frames: int = 0
    missed_frames: int = 0
    quiet_frames: int = 0
    turns: int = 0
    detections: int = 0
    right: int = 0
    missed: int = 0
    split: int = 0
    merged: int = 0
    false: int = 0
    silent_s: float = 0.0
    onsets_s: list[float] = field(default_factory=list)
    """How long after the beginning of each turn it was said."""
    releases_s: list[float] = field(default_factory=list)
    clips_s: list[float] = field(default_factory=list)
    """How much of the beginning of each turn is not in the audio handed on."""

    @property
    def frame_f1(self) -> float:
        """1 is best."""
        return 2 * self.hits / max(1, 2 * self.hits + self.false_frames + self.missed_frames)

    @property
    def turn_f1(self) -> float:
        """1 is best."""
        return 2 * self.right / max(1, self.turns + self.detections)

    @property
    def false_a_minute(self) -> float:
        """Detections in a minute without speech that touch no turn."""
        return 60 * self.false / max(1e-9, self.silent_s)

    def share(self, count: int) -> float:
        """Of all turns, in per cent."""
        return 100 * count / max(1, self.turns)

    @property
    def clipped(self) -> float:
        """Of the turns found, in per cent: the audio handed on begins after the first sound."""
        return 100 * sum(clip > CLIPPED_S for clip in self.clips_s) / max(1, len(self.clips_s))


def score(condition: Condition, found: Sequence[Detection]) -> Score:
    """How well the detections fit the truth."""
    turns = condition.turns
    result = Score(turns=len(turns), detections=len(found))
    result.silent_s = condition.duration_s - sum(end - begin for begin, end in turns)
    _count_frames(result, condition, found)
    covering = [[n for n, each in enumerate(found) if _covers(each, turn)] for turn in turns]
    covered: dict[int, list[int]] = {}
    for number, detections in enumerate(covering):
        for each in detections:
            covered.setdefault(each, []).append(number)
    for number, (turn, detections) in enumerate(zip(turns, covering, strict=True)):
        _judge(result, number, turn, [(found[n], covered[n]) for n in detections])
    result.merged = sum(len(each) - 1 for each in covered.values())
    result.false = sum(n not in covered and not _touches(each, turns) for n, each in enumerate(found))
    return result


def add_up(scores: Iterable[Score]) -> Score:
    """One score over all."""
    total = Score()
    for each in scores:
        for name in Score.__slots__:
            setattr(total, name, getattr(total, name) + getattr(each, name))
    return total


def _judge(
    result: Score, number: int, turn: tuple[float, float], covering: list[tuple[Detection, list[int]]]
) -> None:
    if not covering:
        result.missed += 1
        return
    begin, end = turn
    result.split += len(covering) - 1
    (first, its_turns), (last, last_turns) = covering[0], covering[-1]
    if its_turns[0] == number and first.began_s >= begin - RIGHT_WITHIN_S:
        result.onsets_s.append(first.start_said_s - begin)
        result.clips_s.append(max(0.0, first.audio_from_s - begin))
    if last_turns[-1] == number:
        result.releases_s.append(last.end_said_s - end)
    near = abs(first.began_s - begin) <= RIGHT_WITHIN_S and abs(first.ended_s - end) <= RIGHT_WITHIN_S
    result.right += len(covering) == 1 and len(its_turns) == 1 and near


def _count_frames(result: Score, condition: Condition, found: Sequence[Detection]) -> None:
    count = len(condition.audio) // (RATE // 100)
    said = _mask(count, condition.turns)
    heard = _mask(count, [(each.began_s, each.ended_s) for each in found])
    counts = np.ones(count, bool)
    for edge in np.ravel(condition.turns):
        at = round(float(edge) * 100)
        counts[max(0, at - COLLAR) : at + COLLAR] = False
    result.hits = int((heard & said & counts).sum())
    result.false_frames = int((heard & ~said & counts).sum())
    result.missed_frames = int((~heard & said & counts).sum())
    result.quiet_frames = int((~heard & ~said & counts).sum())


def _mask(count: int, spans: Iterable[tuple[float, float]]) -> Mask:
    mask = np.zeros(count, bool)
    for begin, end in spans:
        mask[max(0, round(begin * 100)) : round(end * 100)] = True
    return mask


def _covers(found: Detection, turn: tuple[float, float]) -> bool:
    begin, end = turn
    return min(found.ended_s, end) - max(found.began_s, begin) > min(0.08, 0.3 * (end - begin))


def _touches(found: Detection, turns: Spans) -> bool:
    return any(found.began_s < end + 0.1 and found.ended_s > begin - 0.1 for begin, end in turns)
