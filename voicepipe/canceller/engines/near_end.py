"""The user over the echo: the ear hears the words of a linear filter that has proved itself."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.residue import Residue
from voicepipe.canceller.engines.samples import to_int16

__all__ = ["NearEnd"]

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int16]

_LOUDER_DB, _LOUDEST_DB = 12.0, 32.0
"""By so much louder than the usual residue, the output speaks for a user; beyond the second, no more so."""
_EVIDENCE_DB = 8.0
"""So much in all, beyond the first, makes a user; one block alone does not."""
_LASTS = 2
_TRUSTED = 10**-1.0
"""The residue, -10 dB, up to which a filter's output may be heard."""
_LOW = 10**-1.1
"""The residue, -11 dB, up to which the filter can tell that there is no user."""
_SOFTER = 0.1
"""The gain of the ear where there is no user, -20 dB: what a suppressor leaves is no voice then."""
_AVERAGE = 0.3
"""The weight of a block in the power of the ear."""
_HOLD = 20
"""The blocks for which a user is heard after the last loud one: a gap between two sounds."""
_WRONG_DB = 3.0
_DOUBTS = 4
"""The blocks in a row in which a residue is louder, and of a wrong path: by chance that is hardly ever so."""
_WRONG_FOR = 30
"""The blocks for which a louder residue of a wrong path makes the ear softer: the filter learns anew."""


class NearEnd:
    """Puts the linear filter's output in the place of the ear while a user speaks over the echo.

    A canceller that suppresses takes the onset of a user with the echo. A linear filter does not; its usual
    residue is known. What is much louder than that, and not the echo of a changed path, is a user.

    Where the filter can tell that there is no user, the ear becomes softer, and no louder than the words.

    Args:
        block: the samples of a block of 10 ms.
    """

    def __init__(self, block: int) -> None:
        self._residue = Residue(block)
        self._rising: _Floats = np.linspace(0, 1, block, dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Begin again: nothing is known of the filter."""
        self._residue.reset()
        self._evidence = 0.0
        self._loud = self._hold = 0
        """The loud blocks in a row, and those for which a user is still assumed."""
        self._doubts = self._wrong = 0
        """The blocks of a wrong path in a row, and those for which it is still assumed."""
        self._ear_power = 0.0
        self._share, self._gain = 0.0, 1.0
        """The part of the words in the last sample, and the gain of it."""

    @property
    def hears_user(self) -> bool:
        """True while a user speaks over the echo."""
        return self._hold > 0

    @property
    def is_sure(self) -> bool:
        """False where the echo comes another way than the linear filter has learnt."""
        return self._doubts < _DOUBTS

    def mix(self, ear: _Ints, later: _Ints, words: _Ints, mic: _Ints) -> _Ints:
        """Return a block of the ear.

        Args:
            ear: of the canceller that suppresses.
            later: the words of the same instants, mono.
            words: the words as they come, mono.
            mic: the microphone that they were made of, mono.
        """
        heard = words.astype(np.float32)
        self._residue.hear(heard, mic - heard, talks=self._hold > 0)
        self._judge()
        share, self._share = self._share, 1.0 if self._hold else 0.0
        gain, self._gain = self._gain, self._softer(ear) if self._is_alone else 1.0
        if share == self._share and gain == self._gain == 1.0:
            return later if share else ear
        mixed: _Floats = ear.astype(np.float32)
        if share or self._share:
            mixed += self._ramp(share, self._share) * (later - mixed)
        mixed *= self._ramp(gain, self._gain)
        return to_int16(mixed)

    def _ramp(self, begin: float, end: float) -> float | _Floats:
        """Return a gain that goes from one value to the other."""
        return end if begin == end else begin + np.float32(end - begin) * self._rising

    @property
    def _is_alone(self) -> bool:
        """True where only the echo sounds."""
        if self._hold or self._loud or not self._residue.sounds:
            return False
        return self._wrong > 0 or self._residue.share < _LOW

    def _judge(self) -> None:
        excess_db = self._residue.excess_db
        self._hold, self._wrong = max(0, self._hold - 1), max(0, self._wrong - 1)
        if self._residue.is_wrong or excess_db == -math.inf:
            self._evidence, self._loud = 0.0, 0
        is_wrong = self._residue.is_wrong and excess_db > _WRONG_DB
        self._doubts = self._doubts + 1 if is_wrong else 0
        if self._residue.is_wrong:
            self._hold = 0
            self._wrong = _WRONG_FOR if is_wrong else self._wrong
            return
        self._evidence = max(0.0, self._evidence + min(excess_db, _LOUDEST_DB) - _LOUDER_DB)
        self._loud = self._loud + 1 if excess_db > _LOUDER_DB else 0
        if self._loud >= _LASTS and self._evidence >= _EVIDENCE_DB and self._residue.share < _TRUSTED:
            self._evidence = _EVIDENCE_DB
            self._hold, self._wrong = _HOLD, 0

    def _softer(self, ear: _Ints) -> float:
        """Return the gain of an ear that nobody talks at."""
        floats = ear.astype(np.float32)
        power = float(floats @ floats) / len(floats)
        self._ear_power += _AVERAGE * (power - self._ear_power)
        return _SOFTER * min(1.0, math.sqrt((self._residue.power + 1) / (self._ear_power + 1)))
