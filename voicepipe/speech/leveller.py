"""A slow automatic level before a speech engine, so that a quiet microphone is judged like any other.

Only what is judged is made louder. Audio of a normal level is judged as it came, byte for byte.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np
import numpy.typing as npt

from voicepipe.speech.segmenter import LOWEST_DB

__all__ = ["MOST_DB", "Leveller"]

Samples = npt.NDArray[np.float64]

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
FULL_SCALE = 32_767.0
_SILENCE = 10 ** (LOWEST_DB / 10) * 2**30


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
        self._window = window
        self._heard = np.empty(window, np.int16)
        self._bytes = memoryview(self._heard).cast("B")  # a copy into it costs less than a new array
        self._audio, self._louder = np.empty(window), np.empty(window)
        self._number = np.empty(())  # a number of Python's own takes numpy twice as long
        # Products, for sum() costs three times as much. With whole numbers they are exact.
        self._sum, self._squares = np.ones(window).dot, self._audio.dot
        self._most_db = most_db
        self._rise_db, self._fall_db = RISE_DB_S * window_s, FALL_DB_S * window_s
        self._hold, self._shown = round(HOLD_S / window_s), round(SHOWN_S / window_s)
        self._keep_offset = math.exp(-window_s / OFFSET_S)
        self._lowest_db = math.inf
        self._settling = round(SETTLED_S / window_s)
        self.gain_db = 0.0
        """The gain of the last window, but for what it lost by being loud itself."""
        self._levels_db: deque[float] = deque([-math.inf], max(1, round(SUSTAINED_S / window_s)))
        self._at = 0
        """Windows taken; by it the last one is known that was too loud, and the last of a normal level."""
        self._loud_at = self._normal_at = -self._shown
        self._mean = self._offset = 0.0
        """The constant part of the last window, and of the last moments."""

    def take(self, window: bytes, floor_db: float) -> tuple[float, bytes]:
        """Return the level of the next window, in dB below full scale, and the window to judge.

        Args:
            window: mono int16.
            floor_db: the noise floor until this window.
        """
        level_db, samples = self.take_samples(window, floor_db)
        return level_db, window if samples is self._audio else samples.astype(np.int16).tobytes()

    def take_samples(self, window: bytes, floor_db: float) -> tuple[float, Samples]:
        """Return the same as `take`, with the window as floats, which the next call overwrites."""
        audio = self._audio
        self._bytes[:] = window
        audio[:] = self._heard
        self._mean = mean = float(self._sum(audio)) / self._window
        power = float(self._squares(audio)) / self._window - mean * mean  # a constant is no sound
        level_db = 10 * math.log10(power / 2**30) if power > _SILENCE else LOWEST_DB
        if self._most_db:
            self._follow(level_db, floor_db)
            gain_db = min(self.gain_db, VOICE_DB - level_db)
            if gain_db > 0.0:
                return level_db, self._amplify(10 ** (gain_db / 20), power)
        return level_db, audio

    def _amplify(self, gain: float, power: float) -> Samples:
        """Make the window louder, but for the constant part, in steps of 16 bits."""
        offset, louder, number = self._offset, self._louder, self._number
        number[()] = offset
        np.subtract(self._audio, number, louder)
        number[()] = gain
        np.multiply(louder, number, louder)
        np.rint(louder, louder)
        # No sample of a window is further from its mean than by the sum of all.
        furthest = math.sqrt(power * self._window) + abs(self._mean - offset)
        return louder if furthest * gain < FULL_SCALE else np.clip(louder, -32_768.0, FULL_SCALE, louder)

    def _follow(self, level_db: float, floor_db: float) -> None:
        """Move the gain: slowly by the noise, at once before a lasting sound that would be too loud."""
        # Comparisons, for a call of min() or max() costs as much as all the rest of a line.
        mean = self._mean
        self._offset = mean + self._keep_offset * (self._offset - mean) if self._at else mean
        self._at = at = self._at + 1
        levels = self._levels_db
        levels.append(level_db)
        if level_db < self._lowest_db:
            self._lowest_db = level_db
        if floor_db < self._lowest_db:  # before the first window it is the lowest there is
            floor_db = self._lowest_db
        wanted_db = (QUIET_ROOM_DB if at - self._normal_at < self._shown else ROOM_DB) - floor_db
        wanted_db = 0.0 if wanted_db < 0.0 else min(wanted_db, self._most_db)
        if at <= self._settling:
            self.gain_db = wanted_db
        elif self.gain_db > wanted_db:
            self.gain_db = max(wanted_db, self.gain_db - self._fall_db)
        elif self.gain_db < wanted_db and at - self._loud_at > self._hold:
            self.gain_db = min(wanted_db, self.gain_db + self._rise_db)
        bound_db = VOICE_DB - min(levels)
        if bound_db <= self.gain_db:
            self.gain_db, self._loud_at = max(0.0, bound_db), at
            if bound_db <= 0.0:
                self._normal_at = at
