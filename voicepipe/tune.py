"""A tune for a simulated microphone, where there is nobody to speak."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicepipe.checks import check_count

__all__ = ["tune"]

NOTES_HZ = (523.25, 659.26, 783.99, 1046.5)
"""C major, from the C above middle C."""
NOTE_S = 0.35
PAUSE_S = 0.1
LOUDNESS = 0.3
EDGE_S = 0.02
"""Each note fades in and out, so that it does not click."""


def tune(rate: int = 16_000, repeats: int = 1) -> npt.NDArray[np.int16]:
    """Four notes with pauses between, mono int16; 1.8 s for each repeat.

    Raises:
        TypeError, ValueError: `rate` or `repeats` is no whole number in its bounds.
    """
    check_count("rate", rate, at_least=4_000, at_most=384_000)
    check_count("repeats", repeats, at_least=0, at_most=1_000)
    time = np.arange(round(NOTE_S * rate)) / rate
    edge = np.minimum(1.0, np.minimum(time, NOTE_S - time) / EDGE_S)
    pause = np.zeros(round(PAUSE_S * rate))
    notes = [part for hz in NOTES_HZ for part in (LOUDNESS * edge * np.sin(2 * np.pi * hz * time), pause)]
    once = (np.concatenate(notes) * 32767).astype(np.int16)
    return np.tile(once, repeats)
