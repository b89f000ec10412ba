"""Telephone audio of one byte a sample: A-law and mu-law, after ITU-T G.711, as tables of int16."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

__all__ = ["a_law", "mu_law"]

_BIAS = 132
"""Of mu-law: it is added before a sample is written, so that every segment begins with a one."""


@functools.cache
def mu_law() -> npt.NDArray[np.int16]:
    """Return the sample of each byte. Its bits are inverted: sign, three of exponent, four of mantissa."""
    code = ~np.arange(256) & 0xFF
    size = ((code & 0x0F) * 8 + _BIAS << (code >> 4 & 7)) - _BIAS
    return np.where(code & 0x80, -size, size).astype(np.int16)


@functools.cache
def a_law() -> npt.NDArray[np.int16]:
    """Return the sample of each byte. Every other bit of it is inverted; its first two segments are one."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = code >> 4 & 7, (code & 0x0F) * 16 + 8
    size = np.where(exponent == 0, mantissa, mantissa + 256 << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)
