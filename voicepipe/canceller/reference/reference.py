"""The sound of all speakers at the moments at which a microphone captured its samples."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.reference.alignment import LEAD_S, Alignment
from voicepipe.canceller.reference.clock_line import ClockLine, Step
from voicepipe.canceller.reference.speaker_track import KEEP_S, SpeakerTrack
from voicepipe.checks import check_count
from voicepipe.speakers import Tapped

__all__ = ["Reference"]

MARGIN_S = 0.004
"""So much more than what is asked for must be in: stamps jitter, and a fractional read looks ahead."""
DEAD_S = 0.25
"""A stream that has told nothing for so long will tell nothing more: nobody waits for it."""
OTHER_DEVICE_S = 0.3
"""A gap of the microphone as long as this may be a change of device."""
SAME_S, _SAME_TO_S = 0.02, 1e-7
"""A stamp that follows exactly from the last one is of the same block, cut in pieces, if it is no later."""

_Floats: TypeAlias = npt.NDArray[np.float32]


class Reference:
    """The sound of all speakers while a microphone captured its blocks, in mono, by time.

    Each device has a line from positions to times, which its stamps make. `ClockLine` tells losses and
    changes of delay from jitter. A microphone's sample is paired with what sounded then through the lines.
    While both clocks agree, samples are copied, bit by bit; otherwise they are read between samples.

    What is unknown is silent. All calls are in one thread.

    Args:
        rate: of the microphone, in samples a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = check_count("rate", rate)
        self._mic = ClockLine(rate)
        self._noted: int | None = None
        """The microphone's position behind the last frame whose time was noted."""
        self._next: int | None = None
        """The microphone's position behind the last block that was read."""
        self._steps: list[Step] = []
        """Steps of the microphone that reading has not come to."""
        self.lost = 0
        """The samples that the microphone lost before the last block, told or not; negative: it has more."""
        self._stamp = (-math.inf, 0.0)
        """The nominal time of the microphone's last stamp, and the difference of the true one from it."""
        self._newest: dict[object, Alignment] = {}
        """Of each speaker, its present stream."""
        self._old: list[Alignment] = []
        """Streams that ended, some of whose sound may still be asked for."""
        self._late_s = 0.0
        """By how much later an echo comes than the stamps say."""
        self._over = 0
        """The realignments of streams that are let go."""

    @property
    def lead(self) -> int:
        """The samples by which the reference is early, so that the path of an echo never is.

        Negative: late, as the stamps are wrong by that.
        """
        return round((LEAD_S - self._late_s) * self._rate)

    @property
    def realignments(self) -> int:
        """The number of times that it jumped to another place while something sounded."""
        return self._over + sum(alignment.realignments for alignment in self._alignments())

    @property
    def steps(self) -> int:
        """The number of losses and changes of delay that nobody told of, in all present streams."""
        return self._mic.steps + sum(alignment.track.line.steps for alignment in self._alignments())

    @property
    def ratio_ppm(self) -> float:
        """The speed at which a speaker's sound is read, beyond the microphone's, in parts in a million.

        0 while both clocks agree. Of several speakers, that of the one whose clock differs most.
        """
        ratios = (alignment.ratio_ppm for alignment in self._newest.values())
        return max(ratios, key=abs, default=0.0)

    def put(self, speaker: object, block: Tapped) -> None:
        """Take a block of what a speaker's device took, in the order in which its tap tells them."""
        alignment = self._newest.get(speaker)
        if alignment is None or not alignment.track.is_of(block):
            alignment = self._begin(speaker, block, alignment)
        alignment.track.put(block)

    def shift(self, by_s: float) -> None:
        """Return from now on what sounded so much before: an echo comes later than the stamps say.

        Args:
            by_s: in seconds; negative: earlier.
        """
        self._late_s += by_s
        for alignment in self._alignments():
            alignment.move(by_s)

    def is_in(self, until_s: float) -> bool:
        """Return True if all that sounds before that time is here.

        A stream that has told nothing for a while is not waited for.
        """
        wanted_s = until_s + LEAD_S + MARGIN_S
        for alignment in self._newest.values():
            end_s = alignment.track.end_s
            if end_s < wanted_s < end_s + DEAD_S:
                return False
        return True

    def note(self, position: int, captured_s: float, samples: int) -> bool:
        """Take the time of the microphone's next samples. They are read afterwards, or later than others.

        Args:
            position: of the first of them. A jump is a loss that was told.
            captured_s: the time of that sample, by the loop's clock.
            samples: their number.

        Returns:
            True while their times look as behind a loss that nobody told, and are too few to be sure.
        """
        gap = 0 if self._noted is None else position - self._noted
        self._noted = position + samples
        if abs(gap) > OTHER_DEVICE_S * self._rate:
            self._mic.loosen()
        for at in range(0, samples, max(1, round(SAME_S * self._rate))):
            self._note(position + at, captured_s + at / self._rate, after_gap=gap != 0 and not at)
        return self._mic.is_in_doubt

    def read(self, position: int, samples: int) -> _Floats | None:
        """Return what sounded while these samples of the microphone were captured, full scale at -1 and 1.

        It is called for every block, in order, behind `note`.

        Returns:
            As many samples; None: nothing sounds, and nothing has for half a second.
        """
        self.lost = 0 if self._next is None else position - self._next
        self._next = position + samples
        while self._steps and self._steps[0].position < self._next:
            self._take_step(self._steps.pop(0))
        total: _Floats | None = None
        for alignment in self._alignments():
            sound = alignment.read(position, samples, self._mic, is_ahead=bool(self._steps))
            if sound is not None:
                total = sound if total is None else total + sound
        if self._old:
            self._let_go()
        return total

    def read_before(self, samples: int) -> _Floats:
        """Return what sounded before the block that was read last, in a line with it: losses are no gaps."""
        sounds = (alignment.read_before(samples) for alignment in self._alignments())
        return sum(sounds, np.zeros(samples, np.float32))

    def _alignments(self) -> list[Alignment]:
        return [*self._newest.values(), *self._old]

    def _note(self, position: int, captured_s: float, *, after_gap: bool) -> None:
        if not after_gap and self._is_piece(position / self._rate, captured_s):
            return
        step = self._mic.put(position, captured_s, after_gap=after_gap)
        if step is not None:
            self._steps.append(step)

    def _take_step(self, step: Step) -> None:
        self.lost += round(step.by_s * self._rate)
        for alignment in self._alignments():
            alignment.shift(step.by_s)

    def _is_piece(self, at_s: float, captured_s: float) -> bool:
        """Return True for a piece of a block whose stamp is known: five pieces are no five blocks."""
        last_s, last_offset_s = self._stamp
        offset_s = captured_s - at_s
        if abs(offset_s - last_offset_s) < _SAME_TO_S and at_s - last_s < SAME_S - _SAME_TO_S:
            return True
        self._stamp = at_s, offset_s
        return False

    def _begin(self, speaker: object, block: Tapped, before: Alignment | None) -> Alignment:
        if before is None:
            alignment = Alignment(SpeakerTrack(block, self._rate), late_s=self._late_s)
        else:  # most likely the same device is back, with the same clock
            self._old.append(before)
            track = SpeakerTrack(block, self._rate, before.track.line.ppm)
            alignment = Alignment(track, copies=before.copies, late_s=self._late_s)
        self._newest[speaker] = alignment
        return alignment

    def _let_go(self) -> None:
        """Forget the streams whose sound is over for good."""
        assert self._next is not None
        oldest_s = self._mic.time_of(self._next) - KEEP_S
        for alignment in [old for old in self._old if old.track.end_s < oldest_s]:
            self._old.remove(alignment)
            self._over += alignment.realignments
