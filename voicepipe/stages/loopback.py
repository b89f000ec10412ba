"""A stage that sends microphone audio straight to the speaker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from voicepipe.frames import Frame, FrameDirection, InputAudioFrame, OutputAudioFrame
from voicepipe.pipeline.processor import InlineProcessor

__all__ = ["Loopback"]


class Loopback(InlineProcessor):
    """A loopback from the microphone to the speaker: input audio goes on as output audio."""

    takes: ClassVar[tuple[type[Frame], ...]] = (InputAudioFrame,)
    makes: ClassVar[tuple[type[Frame], ...]] = (OutputAudioFrame,)

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Return the same audio as an output frame; pass other frames on."""
        return (OutputAudioFrame.of(frame),) if isinstance(frame, InputAudioFrame) else (frame,)
