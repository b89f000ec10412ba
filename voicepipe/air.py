"""A record of the times at which the speakers of a run sound, for muting its microphones."""

from __future__ import annotations

from collections import deque

__all__ = ["Air"]

_KEEP = 256
"""The number of remembered periods. A microphone asks about the last few seconds at most."""


class Air:
    """The periods in which speakers sound. A microphone uses them to find out if it heard a speaker.

    Times are in seconds on the run's clock. In the loop's thread.
    """

    def __init__(self) -> None:
        self._sounding: dict[object, float] = {}
        self._over: deque[tuple[float, float]] = deque(maxlen=_KEEP)

    def begin(self, speaker: object, at_s: float) -> None:
        """Note that the speaker sounds from `at_s` on. A second call changes nothing."""
        self._sounding.setdefault(speaker, at_s)

    def end(self, speaker: object, at_s: float) -> None:
        """Note that the speaker sounds until `at_s`, which may lie a little in the future.

        Ignored if the speaker has not begun.
        """
        began_s = self._sounding.pop(speaker, None)
        if began_s is not None:
            self._over.append((began_s, at_s))

    def has_sound(self, from_s: float, to_s: float) -> bool:
        """Return True if any speaker sounded at any time between `from_s` and `to_s`."""
        return any(began_s < to_s for began_s in self._sounding.values()) or any(
            began_s < to_s and from_s < ended_s for began_s, ended_s in self._over
        )
