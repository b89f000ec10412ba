"""Facts that came before their audio: each counts when the audio has come as far as it was decided."""

from __future__ import annotations

from collections import deque

from voicepipe.frames import (
    UserPausedFrame,
    UserResumedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)

__all__ = ["EarlyFacts", "SpeechFact", "lacks_position"]

SpeechFact = UserStartedSpeakingFrame | UserStoppedSpeakingFrame | UserPausedFrame | UserResumedFrame
_MOST = 256
"""The number of facts that may wait for their audio."""


class EarlyFacts:
    """The facts of one stage whose audio has not come, in their order."""

    def __init__(self) -> None:
        self._facts: deque[tuple[int, SpeechFact]] = deque()

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, fact: SpeechFact, end: int | None) -> None:
        """Keep a fact.

        Args:
            fact: the fact.
            end: the position behind the last sample that was heard; None: nothing was heard.
        """
        due = fact.position if fact.decided is None else fact.decided
        if end is not None and lacks_position(fact):
            due = end
        facts = self._facts
        if facts and facts[-1][0] > due:  # facts keep their order: those before it count by then
            facts = self._facts = deque((min(before, due), other) for before, other in facts)
        if len(facts) >= _MOST:  # the audio of the oldest turn will not come any more
            for _ in ("start", "stop"):
                if isinstance(facts.popleft()[1], UserPausedFrame):
                    facts.popleft()
        facts.append((due, fact))

    def take(self, position: int | None) -> SpeechFact | None:
        """Take the first fact, if it counts at this position; None: the audio does not come any more."""
        facts = self._facts
        if not facts or (position is not None and facts[0][0] > position):
            return None
        return facts.popleft()[1]

    @property
    def first(self) -> SpeechFact | None:
        """The first of them."""
        return self._facts[0][1] if self._facts else None

    @property
    def have_pause(self) -> bool:
        """True if the last of them is a pause."""
        return bool(self._facts) and isinstance(self._facts[-1][1], UserPausedFrame)

    def drop_last(self) -> None:
        """Drop the last of them."""
        self._facts.pop()

    def clear(self) -> None:
        """Drop all of them."""
        self._facts.clear()


def lacks_position(fact: SpeechFact) -> bool:
    """Return True for a fact that a program made without a position: it tells of now."""
    return fact.decided is None and not fact.position
