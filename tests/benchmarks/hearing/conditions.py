"""The labelled speech, clean and mixed with noise: what the engines are to hear, and what they should find.

A folder holds `set.json` beside its audio: sessions of speech with the truth about them, noises, and which
are mixed at what ratio.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["RATE", "Condition", "MissingSpeechError", "conditions", "take_folder"]

RATE = 16_000
NOISE_LEVELS_DB = (-30, -50)
BACKGROUND_TALK = ("babble", "coffee")
"""Noise that is speech, by other people: whether it counts is a matter of taste, so it is kept apart."""

Ints = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]
Spans = tuple[tuple[float, float], ...]


class MissingSpeechError(Exception):
    """The labelled speech, or what reads it, is not there. One line that says so."""


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A stretch of audio, mono, 16 kHz."""

    name: str
    group: str
    """`clean`, a ratio such as `10dB`, `noise` (with no speech in it), `talk` or `talkonly`."""
    audio: Ints
    turns: Spans
    """What somebody says in one go, from and to in seconds: pauses within are shorter than 0.45 s."""
    noise: str = ""
    """The noise that is mixed into it."""

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return len(self.audio) / RATE

    def later(self, samples: int) -> Condition:
        """Make the same with so much silence in front."""
        audio = np.concatenate([np.zeros(samples, np.int16), self.audio])
        shift_s = samples / RATE
        turns = tuple((begin + shift_s, end + shift_s) for begin, end in self.turns)
        return replace(self, audio=audio, turns=turns)


def conditions(folder: Path) -> list[Condition]:
    """All of a set.

    Raises:
        MissingSpeechError: there is none in the folder, or the package soundfile is not installed.
    """
    about = folder / "set.json"
    if not about.is_file():
        raise MissingSpeechError(f"no labelled speech in {folder}: there is no {about.name}")
    plan = json.loads(about.read_text(encoding="utf-8"))
    read = _reader(folder)
    sessions = {each["id"]: (each, read(each["file"])) for each in plan["sessions"]}
    noises = {each["id"]: (each, read(each["file"])) for each in plan["noises"]}
    return [*_clean(sessions), *_mixed(plan["mixes"], sessions, noises), *_noise(noises), *_made_up()]


def take_folder(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark take the folder of the labelled speech, or the one that a variable names."""
    given = os.environ.get("VOICEPIPE_LABELLED_SPEECH")
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(given) if given else None,
        help="labelled speech; default: VOICEPIPE_LABELLED_SPEECH",
    )


_Parts = dict[str, tuple[dict[str, Any], Ints]]


def _reader(folder: Path) -> Callable[[str], Ints]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingSpeechError(
            f"the package soundfile is needed to read FLAC: pip install soundfile ({error})"
        ) from None

    def read(file: str) -> Ints:
        audio, rate = soundfile.read(folder / file, dtype="int16")
        if rate != RATE or audio.ndim != 1:
            raise MissingSpeechError(f"{folder / file} is not {RATE} Hz mono")
        return np.asarray(audio, np.int16)

    return read


def _clean(sessions: _Parts) -> Iterator[Condition]:
    for name, (about, audio) in sessions.items():
        yield Condition(name, "levels" if name == "levels" else "clean", audio, _spans(about["turns"]))


def _mixed(mixes: list[dict[str, Any]], sessions: _Parts, noises: _Parts) -> Iterator[Condition]:
    for mix in mixes:
        about, audio = sessions[mix["session"]]
        noise, sound = noises[mix["noise"]]
        louder = about["active_rms"] / noise["rms"] * 10 ** (-mix["snr"] / 20)
        turned = np.roll(sound.astype(np.float64) / 32_768, -int(mix["offset"] * RATE))
        mixed = audio / 32_768 + np.resize(turned, len(audio)) * louder
        peak = float(np.abs(mixed).max())
        group = "talk" if mix["noise"] in BACKGROUND_TALK else f"{mix['snr']}dB"
        heard = _ints(mixed * (min(0.98, peak) / peak))
        yield Condition(mix["id"], group, heard, _spans(about["turns"]), mix["noise"])


def _noise(noises: _Parts) -> Iterator[Condition]:
    for name, (about, sound) in noises.items():
        for level_db in NOISE_LEVELS_DB:
            scaled = sound / 32_768 / about["rms"] * 10 ** (level_db / 20)
            group = "talkonly" if name in BACKGROUND_TALK else "noise"
            yield Condition(f"{name} alone at {level_db} dB", group, _ints(np.clip(scaled, -0.98, 0.98)), ())


def _made_up() -> Iterator[Condition]:
    count = 10 * RATE
    hum = 3_000 + 400 * np.sin(2 * np.pi * 50 * np.arange(count) / RATE)
    dither = np.random.default_rng(1).integers(-1, 2, count)
    for name, audio in (("zeros", np.zeros(count)), ("dither", dither), ("an offset and hum", hum)):
        yield Condition(name, "noise", audio.astype(np.int16), ())


def _ints(audio: Floats) -> Ints:
    return np.round(audio * 32_767).astype(np.int16)


def _spans(pairs: list[list[float]]) -> Spans:
    return tuple((begin, end) for begin, end in pairs)
