"""What a stage does with facts, as its manners say: its own, and those of others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from properties.simulation.journal import Began, Ceased, Fact, Follows, Journal
from voicepipe import DataFrame, FactFrame, Frame, FrameDirection

__all__ = ["Telling"]

_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
_WAYS = ((_DOWN,), (_UP,), (_DOWN, _UP))
_EVERY = 3
"""It tells a fact with every third data frame."""
_FLOOD = 201
_EARLY = 4
TICK_S = 0.05

Push = Callable[[Frame, FrameDirection], Awaitable[None]]


class Telling:
    """The facts of one stage."""

    def __init__(self, name: str, tells: str, journal: Journal) -> None:
        self._name, self._tells, self._journal = name, tells, journal
        self._number = 0
        self._frames = 0
        self._kept: list[Frame] = []

    def begin(self) -> None:
        """Begin anew, in another run."""
        self._kept.clear()
        self._frames = 0

    # -- its own -----------------------------------------------------------------

    def fact(self) -> Fact:
        """Make the next one: a start or, in turn, its stop."""
        self._number += 1
        return (Began if self._number % 2 else Ceased)(self._name, self._number)

    def note(self, fact: Frame, direction: FrameDirection) -> None:
        """Note that the stage pushes it now."""
        self._journal.note(self._name, "tells", fact, direction)

    def _ways(self) -> tuple[FrameDirection, ...]:
        """Return the ways of the last fact that was made; its partner goes the same."""
        return _WAYS[(self._number - 1) // 2 % len(_WAYS)]

    async def _push(self, push: Push, fact: Frame, *ways: FrameDirection) -> None:
        for way in ways:
            self.note(fact, way)
            await push(fact, way)

    async def at_start(self, push: Push) -> None:
        """Tell some in on_start, which wait for the start."""
        if self._tells == "early":
            for _ in range(_EARLY):
                await self._push(push, self.fact(), *self._ways())

    async def at_end(self, push: Push) -> None:
        """Tell some in on_end."""
        if self._tells == "ends":
            for _ in range(2):
                await self._push(push, self.fact(), *self._ways())

    async def tick(self, push: Push) -> None:
        """Tell one now and then, for ever."""
        while self._tells == "ticks":
            await asyncio.sleep(TICK_S)
            await self._push(push, self.fact(), *self._ways())

    async def at_data(self, push: Push, frame: Frame, direction: FrameDirection) -> None:
        """Tell of a data frame, push what was kept again, or tell very many at once."""
        for fact, ways in self._due(frame, direction):
            await self._push(push, fact, *ways)

    def of_data(self, frame: Frame, direction: FrameDirection) -> list[Frame]:
        """Return the facts that an inline stage tells with a data frame, noted."""
        facts = [fact for fact, _ in self._due(frame, direction)]
        for fact in facts:
            self.note(fact, direction)
        return facts

    def _due(
        self, frame: Frame, direction: FrameDirection
    ) -> Iterator[tuple[Frame, tuple[FrameDirection, ...]]]:
        if not isinstance(frame, DataFrame) or direction is not _DOWN:
            return
        self._frames += 1
        if self._tells == "tells" and self._frames % _EVERY == 1:
            yield self.fact(), self._ways()
        elif self._tells == "floods" and self._frames == 2:
            for _ in range(_FLOOD):
                yield self.fact(), (_DOWN,)
        elif self._tells == "keeps":
            kept, self._kept = self._kept, []
            for fact in kept:
                yield fact, (_DOWN, _UP)

    # -- those of others ---------------------------------------------------------

    async def handle(self, push: Push, fact: Frame, direction: FrameDirection) -> None:
        """Handle one that arrived."""
        for made in self.of_fact(fact, direction):
            if made is not fact:
                self.note(made, direction)
            await push(made, direction)

    def of_fact(self, fact: Frame, direction: FrameDirection) -> list[Frame]:
        """Return what the stage passes on for a fact."""
        if self._tells == "keeps":
            self._kept.append(fact)
            return []
        if self._tells == "holds":
            return []
        if self._tells == "doubles":
            return [fact, fact]
        if self._tells == "follows" and isinstance(fact, Fact) and not isinstance(fact, Follows):
            self._number += 1
            return [Follows(self._name, self._number, fact), fact]
        return [fact]

    @staticmethod
    def is_fact(frame: Frame) -> bool:
        """Return True for a fact, also of the framework's own stages."""
        return isinstance(frame, FactFrame)
