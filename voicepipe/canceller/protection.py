"""The protection from the program's own sound: which one, and why; and the way back to half-duplex."""

from __future__ import annotations

from dataclasses import dataclass

from voicepipe.report import LEAST_ERLE_DB, EchoState, Protection

__all__ = ["FallBack", "ProtectionWish"]

GOOD_DB = 13.0
"""A canceller that takes more of the echo is of use again."""
TIMES = 3
"""So many windows in a row decide."""


@dataclass(frozen=True, slots=True)
class ProtectionWish:
    """The wishes for a microphone: of the program's code, of the user's settings, and of the hardware."""

    cancel: bool | None
    """Cancel the echo; None: where the microphone hears the speaker."""
    mute: bool | None
    """Be deaf while the program sounds; None: where the microphone hears the speaker, and nothing cancels."""
    shares_air: bool
    """True if the microphone hears the speaker."""

    @property
    def cancels(self) -> bool:
        """True if the echo is to be cancelled."""
        if self.cancel is None:
            return self.shares_air and self.mute is not True
        return self.cancel

    @property
    def mutes(self) -> bool:
        """True if the microphone is to be deaf while the program sounds, where nothing cancels."""
        return self.shares_air if self.mute is None else self.mute

    @property
    def may_fall_back(self) -> bool:
        """True if half-duplex may take the place of a canceller that is of no use."""
        return self.mute is not False

    def without_canceller(self, reason: str = "") -> EchoState | None:
        """Return the protection where nothing cancels; None: none is needed.

        Args:
            reason: why nothing does, although it should.
        """
        protection: Protection = "half-duplex" if self.mutes else "headphones"
        if not (self.shares_air or self.mutes or self.cancel):
            return None
        return EchoState(protection, reason)


class FallBack:
    """Decides between a canceller and half-duplex by what the canceller achieves.

    Three windows in a row of too small a reduction bring half-duplex, and three good ones end it.
    """

    def __init__(self) -> None:
        self.is_in_force = False
        """True while half-duplex takes the place of the canceller."""
        self._in_a_row = 0

    def judge(self, erle_db: float) -> bool:
        """Take the reduction of a window at the ear; return True if that changes the protection."""
        counts = erle_db > GOOD_DB if self.is_in_force else erle_db < LEAST_ERLE_DB
        self._in_a_row = self._in_a_row + 1 if counts else 0
        if self._in_a_row < TIMES:
            return False
        self.is_in_force, self._in_a_row = not self.is_in_force, 0
        return True
