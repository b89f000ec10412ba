"""The times at which the log repeats that something is still wrong."""

from __future__ import annotations

__all__ = ["Reminder"]


class Reminder:
    """A reminder that something is still wrong: at once, after 30 s, and then every 5 minutes.

    A recovery of less than 10 s does not begin the series anew. Times are in seconds, on any one clock.
    """

    _again_s = (0.0, 30.0)
    _later_s = 300.0
    _steady_s = 10.0

    def __init__(self) -> None:
        self._count = 0
        self._last_s = 0.0
        self._works_since: float | None = None
        self._said = False
        """True if a message was due since it stopped working."""

    def is_due(self, now_s: float) -> bool:
        """Note that it does not work now; return True if a message is due."""
        if self._works_since is not None and now_s - self._works_since >= self._steady_s:
            self._count = 0
        self._works_since = None
        wait_s = self._again_s[self._count] if self._count < len(self._again_s) else self._later_s
        if self._count and now_s - self._last_s < wait_s:
            return False
        self._count, self._last_s, self._said = self._count + 1, now_s, True
        return True

    def note_recovery(self, now_s: float) -> bool:
        """Note that it works now; return True if a message had said that it did not."""
        said, self._said = self._said, False
        self._works_since = now_s
        return said
