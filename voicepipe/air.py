"""What of a run's own sound is in the air, and when: so that a program need not hear itself."""

from __future__ import annotations

from collections import deque

__all__ = ["Air"]

_KEEP = 256
"""Stretches that are remembered. A microphone asks about at most the last seconds."""


class Air:
    """Speakers say when they sound; a microphone asks whether what it captured was captured meanwhile.

    Times are in seconds by the run's clock. In the loop's thread.
    """

    def __init__(self) -> None:
        self._sounding: dict[object, float] = {}
        self._over: deque[tuple[float, float]] = deque(maxlen=_KEEP)

    def begin(self, speaker: object, at_s: float) -> None:
        """This speaker sounds from now on. Said again, nothing changes."""
        self._sounding.setdefault(speaker, at_s)

    def end(self, speaker: object, at_s: float) -> None:
        """It has sounded until then, which may be a little in the future; ignored where it has not begun."""
        began_s = self._sounding.pop(speaker, None)
        if began_s is not None:
            self._over.append((began_s, at_s))

    def sounded(self, from_s: float, to_s: float) -> bool:
        """Whether any speaker sounded at any time between."""
        return any(began_s < to_s for began_s in self._sounding.values()) or any(
            began_s < to_s and from_s < ended_s for began_s, ended_s in self._over
        )
