"""The passing of facts: to every stage in one direction at once, past mailboxes that are full or busy."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable

from voicepipe.frames import Frame, FrameDirection
from voicepipe.pipeline.link import Element

__all__ = ["FactPassing"]

_EARLY = 256
"""The number of facts that may wait for the start of a run."""

Waiting = tuple[Element, Frame, FrameDirection, bool]
"""A fact that is to be passed: from where, which, in which direction, and for the first time."""

_NONE: deque[Waiting] = deque()
_NOTHING: deque[Callable[[], None]] = deque()
_NOBODY: dict[tuple[int, FrameDirection], weakref.ref[Frame]] = {}
"""Empty collections that all runs share until their first fact. They are never changed."""


_OPPOSITE = {
    FrameDirection.DOWNSTREAM: FrameDirection.UPSTREAM,
    FrameDirection.UPSTREAM: FrameDirection.DOWNSTREAM,
}


class FactPassing:
    """The facts of one run. In the loop's thread.

    A fact goes through the chain element by element, in one step of the loop. What the inline stages
    make of it follows when it has arrived everywhere, so no utterance comes before its fact. A fact
    that is pushed meanwhile follows too, so facts of one direction keep their order. Each goes once in
    each direction, whatever the stages do with it.

    Args:
        note: called with each fact once, before any stage gets it.
    """

    __slots__ = ("_is_open", "_known", "_made", "_note", "_passing", "_waiting")

    def __init__(self, note: Callable[[Frame], object] = lambda fact: None) -> None:
        self._note = note
        self._is_open = False
        """True once StartFrame has passed the whole pipeline. Facts from before wait for it."""
        self._passing = False
        self._waiting = _NONE
        self._made = _NOTHING
        """The sends of what the stages made of the fact that is being passed."""
        # By id, not by hash: a user's fact may be a dataclass that compares by value.
        self._known = _NOBODY

    def is_known(self, fact: Frame, direction: FrameDirection) -> bool:
        """Return True if the fact was pushed in this direction before."""
        return (id(fact), direction) in self._known

    def push(self, start: Element, fact: Frame, direction: FrameDirection) -> None:
        """Pass a fact on from an element. Without effect if it was pushed in this direction before.

        Raises:
            RuntimeError: more than 256 facts wait for the start of the run.
        """
        key = id(fact), direction
        if key in self._known:
            return
        if not self._is_open and len(self._waiting) >= _EARLY:
            raise RuntimeError(f"over {_EARLY} facts were pushed before the start: push them in on_running()")
        if self._known is _NOBODY:
            self._known, self._waiting, self._made = {}, deque(), deque()
        is_new = (id(fact), _OPPOSITE[direction]) not in self._known
        self._known[key] = weakref.ref(fact, lambda _: self._known.pop(key, None))
        self._waiting.append((start, fact, direction, is_new))
        self._pass()

    def send_later(self, send: Callable[[], None]) -> None:
        """Call this when the fact that is being passed has arrived everywhere."""
        self._made.append(send)

    def open(self) -> None:
        """Pass the facts that waited for the start, and all later ones at once."""
        self._is_open = True
        self._pass()

    def _pass(self) -> None:
        if self._passing or not self._is_open:
            return
        self._passing = True
        try:
            while self._waiting:
                start, fact, direction, is_new = self._waiting.popleft()
                if is_new:
                    self._note(fact)
                start.pass_fact_from(fact, direction)
                while self._made:
                    self._made.popleft()()
        finally:
            self._passing = False
