"""The place in a speaker's track of what sounds while a sample is captured."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.reference.clock_line import ClockLine
from voicepipe.canceller.reference.fractional_read import AHEAD, BEFORE, MOST_SLIDE, read_between
from voicepipe.canceller.reference.speaker_track import SpeakerTrack

__all__ = ["LEAD_S", "TAIL_S", "Alignment"]

LEAD_S = 0.004
"""The reference is early by so much. A filter hears only what is behind; where stamps are wrong by less than
this, the echo still is. It costs the filter 4 of the 128 ms or more that it spans."""
TAIL_S = 0.5
"""A room is quiet so long after the last sound: nothing is read then."""
SAME_PPM = 12.0
"""Two clocks that differ by no more are one clock: samples are copied."""
LIKE_ONE_PPM = 10.0
"""And so are two that came so near to each other again."""
SURE = 2.0
"""The standard deviations by which a difference must be beyond that."""
OFF_S = 0.002
"""While samples are copied the place may lie so far beside the line: a bias is harmless, movement is not."""
NEAR_S = 0.0001
"""So near to the line it is brought back."""
LOST_S = 0.003
"""Beside the line by so much more than the line is uncertain, it is set anew; the lead is not much more."""
SETTLE_S = 60.0
MOST_PULL_PPM = 5.0
"""It is pulled towards the line over so much time, and never faster."""
RETURN_PPM = 20.0
"""The speed at which it is brought back to the line where the clocks are one."""
LANDING_PPM = 5.0
"""The speed at which the part of a sample that a step has left is made up. Then samples are copied again."""

_Floats: TypeAlias = npt.NDArray[np.float32]


class Alignment:
    """Reads one track of a speaker for the microphone.

    The place of the next sample goes on from that of the last one, at the ratio of the two clocks. It does
    not follow the jitter of the lines: a filter would have to learn each movement. Steps move it at once.

    Args:
        track: the track.
        copies: True: the two clocks are taken for one until they show that they are not.
        late_s: by how much later an echo comes than the stamps say.
    """

    def __init__(self, track: SpeakerTrack, *, copies: bool = True, late_s: float = 0.0) -> None:
        self.track = track
        self.realignments = 0
        """The number of times that the place jumped after something had sounded."""
        self.ratio_ppm = 0.0
        """The present step from sample to sample, beyond 1."""
        self._rate = track.rate
        self._lead_s = LEAD_S - late_s
        self._place = 0.0
        self._next = 0
        """The microphone's next position."""
        self._began = 0.0
        """The place of the first sample of the last block."""
        self._is_begun = False
        self._has_sounded = False
        self.copies = copies
        """True while the two clocks are taken for one."""
        self._is_beside = False
        """True while the place is brought back to the line."""
        self._usual_s = 0.0
        """The distance from the line to the place, as it is while nothing happens."""
        self._is_shaken = False
        """True behind a step whose size only a few stamps have told."""
        self._silent = 0
        """Samples from the place on while the device played nothing."""

    def shift(self, by_s: float) -> None:
        """Note that all that follows of the microphone was captured so much later than it seemed."""
        self._jump(by_s * self._rate)

    def move(self, by_s: float) -> None:
        """Note that an echo comes so much later than it did, whatever the stamps say."""
        self._lead_s -= by_s
        self._jump(-by_s * self._rate)

    def read(self, position: int, samples: int, mic: ClockLine, *, is_ahead: bool = False) -> _Floats | None:
        """Return what sounded meanwhile; None: nothing, and nothing has for a while.

        Args:
            position: of the first of these samples of the microphone.
            samples: their number.
            mic: the line of the microphone's times.
            is_ahead: True where the line is beyond a step of the microphone, and these samples are not.
        """
        self._place += (position - self._next) * (1.0 + self.ratio_ppm * 1e-6)
        self._next = position + samples
        while self.track.steps and self._samples_to_step() <= 0:
            self._take_step()
        if not (is_ahead and self._is_begun):
            self._follow(self.track.index_at(mic.time_of(position) + self._lead_s), mic, samples)
        self._began = self._place
        if self._place - self.track.history.loud_end > TAIL_S * self._rate:
            self._place += samples * (1.0 + self.ratio_ppm * 1e-6)
            return None
        self._has_sounded = True
        return self._read(samples)

    def read_before(self, samples: int) -> _Floats:
        """Return what sounded before the block that was read last."""
        begin = math.floor(self._began)
        part = self._began - begin
        if not part:
            return self.track.history.read(begin - samples, begin)
        near = self.track.history.read(begin - samples - BEFORE, begin + AHEAD)
        return read_between(near, part, 0.0)

    # -- where to read -----------------------------------------------------------------

    def _jump(self, samples: float) -> None:
        if self._has_sounded:
            self.realignments += 1
        self._place += samples
        self._is_shaken = True

    def _samples_to_step(self) -> int:
        """Return the samples up to the speaker's next step; negative: it was seen too late."""
        position, by_s = self.track.steps[0]
        return math.ceil(position + min(0.0, by_s) * self._rate - self._place)

    def _take_step(self) -> None:
        """Go over a step. Where the device lost time, it played nothing meanwhile."""
        position, by_s = self.track.steps.pop(0)
        self._jump(-by_s * self._rate)
        self._silent = max(0, math.ceil(position - self._place))

    def _follow(self, wanted: float, mic: ClockLine, samples: int) -> None:
        """Choose the ratio for the next samples, and set the place anew if that costs nothing."""
        line = self.track.line
        ppm = mic.ppm - line.ppm
        error_ppm = math.hypot(mic.ppm_error, line.ppm_error)
        off_s = (wanted - self._place) / self._rate
        if self.copies:
            self.copies = abs(ppm) <= SAME_PPM + SURE * error_ppm
        else:
            self.copies = abs(ppm) < LIKE_ONE_PPM and error_ppm < LIKE_ONE_PPM / 2
        if not self._is_begun or not (self._has_sounded or self.track.steps):
            self._is_begun = True
            self._set(float(round(wanted)) if self.copies else wanted)
        elif self.track.steps:
            return  # the line is beyond them, and the place is not
        elif abs(off_s) > LOST_S + 3.0 * math.hypot(mic.error_s, line.error_s):
            self._jump(wanted - self._place)
            self._set(wanted)
        elif mic.is_sure and line.is_sure:
            self._steady(off_s)
        off_s = (wanted - self._place) / self._rate
        self._is_beside = abs(off_s) > (NEAR_S if self._is_beside else OFF_S)
        self.ratio_ppm = self._ratio(ppm, off_s, samples)

    def _set(self, place: float) -> None:
        """Begin anew at that place, which is on the line."""
        self._place, self._usual_s, self._is_shaken = place, 0.0, False

    def _steady(self, off_s: float) -> None:
        """Behind a step, go back to the usual distance from the line: a filter has learned it."""
        if self._is_shaken:
            self._is_shaken = False
            self._place += (off_s - self._usual_s) * self._rate
        else:
            self._usual_s = off_s

    def _ratio(self, ppm: float, off_s: float, samples: int) -> float:
        """Return the step beyond 1, in ppm."""
        if not self.copies:
            pull_ppm = off_s / SETTLE_S * 1e6
            return ppm + max(-MOST_PULL_PPM, min(MOST_PULL_PPM, pull_ppm))
        way = off_s * self._rate if self._is_beside else round(self._place) - self._place
        most_ppm = RETURN_PPM if self._is_beside else LANDING_PPM
        if abs(way) > most_ppm * 1e-6 * samples:
            return math.copysign(most_ppm, way)
        self._place = float(round(self._place))
        return 0.0

    # -- reading -----------------------------------------------------------------------

    def _read(self, samples: int) -> _Floats:
        """Read on from the place, over the steps of the speaker on the way."""
        parts: list[_Floats] = []
        while self.track.steps and (before := max(0, self._samples_to_step())) < samples:
            if before:  # else the step before this one has gone beyond it
                parts.append(self._read_on(before))
            samples -= before
            self._take_step()
        parts.append(self._read_on(samples))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _read_on(self, samples: int) -> _Floats:
        """Read so many samples from the place on."""
        if self._silent:
            return self._read_silence(samples)
        history = self.track.history
        begin = math.floor(self._place)
        slide = samples * self.ratio_ppm * 1e-6
        if not slide and self._place == begin:
            self._place += samples
            return history.read(begin, begin + samples)
        if abs(slide) > MOST_SLIDE:
            half = samples // 2
            return np.concatenate((self._read_on(half), self._read_on(samples - half)))
        near = history.read(begin - BEFORE, begin + samples + AHEAD)
        part = self._place - begin
        self._place += samples + slide
        return read_between(near, part, slide)

    def _read_silence(self, samples: int) -> _Floats:
        silent = min(samples, self._silent)
        self._silent -= silent
        self._place += silent
        nothing = np.zeros(silent, np.float32)
        return nothing if silent == samples else np.concatenate((nothing, self._read_on(samples - silent)))
