"""Half-duplex: while a speaker sounds, only what is louder than its echo passes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from voicepipe.audio.channels import set_channels
from voicepipe.frames import InputAudioFrame
from voicepipe.speakers import Speakers

if TYPE_CHECKING:
    from voicepipe.canceller.cancelled_block import CancelledBlock

__all__ = ["LOOK_BACK_S", "HalfDuplex", "Muted", "silence_of"]

LOOK_BACK_S = 0.2
"""Audio waits for so long before it is dropped: the gate opens behind the beginning of a word."""
BRIDGE_S = 1.0
"""Behind something loud, silence takes the place of the rest: a turn does not end between words."""


class Muted(NamedTuple):
    """Samples that half-duplex did not let through."""

    dropped: int = 0
    silenced: int = 0
    """Silence has taken their place."""


class HalfDuplex:
    """Lets through the frames of one microphone that are louder than the echo of the run's speakers.

    Frames in which no speaker sounds pass. While one sounds, a frame passes if the gate is open, and with it
    those of the last 0.2 s. The others are dropped and counted. In the second behind a loud one, silence
    takes their place, so that a turn in progress ends as at any pause.

    Args:
        rate: of the microphone, in samples a second.
        channels: of the microphone.
        speakers: the run's.
    """

    def __init__(self, rate: int, channels: int, speakers: Speakers) -> None:
        from voicepipe.canceller.half_duplex.loudness_gate import LoudnessGate  # here, for it needs numpy

        self._gate = LoudnessGate(rate)
        self._channels = channels
        self._speakers = speakers
        self._is_loud = False
        """True if the gate was open in a block since the last frame."""
        self._kept: deque[InputAudioFrame] = deque()
        """Frames that are not loud, of the last 0.2 s."""
        self._kept_s = 0.0
        self._bridge_s = 0.0
        """The seconds for which silence still takes the place of what is not loud."""
        self._dropped = self._silenced = 0

    @property
    def held(self) -> int:
        """The samples that wait, as the gate may open."""
        return sum(frame.num_samples for frame in self._kept)

    def take_muted(self) -> Muted:
        """Return the samples that were not let through since the last call."""
        muted = Muted(self._dropped, self._silenced)
        self._dropped = self._silenced = 0
        return muted

    def hear(self, block: CancelledBlock) -> None:
        """Judge a block of the microphone. Where nothing is known of what sounds, it is not loud."""
        if block.far is None:
            return
        import numpy as np

        mic = np.frombuffer(set_channels(block.mic, self._channels, 1), np.int16)
        self._is_loud |= self._gate.gate(mic, block.far)

    def let_out(self, frames: list[InputAudioFrame]) -> list[InputAudioFrame]:
        """Return what passes of the next frames, and of those before."""
        passed: list[InputAudioFrame] = []
        for frame in frames:
            if not self._has_sound(frame):
                passed += [*self.end(), frame]
            elif self._is_loud:
                passed += [*self._kept, frame]
                self._forget_kept()
                self._bridge_s = BRIDGE_S
            else:
                passed += self._keep(frame)
        if frames:
            self._is_loud = False
        return passed

    def end(self) -> list[InputAudioFrame]:
        """Return what is left of the frames that wait: silence, or nothing."""
        passed = [silence for frame in self._kept for silence in self._mute(frame)]
        self._forget_kept()
        return passed

    def _has_sound(self, frame: InputAudioFrame) -> bool:
        from_s = frame.captured_s
        return from_s is not None and self._speakers.has_sound(from_s, from_s + frame.duration_s)

    def _keep(self, frame: InputAudioFrame) -> list[InputAudioFrame]:
        self._kept.append(frame)
        self._kept_s += frame.duration_s
        passed: list[InputAudioFrame] = []
        while self._kept_s > LOOK_BACK_S:
            oldest = self._kept.popleft()
            self._kept_s -= oldest.duration_s
            passed += self._mute(oldest)
        return passed

    def _forget_kept(self) -> None:
        self._kept.clear()
        self._kept_s = 0.0

    def _mute(self, frame: InputAudioFrame) -> tuple[InputAudioFrame, ...]:
        if self._bridge_s <= 0:
            self._dropped += frame.num_samples
            return ()
        self._bridge_s -= frame.duration_s
        self._silenced += frame.num_samples
        return (silence_of(frame),)


def silence_of(frame: InputAudioFrame) -> InputAudioFrame:
    """Return the frame with silence in place of its audio."""
    ear = None if frame.ear is None else bytes(len(frame.ear))
    return replace(frame, data=bytes(len(frame.data)), ear=ear)
