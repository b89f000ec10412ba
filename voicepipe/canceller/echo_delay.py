"""The delay of an echo, from the correlation of the microphone with the speaker's sound."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["EchoDelay"]

HEARD_S = 0.5
"""So much of the microphone is compared."""
LONGEST_S = 0.5
"""The longest delay that is found."""
EARLIEST_S = 0.3
"""An echo may come so much before the sound that the canceller is given, as one of a wrong stamp does."""
CLEAR = 8.0
"""The height of a peak above the mean of the correlation's size; noise reaches about 4.5."""

EDGE_S = 0.02
"""So near to the ends of what is looked at, a peak is of the cut, and not of an echo."""
LEAST_RATE = 8_000
"""At a lower one, chance alone makes peaks that stand out among so few delays."""
FAINT = 0.01
"""The size, beside the mean, of frequencies that hardly count: a voice of 16 kHz has nothing above 8."""

_Floats = npt.NDArray[np.float64]


class EchoDelay:
    """Finds the delay of an echo in the last 1.3 s of sound.

    Args:
        rate: in samples a second.
        lead: the samples by which the speaker's sound is given early; negative: late.
    """

    def __init__(self, rate: int, lead: int = 0) -> None:
        self._rate, self._lead = rate, lead
        self._heard, self._longest = round(HEARD_S * rate), round(LONGEST_S * rate)
        self._earliest = round(EARLIEST_S * rate)
        self._mic: list[_Floats] = []
        self._far: list[_Floats] = []
        self._samples = 0

    def add(self, mic: _Floats, far: _Floats) -> None:
        """Take what came next, of the same length."""
        self._mic.append(mic)
        self._far.append(far)
        self._samples += len(mic)
        while self._samples - len(self._mic[0]) >= self._earliest + self._heard + self._longest:
            self._samples -= len(self._mic.pop(0))
            self._far.pop(0)

    def forget(self) -> None:
        """Begin anew behind a gap."""
        self._mic.clear()
        self._far.clear()
        self._samples = 0

    def move(self, samples: int) -> None:
        """Note that the speaker's sound is given so much later from now on."""
        self._lead -= samples
        self.forget()

    def find(self) -> float | None:
        """Return the delay in seconds; None: too little has sounded, or nothing stands out."""
        found = self._find_peak(0)
        return None if found is None else max(0, found - self._lead) / self._rate

    def find_from_given(self) -> float | None:
        """Return the delay from the sound as it was given; negative: the echo comes before it."""
        found = self._find_peak(-self._earliest) if self._rate >= LEAST_RATE else None
        return None if found is None else found / self._rate

    def _find_peak(self, first: int) -> int | None:
        """Return the delay in samples, from that one on.

        It is the peak of the cross-correlation, whitened (GCC-PHAT, Knapp and Carter 1976).
        """
        wanted = self._heard + self._longest - first
        if self._samples < wanted:
            return None
        far = np.concatenate(self._far)[-wanted:]
        mic = np.concatenate(self._mic)[-wanted:][self._longest :][: self._heard]
        size = 1 << (wanted + self._heard).bit_length()
        cross = np.fft.rfft(mic, size) * np.conj(np.fft.rfft(far, size))
        sizes = np.abs(cross)
        cross /= sizes + FAINT * sizes.mean() + 1e-12
        correlation = np.abs(np.fft.irfft(cross, size))
        # The microphone's first sample lies so far behind that of the speaker.
        delays = np.arange(first, self._longest)
        found = correlation[(delays - self._longest) % size]
        best = int(np.argmax(found))
        edge = round(EDGE_S * self._rate) if first else 0
        if found[best] < CLEAR * found.mean() or not edge <= best < len(found) - edge:
            return None
        return int(delays[best])
