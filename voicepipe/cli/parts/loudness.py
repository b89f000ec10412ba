"""The verdict on a microphone's loudness: by its movement beside what was said or played, not by its level.

A quiet room and a dead line have the same level. When somebody speaks, one moves and the other does not.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

__all__ = ["Loudness", "gain_for", "measure"]

MOVES_DB = 10.0
"""A voice, or a chirp, rises so much above the room where it is heard at all."""
FAINT_DB = -75.0
"""A room at a microphone of usual gain is louder."""
QUIET_DB = -46.0
"""A voice below this is quiet for a recording and a recogniser."""
VOICE_DB = -26.0
"""The level of a voice at a microphone that is turned up well."""
STEP_DB, MOST_DB = 6, 36
SUSTAINED = 3
"""Windows that a sound lasts to count: a click does not."""
WINDOW_S = 0.02


class Loudness:
    """The quietest and the loudest of a stretch of audio, and the level of the speech in it.

    Every figure is in dB below full scale.
    """

    def __init__(self) -> None:
        self.windows = 0
        self.lowest_db = 0.0
        self.loudest_db = -math.inf
        self._last: deque[float] = deque(maxlen=SUSTAINED)
        self._spoken, self._speech_power = 0, 0.0

    def add(self, level_db: float, *, speech: bool = False) -> None:
        """Add the level of the next window."""
        self.windows += 1
        self._last.append(level_db)
        if len(self._last) == SUSTAINED:
            self.lowest_db = min(self.lowest_db, max(self._last))
            self.loudest_db = max(self.loudest_db, min(self._last))
        if speech:
            self._spoken += 1
            self._speech_power += 10 ** (level_db / 10)

    @property
    def moves_db(self) -> float:
        """The distance from the quietest to the loudest."""
        return max(0.0, self.loudest_db - self.lowest_db)

    @property
    def moves(self) -> bool:
        """True where something was heard besides the room."""
        return self.moves_db >= MOVES_DB

    @property
    def is_faint(self) -> bool:
        """True where there is less than a room."""
        return self.lowest_db < FAINT_DB

    @property
    def speech_db(self) -> float | None:
        """The level of the speech; None: there was none."""
        return 10 * math.log10(self._speech_power / self._spoken) if self._spoken else None


def measure(loudness: Loudness, data: bytes, rate: int) -> None:
    """Add mono int16 audio. Zeros say nothing: a noise gate, or no device, is behind them."""
    audio = np.frombuffer(data, np.int16).astype(np.float64) / 32_768
    size = max(1, round(WINDOW_S * rate))
    for at in range(0, len(audio) - size + 1, size):
        window = audio[at : at + size]
        if window.any():
            loudness.add(10 * math.log10(max(float(np.var(window)), 1e-10)))


def gain_for(level_db: float) -> int:
    """Return the gain for a voice of that level, in whole steps of 6 dB; 0: it is loud enough."""
    if level_db >= QUIET_DB:
        return 0
    return min(MOST_DB, STEP_DB * round((VOICE_DB - level_db) / STEP_DB))
