"""The rules of live sound that stood still: its delay is back, and what was left out is counted."""

from __future__ import annotations

import statistics
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from properties.simulation.cards import MADE, RATE
from properties.simulation.facts import Facts
from properties.simulation.standing import LOOK_S, Still, Stills
from voicepipe import DropReason, SpeakerOutput

__all__ = ["RULES"]

BACK_MS = 10.0
BEFORE_S = 0.3
FADE = 5
"""Samples: where something is left out, the two ends are faded into each other."""
_EXPECTED = frozenset({DropReason.LATE, DropReason.DRIFT, DropReason.MIC_OVERFLOW})


class Ear:
    """What was heard of a live path, and how long after it was said."""

    def __init__(self, run: Facts) -> None:
        card = run.run.card
        assert card is not None
        captured = [(block[-1], at_s) for block, at_s in zip(card.captured, card.captured_s, strict=True)]
        self._last = [last for last, _ in captured]
        self._times = [at_s for _, at_s in captured]
        self._blocks = list(zip(card.rendered_s, card.rendered, strict=True))

    def delay_ms(self, from_s: float, to_s: float) -> float | None:
        """Return the median delay of the blocks between two times, at their first captured sample."""
        found = (self._delay_ms(at_s, block) for at_s, block in self._blocks if from_s <= at_s < to_s)
        known = [delay for delay in found if delay is not None]
        return statistics.median(known) if known else None

    def _delay_ms(self, at_s: float, block: array[int]) -> float | None:
        for place, number in enumerate(block):
            if 0 < number < MADE:
                index = bisect_right(self._last, number - 1)
                if index == len(self._last):
                    return None
                said_s = self._times[index] - (self._last[index] - number) / RATE
                return 1e3 * (at_s + place / RATE - said_s)
        return None


@lru_cache(maxsize=1)
def ear_of(run: Facts) -> Ear:
    return Ear(run)


def _stills(run: Facts) -> tuple[Still, ...]:
    """Those that were over, and looked at, while it lasted."""
    live, until_s = run.spec.live, min(run.asked_s or run.returned_s, run.returned_s)
    if live is None:
        return ()
    return tuple(still for still in live.stills if still.end_s + live.back_s + LOOK_S <= until_s)


def _tolerance_ms(live: Stills) -> float:
    """The device takes whole blocks: less than half of one more is no delay that could be seen.

    Steady playback leaves as much, and 8 ms, to itself, where the sound comes in bursts.
    """
    half_ms = 1e3 * live.speaker_block_s / 2
    return max(BACK_MS, half_ms) + (half_ms + 8.0 if live.steady and live.gathers_s else 0.0)


def live_sound_is_back_on_time(run: Facts) -> Iterator[str]:
    """Two seconds after a standstill its delay is what it was before, or before the first one."""
    usual_ms = 0.0
    for still in _stills(run):
        assert run.spec.live is not None
        over_s = still.end_s + run.spec.live.back_s
        before_ms = ear_of(run).delay_ms(still.begin_s - BEFORE_S, still.begin_s)
        after_ms = ear_of(run).delay_ms(over_s, over_s + LOOK_S)
        if before_ms is None or after_ms is None:
            yield f"nothing was heard before or after {still}"
            return
        usual_ms = usual_ms or before_ms
        if after_ms - max(before_ms, usual_ms) > _tolerance_ms(run.spec.live):
            late = f"{before_ms:.1f} ms before {still}, and {after_ms:.1f} ms"
            yield f"{late} {run.spec.live.back_s:.1f} s after it"


def what_a_standstill_costs_is_counted(run: Facts) -> Iterator[str]:
    """All that is missing at the speaker is in its books, as late; nothing is lost for another reason."""
    live = run.spec.live
    if live is None or run.cancelled_s is not None:
        return
    dropped = {str(reason): count for reason, count in run.report.dropped.items() if count}
    if extra := set(dropped) - set(map(str, _EXPECTED)):
        yield f"a standstill, and dropped as {sorted(extra)}: {dropped}"
    if live.steady or dropped.get(DropReason.MIC_OVERFLOW):
        return
    live_heard = sum(number < MADE for number in run.run.heard)
    taken = next(seam.taken for seam in run.report.seams if seam.name == f"{run.mic} device")
    if live_heard + dropped.get(DropReason.LATE, 0) != taken:
        yield f"{taken} samples were captured, {live_heard} heard, and dropped: {dropped}"


def nothing_is_late_without_a_standstill(run: Facts) -> Iterator[str]:
    """At most as much is left out as things stood still, and nothing where they did not."""
    late = run.report.dropped.get(DropReason.LATE, 0)
    if not late:
        return
    if not (run.mic and run.speaker):
        yield f"{late} samples of sound that was not captured were left out as late"
    live = run.spec.live
    if live is None:
        return
    stood_s = sum(seconds for still in live.stills for _, seconds in still.spans)
    rounds = sum(len(still.spans) for still in live.stills)
    most_s = stood_s + rounds * (live.speaker_block_s + live.mic_block_s)
    if not rounds or late > most_s * RATE:
        yield f"things stood still for {stood_s:.3f} s, and {late} samples were left out as late"


def what_was_made_is_never_late(run: Facts) -> Iterator[str]:
    """What the program says is heard whole, in order, however late it is."""
    if run.spec.live is None or run.cancelled_s is not None:
        return
    heard = [number for number in run.run.heard if number >= MADE]
    if heard != run.run.made:
        missing = sorted(set(run.run.made) - set(heard))[:5]
        yield f"{len(run.run.made)} samples were said, {len(heard)} heard; missing {missing}"


def what_is_heard_goes_on_in_time(run: Facts) -> Iterator[str]:
    """No sound of before follows one that came later, whatever was left out or faded."""
    live = run.spec.live
    if live is None or live.steady:
        return  # a change of length swings where sound ends for a while
    captured = [number for number in run.run.heard if number < MADE]
    back = next(((one, two) for one, two in pairwise(captured) if two < one), None)
    if back is not None:
        yield f"the speaker played {back[1]} behind {back[0]}"


def what_was_changed_is_told_where(run: Facts) -> Iterator[str]:
    """By the changes that are told, what was played at each position is known, but for the fades."""
    live = run.spec.live
    if live is None or live.steady or live.has_background or run.cancelled_s is not None:
        return  # with these, numbers or positions are not what they were
    if any(still.who in ("mic", "all", "speech") for still in live.stills):
        return  # and here other numbers are missing, or between them
    (speaker,) = (stage for stage in run.run.processors if isinstance(stage, SpeakerOutput))
    changes, gone, fades_to = list(speaker.changes), 0, 0
    for position, number in enumerate(run.run.heard):
        if changes and changes[0].position <= position:
            gone += changes[0].samples
            fades_to = changes.pop(0).position + FADE
        if position >= fades_to and number != position + 1 + gone:
            yield f"{number} was played at {position}, and by what was told it is {position + 1 + gone}"
            return
    if changes:
        yield f"told, and never played: {changes}"


RULES = (
    live_sound_is_back_on_time,
    what_a_standstill_costs_is_counted,
    nothing_is_late_without_a_standstill,
    what_was_made_is_never_late,
    what_is_heard_goes_on_in_time,
    what_was_changed_is_told_where,
)
