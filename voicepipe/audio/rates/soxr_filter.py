"""A change of rate by soxr, for every ratio."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

__all__ = ["SoxrFilter"]


class SoxrFilter:
    """Converts the rate of a stream of int16 that comes in pieces.

    It works on floats: soxr adds dither to integers, noise where there is silence.

    Args:
        source_rate: samples a second of what goes in.
        target_rate: samples a second of what comes out.
        channels: of both, interleaved.
        quality: soxr's recipe.
    """

    def __init__(self, source_rate: int, target_rate: int, channels: int, quality: str) -> None:
        self._channels = channels
        self._recipe = source_rate, target_rate, channels, "float32", quality
        self._begin()

    def _begin(self) -> None:
        self._stream: Any = soxr.ResampleStream(*self._recipe)

    def convert(self, data: bytes) -> bytes:
        """Take so many whole samples, and return what is ready."""
        return self._process(data, last=False)

    def flush(self) -> bytes:
        """End the stream, and return the rest of it. A later call of `convert` begins a new stream."""
        rest = self._process(b"", last=True)
        self._begin()
        return rest

    def _process(self, data: bytes, *, last: bool) -> bytes:
        audio = np.frombuffer(data, np.int16).reshape(-1, self._channels)
        floats = self._stream.resample_chunk(audio.astype(np.float32), last)
        # In place, and without np.clip: on short blocks what is done around the samples is most of the work.
        np.rint(floats, out=floats)
        np.minimum(floats, 32767.0, out=floats)
        np.maximum(floats, -32768.0, out=floats)
        out: bytes = floats.astype(np.int16).tobytes()
        return out
