"""Audio as arrays: floats become int16, and channels become one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["FULL_SCALE", "mono_of", "to_int16"]

FULL_SCALE = 32_768.0
"""The steps of int16 in a float of 1."""

_LEAST, _MOST = -32_768.0, 32_767.0


def to_int16(floats: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    """Return floats, in steps of int16, as int16: rounded to the nearest, and held at the limits.

    The array is used up: it is rounded in its place.
    """
    np.rint(floats, out=floats)
    np.maximum(floats, _LEAST, out=floats)
    np.minimum(floats, _MOST, out=floats)
    return floats.astype(np.int16)


def mono_of(audio: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return the mean of all channels, shape (samples,), of audio of shape (samples, channels)."""
    channels = audio.shape[1]
    if channels == 1:
        return audio[:, 0]
    mean: npt.NDArray[np.int16] = (audio @ np.full(channels, 1 / channels, np.float32)).astype(np.int16)
    return mean
