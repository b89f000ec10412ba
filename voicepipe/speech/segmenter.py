"""Scores in, segments out: the begin and end of speech, counted in windows, without clock or audio.

Every window adds evidence for speech or takes some away; there is never less than none, nor more than makes
a segment certain. Enough of it begins a segment, which reaches back over what belongs to it. While the
evidence is complete, it goes on. After a lapse it goes on when the evidence is complete again: one bang does
not hold it. It ends after a silence.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from voicepipe.checks import check_number, check_seconds
from voicepipe.speech.evidence import PROBABILITY, SPEECH, VOTE

__all__ = ["PRESETS", "Edge", "NoiseFloor", "Preset", "Segmenter", "SegmenterSettings", "preset", "quietest"]

Preset = Literal["responsive", "balanced", "patient"]

FADING_DB = 6.0
"""A sound that loses so much from one window to the next is over: a bang, which the engine remembers."""
CALM = 0.05
CALM_S = 1.6
"""It is calm where the mean score of the last time, in which nobody spoke, is less than this."""
UNKNOWN = 0.2
"""That mean before anything was heard."""
BURST = 1 / 3
BURST_S = 0.1
"""A sound before the beginning belongs to it where its mean over this time exceeds this."""
BREAK_S = 0.6
"""The longest pause between that sound and the beginning. What is further away is more often a noise."""
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
    """The evidence that begins a segment, 0 to 1 s: half of this time of likely speech, a sixth in a calm
    room. Surer speech needs less. Of an engine that gives no probability: two thirds of this time."""
    stop_s: float = 0.7
    """A segment ends after so long a silence, 0 to 60 s."""
    min_s: float = 0.0
    """The shortest segment, 0 to 1 s; a segment begins no sooner than it is so long."""
    max_s: float | None = None
    """A longer segment is split at the quietest place of its last third; 1 s or more, or None: never."""
    gate_db: float = 0.0
    """A segment begins only with windows so much louder than the noise floor, 0 to 40 dB."""

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
        if not level_db > LOWEST_DB:
            level_db = LOWEST_DB
        elif level_db > 0.0:
            level_db = 0.0
        count = self._count
        smooth_db = self._smooth_db + self._keep * (level_db - self._smooth_db) if count else level_db
        lowest = self._lowest
        while lowest and lowest[-1][1] >= smooth_db:
            lowest.pop()
        lowest.append((count, smooth_db))
        if lowest[0][0] <= count - self._span:
            lowest.popleft()
        self._smooth_db = smooth_db
        self._count = count + 1


class Segmenter:
    """Finds the segments in a stream of scores.

    The state is bounded, and finite whatever the scores are. A beginning reaches back to where its evidence
    began, and over bursts before it, none further from the next than 0.6 s or `stop_s`, no further than 1 s,
    and never into the segment before.

    Args:
        settings: when a segment begins and ends.
        window_s: how much time a score stands for.
        gives_probability: True if a score is the probability of speech; False: a vote.
    """

    def __init__(
        self, settings: SegmenterSettings, window_s: float, *, gives_probability: bool = False
    ) -> None:
        check_number("window_s", window_s, at_least=1e-4, at_most=1.0)
        self.settings = settings
        reading = PROBABILITY if gives_probability else VOTE
        self._weigh, self._run_up = reading.weigh, reading.run_up
        self._run_up_windows = round(reading.run_up_s / window_s)
        start = settings.start_s / window_s
        if reading.whole:
            start = max(1, round(start))
        needs = (reading.to_start, reading.to_start_in_calm, reading.to_go_on)
        self._to_start, self._to_start_in_calm, to_go_on = (
            math.ceil(start * share) if reading.whole else start * share for share in needs
        )
        self._to_go_on = max(1.0, to_go_on)
        self._full = max(self._to_go_on, self._to_start)
        self._stop = max(1, round(settings.stop_s / window_s))
        self._least = round(settings.min_s / window_s)
        self._most = None if settings.max_s is None else max(2, round(settings.max_s / window_s))
        self._break = min(self._stop, max(1, round(BREAK_S / window_s)))
        burst_s = min(settings.start_s, BURST_S)
        self._burst = max(1, round(burst_s / window_s))
        self._reach = round((settings.start_s + burst_s + REACH_S) / window_s) + self._least
        self._keep_restless = math.exp(-window_s / CALM_S)
        self._gate_db = settings.gate_db
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
        self._evidence = 0.0
        """The windows of likely speech that are counted."""
        self._since = 0
        """The first window of that evidence."""
        self._restless = UNKNOWN
        """The mean score while nobody speaks."""
        self._level_db = LOWEST_DB
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
        if not score > 0.0:  # NaN is not
            score = 0.0
        elif score > 1.0:
            score = 1.0
        self._scores.append(score)
        if self._most is not None:
            self._levels.append(level_db)
        weight = self._weigh(score)
        quiet = level_db < self._level_db - FADING_DB
        self._level_db = level_db
        if self._gate_db and not self.speaking:
            quiet = quiet or not level_db >= self.noise.level_db + self._gate_db
        evidence = self._evidence
        if weight < 0.0 or not quiet or evidence >= self._to_go_on:
            evidence += weight
        if evidence > self._full:
            evidence = self._full
        elif evidence <= 0.0:
            evidence = 0.0
            self._since = self.windows
        self._evidence = evidence
        lately = self._restless
        if evidence < self._to_go_on:
            self._restless = score + self._keep_restless * (lately - score)
        if self.speaking:
            return self._go_on(weight)
        needed = self._to_start_in_calm if lately < CALM else self._to_start
        return () if evidence < needed or score < SPEECH or quiet else self._begin_if_long()

    def finish(self) -> tuple[Edge, ...]:
        """Return the end of a segment in progress: nothing follows."""
        return self._end(self.windows) if self.speaking else ()

    def _begin_if_long(self) -> tuple[Edge, ...]:
        begin = self._beginning()
        if self.windows - begin < self._least:
            return ()
        self.speaking = True
        self._evidence = self._full
        self._begin, self._spoken = begin, self.windows
        return (Edge(True, begin),)

    def _go_on(self, weight: float) -> tuple[Edge, ...]:
        if weight > 0.0 and self._evidence >= self._to_go_on:
            self._spoken = self.windows
        elif self.windows - self._spoken >= self._stop and weight < 1.0:
            return self._end(self._spoken)
        if self._most is not None and self.windows - self._begin >= self._most:
            return self._split(self._most)
        return ()

    def _beginning(self) -> int:
        """Return the first window of the speech that is certain now."""
        scores = self._scores
        count = len(scores)
        floor = max(0, count - (self.windows - self._free_from))
        begin = max(floor, count - (self.windows - self._since))
        quiet = 0
        for n in range(begin - 1, floor - 1, -1):
            quiet += 1
            if quiet >= self._break:
                break
            if scores[n] >= SPEECH and self._is_burst(n, floor):
                begin, quiet = n, 0
        earliest = max(floor, begin - self._run_up_windows)
        while begin > earliest and scores[begin - 1] >= self._run_up:
            begin -= 1
        return self.windows - count + begin

    def _is_burst(self, n: int, floor: int) -> bool:
        """Return True where the windows around it are more than a click."""
        scores, span = self._scores, self._burst
        for first in range(max(floor, n - span + 1), n + 1):
            mean = sum(scores[m] for m in range(first, min(first + span, len(scores)))) / span
            if mean > BURST:
                return True
        return False

    def _end(self, at: int) -> tuple[Edge, ...]:
        self.speaking = False
        self._free_from = at
        self._evidence, self._since = 0.0, self.windows
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
