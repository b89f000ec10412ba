"""A slow automatic level before a speech engine, so that a quiet microphone is judged like any other.

Only what is judged is made louder. Audio of a normal level is judged as it came, byte for byte.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from voicepipe.speech.segmenter import LOWEST_DB

__all__ = ["MOST_DB", "Leveller"]

MOST_DB = 36.0
"""The most gain. It takes a voice with a peak of -56 dBFS, 52 steps of 16 bits, to -20. More would
only bring up the rounding."""
ROOM_DB = -50.0
"""The level to which noise is brought before anybody spoke: a noisy room at a normal microphone. The engines
start at no noise of this level, and its voice is still 10 dB above the softest that they hear."""
QUIET_ROOM_DB = -60.0
"""The same while the microphone has shown a normal level: a quiet room."""
SHOWN_S = 10.0
"""The time for which a normal level is remembered: longer than most pauses between two turns."""
VOICE_DB = -30.0
"""The level to which a voice is brought; a normal microphone gives this, or more, in the vowels."""
SUSTAINED_S = 0.1
"""A sound has to last so long to lower the gain, as a vowel does. A knock or a click does not."""
HOLD_S = 2.0
"""The time from a loud sound until the gain rises again: a pause within speech is shorter."""
RISE_DB_S, FALL_DB_S = 6.0, 24.0
"""The speed of the gain towards what the noise allows. It falls at once before what is too loud."""
SETTLED_S = 1.0
"""In the beginning, while the noise floor is only just known, the gain follows it at once."""
OFFSET_S = 0.1
"""The time over which the constant part is followed that is not amplified: it would reach full scale."""
_SILENCE = 10 ** (LOWEST_DB / 10)


class Leveller:
    """Measures windows of audio, and makes quiet ones louder.

    The gain depends on the samples so far alone. It is what brings the noise floor to a room's level,
    bounded by what keeps a voice from being louder than a normal one. A microphone of any level and the same
    ratio of voice to noise comes out alike, down to where the rounding to 16 bits is the noise.

    Args:
        window: samples in a window.
        rate: samples a second.
        most_db: the most gain; 0: measure only, every window stays as it is.
    """

    def __init__(self, window: int, rate: int, *, most_db: float = MOST_DB) -> None:
        window_s = window / rate
        self._ones = np.ones(window)
        self._most_db = most_db
        self._rise_db, self._fall_db = RISE_DB_S * window_s, FALL_DB_S * window_s
        self._hold, self._shown = round(HOLD_S / window_s), round(SHOWN_S / window_s)
        self._keep_offset = math.exp(-window_s / OFFSET_S)
        self._lowest_db = math.inf
        self._settling = round(SETTLED_S / window_s)
        self.gain_db = 0.0
        """The gain of the last window, but for what it lost by being loud itself."""
        self._levels_db: deque[float] = deque([-math.inf], max(1, round(SUSTAINED_S / window_s)))
        self._since_loud = self._since_normal = self._shown
        self._offset: float | None = None

    def take(self, window: bytes, floor_db: float) -> tuple[float, bytes]:
        """Return the level of the next window, in dB below full scale, and the window to judge.

        Args:
            window: mono int16.
            floor_db: the noise floor until this window.
        """
        audio = np.frombuffer(window, np.int16).astype(np.float64)
        mean = float(self._ones @ audio) / len(audio)
        power = (float(audio @ audio) / len(audio) - mean * mean) / 2**30  # a constant is no sound
        level_db = 10 * math.log10(max(power, _SILENCE))
        if not self._most_db:
            return level_db, window
        offset = self._follow_offset(mean)
        self._follow(level_db, floor_db)
        gain_db = max(0.0, min(self.gain_db, VOICE_DB - level_db))
        if not gain_db:
            return level_db, window
        audio -= offset
        audio *= 10 ** (gain_db / 20)
        np.rint(audio, out=audio)
        np.minimum(audio, 32_767.0, out=audio)
        np.maximum(audio, -32_768.0, out=audio)
        return level_db, audio.astype(np.int16).tobytes()

    def _follow_offset(self, mean: float) -> float:
        """Return the constant part of the last moments."""
        before = mean if self._offset is None else self._offset
        self._offset = mean + self._keep_offset * (before - mean)
        return self._offset

    def _follow(self, level_db: float, floor_db: float) -> None:
        """Move the gain: slowly by the noise, at once before a lasting sound that would be too loud."""
        self._levels_db.append(level_db)
        self._since_loud += 1
        self._since_normal += 1
        self._settling -= 1
        room_db = QUIET_ROOM_DB if self._since_normal < self._shown else ROOM_DB
        self._lowest_db = min(self._lowest_db, level_db)
        floor_db = max(floor_db, self._lowest_db)  # before the first window it is the lowest there is
        wanted_db = min(self._most_db, max(0.0, room_db - floor_db))
        if self._settling >= 0:
            self.gain_db = wanted_db
        elif self.gain_db > wanted_db:
            self.gain_db = max(wanted_db, self.gain_db - self._fall_db)
        elif self._since_loud > self._hold:
            self.gain_db = min(wanted_db, self.gain_db + self._rise_db)
        bound_db = max(0.0, VOICE_DB - min(self._levels_db))
        if bound_db <= self.gain_db:
            self.gain_db, self._since_loud = bound_db, 0
            if not bound_db:
                self._since_normal = 0
