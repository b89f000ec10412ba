"""The program's voice, as an interrupter handles it: softer, held, cut after the sentence."""

from __future__ import annotations

from voicepipe.speakers import Speakers

__all__ = ["DUCK_DB", "Voice"]

DUCK_DB = -12.0
"""The change of the volume, in decibels, while the user may be interrupting."""
DUCK_S = 0.02
UNDUCK_S = 0.2


class Voice:
    """The voice of all speakers of a run. One owner; in the loop's thread.

    Args:
        speakers: the speakers of the run.
    """

    def __init__(self, speakers: Speakers) -> None:
        self._speakers = speakers
        self._is_soft = self._is_held = False

    def duck(self) -> None:
        """Make it softer."""
        self._is_soft = True
        for speaker in self._speakers.controls:
            speaker.duck(DUCK_DB, DUCK_S)

    def unduck(self) -> None:
        """Bring it back to its volume, if it is softer."""
        if self._is_soft:
            self._is_soft = False
            for speaker in self._speakers.controls:
                speaker.unduck(UNDUCK_S)

    def hold(self) -> None:
        """Fade it out, and keep what was not heard."""
        self._is_held = True
        for speaker in self._speakers.controls:
            speaker.hold()

    def resume(self) -> None:
        """Let it go on, at its volume."""
        self.unduck()
        if self._is_held:
            self._is_held = False
            for speaker in self._speakers.controls:
                speaker.resume()

    def end_sentence(self) -> None:
        """Let it end its sentence, and drop what is behind that."""
        for speaker in self._speakers.controls:
            speaker.cut(after_sentence=True)
