"""The eras of a run's work: an interruption ends one, and what began in it makes nothing heard after it.

The context of a stage's task holds the present era. A task that the stage starts while it handles a
frame inherits the era, and keeps it. So the origin of a push is known, whoever made the task. A task
from `on_start` or `on_running` has no era: it may live as long as the run, and serve one answer after
another.
"""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["Era", "Eras", "leave_era"]


class Era:
    """The time between two interruptions of one run."""

    __slots__ = ("is_over", "owner")

    def __init__(self, owner: Eras) -> None:
        self.owner = owner
        """The eras of the run. A stage may start another run, which inherits the context."""
        self.is_over = False
        """True after the interruption that ended it."""


_era: ContextVar[Era | None] = ContextVar("voicepipe_era", default=None)


class Eras:
    """The eras of one run, one after another. In the loop's thread."""

    __slots__ = ("_next", "present")

    def __init__(self) -> None:
        self.present = Era(self)
        self._next: Era | None = None
        """The era after an interruption that was requested, and not yet carried out."""

    def enter(self) -> None:
        """Let the running code work in the present era."""
        if _era.get() is not self.present:
            _era.set(self.present)

    def enter_next(self) -> None:
        """Let the running code, which requests an interruption, work in the era after it."""
        if self._next is None:
            self._next = Era(self)
        _era.set(self._next)

    def change(self) -> None:
        """End the present era, because of an interruption."""
        self.present.is_over = True
        self.present, self._next = self._next or Era(self), None

    def is_stale(self) -> bool:
        """Return True if the running code began in an era of this run that is over."""
        era = _era.get()
        return era is not None and era.is_over and era.owner is self


def leave_era() -> None:
    """Let the running code work outside of any era."""
    if _era.get() is not None:
        _era.set(None)
