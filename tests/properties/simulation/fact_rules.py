"""The rules of facts: at once, once, in order, to every stage on their way, whatever the stages do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from properties.simulation.facts import Facts
from properties.simulation.journal import Began, Ceased, Entry, Follows
from properties.simulation.scenario import StageSpec
from properties.simulation.told import Key, Telling, Told, telling_of
from voicepipe import FactFrame, Frame, FrameDirection, RunState

__all__ = ["RULES"]


def facts_wait_for_the_start(run: Facts) -> Iterator[str]:
    """Nobody knows of a fact before StartFrame has passed the pipeline."""
    telling = telling_of(run)
    for lines in telling.arrivals.values():
        for n, entry in lines:
            if n < telling.started and entry.who in (*telling.places, run.spec.name):
                yield f"{entry.who} {entry.what} {entry.frame} before StartFrame had passed"
                return


def a_fact_comes_once(run: Facts) -> Iterator[str]:
    """In each direction: no stage and no subscriber is told of it twice, whoever pushes it again."""
    telling = telling_of(run)
    for (who, what), lines in telling.arrivals.items():
        if who != run.spec.name and who not in telling.places:
            continue
        counts = Counter((id(entry.frame), entry.direction) for _, entry in lines)
        for _, entry in lines:
            if counts[id(entry.frame), entry.direction] > 1:
                yield f"{who} {what} {entry.frame} {entry.direction} more than once"
                return


def a_fact_comes_to_all_on_its_way_at_once(run: Facts) -> Iterator[str]:
    """In the step in which it was pushed, before a stage with a mailbox handles anything. To no other."""
    telling = telling_of(run)
    known = {who: _index(lines) for (who, what), lines in telling.arrivals.items() if what == "knows"}
    for told in telling.told.values():
        way = {spec.name for spec in telling.on_the_way(told)}
        key = id(told.fact), told.direction
        for spec in telling.on_the_way(told):
            found = known.get(spec.name, {}).get(key)
            if found is None:
                if told.is_inline and not telling.is_sound(spec):
                    continue  # what it was told with went first, and may have made that stage fail
                late = _given_at(telling, told)
                if late < min(telling.left_at(spec), telling.over) and _is_pushed(telling, told):
                    yield f"{told.who} told {told.fact} {told.direction}, and {spec.name} was not told"
                    return
            elif not told.is_early and told.line > telling.started and not _is_at_once(telling, told, found):
                yield f"{spec.name} was told of {told.fact} late"
                return
        for name, index in known.items():
            if key in index and name in telling.places and name not in way:
                yield f"{name} was told of {told.fact} {told.direction}, which {told.who} told elsewhere"
                return


def _given_at(telling: Telling, told: Told) -> int:
    """The line from which on all should know: those that wait for the start are passed on behind it."""
    if told.is_early:
        key = id(told.fact), told.direction
        lines = (at[key] for at in map(_index, telling.arrivals.values()) if key in at)
        return min(lines, default=telling.over)
    return max(told.line, telling.started)


def _index(lines: list[tuple[int, Entry]]) -> dict[Key, int]:
    return {(id(e.frame), e.direction): n for n, e in lines if e.direction is not None}


def _is_pushed(telling: Telling, told: Told) -> bool:
    """The pusher itself was sound, and had not ended, when it pushed; the program's was accepted in time."""
    lines = telling.lines
    if told.who == telling.program:
        if told.is_early and telling.run.report.never_started:
            return False
        accepted = [n for n, e in enumerate(lines) if e.what == "accepted" and e.frame is told.fact]
        asked = [at for at, _ in telling.run.run.asked]
        return bool(accepted) and lines[accepted[0]].at_s < min(asked, default=1e9)
    place = telling.places[told.who]
    ended = next(
        (n for n, e in enumerate(lines) if e.who == told.who and e.what == "on_end done"), len(lines)
    )
    return telling.is_sound(place.spec) and told.line < min(ended, telling.over)


def _is_at_once(telling: Telling, told: Told, found: int) -> bool:
    """Nothing that takes a step of the loop stands between."""
    lines = telling.lines
    if lines[found].at_s != lines[told.line].at_s:
        return False
    took = (e.who for e in lines[told.line + 1 : found] if e.what == "took" and e.who in telling.places)
    return all(telling.places[who].spec.inline for who in took)


def a_fact_comes_to_the_subscribers(run: Facts) -> Iterator[str]:
    """At once, as to the stages."""
    telling = telling_of(run)
    shown = _index(telling.arrivals.get((run.spec.name, "surfaced"), []))
    for told in telling.told.values():
        found = shown.get((id(told.fact), told.direction))
        if found is None:
            if max(told.line, telling.started) < telling.over and _is_pushed(telling, told):
                yield f"{told.who} told {told.fact} {told.direction}, and no subscriber was told"
                return
        elif not told.is_early and told.line > telling.started and not _is_at_once(telling, told, found):
            yield f"the subscribers were told of {told.fact} late"
            return


