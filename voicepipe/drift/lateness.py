"""Live sound that comes too late to be heard: after a standstill, what was captured meanwhile.

A loop that stood still, or a speaker that did, leaves sound waiting that delays all that follows. A little
of it is led back by playing faster (`voicepipe.drift`), which takes minutes and loses nothing. More is left
out at once: a gap has been heard already, and what is left out is as long as that.
"""

from __future__ import annotations

import math

from voicepipe.audio.format import AudioFormat

__all__ = ["LIVE_S", "Lateness", "join"]

LIVE_S = 0.5
"""Audio that was captured so shortly ago is live. Of what is usually older nobody hears that it is late."""
LATE_S = 0.25
"""Live sound that would be heard so much later than usual is left out, until it is as usual again."""
LONGEST_S = 0.25
"""A longer piece of audio was not captured just now."""
MEMORY_S = 5.0
"""The usual age is the least of the last 5 to 10 s. Before it is known for so long nothing is late."""
PATIENCE_S = 1.0
"""Pieces that are old for so long, though nothing waits before them, are no older than usual any more."""
_ROUNDING_S = 1e-6
JOIN_S = 0.005
"""The step between what was heard last and what is heard next is spread over so long."""


class Lateness:
    """Says which pieces to leave out. Knows no audio, only its times, in seconds by one clock."""

    def __init__(self) -> None:
        self._captured_s = -math.inf
        self._begin(-math.inf)

    def _begin(self, now_s: float) -> None:
        self._came_s = self._known_s = self._turned_s = now_s
        self._least_s = self._least_before_s = math.inf
        self._skips_since_s: float | None = None

    def is_late(self, now_s: float, captured_s: float | None, audio_s: float, excess_s: float) -> bool:
        """Return whether to leave out a piece that comes now.

        Args:
            now_s: this moment.
            captured_s: when it was captured. Only what goes on in time can be late: something from before is
                said again.
            audio_s: its length.
            excess_s: how much more than it should be waits before it.
        """
        if captured_s is None or captured_s <= self._captured_s or audio_s > LONGEST_S:
            return False
        self._captured_s = captured_s
        waited_s = now_s - self._came_s
        if waited_s > MEMORY_S:
            self._begin(now_s)
        self._came_s = now_s
        age_s = now_s - captured_s
        usual_s = min(self._least_s, self._least_before_s)
        if usual_s < LIVE_S:
            self._decide(now_s, age_s - usual_s + excess_s, excess_s)
        else:
            self._skips_since_s = None
        if waited_s > audio_s / 2:  # of pieces that come at once the first is the oldest, and counts
            self._remember(now_s, age_s)
        return self._skips_since_s is not None

    def _decide(self, now_s: float, late_s: float, excess_s: float) -> None:
        since_s = self._skips_since_s
        if since_s is None:
            if late_s > LATE_S and now_s - self._known_s >= MEMORY_S:
                self._skips_since_s = now_s
        elif late_s < _ROUNDING_S:
            self._skips_since_s = None
        elif now_s - since_s > PATIENCE_S and excess_s <= 0.0:
            self._begin(now_s)

    def _remember(self, now_s: float, age_s: float) -> None:
        if now_s - self._turned_s > MEMORY_S:
            self._turned_s = now_s
            self._least_s, self._least_before_s = math.inf, self._least_s
        self._least_s = min(self._least_s, age_s)


def join(last: bytes, data: bytes, audio: AudioFormat) -> bytes:
    """Join a piece to a sample that it does not go on from, without the step.

    Args:
        last: that sample, of all channels.
        data: the piece.
        audio: the format of both.
    """
    import numpy as np

    samples = np.frombuffer(data, np.int16).reshape(-1, audio.channels).astype(np.float64)
    count = min(len(samples), audio.samples(JOIN_S))
    step = np.frombuffer(last, np.int16) - samples[0]
    samples[:count] += step * np.linspace(1.0, 0.0, count, endpoint=False)[:, np.newaxis]
    return np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16).tobytes()
