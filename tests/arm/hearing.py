"""What is said to the service, and how much what it says back is like it."""

from __future__ import annotations

import os
import sys
import wave
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arm.looking import PATIENCE, run, say

__all__ = ["ALIKE", "RATE", "SOUNDS", "likeness", "sentence"]

HOME = Path("/home/pi")
VOICE = HOME / "voicepipe" / "voicepipe" / "data" / "speech.wav"
PYTHON = HOME / "voice" / "bin" / "python"
"""That of the voice program, which has numpy."""
SOUNDS = Path(f"/tmp/trial-{os.getuid()}")
RATE = 16_000
SENTENCES = ((0.2, 2.0), (2.7, 6.2))
"""Where they are in the bundled sample, in seconds."""
PIECE = RATE // 2
ALIKE = 0.8 if PATIENCE == 1 else 0.5
"""What was said back is at least so much like what was said; another sentence is below 0.3. An emulated
processor is late for some of it."""


def sentence(number: int, until_s: float | None = None) -> bytes:
    """Of the bundled sample, or its beginning."""
    start_s, end_s = SENTENCES[number]
    with wave.open(str(VOICE)) as file:
        file.setpos(round(start_s * RATE))
        sound: bytes = file.readframes(round((until_s or end_s - start_s) * RATE))
    return sound


def likeness(said: bytes, path: Path) -> float:
    """How much what was recorded is like what was said, at the best place: 0 to 1."""
    sample = SOUNDS / "sample.raw"
    sample.write_bytes(said)
    reckon = run(PYTHON, __file__, sample, path, limit_s=120)
    with suppress(ValueError):
        return float(reckon.stdout)
    say(reckon.stdout)
    return 0.0


def reckoned(said: str, recorded: str) -> float:
    """The same, where there is numpy: piece by piece, so that a gap costs a piece. Loud ones count more."""
    import numpy as np

    sample, record = (np.fromfile(path, np.int16).astype(float) for path in (said, recorded))
    if len(record) < PIECE:
        return 0.0
    power = np.concatenate([[0.0], np.cumsum(record**2)])
    windows = np.sqrt(np.maximum(power[PIECE:] - power[:-PIECE], 1.0))
    size = 1 << len(record).bit_length() + 1
    spectrum = np.fft.rfft(record, size)
    total = weights = 0.0
    for start in range(0, len(sample) - PIECE + 1, PIECE):
        piece = sample[start : start + PIECE]
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(windows)]
        weight = float(np.linalg.norm(piece))
        total += float(np.max(product / windows))
        weights += weight
    return total / weights


if __name__ == "__main__":
    print(reckoned(*sys.argv[1:]))
