"""Louder or softer int16 audio, clipped at full scale and never wrapped."""

from __future__ import annotations

from voicepipe.checks import check_number

__all__ = ["MOST_GAIN_DB", "amplify", "check_gain"]

MOST_GAIN_DB = 60.0
"""The most that a microphone's gain can be, 1,000 times: what is softer by so much is rounding."""


def check_gain(gain_db: object) -> float:
    """Check the gain of a microphone in decibels, and return it. Raises: TypeError, ValueError."""
    return check_number("gain_db", gain_db, at_least=-MOST_GAIN_DB, at_most=MOST_GAIN_DB)


def amplify(data: bytes, db: float) -> bytes:
    """Return the audio with a gain of so many decibels; at 0 dB it is the same object."""
    if not db:
        return data
    import numpy as np  # here, for a program without a gain needs none of it

    audio = np.frombuffer(data, np.int16) * np.float32(10 ** (db / 20))
    np.rint(audio, out=audio)
    louder: bytes = np.clip(audio, -32_768, 32_767).astype(np.int16).tobytes()
    return louder
