"""Wider samples, rounded to int16: integers of any width, and floats."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["round_floats", "round_integers"]

_FULL_SCALE = 32_768.0
"""Of floats in files, for sox and ffmpeg too: 16 bits that became floats are read back as they were."""


def round_integers(array: npt.NDArray[Any], bits: int) -> npt.NDArray[Any]:
    """Round to the upper 16 bits: to cut the lower ones off would shift all audio by half a step."""
    return np.minimum((array >> bits - 16) + (array >> bits - 17 & 1), 32_767).astype(np.int16)


def round_floats(array: npt.NDArray[Any], *, half_up: bool = False) -> npt.NDArray[Any]:
    """Round floats, and clip beyond full scale; NaN is silence.

    Args:
        array: floats of full scale 1.
        half_up: they were integers, whose halves `round_integers` rounds up.
    """
    with np.errstate(invalid="ignore"):  # of the NaNs there are, some make a noise when they are touched
        finite = np.clip(np.nan_to_num(array, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    scaled = finite * _FULL_SCALE
    whole: npt.NDArray[Any] = np.minimum(np.floor(scaled + 0.5) if half_up else np.rint(scaled), 32_767)
    return whole.astype(np.int16)
