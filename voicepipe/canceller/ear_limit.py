"""The ear is held down where no user can be in it: the rest of an echo is not to be taken for one."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

__all__ = ["EarLimit"]

BLOCKS = 3
"""Powers are compared with the most of the last 30 ms: a voice swings that fast."""
QUIET_BLOCKS = 50
"""The noise of the room is the least of so many blocks in which nothing sounded: one of ten is looked at."""
EVERY = 10
LEAST_NOISE = 107.0
"""The power of the noise at least, in steps of 16 bits: -70 dB. A room without any would let a voice detector
amplify the last of an echo until it is a voice."""
LEARNS = 220
"""Blocks of sound for which the suppressor learns its first path: between 1 and 2 s it leaves bursts of echo
that voice detectors take for a user, and hardly lets a voice through before."""
LEAST_FAR = 1e-6
"""The power of sound from which on it learns: -60 dB."""

_Ints = npt.NDArray[np.int16]


class EarLimit:
    """Limits the ear, block by block, and gives it the noise of the room.

    A suppressor takes the room's noise with the echo. Judges follow the noise, and would take faint rests
    of an echo for a voice; so the noise is put back. A user is in the ear and in the words, which keep
    every voice. So more in the ear than in the words is a mistake of the suppressor, and is brought down to
    them. In the first 2.2 s of sound the ear is noise alone.
    """

    def __init__(self, block: int) -> None:
        self._words: deque[float] = deque([0.0] * BLOCKS, BLOCKS)
        self._quiet: deque[float] = deque(maxlen=QUIET_BLOCKS)
        self._rested = 0
        self._gain = 1.0
        self._to_learn = LEARNS
        self._random = np.random.default_rng(1)
        self._block = block

    def rest(self, mic: bytes) -> None:
        """Take a block of the microphone in which nothing sounds."""
        self._rested += 1
        if self._rested % EVERY == 0:
            self._quiet.append(_power(np.frombuffer(mic, np.int16)))

    def limit(self, ear: _Ints, words: _Ints, far: npt.NDArray[np.float32]) -> _Ints:
        """Return the ear of a block, as it may be judged."""
        self._words.append(_power(words))
        noise = max(LEAST_NOISE, min(self._quiet, default=0.0))
        if self._to_learn:
            if float(far @ far) > LEAST_FAR * len(far):
                self._to_learn -= 1
            return self._with_noise(np.zeros(self._block), noise)
        power = _power(ear)
        most = max(noise, *self._words)
        gain = 1.0 if power <= most else (most / power) ** 0.5
        before, self._gain = self._gain, gain
        if before == gain == 1.0 and power >= noise:
            return ear
        faded = ear.astype(np.float64) * np.linspace(before, gain, len(ear))
        return self._with_noise(faded, max(0.0, noise - power))

    def _with_noise(self, ear: npt.NDArray[np.float64], power: float) -> _Ints:
        noise = self._random.standard_normal(self._block) * power**0.5
        result: _Ints = np.clip(np.rint(ear + noise), -32_768, 32_767).astype(np.int16)
        return result


def _power(audio: _Ints) -> float:
    floats = audio.reshape(-1).astype(np.float32)
    return float(floats @ floats) / len(floats)
