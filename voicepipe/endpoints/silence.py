"""The detection of a microphone that delivers only zeros: muted, without access, or with a dead stream."""

from __future__ import annotations

__all__ = ["LIMIT_S", "LONGEST_S", "REOPEN_S", "DigitalSilence"]

LIMIT_S = 5.0
"""The seconds of zeros after which to warn. Even a quiet room has noise, so zeros are not a room."""
REOPEN_S = 30.0
"""The seconds of zeros after which to open the device again: a restarted sound server leaves dead streams."""
LONGEST_S = 600.0
"""The longest wait between two reopenings, in seconds of zeros."""
HELP_S = 3.0
"""The seconds of zeros of a new stream within which a sound shows that the old stream was dead."""
DOUBTS = 2
"""The reopenings that may help nothing before zeros are taken to be usual, as behind a noise gate."""


class DigitalSilence:
    """A count of zeros. A block with any other sample begins the count anew.

    A microphone that was heard is not muted, for a noise gate gives zeros between words. Its stream may
    be dead, though. So it is opened again after 30 s of zeros, and then after twice the time, up to
    10 minutes. Where zeros often end by themselves, the first wait grows in the same way.
    """

    def __init__(self, limit_s: float = LIMIT_S, reopen_s: float = REOPEN_S) -> None:
        self.heard = False
        """True once a block had another sample."""
        self.reopenings = 0
        """The reopenings since the last sound."""
        self._limit_s, self._reopen_s = limit_s, reopen_s
        self.silent_s = 0.0
        """The seconds of zeros since the last sound, or since the last reopening."""
        self._wait_s = reopen_s
        """The seconds of zeros until the next reopening."""
        self._vain = 0
        """The periods of zeros that no reopening has ended, in a row."""
        self._quiet = self._warned = False
        self._zeros = b""

    @property
    def reopening_is_due(self) -> bool:
        """True if zeros have lasted so long that the device is to be opened again."""
        return self.silent_s >= self._wait_s

    def has_lasted(self, data: bytes, seconds: float) -> bool:
        """Take the next block; return True if it is time to warn.

        Returns True at most once, and never after a sound.
        """
        if not self.are_zeros(data):
            if self._quiet or not self.heard:
                self.note_sound()
            return False
        self._quiet = True
        self.silent_s += seconds
        if self._warned or self.heard or self.silent_s < self._limit_s:
            return False
        self._warned = True
        return True

    def are_zeros(self, data: bytes) -> bool:
        """Return True if the block has no other sample."""
        if len(self._zeros) != len(data):
            self._zeros = bytes(len(data))
        return data == self._zeros  # for most blocks, only the first bytes are compared

    def note_sound(self) -> None:
        """Note that the microphone sounds."""
        self.heard = True
        if not self._quiet:
            return
        if self.reopenings:
            self._vain = 0 if self.silent_s < HELP_S else self._vain + 1
        self._quiet, self.silent_s, self.reopenings = False, 0.0, 0
        self._wait_s = self._back_off(max(0, self._vain - DOUBTS))

    def note_reopening(self) -> bool:
        """Note that the device is opened again; return True if that is news, as it is not behind a gate."""
        self.reopenings += 1
        self.silent_s = 0.0
        self._wait_s = self._back_off(max(0, self._vain - DOUBTS) + self.reopenings)
        return self.reopenings == 1 and not self._vain

    def _back_off(self, doublings: int) -> float:
        return min(LONGEST_S, self._reopen_s * 2.0 ** min(doublings, 16))
