"""Audio without a gap, kept until an utterance is cut from it."""

from __future__ import annotations

from collections import deque

import numpy as np

from voicepipe.frames import InputAudioFrame, UtteranceFrame
from voicepipe.speech.positions import are_of_one_origin
from voicepipe.speech.segmenter import quietest

__all__ = ["Heard"]

_STEP_S = 0.02
"""The step of the search for the quietest place."""


class Heard:
    """Audio without a gap, from its sample at `begin` to the one before `end`.

    Args:
        position: the position of its first sample.
        first: the first frame, which is still to be added.
    """

    def __init__(self, position: int, first: InputAudioFrame) -> None:
        self.format = first.format
        self.origin = first.origin
        self.live = first.live
        self.begin = self.end = position
        self._captured_s: float | None = None
        """When the sample at `end` is captured."""
        self._pieces: deque[bytes] = deque()

    def goes_on_with(self, frame: InputAudioFrame, position: int) -> bool:
        """Return True where the frame begins where this ends, in the same format, from the same origin."""
        return (
            position == self.end
            and frame.format == self.format
            and are_of_one_origin(frame.origin, self.origin)
        )

    def add(self, frame: InputAudioFrame) -> None:
        """Add the next frame."""
        self._pieces.append(frame.data)
        self.end += frame.num_samples
        self._captured_s = None if frame.captured_s is None else frame.captured_s + frame.duration_s

    def drop_before(self, position: int) -> None:
        """Drop the pieces that end before a position."""
        pieces, sample = self._pieces, self.format.sample_bytes
        while pieces and self.begin + len(pieces[0]) // sample <= position:
            self.begin += len(pieces.popleft()) // sample

    def quietest(self, begin: int, end: int) -> int:
        """Return the middle of the quietest 60 ms between two positions."""
        step = max(1, self.format.samples(_STEP_S))
        audio = np.frombuffer(self.copy(begin, end).data, np.int16).astype(np.float64)
        blocks = len(audio) // (step * self.format.channels)
        squares = audio[: blocks * step * self.format.channels].reshape(blocks, -1) ** 2
        return begin + quietest(squares.sum(1).tolist()) * step + step // 2

    def copy(self, begin: int, end: int) -> UtteranceFrame:
        """Return the samples between two positions, all of them kept until now."""
        return self._frame(memoryview(b"".join(self._pieces)), begin, end)

    def cut(self, begin: int, end: int) -> UtteranceFrame:
        """Return the samples between two positions, and drop all before `end`."""
        data = memoryview(b"".join(self._pieces))
        frame = self._frame(data, begin, end)
        self._pieces = deque([bytes(data[(end - self.begin) * self.format.sample_bytes :])])
        self.begin = end
        return frame

    def _frame(self, data: memoryview, begin: int, end: int) -> UtteranceFrame:
        sample = self.format.sample_bytes
        captured_s = self._captured_s
        if captured_s is not None:
            captured_s -= (self.end - begin) / self.format.rate
        return UtteranceFrame(
            bytes(data[(begin - self.begin) * sample : (end - self.begin) * sample]),
            self.format.rate,
            self.format.channels,
            begin,
            captured_s,
            origin=self.origin,
        )
