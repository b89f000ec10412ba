"""Short telephone prompts at any level: words as a quiet microphone gives them.

They are in the Debian package `asterisk-core-sounds-en-g722`, 16 kHz, and ffmpeg decodes them.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.hearing.conditions import RATE, Ints, MissingSpeechError

__all__ = ["FOLDER", "Floats", "Prompt", "at_level", "decoded", "prompts"]

FOLDER = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
COUNT = 55
SHORTEST_S = 0.5
"""What is shorter is a tone, and no word."""
G722_BYTES = 8_000
"""A second of it."""
SNR_DB = 40
"""The peak over the noise: a little noise, as a quiet microphone in a quiet room has."""
BEFORE_S = AFTER_S = 1.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """One prompt, with a peak of 1."""

    name: str
    audio: Floats

    @property
    def duration_s(self) -> float:
        """Its length in seconds."""
        return len(self.audio) / RATE


def prompts(folder: Path = FOLDER) -> list[Prompt]:
    """Return the 55 shortest of half a second or more, by length and then by name.

    Raises:
        MissingSpeechError: the package, or ffmpeg, is not installed.
    """
    files = sorted((path.stat().st_size, path.name, path) for path in folder.glob("*.g722"))
    words = [path for size, _, path in files if size >= SHORTEST_S * G722_BYTES][:COUNT]
    if len(words) < COUNT:
        raise MissingSpeechError(
            f"no {COUNT} prompts in {folder}: apt-get install asterisk-core-sounds-en-g722"
        )
    if shutil.which("ffmpeg") is None:
        raise MissingSpeechError("ffmpeg is needed to decode G.722: apt-get install ffmpeg")
    return [Prompt(path.stem, decoded(path)) for path in words]


def at_level(prompt: Prompt, peak_db: float, *, snr_db: float = SNR_DB) -> Ints:
    """Return a prompt at that peak, in noise so far below it, as a card rounds it to 16 bits."""
    before, after = (round(seconds * RATE) for seconds in (BEFORE_S, AFTER_S))
    audio = np.concatenate([np.zeros(before), prompt.audio, np.zeros(after)]) * 10 ** (peak_db / 20)
    noise = np.random.default_rng(1).normal(0, 10 ** ((peak_db - snr_db) / 20), len(audio))
    return np.round((audio + noise) * 32_767).clip(-32_768, 32_767).astype(np.int16)


def decoded(path: Path) -> Floats:
    """Return the sound in a file, mono, 16 kHz, with a peak of 1."""
    given = ["-f", "g722"] if path.suffix == ".g722" else []
    wanted = ["-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"]
    command = ["ffmpeg", "-v", "error", *given, "-i", str(path), *wanted]
    data = subprocess.run(command, capture_output=True, check=True, stdin=subprocess.DEVNULL).stdout
    audio = np.frombuffer(data, "<i2").astype(np.float64)
    scaled: Floats = audio / np.abs(audio).max()
    return scaled
