"""Straight from the microphone to the speaker."""

from __future__ import annotations

from collections.abc import Iterable

from voicepipe.frames import Frame, FrameDirection, InputAudioFrame, OutputAudioFrame
from voicepipe.pipeline.processor import InlineProcessor

__all__ = ["Loopback"]


class Loopback(InlineProcessor):
    """What the microphone captured is to be heard: input audio goes on as output audio."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """The same audio, for the speaker."""
        return (OutputAudioFrame.of(frame),) if isinstance(frame, InputAudioFrame) else (frame,)
