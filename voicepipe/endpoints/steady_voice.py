"""Steady playback of a live voice: late audio is left out, and the rest is led by the drift compensator."""

from __future__ import annotations

from voicepipe.audio.format import AudioFormat
from voicepipe.drift.drift import DriftCompensator
from voicepipe.drift.lateness import LIVE_S, Lateness
from voicepipe.frames import OutputAudioFrame

__all__ = ["SteadyVoice"]


class SteadyVoice:
    """The way of the voice's audio into a steady speaker.

    Args:
        audio: the format of the speaker.
        drift: the compensator.
    """

    def __init__(self, audio: AudioFormat, drift: DriftCompensator) -> None:
        self._format = audio
        self.drift = drift
        self._lateness = Lateness()

    def take(
        self, frame: OutputAudioFrame, now_s: float, waiting: int, since_s: float | None
    ) -> bytes | None:
        """Return the audio to write for a frame of the speaker's format; None: it is late, and is left out.

        Args:
            frame: the frame.
            now_s: the loop's time.
            waiting: the samples that wait before it.
            since_s: the seconds since the device took a block; None if unknown.
        """
        fill_s = self._format.seconds(waiting)
        excess_s = self.drift.excess_s(fill_s, since_s)
        if self._lateness.is_late(now_s, frame.captured_s, frame.duration_s, excess_s):
            self.drift.skip()
            return None
        live = frame.captured_s is not None and now_s - frame.captured_s < LIVE_S
        return self.drift.process(frame.data, now_s, fill_s, since_s=since_s, live=live)
