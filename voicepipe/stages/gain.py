"""A stage that makes audio louder or softer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from voicepipe.audio.amplify import amplify
from voicepipe.checks import check_number
from voicepipe.frames import AudioFrame, Frame, FrameDirection, InputAudioFrame
from voicepipe.pipeline.processor import InlineProcessor

__all__ = ["Gain"]


class Gain(InlineProcessor):
    """A gain for all audio. Samples beyond full scale are clipped, never wrapped.

    Args:
        db: the gain in decibels, -120 to 60. It may be changed during a run.

    Raises:
        TypeError, ValueError: the gain is not a number from -120 to 60.
    """

    def __init__(self, db: float, *, name: str = "") -> None:
        super().__init__(name=name)
        self.db = db

    @property
    def db(self) -> float:
        """The gain in decibels."""
        return self._db

    @db.setter
    def db(self, db: float) -> None:
        self._db = check_number("db", db, at_least=-120.0, at_most=60.0)

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Apply the gain to audio; pass other frames, and audio at 0 dB, on unchanged."""
        if not isinstance(frame, AudioFrame) or self._db == 0:
            return (frame,)
        data = amplify(frame.data, self._db)
        if isinstance(frame, InputAudioFrame) and frame.ear is not None:
            return (replace(frame, data=data, ear=amplify(frame.ear, self._db)),)
        return (frame.with_data(data),)
