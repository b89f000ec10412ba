"""The user over the echo: the ear hears the words of a linear filter that has proved itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.engines.samples import to_int16

__all__ = ["NearEnd"]

_Floats = npt.NDArray[np.float32]
_Ints = npt.NDArray[np.int16]

_AUDIBLE = 10.0
"""The mean square, in units of int16, of an echo that is worth judging."""
_TRUSTED = 10**-2.0
"""The residue of an echo that is low enough, as a ratio of power: -20 dB."""
_LOUDER = 10**1.2
"""By so much louder than its usual residue, 12 dB, the output holds a user."""
_LOW = 10**-1.5
"""The residue, -15 dB, from which on the filter can tell that there is no user."""
_SOFTER = 0.1
"""The gain of the ear where there is no user, -20 dB: what a suppressor leaves is no voice then."""
_TRACKING = 0.03
"""The weight of a block in the usual residue."""
_FORGETTING = 1.004
"""The residue may have grown while it seems that a user speaks: by 1.7 dB a second."""
_DECAY = 0.9
"""An echo dies away in the room by so much in a block: 46 dB a second."""
_AVERAGE = 0.3
"""The weight of a block in the correlation, which covers some 30 ms."""
_LASTS = 3
"""The loud blocks in a row that make a user: within them a correlation shows."""
_CORRELATED = 0.35
"""A filter is wrong where its output and its echo are correlated so: a user is not."""
_HOLD = 20
"""The blocks for which a user is heard after the last loud one: a gap between two sounds."""


class NearEnd:
    """Puts the linear filter's output in the place of the ear while a user speaks over the echo.

    A canceller that suppresses takes the onset of a user with the echo. A linear filter does not; what it
    leaves of an echo is known from the time before. What is much louder than that is a user, unless output
    and estimated echo are correlated: then the path has changed.

    Where the filter can tell that there is no user, the ear becomes softer.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again: nothing is known of the filter."""
        self._residue = 1.0
        """The usual power of the output, as a part of that of the echo."""
        self._echo = 0.0
        """The power of the echo, reverberation included."""
        self._cross = self._left = self._estimated = 0.0
        self._hold = self._loud = 0
        self._share, self._gain = 0.0, 1.0
        """The part of the words in the last sample, and the gain of it."""

    @property
    def hears_user(self) -> bool:
        """True while a user speaks over the echo."""
        return self._hold > 0

    def mix(self, ear: _Ints, later: _Ints, words: _Ints, mic: _Ints, *, is_sure: bool) -> _Ints:
        """Return a block of the ear.

        Args:
            ear: of the canceller that suppresses.
            later: the words of the same instants, mono.
            words: the words as they come, mono.
            mic: the microphone that they were made of, mono.
            is_sure: the linear filter has no doubt of itself.
        """
        self._judge(words.astype(np.float32), mic.astype(np.float32))
        if not is_sure:
            self._doubt()
        share, self._share = self._share, 1.0 if self._hold else 0.0
        gain, self._gain = self._gain, _SOFTER if self._is_alone else 1.0
        if share == self._share and gain == self._gain == 1.0:
            return later if share else ear
        mixed: _Floats = ear.astype(np.float32)
        if share or self._share:
            shares = np.linspace(share, self._share, len(ear), dtype=np.float32)
            mixed += shares * (later.astype(np.float32) - mixed)
        mixed *= np.linspace(gain, self._gain, len(ear), dtype=np.float32)
        return to_int16(mixed)

    @property
    def _is_alone(self) -> bool:
        """True where only the echo sounds."""
        return self._residue < _LOW and not self._hold and not self._loud and self._echo >= _AUDIBLE

    def _judge(self, words: _Floats, mic: _Floats) -> None:
        echo = mic - words
        left, estimated = float(words @ words) / len(words), float(echo @ echo) / len(words)
        self._cross += _AVERAGE * (float(words @ echo) / len(words) - self._cross)
        self._left += _AVERAGE * (left - self._left)
        self._estimated += _AVERAGE * (estimated - self._estimated)
        self._echo = max(estimated, _DECAY * self._echo)
        self._hold = max(0, self._hold - 1)
        if self._echo < _AUDIBLE:
            return
        if left <= _LOUDER * self._residue * self._echo + _AUDIBLE:
            self._loud = 0
            self._residue += _TRACKING * (min(1.0, left / self._echo) - self._residue)
        elif self._cross**2 > _CORRELATED**2 * self._left * self._estimated:
            self._doubt()
        else:
            self._loud += 1
            self._residue = min(1.0, self._residue * _FORGETTING)
            if self._residue < _TRUSTED and self._loud >= _LASTS:
                self._hold = _HOLD

    def _doubt(self) -> None:
        """Trust the filter no more, until it has proved itself again, for a second and a half."""
        self._residue, self._hold, self._loud = 1.0, 0, 0
