"""A stage that measures the level of audio."""

from __future__ import annotations

from collections.abc import Iterable

from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.frames import AudioFrame, Frame, FrameDirection
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.text import quote

__all__ = ["LevelMeter"]


class LevelMeter(InlineProcessor):
    """A level meter for audio that passes downstream. All frames go on unchanged.

    Of a microphone whose echo is cancelled it measures the `ear`.

    Args:
        kind: measure only audio of this class.

    Raises:
        TypeError: `kind` is not a class of audio frames.
    """

    takes: tuple[type[Frame], ...] = (AudioFrame,)

    def __init__(self, kind: type[AudioFrame] = AudioFrame, *, name: str = "") -> None:
        super().__init__(name=name)
        if not (isinstance(kind, type) and issubclass(kind, AudioFrame)):
            raise TypeError(f"kind must be a class of audio frames, not {quote(kind)}")
        self._kind = kind
        self.takes = (kind,)
        self.level = Level()
        """The level of the last frame that was measured."""
        self.loudest_db = FLOOR_DB
        """The highest peak since `reset()`, in dB below full scale (0 or less)."""
        self.num_samples = 0
        """The number of samples measured since `reset()`."""

    def reset(self) -> None:
        """Reset all measurements."""
        self.level, self.loudest_db, self.num_samples = Level(), FLOOR_DB, 0

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Measure the audio, and pass the frame on."""
        if isinstance(frame, self._kind) and direction is FrameDirection.DOWNSTREAM and frame.num_samples:
            self.level = Level.of(frame.data if frame.ear is None else frame.ear)
            self.loudest_db = max(self.loudest_db, self.level.peak_db)
            self.num_samples += frame.num_samples
        return (frame,)
