"""The detection of a microphone that delivers only zeros, because it is muted or access is denied."""

from __future__ import annotations

__all__ = ["DigitalSilence"]

LIMIT_S = 5.0
"""The seconds of zeros after which to warn. Even a quiet room has noise, so zeros are not a room."""


class DigitalSilence:
    """A count of zeros. A block with any other sample begins the count anew."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._silent_s = 0.0
        self._told = False
        self._zeros = b""

    def has_lasted(self, data: bytes, seconds: float) -> bool:
        """Take the next block; return True if the zeros have now lasted for the limit.

        Returns True once for each period of zeros.
        """
        if len(self._zeros) != len(data):
            self._zeros = bytes(len(data))
        if data != self._zeros:  # for most blocks, only the first bytes are compared
            self._silent_s, self._told = 0.0, False
            return False
        self._silent_s += seconds
        if self._told or self._silent_s < self._limit_s:
            return False
        self._told = True
        return True
