"""The sound of a run's speakers at the moments of a microphone, by the speakers' own stamps alone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.reference.speaker_track import KEEP_S, SpeakerTrack
from voicepipe.canceller.tap_reader import TapReader
from voicepipe.speakers import Speakers, SpeakerTap

__all__ = ["HeardSound"]

_JITTER_S = 0.004
"""A place that differs by less from where the last one ended is taken for the same: stamps jitter."""
_Floats: TypeAlias = npt.NDArray[np.float32]


class HeardSound:
    """The speakers' sound, placed by the time at which it sounded. It knows nothing of a canceller.

    Args:
        rate: of the microphone.
        speakers: the run's.
    """

    def __init__(self, rate: int, speakers: Speakers) -> None:
        self._rate = rate
        self._taps = TapReader(speakers)
        self._newest: dict[SpeakerTap, SpeakerTrack] = {}
        """Of each speaker, its present stream."""
        self._next: dict[SpeakerTrack, int] = {}
        """Of each stream, ended ones too, the place behind what was read last; -1: nothing was."""

    def update(self) -> None:
        """Fetch what the speakers played since the last call."""
        for tap, block in self._taps.read():
            track = self._newest.get(tap)
            if track is None or not track.is_of(block):
                self._newest[tap] = track = SpeakerTrack(block, self._rate)
                self._next[track] = -1
            track.put(block)

    def between(self, from_s: float, samples: int) -> _Floats:
        """Return as many samples of what sounded from that time on, full scale at -1 and 1."""
        total = np.zeros(samples, np.float32)
        for track, goes_on in list(self._next.items()):
            track.steps.clear()
            at = round(track.index_at(from_s))
            if goes_on >= 0 and abs(at - goes_on) < _JITTER_S * self._rate:
                at = goes_on
            self._next[track] = at + samples
            total += track.history.read(at, at + samples)
            if track.end_s < from_s - KEEP_S and track not in self._newest.values():
                del self._next[track]
        return total
