"""Scores in, segments out: the begin and end of speech, counted in windows, without clock or audio.

What an engine says of single windows is rough. A segment begins when enough of the last windows vote for
it, reaches back over what belongs to it, is held by few votes, and ends after a silence.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from voicepipe.checks import check_number, check_seconds

__all__ = ["PRESETS", "Edge", "NoiseFloor", "Preset", "Segmenter", "SegmenterSettings", "preset", "quietest"]

Preset = Literal["responsive", "balanced", "patient"]

SPEECH = 0.5
"""A window with this score or more may begin a segment."""
HOLD = 0.4
"""A window with this score or more votes: for a beginning, and for going on."""
TO_START = 2 / 3
"""The share of the windows in `start_s` that must vote. Not all: a word has soft places."""
TO_HOLD = 1 / 2
HOLD_S = 0.1
"""The share of the windows in this time, or in `start_s` if that is shorter, that keeps a segment going.
Not one alone: knocks and hisses get a vote now and then, and would join one segment to the next."""
BURST = 1 / 3
"""A sound before the beginning belongs to it where its mean over `HOLD_S` exceeds this."""
RUN_UP = 0.2
RUN_UP_S = 0.16
"""A score that rises to speech from so little, in so short a time, rises with its first consonant."""
LONGEST_START_S = 1.0
REACH_S = 1.0
"""The longest way from a beginning to the windows that voted for it."""

NOISE_MEMORY_S = 3.0
"""The noise floor is the lowest level, smoothed, of so much time: people breathe."""
SMOOTH_S = 0.06
LOWEST_DB = -96.0


@dataclass(frozen=True, slots=True)
class SegmenterSettings:
    """The conditions for the begin and the end of a segment.

    Raises:
        TypeError, ValueError: a value is out of its bounds.
    """

    start_s: float = 0.14
    """Two thirds of this time must be speech before a segment begins, 0 to 1 s."""
    stop_s: float = 0.7
    """A segment ends after so long a silence, 0 to 60 s."""
    min_s: float = 0.0
    """The shortest segment, 0 to 1 s; a segment begins no sooner than it is so long."""
    max_s: float | None = None
    """A longer segment is split at the quietest place of its last third; 1 s or more, or None: never."""
    gate_db: float = 0.0
    """A window counts only if it is so much louder than the noise floor, 0 to 40 dB."""

    def __post_init__(self) -> None:
        check_seconds("start_s", self.start_s, at_most=LONGEST_START_S)
        check_seconds("stop_s", self.stop_s, at_most=60.0)
        check_seconds("min_s", self.min_s, at_most=LONGEST_START_S)
        check_number("gate_db", self.gate_db, at_least=0.0, at_most=40.0)
        if self.max_s is not None:
            check_number("max_s", self.max_s, at_least=1.0)


PRESETS: dict[Preset, SegmenterSettings] = {
    "responsive": SegmenterSettings(start_s=0.1, stop_s=0.45),
    "balanced": SegmenterSettings(),
    "patient": SegmenterSettings(start_s=0.3, stop_s=1.5),
}
"""Presets by how quickly a pause ends a turn: `responsive` answers a quarter of a second sooner than
`balanced`, and now and then in the middle of a sentence; `patient` lets people think."""


def preset(name: Preset | str, **changes: float | None) -> SegmenterSettings:
    """Return the settings of that name, with the values in `changes` that are not None in place of theirs.

    Raises:
        ValueError: there is no preset of that name.
    """
    found = {str(key): value for key, value in PRESETS.items()}.get(name)
    if found is None:
        raise ValueError(f"unknown preset {name!r}; choose {', '.join(PRESETS)}")
    return replace(found, **{key: value for key, value in changes.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Edge:
    """The begin or the end of a segment: before window `at`, counted from 0."""

    begins: bool
    at: int
    is_split: bool = False
    """One segment was too long, and another goes on where it was cut."""


class NoiseFloor:
    """Follows the level of the noise between and under the speech: the lowest of the last 3 s.

    Args:
        window_s: how much time each level stands for.
    """

    def __init__(self, window_s: float) -> None:
        self._keep = 1.0 - math.exp(-window_s / SMOOTH_S)
        self._span = max(1, round(NOISE_MEMORY_S / window_s))
        self._count = 0
        self._smooth_db = LOWEST_DB
        self._lowest: deque[tuple[int, float]] = deque()
        """Rising levels, each the lowest of all behind it."""

    @property
    def level_db(self) -> float:
        """The floor, in dB below full scale."""
        return self._lowest[0][1] if self._lowest else LOWEST_DB

    def add(self, level_db: float) -> None:
        """Add the level of the next window; NaN counts as silence."""
        level_db = min(0.0, max(LOWEST_DB, level_db))
        first = self._count == 0
        self._smooth_db = level_db if first else self._smooth_db + self._keep * (level_db - self._smooth_db)
        lowest = self._lowest
        while lowest and lowest[-1][1] >= self._smooth_db:
            lowest.pop()
        lowest.append((self._count, self._smooth_db))
        if lowest[0][0] <= self._count - self._span:
            lowest.popleft()
        self._count += 1


class Segmenter:
    """Finds the segments in a stream of scores.

    The state is bounded, and finite whatever the scores are. A beginning reaches back over what
    would have held the segment: earlier windows and bursts, none further from the next than
    `stop_s`, no further than 1 s, and never into the segment before.

    Args:
        settings: when a segment begins and ends.
        window_s: how much time a score stands for.
    """

    def __init__(self, settings: SegmenterSettings, window_s: float) -> None:
        check_number("window_s", window_s, at_least=1e-4, at_most=1.0)
        self.settings = settings
        hold_s = min(settings.start_s, HOLD_S)
        self._start = max(1, round(settings.start_s / window_s))
        self._hold = max(1, round(hold_s / window_s))
        self._stop = max(1, round(settings.stop_s / window_s))
        self._least = round(settings.min_s / window_s)
        self._most = None if settings.max_s is None else max(2, round(settings.max_s / window_s))
        self._to_start = math.ceil(self._start * TO_START)
        self._to_hold = math.ceil(self._hold * TO_HOLD)
        self._reach = self._start + self._hold + self._least + round(REACH_S / window_s)
        self._window_s = window_s
        self.reset()

    @property
    def spoken(self) -> int:
        """The windows of the segment in progress, without the silence at its end; 0: nobody speaks."""
        return self._spoken - self._begin if self.speaking else 0

    def reset(self) -> None:
        """Forget all scores: the next one does not continue them."""
        self.windows = 0
        """Windows judged."""
        self.speaking = False
        self.noise = NoiseFloor(self._window_s)
        self._begin = self._spoken = self._free_from = 0
        self._votes: deque[bool] = deque(maxlen=self._start)
        self._scores: deque[float] = deque(maxlen=self._reach)
        self._levels: deque[float] = deque(maxlen=self._most)

    def add(self, score: float, level_db: float = 0.0) -> tuple[Edge, ...]:
        """Add the next window; return the edges that are certain now, which is nearly always none.

        Args:
            score: how surely it is speech, 0 to 1; what is no number is 0.
            level_db: how loud it is, in dB below full scale.
        """
        self.windows += 1
        self.noise.add(level_db)
        gate_db = self.settings.gate_db
        loud = not gate_db or level_db >= self.noise.level_db + gate_db
        score = min(1.0, max(0.0, float(score))) if loud else 0.0  # NaN is not above 0
        self._scores.append(score)
        self._votes.append(score >= HOLD)
        if self._most is not None:
            self._levels.append(level_db)
        return self._go_on(score) if self.speaking else self._wait(score)

    def finish(self) -> tuple[Edge, ...]:
        """Return the end of a segment in progress: nothing follows."""
        return self._end(self.windows) if self.speaking else ()

    def _wait(self, score: float) -> tuple[Edge, ...]:
        if score < SPEECH or sum(self._votes) < self._to_start:
            return ()
        begin = self._beginning()
        if self.windows - begin < self._least:
            return ()
        self.speaking = True
        self._begin, self._spoken = begin, self.windows
        return (Edge(True, begin),)

    def _go_on(self, score: float) -> tuple[Edge, ...]:
        if score >= HOLD:
            if self._is_held():
                self._spoken = self.windows
        elif self.windows - self._spoken >= self._stop:
            return self._end(self._spoken)
        if self._most is not None and self.windows - self._begin >= self._most:
            return self._split(self._most)
        return ()

    def _is_held(self) -> bool:
        votes = self._votes
        last = len(votes)
        return sum(votes[n] for n in range(max(0, last - self._hold), last)) >= self._to_hold

    def _beginning(self) -> int:
        """Return the first window of the speech that is certain now."""
        scores = self._scores
        count = len(scores)
        floor = max(0, count - (self.windows - self._free_from))
        first_vote = next(n for n, vote in enumerate(self._votes) if vote)
        begin = max(floor, count - len(self._votes) + first_vote)
        quiet = 0
        for n in range(begin - 1, floor - 1, -1):
            quiet += 1
            if quiet >= self._stop:
                break
            held_on = quiet == 1 and scores[n] >= HOLD
            if held_on or (scores[n] >= SPEECH and self._is_burst(n, floor)):
                begin, quiet = n, 0
        earliest = max(floor, begin - round(RUN_UP_S / self._window_s))
        while begin > earliest and scores[begin - 1] >= RUN_UP:
            begin -= 1
        return self.windows - count + begin

    def _is_burst(self, n: int, floor: int) -> bool:
        """Return True where the windows around it are more than a click."""
        scores = self._scores
        for first in range(max(floor, n - self._hold + 1), n + 1):
            mean = sum(scores[m] for m in range(first, min(first + self._hold, len(scores)))) / self._hold
            if mean > BURST:
                return True
        return False

    def _end(self, at: int) -> tuple[Edge, ...]:
        self.speaking = False
        self._free_from = at
        self._votes.clear()
        return (Edge(False, at),)

    def _split(self, most: int) -> tuple[Edge, ...]:
        levels = self._levels
        look = max(1, most // 3)
        first = len(levels) - look
        at = self.windows - look + quietest([levels[n] for n in range(first, len(levels))])
        at = max(at, self._begin + 1)
        self._begin = self._free_from = at
        self._spoken = max(self._spoken, at)
        return Edge(False, at, is_split=True), Edge(True, at, is_split=True)


def quietest(levels_db: Sequence[float], around: int = 3) -> int:
    """Return the middle of the `around` neighbouring levels with the lowest sum; of several, the last."""
    around = min(around, len(levels_db))
    sums = [sum(levels_db[n : n + around]) for n in range(len(levels_db) - around + 1)]
    lowest = min(sums)
    return max(n for n, each in enumerate(sums) if each == lowest) + around // 2
