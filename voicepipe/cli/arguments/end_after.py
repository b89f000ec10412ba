"""Stages that end a run after a time: by the clock, or by the audio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from voicepipe.checks import check_seconds
from voicepipe.frames import EndFrame, Frame, FrameDirection, InputAudioFrame
from voicepipe.pipeline.processor import FrameProcessor, InlineProcessor

__all__ = ["EndAfter", "EndAfterAudio"]


class EndAfter(FrameProcessor):
    """Asks for the End so many seconds after capture began."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = check_seconds("seconds", seconds)

    async def on_running(self) -> None:
        """Begin to count."""
        self.create_task(self._wait(), name="end after")

    async def _wait(self) -> None:
        await asyncio.sleep(self._seconds)
        await self.push_frame(EndFrame(f"after {self._seconds:g} s"))


class EndAfterAudio(InlineProcessor):
    """Passes so many seconds of the microphone's audio on, to the sample, and asks for the End."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = check_seconds("seconds", seconds)

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        """Pass audio up to the limit; drop the rest."""
        if not isinstance(frame, InputAudioFrame):
            return (frame,)
        left = round(self._seconds * frame.rate) - frame.position
        if frame.num_samples < left:
            return (frame,)
        first = frame.with_data(frame.data[: max(0, left) * frame.format.sample_bytes])
        return (first, EndFrame(f"after {self._seconds:g} s"))
