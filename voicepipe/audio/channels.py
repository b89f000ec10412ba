"""The channels of interleaved int16: one of them picked, several become fewer, few become more."""

from __future__ import annotations

from voicepipe.audio.format import SAMPLE_BYTES

__all__ = ["pick_channel", "set_channels"]


def pick_channel(data: bytes, channels: int, index: int) -> bytes:
    """Return one of the channels, counted from 0."""
    out = bytearray(len(data) // channels)
    _copy(data, channels, index, out, 1, 0)
    return bytes(out)


def set_channels(data: bytes, have: int, want: int) -> bytes:
    """Return audio of `have` channels as audio of `want` ones.

    One becomes several by copying it, several become one by their mean. Otherwise channels keep their
    places, and those that are lacking are silent.
    """
    if have == want:
        return data
    if want == 1:
        return _mean(data, have)
    out = bytearray(len(data) // have * want)
    for index in range(want if have == 1 else min(have, want)):
        _copy(data, have, 0 if have == 1 else index, out, want, index)
    return bytes(out)


def _copy(data: bytes, have: int, index: int, out: bytearray, want: int, at: int) -> None:
    """Copy one channel to a place in the result."""
    for byte in range(SAMPLE_BYTES):
        out[SAMPLE_BYTES * at + byte :: SAMPLE_BYTES * want] = data[
            SAMPLE_BYTES * index + byte :: SAMPLE_BYTES * have
        ]


def _mean(data: bytes, have: int) -> bytes:
    import numpy as np  # here, for a process that mixes nothing needs none of it

    audio = np.frombuffer(data, np.int16).reshape(-1, have)
    # A product: numpy's mean over short rows costs several times as much.
    mean = audio.astype(np.float32) @ np.full((have, 1), 1 / have, np.float32)
    return np.rint(mean).astype(np.int16).tobytes()
