"""A band-limited read between samples: a windowed sinc, from a table."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["LEAD", "half_width", "interpolate", "resample"]

LOBES = 24
"""Zero crossings of the sinc on either side."""
LEAD = 2 * LOBES
"""Samples in which a resampled pulse rises, and decays."""
BETA = 8.0
"""Of the Kaiser window: what lies beyond the band is 80 dB lower."""
PHASES = 512
"""Entries of the table between two samples; what lies between these is interpolated, 100 dB exact."""
_SAME = 1e-3
"""Rates that differ by less are one rate with two clocks: the whole band is kept."""
_EXACT = 1e-6
"""Of a sample: closer to one than this, and the sample itself is read."""
_ROWS = 2_048
"""Read at a time: the rows of a kernel lie in the cache."""


def half_width(step: float) -> int:
    """Return the samples on either side of a place that a read with this step needs."""
    return int(np.ceil(LOBES / _cutoff(step))) + 1


def interpolate(
    sound: npt.NDArray[np.float64], place: float, step: float, count: int
) -> npt.NDArray[np.float64]:
    """Read `count` values of a sound, from a fractional place on, `step` samples apart.

    Before its beginning and behind its end a sound is zero. What is beyond the band of the coarser of the
    two grids is left out.
    """
    half = half_width(step)
    out = np.zeros(count)
    first = max(0, int(np.ceil((-half - place) / step)))
    last = min(count, int(np.floor((len(sound) + half - place) / step)) + 1)
    for begin in range(first, last, _ROWS):
        end = min(last, begin + _ROWS)
        out[begin:end] = _read(sound, place + begin * step, step, end - begin, half)
    return out


def resample(sound: npt.NDArray[np.float64], rate: int, to_rate: int) -> npt.NDArray[np.float64]:
    """Return an impulse response at another rate. It begins `LEAD` samples of that rate earlier, for its
    first tap becomes a pulse, and ends as much later.
    """
    step = rate / to_rate
    count = int(np.ceil(len(sound) / step)) + 2 * LEAD
    return step * interpolate(sound, -LEAD * step, step, count)


def _read(
    sound: npt.NDArray[np.float64], place: float, step: float, count: int, half: int
) -> npt.NDArray[np.float64]:
    before = int(np.floor(place)) - half + 1
    after = int(np.floor(place + (count - 1) * step)) + half + 1
    near = _cut(sound, before, after)
    # A row for each sample: the 2 * half samples from it on. It is what sliding_window_view makes, at a fifth
    # of the cost.
    rows: npt.NDArray[np.float64] = np.ndarray(
        (len(near) - 2 * half + 1, 2 * half), np.float64, near, 0, (8, 8)
    )
    if abs(step - 1) < 1e-12:
        return _read_steady(near, rows[:count], place - np.floor(place), half)
    places = place + step * np.arange(count)
    whole = np.floor(places)
    low, between = np.divmod((places - whole) * PHASES, 1.0)
    table = _kernels(_cutoff(step))
    at = low.astype(np.intp)
    near_rows = rows[whole.astype(np.intp) - (before + half - 1)]
    lower = np.einsum("ij,ij->i", near_rows, table[at])
    upper = np.einsum("ij,ij->i", near_rows, table[at + 1])
    read: npt.NDArray[np.float64] = lower + (upper - lower) * between
    return read


def _cut(sound: npt.NDArray[np.float64], begin: int, end: int) -> npt.NDArray[np.float64]:
    """Return a stretch of a sound as an array of its own, with zeros where there is none."""
    stretch = np.zeros(end - begin)
    inside = sound[max(0, begin) : max(0, end)]
    stretch[max(0, -begin) :][: len(inside)] = inside
    return stretch


def _read_steady(
    near: npt.NDArray[np.float64], rows: npt.NDArray[np.float64], fraction: float, half: int
) -> npt.NDArray[np.float64]:
    """Read at one and the same fraction behind each sample."""
    if min(fraction, 1 - fraction) < _EXACT:
        return near[half - 1 + round(fraction) :][: len(rows)]
    table = _kernels(1.0)
    low, between = divmod(fraction * PHASES, 1.0)
    result: npt.NDArray[np.float64] = rows @ (table[int(low)] * (1 - between) + table[int(low) + 1] * between)
    return result


def _cutoff(step: float) -> float:
    """Return the highest frequency that is kept, as a part of half the rate of what is read."""
    return 1.0 if abs(step - 1) < _SAME else round(0.94 * min(1.0, 1 / step), 3)


@functools.lru_cache(maxsize=16)
def _kernels(cutoff: float) -> npt.NDArray[np.float64]:
    """Return a row of weights for each phase, and one more, for what lies between the last two."""
    half = int(np.ceil(LOBES / cutoff)) + 1
    phases = np.arange(PHASES + 1)[:, None] / PHASES
    distance = np.arange(-half + 1, half + 1)[None, :] - phases
    within = np.clip(1 - (distance / half) ** 2, 0, None)
    return cutoff * np.sinc(cutoff * distance) * np.i0(BETA * np.sqrt(within)) / np.i0(BETA)
