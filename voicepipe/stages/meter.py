"""How loud it is."""

from __future__ import annotations

from collections.abc import Iterable

from voicepipe.audio.level import FLOOR_DB, Level
from voicepipe.frames import AudioFrame, Frame, FrameDirection
from voicepipe.pipeline.processor import InlineProcessor
from voicepipe.text import shown

__all__ = ["LevelMeter"]


class LevelMeter(InlineProcessor):
    """Measures the audio that passes downstream, and passes everything on unchanged.

    Args:
        kind: measure only audio of this class.

    Raises:
        TypeError: `kind` is no class of audio frames.
    """

    def __init__(self, kind: type[AudioFrame] = AudioFrame, *, name: str = "") -> None:
        super().__init__(name=name)
        if not (isinstance(kind, type) and issubclass(kind, AudioFrame)):
            raise TypeError(f"a LevelMeter measures a class of audio frames, not {shown(kind)}")
        self._kind = kind
        self.level = Level()
        """The level of the last frame that was measured."""
        self.loudest_db = FLOOR_DB
        """The highest peak since `reset()`."""
        self.num_samples = 0
        """Samples measured since `reset()`."""

    def reset(self) -> None:
        """Begin anew."""
        self.level, self.loudest_db, self.num_samples = Level(), FLOOR_DB, 0

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Measure, and pass on."""
        if isinstance(frame, self._kind) and direction is FrameDirection.DOWNSTREAM and frame.num_samples:
            self.level = Level.of(frame.data)
            self.loudest_db = max(self.loudest_db, self.level.peak_db)
            self.num_samples += frame.num_samples
        return (frame,)
