"""A linear filter that is wrong adds an echo of its own: it is held back, and begins again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["PathWatch"]

_Floats = npt.NDArray[np.float32]

_FAST, _SLOW = 0.1, 0.05
"""The weights of a block in the averages by which it is held back (0.1 s), and begins again (0.2 s)."""
_SURE_AFTER = 50
"""The blocks it is given to learn before it is judged."""
_HELD_BACK, _BEGUN_AGAIN = 0.5, 0.4
"""The correlations of echo and error from which the path is wrong, and it is not a user who talks.

A path of which nothing is right has 0.7. A voice has 0.3 by chance, and more the shorter the average is.
Without this look the echo behind a pause stayed in the words: 12 to 24 dB below a voice, and now 35 to 45."""
_AUDIBLE = 1e-8
"""The mean square of an echo that is worth judging: -80 dB."""
_MUCH_LOUDER = 4.0
"""The factor of power, 6 dB, that no single block may gain."""


class PathWatch:
    """Compares the estimated echo with the microphone.

    The product of both is the power of the echo, if the estimate is right. Where it is less than half of it,
    the estimate makes the output louder than the microphone. A user who talks changes the product only by
    chance. Such a user is louder than the echo, so what is left has little to do with the estimate.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin again, with a filter that knows nothing."""
        self._both = self._power = self._mic = 0.0
        self._slow_both = self._slow_power = self._slow_mic = 0.0
        self._share = 1.0
        self._age = 0

    @property
    def is_wrong(self) -> bool:
        """True where the path is not the one that was learnt."""
        both, power = self._slow_both, self._slow_power
        if self._age < _SURE_AFTER or power < _AUDIBLE or 2 * both >= power:
            return False
        return _too_much(both, power, self._slow_mic, _BEGUN_AGAIN)

    @property
    def is_sure(self) -> bool:
        """True where the estimate is taken out whole."""
        return self._share == 1.0 and self._age >= _SURE_AFTER

    def take_out(self, mic: _Floats, echo: _Floats) -> _Floats:
        """Return a block of the microphone without its echo, or with a part of it while that is doubtful."""
        both, power, heard = float(mic @ echo), float(echo @ echo), float(mic @ mic)
        self._average(both / len(mic), power / len(mic), heard / len(mic))
        before, self._share = self._share, self._held_back()
        if before == self._share == 1.0:
            rest = mic - echo
        else:
            rest = mic - _part(echo, np.linspace(before, self._share, len(mic), dtype=np.float32))
        if float(rest @ rest) <= _MUCH_LOUDER * heard:
            return rest
        self._share = min(self._share, _fair_share(both, power))
        return mic - _part(echo, np.full(len(mic), self._share, np.float32))

    def _held_back(self) -> float:
        """Return the part of the echo that is taken out: all of it, unless the path is the reason not to."""
        share = _fair_share(self._both, self._power)
        doubtful = share < 1.0 and _too_much(self._both, self._power, self._mic, _HELD_BACK)
        return share if doubtful else 1.0

    def _average(self, both: float, power: float, heard: float) -> None:
        self._both += _FAST * (both - self._both)
        self._power += _FAST * (power - self._power)
        self._mic += _FAST * (heard - self._mic)
        self._slow_both += _SLOW * (both - self._slow_both)
        self._slow_power += _SLOW * (power - self._slow_power)
        self._slow_mic += _SLOW * (heard - self._slow_mic)
        self._age += 1


def _part(echo: _Floats, shares: _Floats) -> _Floats:
    shares *= echo
    return shares


def _too_much(both: float, power: float, mic: float, correlation: float) -> bool:
    """Return True if the error has so much of the estimated echo in it, turned over."""
    error = max(mic - 2 * both + power, 0.0)
    return (power - both) ** 2 >= correlation**2 * power * error


def _fair_share(both: float, power: float) -> float:
    """Return the largest part of an echo, up to 1, that makes nothing louder when it is taken out."""
    return 1.0 if 2 * both >= power else max(2 * both / power, 0.0)
