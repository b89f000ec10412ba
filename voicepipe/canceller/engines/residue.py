"""The residue of an echo behind a linear filter: usual, louder than that, or the echo of a changed path."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["Residue"]

_Floats = npt.NDArray[np.float32]

_WINDOW = 2
"""The blocks of a spectrum."""
_BANDS = 20
_LOWEST_HZ = 100.0
_AUDIBLE = 10.0
"""The mean square, in units of int16, of an echo that is worth judging."""
_TRACKING, _FAST = 0.03, 0.2
"""The weights of a block in what is usual: while all is as ever, and while the path is wrong."""
_USUAL = 10**1.5
"""Up to so much above its average, 15 dB, a residue is usual."""
_DECAY = 0.9
"""An echo dies away in the room by so much in a block: 46 dB a second."""
_AVERAGE = 0.4
"""The weight of a block in the likeness, which covers some 20 ms."""
_CHANCE = 1.2
"""Of n frequencies that have nothing in common, the sum of the signs is below this times the root of n: two
standard deviations."""
_WRONG, _SURELY_WRONG = 0.05, 0.13
"""The mean likeness beyond chance from which on the path is wrong; the second, while a user talks. That of a
path that has changed is 0.5 to 0.9, and 0.2 where a seventh of the echo comes by a new one."""
_NOISE_RISES = 1.004
"""The noise of the room may rise by 1.7 dB a second."""
_NOISE_MARGIN = 4.0
"""Noise is at most 6 dB louder than the least of it."""
_LEAST_NOISE = 1.0
"""That of the last bit, and a little more."""
_TINY = 1e-9


class Residue:
    """Compares the output of a linear filter with the echo that it took out, in bands of frequency.

    A filter leaves more of an echo where its path is not learnt yet, such as of the first hissing sound. So
    the usual residue is known for each band, as a part of the echo there.

    What is louder than usual is a user, or the echo of a path that has changed. The output of a wrong path
    holds the wrong echo with its sign turned: in each frequency both are alike in phase. A user's phases have
    nothing to do with the echo's; over all frequencies that shows within a block or two.

    Args:
        block: the samples of a block of 10 ms.
    """

    def __init__(self, block: int) -> None:
        size = _WINDOW * block
        self._block = block
        window = np.hanning(size + 1)[:-1]
        self._window: _Floats = (window * math.sqrt(2 / size / float(window @ window))).astype(np.float32)
        starts = _bands(block)
        self._first, self._starts = int(starts[0]), starts - starts[0]
        """The first bin that is looked at, and the first one of each band, from there."""
        self._both: _Floats = np.zeros((2, size), np.float32)
        self._windowed: _Floats = np.empty((2, size), np.float32)
        self._ones: _Floats = np.ones(len(starts), np.float32)
        self.reset()

    def reset(self) -> None:
        """Begin again: nothing is known of the filter."""
        self._both.fill(0)
        self._usual: _Floats = np.ones((2, len(self._starts)), np.float32)
        """The average power of what is left, and of the echo, by band."""
        self._room: _Floats = np.zeros(len(self._starts), np.float32)
        """The power of the echo, reverberation included."""
        self._noise = math.inf
        self._alike = self._counted = 0.0
        self.sounds = False
        """True while an echo is audible: only then is anything judged."""
        self.power = 0.0
        """The mean square of the filter's output, in units of int16."""
        self.excess_db = -math.inf
        """By how much the last block is louder than the usual residue and noise."""
        self.share = 1.0
        """The usual residue as a part of the echo, in power."""
        self.is_wrong = False
        """True where the last block holds the echo of a path that has changed."""

    def hear(self, words: _Floats, echo: _Floats, *, talks: bool = False) -> None:
        """Take a block of the filter's output, and of the echo that was taken out, in units of int16.

        Args:
            words: the output.
            echo: what was taken out.
            talks: a user is being heard: only what is surely of a wrong path is taken for that.
        """
        block, both = self._block, self._both
        both[:, :-block] = both[:, block:]
        both[0, -block:], both[1, -block:] = words, echo
        np.multiply(both, self._window, out=self._windowed)
        spectra = np.fft.rfft(self._windowed)[:, self._first :]
        powers = (spectra.real**2 + spectra.imag**2).astype(np.float32, copy=False)
        self._compare(spectra, powers[1])
        now = np.add.reduceat(powers, self._starts, axis=1)
        np.maximum(now[1], _DECAY * self._room, out=now[1])
        self._room = now[1]
        self._judge(now, _SURELY_WRONG if talks else _WRONG)

    def _compare(self, spectra: npt.NDArray[np.complexfloating], power: _Floats) -> None:
        """Count the frequencies in which both are alike in phase, of those in which the echo is audible."""
        audible = power > _AUDIBLE / len(power)
        both = (spectra[0] * np.conj(spectra[1])).real > 0
        both &= audible
        counted = int(np.count_nonzero(audible))
        self._alike += _AVERAGE * (2 * int(np.count_nonzero(both)) - counted - self._alike)
        self._counted += _AVERAGE * (counted - self._counted)

    def _judge(self, now: _Floats, wrong: float) -> None:
        self.power, sounds = (now @ self._ones).tolist()
        self._noise = min(max(self.power, _LEAST_NOISE), _NOISE_RISES * self._noise)
        self.excess_db = -math.inf
        self.sounds = sounds >= _AUDIBLE
        if not self.sounds:
            self.is_wrong = False
            return
        usual = float(np.minimum(self._usual[0] / self._usual[1], 1.0) @ self._room)
        self.share = usual / sounds
        was_wrong, chance = self.is_wrong, _CHANCE * math.sqrt(self._counted)
        self.is_wrong = abs(self._alike) > wrong * self._counted + chance
        self.excess_db = 10 * math.log10(max(self.power, _TINY) / (usual + self._noise))
        if self.power <= _USUAL * usual + _NOISE_MARGIN * self._noise:
            self._usual += _TRACKING * (now - self._usual)
        elif self.is_wrong and was_wrong:  # a single block may be so by chance
            self._usual += _FAST * (now - self._usual)


def _bands(block: int) -> npt.NDArray[np.intp]:
    """Return the first bin of each band: equally wide on the mel scale, up to half the rate."""
    hertz = np.arange(_WINDOW * block // 2 + 1) * 100.0 / _WINDOW
    mel = 2595 * np.log10(1 + hertz / 700)
    first = mel[np.searchsorted(hertz, _LOWEST_HZ)]
    starts: npt.NDArray[np.intp] = np.unique(
        np.searchsorted(mel, np.linspace(first, mel[-1], _BANDS, endpoint=False))
    )
    return starts
