"""What stands in the files of a recording of all tracks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicepipe.audio.files.wav_file import WavReader
from voicepipe.canceller.tracks.track_files import NAMES

__all__ = ["EAR", "MIC", "REFERENCE", "SAID", "SPEAKER", "WORDS", "Rows", "labels_of", "rows_of"]

MIC, EAR, WORDS, REFERENCE, SPEAKER, SAID = range(len(NAMES))

Rows = npt.NDArray[np.int16]


def rows_of(path: Path) -> Rows:
    """Return the rows, shape (samples, tracks)."""
    with WavReader(path) as file:
        assert file.format.channels == len(NAMES)
        data = file.read(file.num_samples) if file.num_samples else b""
    return np.frombuffer(data, np.int16).reshape(-1, len(NAMES))


def labels_of(path: Path) -> list[tuple[float, float, str]]:
    """Return the labels: begin and end in seconds, and the text."""
    lines = path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    return [(float(begin), float(end), text) for begin, end, text in (line.split("\t") for line in lines)]