def facts_keep_their_order(run: Facts) -> Iterator[str]:
    """In one direction, those of one maker; those of different makers are seen in one order by all."""
    telling = telling_of(run)
    first = _ranks(telling.arrivals.get((run.spec.name, "surfaced"), []))
    for (who, what), lines in telling.arrivals.items():
        if who not in telling.places:
            continue
        for direction in FrameDirection:
            ranks = [
                first[id(e.frame), direction]
                for _, e in lines
                if e.direction is direction and (id(e.frame), direction) in first
            ]
            if ranks != sorted(ranks):
                yield f"{who} {what} facts {direction.value} in another order than the subscribers"
                return
        numbers: dict[tuple[str, FrameDirection | None], int] = {}
        for _, entry in lines:
            if isinstance(entry.frame, (Began, Ceased)) and not _is_kept(run):
                key = entry.frame.origin, entry.direction
                if entry.frame.number < numbers.get(key, 0):
                    yield f"{who} {what} {entry.frame} behind {numbers[key]}"
                    return
                numbers[key] = entry.frame.number


def a_fact_follows_its_cause(run: Facts) -> Iterator[str]:
    """What a stage makes of a fact comes behind that fact, everywhere."""
    telling = telling_of(run)
    for (who, what), lines in telling.arrivals.items():
        seen: set[tuple[int, FrameDirection | None]] = set()
        ahead: dict[tuple[int, FrameDirection | None], Follows] = {}
        for _, entry in lines:
            key = id(entry.frame), entry.direction
            if key in ahead:
                yield f"{who} {what} {ahead[key]} before the fact that it was made of"
                return
            seen.add(key)
            if isinstance(entry.frame, Follows) and (id(entry.frame.of), entry.direction) not in seen:
                ahead[id(entry.frame.of), entry.direction] = entry.frame


def _ranks(lines: list[tuple[int, Entry]]) -> dict[tuple[int, FrameDirection | None], int]:
    return {(id(entry.frame), entry.direction): at for at, (_, entry) in enumerate(lines)}


def _is_kept(run: Facts) -> bool:
    """A stage pushes the facts of others in the other direction, later."""
    return any(stage.manners.tells == "keeps" for stage in run.spec.stages)


def a_stage_handles_each_fact(run: Facts) -> Iterator[str]:
    """That it takes, once, in order; of too many it misses whole pairs only, and those are counted."""
    telling = telling_of(run)
    if run.state is not RunState.ENDED or run.cancelled_s is not None:
        return
    for spec in run.spec.stages:
        if not telling.is_sound(spec) or run.count(spec, "raises") or run.count(spec, "hangs"):
            continue
        took = [e for _, e in telling.arrivals.get((spec.name, "took"), [])]
        end = telling.left_at(spec)
        knew = [
            e for n, e in telling.arrivals.get((spec.name, "knows"), []) if n < end and _takes(spec, e.frame)
        ]
        handled = {(id(e.frame), e.direction) for e in took}
        missing = [e for e in knew if (id(e.frame), e.direction) not in handled]
        yield from _missing(run, spec, missing, knew)
        order = {(id(e.frame), e.direction): n for n, e in enumerate(knew)}
        for direction in FrameDirection:
            places = [
                order[id(e.frame), direction]
                for e in took
                if e.direction is direction and (id(e.frame), direction) in order
            ]
            if places != sorted(places):
                yield f"{spec.name} handled the facts that went {direction.value} in another order"


def _missing(run: Facts, spec: StageSpec, missing: list[Entry], knew: list[Entry]) -> Iterator[str]:
    if not missing:
        return
    seam = next(seam for seam in run.report.seams if seam.name == spec.name)
    if len(missing) > seam.dropped_frames.get("coalesced", 0):
        yield f"{spec.name} did not handle {len(missing)} facts: {seam}; {missing[0].frame}"
    gone = {_partner(e, 0) for e in missing}
    for entry in missing:
        partner = _partner(entry, 1 if isinstance(entry.frame, Began) else -1)
        if partner and partner not in gone and any(_partner(e, 0) == partner for e in knew):
            yield f"{spec.name} missed {entry.frame} without its partner"
            return


def _partner(entry: Entry, apart: int) -> tuple[str, int, FrameDirection | None] | None:
    """The maker, number and direction of a fact so far apart; None for one without a partner."""
    fact = entry.frame
    if not isinstance(fact, (Began, Ceased)):
        return None
    return fact.origin, fact.number + apart, entry.direction


def _takes(spec: StageSpec, frame: Frame | None) -> bool:
    return spec.inline or spec.manners.classes is None or isinstance(frame, spec.manners.classes)


def no_fact_behind_the_end(run: Facts) -> Iterator[str]:
    """A stage is told of none after its End, nor are the subscribers."""
    for spec in run.spec.stages:
        if spec.does.startswith("stubborn"):
            continue
        ended = False
        for entry in run.of(spec):
            ended = ended or entry.what == "on_end done"
            if ended and isinstance(entry.frame, FactFrame) and entry.what in ("knows", "took"):
                yield f"{spec.name} {entry.what} {entry.frame} after its End"
                return


def takes_what_it_says(run: Facts) -> Iterator[str]:
    """A stage is given only what it takes."""
    for spec in run.spec.stages:
        for entry in run.of(spec):
            if entry.what == "took" and not _takes(spec, entry.frame):
                yield f"{spec.name} takes {spec.manners.takes}, and was given {entry.frame}"
                return


RULES = (
    facts_wait_for_the_start,
    a_fact_comes_once,
    a_fact_comes_to_all_on_its_way_at_once,
    a_fact_comes_to_the_subscribers,
    facts_keep_their_order,
    a_fact_follows_its_cause,
    a_stage_handles_each_fact,
    no_fact_behind_the_end,
    takes_what_it_says,
)
