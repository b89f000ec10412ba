"""Notices a microphone that delivers nothing but zeros: it is muted, or not let in."""

from __future__ import annotations

__all__ = ["DigitalSilence"]

LIMIT_S = 5.0
"""Even a quiet room is noise; zeros for so long are no room."""


class DigitalSilence:
    """Counts zeros. A block with any sound in it begins the count anew."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._silent_s = 0.0
        self._told = False
        self._zeros = b""

    def has_lasted(self, data: bytes, seconds: float) -> bool:
        """Take the next block; whether this is the moment to say that all is silent.

        True once for each stretch of zeros that lasts for the limit.
        """
        if len(self._zeros) != len(data):
            self._zeros = bytes(len(data))
        if data != self._zeros:  # of most blocks this looks at the first bytes only
            self._silent_s, self._told = 0.0, False
            return False
        self._silent_s += seconds
        if self._told or self._silent_s < self._limit_s:
            return False
        self._told = True
        return True
