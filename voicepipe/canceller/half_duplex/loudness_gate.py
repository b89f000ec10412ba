"""The gate of half-duplex: while the program sounds, only what is louder than its echo counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.half_duplex.echo_level import BandPowers, EchoLevel, FarPowers, Powers

__all__ = ["LoudnessGate"]

LEARNS = 100
"""Blocks of sound from which the echo's level is learnt. Until then the gate is shut."""
_SURE = 500
"""Blocks of sound after which the threshold is at its lowest."""
_FIRST_DB, _LEAST_DB = 9.0, 3.5
"""The threshold after a second of sound, and its lowest, in decibels above the expected echo."""
_ABOVE_USUAL_DB = 2.5
"""The threshold is also so much above what the echo itself exceeds in one block of fifty."""
_MOST_DB = 12.0
"""The highest threshold: a shout opens the gate in any room."""
_UP_DB, _DOWN_DB = 0.005, 0.0001
"""The steps of that level for a block above and below it: one block of fifty is above."""
_STAYS_DB = 1.5
"""An open gate stays open down to so much below the threshold."""
_RANGE_DB = (-10.0, 15.0)
"""The limits of one band's excess, so that no band has all the say."""
_SMOOTH = 5
"""The blocks of which the excess is the mean: 50 ms."""
_HOLD = 30
"""The blocks for which the gate stays open behind the last that was loud: 0.3 s."""
_NOISE_RISES = 1.002
"""The noise floor follows a rise by 0.9 dB a second, and a fall at once."""
_CALM = 100
"""The blocks behind an open gate in which quiet words may come: they say nothing of the echo."""
_DOUBT = 150
"""The blocks of an open gate after which a changed echo may be the cause."""
_FITS_DB, _MISSES_DB = 2.5, 6.0
"""The most by which such an echo exceeds what its copy expects, in 50 ms, and misses it on average."""


class LoudnessGate:
    """Judges, block by block of 10 ms, if more than the program's own echo reaches a microphone.

    It learns the echo's level in some bands from what sounded and what the microphone heard. A block is
    loud if the powers in all bands together exceed the expected echo and noise by the threshold. Before it
    has learnt from one second of sound, it is shut while the program sounds. It belongs to one microphone.

    The volume of a loudspeaker, or its place, may change. Then the echo itself opens the gate. While it is
    open, a copy learns on. The copy takes over once it explains all that is heard by what sounded, which is
    never so with a user's voice.
    """

    def __init__(self, rate: int) -> None:
        self._block = max(1, rate // 100)
        self._near, self._far = BandPowers(rate), FarPowers(rate)
        self._level = EchoLevel(self._near.count)
        self._other: _Doubt | None = None
        self._noise = np.full(self._near.count, np.inf)
        self._smooth: Powers | None = None
        self._excess = np.zeros(_SMOOTH)
        self._usual_db = 1.0
        self._open = self._calm = 0
        self._mic_rest = np.zeros(0)
        self._far_rest = np.zeros(0)

    @property
    def has_learnt(self) -> bool:
        """True once it knows the level of the echo."""
        return self._level.learnt >= LEARNS

    @property
    def threshold_db(self) -> float:
        """The excess above the expected echo from which audio counts, in decibels."""
        unsure = max(0.0, (_SURE - self._level.learnt) / (_SURE - LEARNS))
        least = _LEAST_DB + unsure * (_FIRST_DB - _LEAST_DB)
        return min(_MOST_DB, max(least, self._usual_db + _ABOVE_USUAL_DB))

    def gate(self, mic: npt.NDArray[np.int16], far: npt.NDArray[np.float32] | None) -> bool:
        """Return True if the audio counts: somebody is louder than the echo, or there is no echo.

        Args:
            mic: the microphone's audio, mono, any number of samples.
            far: what sounded meanwhile, as many samples, full scale at -1 and 1; None: nothing.
        """
        if far is None:
            if self._far.rests:
                return True
            far = np.zeros(len(mic), np.float32)
        mics = np.concatenate([self._mic_rest, mic / 32_768.0])
        fars = np.concatenate([self._far_rest, far])
        whole = len(mics) - len(mics) % self._block
        is_open = False
        for at in range(0, whole, self._block):
            is_open |= self._judge(mics[at : at + self._block], fars[at : at + self._block])
        self._mic_rest, self._far_rest = mics[whole:], fars[whole:]
        return is_open if whole else self._counts

    @property
    def _counts(self) -> bool:
        return self._open > 0

    def _judge(self, mic: npt.NDArray[np.floating], far: npt.NDArray[np.floating]) -> bool:
        heard = self._near.of(mic)
        self._far.put(far)
        if not mic.any():  # a muted microphone teaches nothing
            self._open = max(0, self._open - 1)
            return self._counts
        self._follow_noise(heard)
        expected = self._level.expect(self._far) + 2 * self._noise
        self._excess[:-1] = self._excess[1:]
        self._excess[-1] = excess_db(heard, expected)
        db = float(self._excess.mean())
        is_loud = self.has_learnt and db > self.threshold_db - (_STAYS_DB if self._open > 0 else 0.0)
        self._open = _HOLD if is_loud else max(0, self._open - 1)
        if self._far.sounds:
            self._learn(heard, expected, db)
        return self._counts

    def _follow_noise(self, heard: Powers) -> None:
        self._smooth = heard if self._smooth is None else 0.7 * self._smooth + 0.3 * heard
        self._noise = np.minimum(self._noise * _NOISE_RISES, self._smooth)

    def _learn(self, heard: Powers, expected: Powers, db: float) -> None:
        if self._open <= 0:
            self._other = None
            self._level.learn(self._far, heard, expected)
            self._calm += 1
            if self._level.learnt > _SURE and self._calm > _CALM:
                step = _UP_DB if db > self._usual_db else -_DOWN_DB
                self._usual_db = max(0.0, self._usual_db + step)
            return
        self._calm = 0
        if self._other is None:
            self._other = _Doubt(self._level)
        if self._other.explains(self._far, heard, 2 * self._noise):
            self._level, self._other, self._open = self._other.level, None, 0
            self._excess[:] = 0.0


class _Doubt:
    """A copy of the level that learns on while the gate is open: is it all an echo that has changed?"""

    def __init__(self, level: EchoLevel) -> None:
        self.level = level.begin_again()
        self._excess = np.full(_DOUBT, _RANGE_DB[1])
        self._misses = np.full(_DOUBT, _RANGE_DB[1] ** 2)

    def explains(self, far: FarPowers, heard: Powers, noise: Powers) -> bool:
        """Return True if the copy has expected, for long enough, all that was heard."""
        expected = self.level.expect(far) + noise
        self.level.learn(far, heard, expected)
        each_db = 10 * np.log10(heard / expected)
        self._excess[:-1], self._misses[:-1] = self._excess[1:], self._misses[1:]
        self._excess[-1] = np.clip(each_db, *_RANGE_DB).mean()
        self._misses[-1] = np.square(np.clip(each_db, *_RANGE_DB)).mean()
        highest_db = float(np.max(self._excess.reshape(-1, _SMOOTH).mean(axis=1)))
        return highest_db < _FITS_DB and float(self._misses.mean()) < _MISSES_DB**2


def excess_db(heard: Powers, expected: Powers) -> float:
    """Return by how much powers exceed the expected ones: the mean over the bands, each within limits."""
    return float(np.clip(10 * np.log10(heard / expected), *_RANGE_DB).mean())
