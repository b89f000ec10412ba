"""Sampled sound at places between its samples."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["AHEAD", "BEFORE", "MOST_SLIDE", "read_between"]

BEFORE, AHEAD = 16, 17
"""The samples before and behind a place that a read there needs."""
PHASES = 512
"""Steps between two samples in the table of filters. In between it is interpolated: the error is -116 dB."""
KAISER_BETA = 9.0
MOST_SLIDE = 1 / 16
"""The part of a sample by which the places of one read may slide. The filter is made for both ends, and the
result passes from one to the other: the error is -54 dB at the highest pitch, and -78 at a quarter of it."""

_Floats: TypeAlias = npt.NDArray[np.float32]


def read_between(near: _Floats, part: float, slide: float) -> _Floats:
    """Return the sound at places that are one sample apart, or a little more or less.

    Args:
        near: the samples, from `BEFORE` before the first place's whole sample on; `BEFORE + AHEAD` more than
            there are places.
        part: the part of a sample by which the first place lies behind its whole sample, from 0 to 1.
        slide: the distance over all places beyond whole samples, at most `MOST_SLIDE` either way.
    """
    begin = np.correlate(near, _taps(part), "valid")
    if not slide:
        return begin
    end = np.correlate(near, _taps(part + slide), "valid")
    end -= begin
    end *= _ramp(len(end))
    end += begin
    return end


def _taps(part: float) -> _Floats:
    """Return the filter that reads so far behind a sample: a sinc under a Kaiser window."""
    at = (part + MOST_SLIDE) * PHASES
    row = int(at)
    below, above = _table()[row : row + 2]
    taps: _Floats = below + np.float32(at - row) * (above - below)
    return taps


@cache
def _table() -> _Floats:
    rows = round((1 + 2 * MOST_SLIDE) * PHASES) + 2
    parts = np.arange(rows)[:, None] / PHASES - MOST_SLIDE
    at = np.arange(-BEFORE, AHEAD + 1)[None, :] - parts
    reach = BEFORE
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (at / reach) ** 2, 0, 1))) / np.i0(KAISER_BETA)
    filters = np.sinc(at) * window * (np.abs(at) <= reach)
    return (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)


@cache
def _ramp(count: int) -> _Floats:
    return (np.arange(count) / count).astype(np.float32)
