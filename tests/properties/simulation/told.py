"""The facts that were told in a run, as the journal has them: by whom, and on whose way they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from properties.simulation.facts import DOWN, Facts
from properties.simulation.journal import Entry, Fact
from properties.simulation.places import Place, places_in
from properties.simulation.scenario import StageSpec
from voicepipe import FactFrame, FrameDirection, StartFrame

__all__ = ["Key", "Telling", "Told", "telling_of"]

Key = tuple[int, FrameDirection]
_PUSHES = ("tells", "queues", "queues early")


@dataclass(slots=True)
class Told:
    """One fact in one direction, and the line of the journal on which it was pushed."""

    fact: Fact
    direction: FrameDirection
    line: int
    who: str
    is_early: bool
    """True if the task keeps it, because the run still opens."""
    is_inline: bool
    """True if an inline stage made it."""


class Telling:
    """The facts of one run, as the journal has them."""

    def __init__(self, run: Facts) -> None:
        self.run = run
        self.lines = run.lines
        self.places = {place.spec.name: place for place in places_in(run.spec.shape)}
        self.program = f"{run.spec.name}.program"

    @cached_property
    def started(self) -> int:
        """The line on which StartFrame has passed the pipeline; the number of lines if it never has."""
        mine = self.run.spec.name
        return next(
            (n for n, e in enumerate(self.lines) if e.who == mine and isinstance(e.frame, StartFrame)),
            len(self.lines),
        )

    @cached_property
    def over(self) -> int:
        """The line from which on nothing is promised: a cancel, a failure, or the end of the run."""
        mine = self.run.spec.name
        stop = ("asked: cancel", "asked: outer", "asked: CancelFrame", "cancel all", "returned")
        for n, entry in enumerate(self.lines):
            if entry.who == mine and entry.what in stop:
                return n
            if entry.what == "asks" and self._cancels(entry):
                return n
        return len(self.lines)

    def _cancels(self, entry: Entry) -> bool:
        place = self.places.get(entry.who)
        return place is not None and place.spec.what == "CancelFrame"

    @cached_property
    def told(self) -> dict[Key, Told]:
        """The first push of each fact in each direction."""
        found: dict[Key, Told] = {}
        refused = {id(e.frame) for e in self.lines if e.what == "refused"}
        for n, entry in enumerate(self.lines):
            if entry.what not in _PUSHES or not isinstance(entry.frame, Fact):
                continue
            if entry.who != self.program and entry.who not in self.places:
                continue
            assert entry.direction is not None
            key = id(entry.frame), entry.direction
            if key not in found and id(entry.frame) not in refused:
                is_early, place = entry.what == "queues early", self.places.get(entry.who)
                is_inline = place is not None and place.spec.inline
                found[key] = Told(entry.frame, entry.direction, n, entry.who, is_early, is_inline)
        return found

    @cached_property
    def arrivals(self) -> dict[tuple[str, str], list[tuple[int, Entry]]]:
        """The lines about facts, of each stage and the subscribers: "knows", "took", "surfaced"."""
        found: dict[tuple[str, str], list[tuple[int, Entry]]] = defaultdict(list)
        for n, entry in enumerate(self.lines):
            if isinstance(entry.frame, FactFrame) and entry.what in ("knows", "took", "surfaced"):
                found[entry.who, entry.what].append((n, entry))
        return found

    def on_the_way(self, told: Told) -> Iterator[StageSpec]:
        """The stages that the fact comes to."""
        pusher = self.places.get(told.who)
        for place in self.places.values():
            if pusher is None or _is_reached(pusher, place, told.direction):
                yield place.spec

    def left_at(self, spec: StageSpec) -> int:
        """The line from which on a stage may know of no fact: of its failure, its End, its clean-up."""
        stop = ("raises", "on_end", "cleanup", "on_cancel", "hangs", "refuses to stop")
        entries = ((n, e) for n, e in enumerate(self.lines) if e.who == spec.name)
        return next((n for n, e in entries if e.what in stop), self.over)

    def is_sound(self, spec: StageSpec) -> bool:
        """The stage neither failed nor was passed by."""
        report = self.run.report
        named = {error.stage for error in report.errors} | {slow.stage for slow in report.slow}
        return spec.name not in named


@lru_cache(maxsize=1)
def telling_of(run: Facts) -> Telling:
    return Telling(run)


def _is_reached(pusher: Place, place: Place, direction: FrameDirection) -> bool:
    return pusher.is_before(place) if direction is DOWN else place.is_before(pusher)
