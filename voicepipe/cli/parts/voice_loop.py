"""A stage that says the bundled voice again and again, for a measurement."""

from __future__ import annotations

import itertools

from voicepipe.frames import OutputAudioFrame
from voicepipe.params import StartParams
from voicepipe.pipeline.processor import FrameProcessor
from voicepipe.sample import speech

__all__ = ["VoiceLoop"]

_PIECE_S = 0.1


class VoiceLoop(FrameProcessor):
    """Speaks for as long as the run does. A speaker behind it with a short queue sets the pace."""

    takes = ()

    async def on_start(self, params: StartParams) -> None:
        """Get the voice ready in the format of the run."""
        self._audio = params.output
        self._voice = speech(params.output)

    async def on_running(self) -> None:
        """Begin to speak."""
        self._speaking = self.create_task(self._speak(), name="voice")

    def on_ending(self) -> None:
        """Fall silent."""
        self._speaking.cancel()

    async def _speak(self) -> None:
        audio, voice = self._audio, self._voice
        size = audio.samples(_PIECE_S) * audio.sample_bytes
        for at in itertools.cycle(range(0, len(voice), size)):
            await self.push_frame(OutputAudioFrame(voice[at : at + size], audio.rate, audio.channels))
