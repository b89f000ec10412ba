"""A sound that never ends and never repeats soon, and how much of it came through a program, and how late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from soundcard.rooms import Samples

__all__ = ["LONGEST_S", "REPEATS_S", "Heard", "Sound"]

LONGEST_S = 1.5
"""The longest way that is looked for."""
PIECE_S = 0.02
"""So long is a piece that came through, or did not."""
REPEATS_S = 20.0
"""And in each of these something is said."""
_BAND_HZ = 3_500.0
"""What a program that runs at 16 kHz passes on, whole."""
_LOUDNESS = 100.0
"""Of the noise, as int16: -50 dB, below what is said in it."""
_ALIKE = 0.5
"""The correlation of a piece that came through; one of something else is about 0.1."""
_MOVES, _STEP = 36, 4
"""Samples: within a second the way grows or shrinks so much, at 500 ppm and 48 kHz. Near enough is alike."""
_WAYS = 3
"""Within one second sound may come by so many ways of different length: it was lost, and is back."""
_FLOATS = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of some sound."""

    latency_s: float | None
    """Of its longest part; None: nothing came through."""
    missing_s: float
    """So much of it did not come through."""


class Sound:
    """Noise, quiet but never silent, with something said in it every 20 s.

    Args:
        rate: samples a second.
        said: the speech, at that rate.
    """

    def __init__(self, rate: int, said: Samples) -> None:
        self._rate = rate
        loop = _noise(round(REPEATS_S * rate), rate)
        loop[: len(said)] += said
        self._loop = np.clip(np.rint(loop), -32768, 32767).astype(np.int16)

    def at(self, frame: int, count: int) -> Samples:
        """Its samples from that frame on."""
        return self._loop[np.arange(frame, frame + count) % len(self._loop)]

    def heard(self, heard: Samples, frame: int) -> Heard:
        """Look for it in what was heard, whose first sample sounded at that frame of it."""
        back = round(LONGEST_S * self._rate)
        said = self.at(frame - back, back + len(heard)).astype(np.float64)
        wanted = heard.astype(np.float64)
        piece = round(PIECE_S * self._rate)
        through = np.zeros(len(heard) // piece, dtype=bool)
        latencies = list[tuple[int, float]]()
        for _ in range(_WAYS):
            place = _place(said, wanted)
            alike = _alike(said, place, wanted, piece) > _ALIKE
            if not alike.any():
                break
            latencies.append((int(alike.sum()), (back - place) / self._rate))
            through |= alike
            wanted = np.where(np.repeat(through, piece), 0.0, wanted[: len(through) * piece])
        missing_s = float((~through).sum() * PIECE_S)
        return Heard(max(latencies)[1] if latencies else None, missing_s)


def _noise(count: int, rate: int) -> _FLOATS:
    """The same each time; it can be repeated without a seam."""
    noise = np.random.default_rng(1).normal(size=count)
    spectrum = np.fft.rfft(noise)
    spectrum[np.fft.rfftfreq(count, 1 / rate) > _BAND_HZ] = 0.0
    noise = np.fft.irfft(spectrum, count)
    return noise * (_LOUDNESS / float(noise.std()))


def _place(said: _FLOATS, heard: _FLOATS) -> int:
    """The sample of `said` from which on it is most like what was heard; what is loud counts no more."""
    most = 2 * _LOUDNESS
    said, heard = np.clip(said, -most, most), np.clip(heard, -most, most)
    size = 1 << (len(said) + len(heard) - 1).bit_length()
    alike = np.fft.irfft(np.fft.rfft(said, size) * np.fft.rfft(heard, size).conj(), size)
    return int(np.argmax(alike[: len(said) - len(heard) + 1]))


def _alike(said: _FLOATS, place: int, heard: _FLOATS, piece: int) -> _FLOATS:
    """The correlation of each piece with what is at that place, or a little beside it."""
    count = len(heard) // piece * piece
    y = heard[:count].reshape(-1, piece)
    most = np.zeros(len(y))
    for begin in range(max(0, place - _MOVES), min(place + _MOVES, len(said) - count) + 1, _STEP):
        x = said[begin : begin + count].reshape(-1, piece)
        loudness = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        products = np.einsum("ij,ij->i", x, y)
        most = np.maximum(most, np.divide(products, loudness, out=np.zeros(len(x)), where=loudness > 0))
    return most
