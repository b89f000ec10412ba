"""The eras of a stage's work: an interruption ends one, and what began in it makes nothing heard after it.

The context of a stage's task holds the present era. A task that the stage starts while it handles a
frame inherits the era, and keeps it. So the origin of a push is known, whoever made the task. A task
from `on_start` has no era: it may live as long as the run, and serve one answer after another.
"""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["Era", "begin_era", "present_era"]


class Era:
    """The time between two interruptions, for one stage of one run."""

    __slots__ = ("is_over", "run")

    def __init__(self, run: object) -> None:
        self.run = run
        """The run. Within a stage, a program may start another run, which inherits the context."""
        self.is_over = False
        """True after the interruption that ended it."""


_era: ContextVar[Era | None] = ContextVar("voicepipe_era", default=None)


def begin_era(era: Era) -> None:
    """Make this the era of the present context."""
    _era.set(era)


def present_era() -> Era | None:
    """Return the era in which the running code began; None outside of any."""
    return _era.get()
