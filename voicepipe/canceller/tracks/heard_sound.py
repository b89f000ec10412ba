"""The sound of a run's speakers at the moments of a microphone, by the speakers' own stamps alone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.reference.speaker_track import SpeakerTrack
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
        self._speakers = speakers
        self._read: dict[SpeakerTap, int] = {}
        self._tracks: dict[SpeakerTap, SpeakerTrack] = {}
        self._next: dict[SpeakerTrack, int] = {}
        """The place in each track behind what was read last."""

    def update(self) -> None:
        """Fetch what the speakers played since the last call."""
        for tap in self._speakers.taps:
            for block in tap.read(self._read.get(tap, -1)):
                track = self._tracks.get(tap)
                if track is None or not track.is_of(block):
                    if track is not None:
                        self._next.pop(track, None)
                    self._tracks[tap] = track = SpeakerTrack(block, self._rate)
                track.put(block)
                self._read[tap] = block.number

    def between(self, from_s: float, samples: int) -> _Floats:
        """Return as many samples of what sounded from that time on, full scale at -1 and 1."""
        total = np.zeros(samples, np.float32)
        for track in self._tracks.values():
            track.steps.clear()
            at, goes_on = round(track.index_at(from_s)), self._next.get(track)
            if goes_on is not None and abs(at - goes_on) < _JITTER_S * self._rate:
                at = goes_on
            self._next[track] = at + samples
            total += track.history.read(at, at + samples)
        return total
