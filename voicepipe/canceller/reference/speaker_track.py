"""The sound of one speaker's stream, in mono at the microphone's rate, and the line of its times."""

from __future__ import annotations

import numpy as np

from voicepipe.audio.format import AudioFormat
from voicepipe.audio.rates.filter_plan import ratio_of
from voicepipe.canceller.reference.clock_line import ClockLine, Step
from voicepipe.canceller.reference.history import History
from voicepipe.canceller.reference.mono_converter import MonoConverter
from voicepipe.speakers import Tapped

__all__ = ["KEEP_S", "SpeakerTrack"]

KEEP_S = 4.0
"""The time of sound that is kept: a program that stands still for less loses nothing of it."""
SETTLED_S = 0.1
"""After so much silence nothing of the sound before is left in the converter."""


class SpeakerTrack:
    """Keeps what one stream of a speaker played.

    Sample `n` of the stream is sample `n * rate / stream's rate` of the track, behind gaps too. Silence is
    neither converted nor kept.

    Args:
        first: a block of the stream.
        rate: of the microphone.
        ppm: the slope of its clock, if another stream of the speaker has shown it.
    """

    def __init__(self, first: Tapped, rate: int, ppm: float = 0.0) -> None:
        source = AudioFormat(first.rate, first.channels)
        self.number = first.stream
        self.rate = rate
        self.line = ClockLine(first.rate, ppm)
        self.history = History(round(KEEP_S * rate))
        self._source = source
        self._sample_bytes = source.sample_bytes
        self._up, self._down = ratio_of(first.rate, rate)
        self._index = first.sounded.position // self._down * self._up
        """The place in the track of the next sample that the converter gives."""
        self._converter = MonoConverter(source, rate)
        self._settled = round(SETTLED_S * first.rate)
        self._silent = self._settled
        """Samples of silence since the last sound."""
        self._next = first.sounded.position
        """The stream's position behind the last block."""
        self.steps: list[Step] = []
        """Steps that nobody took yet; their positions are those of the track."""

    def is_of(self, block: Tapped) -> bool:
        """Return True for a block of this stream."""
        is_same = (block.stream, AudioFormat(block.rate, block.channels)) == (self.number, self._source)
        return is_same and block.sounded.position >= self._next

    def put(self, block: Tapped) -> None:
        """Take the next block."""
        data, position, sounds_s = block.sounded
        samples = len(data) // self._sample_bytes
        after_gap = position != self._next
        step = self.line.put(position, sounds_s, after_gap=after_gap)
        if step is not None:
            self.steps.append(Step(step.position * self._up // self._down, step.by_s))
        if after_gap:
            self._finish()
        self._next = position + samples
        if not data.strip(b"\0"):
            self._put_silence(data, samples)
        else:
            self._put_sound(data, position)

    @property
    def end_s(self) -> float:
        """The time up to which it is known what sounds."""
        if self._is_settled:
            return self.line.time_of(self._next)
        return self.line.time_of(self._index * self._down / self._up)

    def index_at(self, time_s: float) -> float:
        """Return the place in the track, in samples, of what sounds at that time."""
        return self.line.position_at(time_s) * self._up / self._down

    @property
    def _is_settled(self) -> bool:
        """True while nothing is in the converter."""
        return self._silent >= self._settled

    def _put_silence(self, data: bytes, samples: int) -> None:
        if not self._is_settled:
            self._silent += samples
            self._give(self._converter.convert(data))
            if self._is_settled:
                self._finish()
        else:
            self.history.skip(self._next * self._up // self._down)

    def _put_sound(self, data: bytes, position: int) -> None:
        if self._is_settled:
            # It begins with a whole sample of the track: at most `down` samples of silence go before it.
            begin, ahead = divmod(position, self._down)
            self._index = begin * self._up
            data = bytes(ahead * self._sample_bytes) + data
        self._silent = 0
        self._give(self._converter.convert(data))
        self.history.loud_end = self._next * self._up // self._down

    def _finish(self) -> None:
        """End the stretch of sound: what the converter holds comes out."""
        self._give(self._converter.flush())
        self._silent = self._settled

    def _give(self, data: bytes) -> None:
        if data:
            samples = np.frombuffer(data, np.int16)
            self.history.put(self._index, samples)
            self._index += len(samples)
