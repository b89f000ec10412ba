"""The limit for facts that wait at a busy stage: of too many, the oldest start goes with its stop."""

from __future__ import annotations

from collections import deque

from voicepipe.frames import FactFrame, Frame, FrameDirection
from voicepipe.pipeline.ledger import Ledger
from voicepipe.report import DropReason

__all__ = ["drop_oldest_pair"]

Entry = tuple[Frame, FrameDirection]


def drop_oldest_pair(lane: deque[Entry], ledger: Ledger, limit: int) -> None:
    """Drop the oldest pair of facts, such as a start and its stop, if as many facts wait as may.

    What remains tells the same in the end: a stage that knows of a stop has known of the start. Facts
    without a partner stay, but for the oldest fact of a class that has none at all.
    """
    facts = [entry for entry in lane if isinstance(entry[0], FactFrame)]
    if len(facts) < limit:
        return
    gone = _oldest_pair(facts) or _oldest_of_most(facts, limit)
    kept = [entry for entry in lane if not any(entry is each for each in gone)]
    lane.clear()
    lane.extend(kept)
    for fact, _ in gone:
        ledger.drop(fact, DropReason.COALESCED)


def _oldest_pair(facts: list[Entry]) -> list[Entry]:
    """Return the stop that waits longest, behind its start, with that start; empty: there is no pair."""
    for at, stop in enumerate(facts):
        kind = stop[0].closes if isinstance(stop[0], FactFrame) else None
        if kind is None:
            continue
        for start in reversed(facts[:at]):
            if isinstance(start[0], kind) and _origin(start) == _origin(stop):
                return [start, stop]
    return []


def _oldest_of_most(facts: list[Entry], limit: int) -> list[Entry]:
    """Return the oldest fact of a class of which as many wait as may, and which has no partner."""
    for fact, _ in facts:
        same = [entry for entry in facts if type(entry[0]) is type(fact)]
        if len(same) >= limit:
            return [same[0]]
    return []


def _origin(entry: Entry) -> tuple[object, FrameDirection]:
    return getattr(entry[0], "origin", ""), entry[1]
