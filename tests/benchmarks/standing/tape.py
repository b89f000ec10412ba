"""What was said and what was heard over a run, on one line of time, and the delay between them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import numpy as np

from soundcard.rooms import Samples

__all__ = ["Noise", "Tape"]

_BAND_HZ = 7_000.0
"""What a program that runs at 16 kHz passes on."""
_LOUDNESS = 3_000.0
_LOOP_S = 20.0
LONGEST_S = 4.0
"""The longest delay that is looked for."""
_PIECE_S = 0.1
_ALIKE = 0.4
"""The correlation of a piece that came through; one of something else is about 0.1."""
_PIECES, _EVERY_S = 5, 0.08
"""A delay is the median of so many pieces, so far apart."""


class Noise:
    """Noise of which no two pieces within 20 s are alike."""

    def __init__(self, rate: int, seed: int = 1) -> None:
        count = round(_LOOP_S * rate)
        spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=count))
        spectrum[np.fft.rfftfreq(count, 1 / rate) > _BAND_HZ] = 0.0
        noise = np.fft.irfft(spectrum, count)
        noise *= _LOUDNESS / float(noise.std())
        self._loop = np.clip(np.rint(noise), -32_768, 32_767).astype(np.int16)

    def at(self, frame: int, count: int) -> Samples:
        """Return its samples from that frame on."""
        return self._loop[np.arange(frame, frame + count) % len(self._loop)]


@dataclass(frozen=True, slots=True)
class Tape:
    """Two tracks that begin at the same moment."""

    rate: int
    said: Samples
    heard: Samples

    def delay_ms(self, at_s: float) -> float | None:
        """Return the delay of what is heard from that moment on; None where nothing is found again.

        It is the median over some pieces, the last of which ends half a second later.
        """
        found = [self.piece_ms(at_s + number * _EVERY_S) for number in range(_PIECES)]
        known = [delay for delay in found if delay is not None]
        return statistics.median(known) if 2 * len(known) > len(found) else None

    def piece_ms(self, at_s: float) -> float | None:
        """Return the delay of the tenth of a second that is heard from that moment on."""
        begin, count = round(at_s * self.rate), round(_PIECE_S * self.rate)
        heard = self.heard[begin : begin + count].astype(np.float64)
        from_ = max(0, begin - round(LONGEST_S * self.rate))
        said = self.said[from_ : begin + count].astype(np.float64)
        if len(heard) < count or len(said) < 2 * count or not heard.any():
            return None
        place = _place(said, heard)
        there = said[place : place + count]
        alike = float(there @ heard) / float(np.linalg.norm(there) * np.linalg.norm(heard) or 1.0)
        return 1e3 * (begin - from_ - place) / self.rate if alike > _ALIKE else None


def _place(said: np.ndarray, heard: np.ndarray) -> int:
    """Return the sample of `said` from which on it is most like what was heard."""
    size = 1 << (len(said) + len(heard) - 1).bit_length()
    alike = np.fft.irfft(np.fft.rfft(said, size) * np.fft.rfft(heard, size).conj(), size)
    return int(np.argmax(alike[: len(said) - len(heard) + 1]))
