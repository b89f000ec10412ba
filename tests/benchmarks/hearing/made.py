"""Labelled speech that is made at run time: prompts in rooms and noises, their ends known by energy.

The prompts are in the Debian packages `asterisk-core-sounds-LANGUAGE-g722` (en, es, fr, it, ru), and music
is in `asterisk-moh-opsound-wav`. ffmpeg decodes them. All other noise is computed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.hearing.conditions import NOISE_LEVELS_DB, RATE, Condition, MissingSpeechError, Spans
from benchmarks.hearing.noises import noises
from benchmarks.hearing.prompts import Floats, decoded

__all__ = ["FOLDER", "made", "speech_in"]

FOLDER = Path("/usr/share/asterisk")
SESSION_S = 48.0
RATIOS_DB = (20, 10, 5, 0)
LEVEL_DB = -26.0
LENGTHS_S = {"short": (0.35, 1.2), "long": (1.5, 6.0), "far": (0.6, 5.0)}
"""Prompts of so many seconds make a session; the far ones sound in a room."""
LOOKED_AT = 200
"""Prompts of one language and length."""

BELOW_LOUDEST_DB = 35.0
ABOVE_QUIETEST_DB = 10.0
JOINED_S = 0.2
PAUSE_S = 0.45
"""A prompt with a longer pause would be two turns, or one: it is left out."""


def made(folder: Path = FOLDER) -> list[Condition]:
    """Make the same conditions on every call.

    Raises:
        MissingSpeechError: no prompts are installed, or ffmpeg is not.
    """
    languages = sorted(path for path in (folder / "sounds").glob("*_*") if any(path.glob("*.g722")))
    if not languages:
        wanted = "apt-get install asterisk-core-sounds-en-g722"
        raise MissingSpeechError(f"no prompts in {folder / 'sounds'}: {wanted}")
    if shutil.which("ffmpeg") is None:
        raise MissingSpeechError("ffmpeg is needed to decode G.722: apt-get install ffmpeg")
    random = np.random.default_rng(1)
    heard = {
        f"{language.name[:2]} {kind}": _session(language, kind, random)
        for language in languages
        for kind in LENGTHS_S
    }
    sounds = noises(folder / "moh", round(SESSION_S * RATE))
    return [*_clean(heard), *_mixed(heard, sounds, random), *_alone(sounds)]


def speech_in(audio: Floats) -> list[tuple[float, float]]:
    """Return the stretches of speech in clean audio, from and to in seconds."""
    level_db = _levels_db(audio - np.convolve(audio, np.ones(81) / 81, "same"))
    top, floor = np.percentile(level_db, [95, 5])
    loud = level_db > max(top - BELOW_LOUDEST_DB, floor + ABOVE_QUIETEST_DB)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]]).astype(int)))
    found: list[tuple[float, float]] = []
    for begin, end in zip((edges[::2] / 100).tolist(), (edges[1::2] / 100).tolist(), strict=True):
        if found and begin - found[-1][1] < JOINED_S:
            found[-1] = found[-1][0], end
        else:
            found.append((begin, end))
    return [(begin, end) for begin, end in found if end - begin >= 0.05]


_Session = tuple[Floats, Spans]


def _session(language: Path, kind: str, random: np.random.Generator) -> _Session:
    audio, at_s, turns = np.zeros(round(SESSION_S * RATE)), float(random.uniform(1.2, 2.2)), []
    for prompt in _prompts(language, LENGTHS_S[kind], random):
        spoken = speech_in(prompt)
        pauses = [after[0] - before[1] for before, after in pairwise(spoken)]
        if not spoken or max(pauses, default=0.0) >= PAUSE_S or min(b - a for a, b in spoken) < 0.08:
            continue
        if at_s + len(prompt) / RATE + 1 > SESSION_S:
            break
        at = round(at_s * RATE)
        audio[at : at + len(prompt)] += (
            prompt * 10 ** ((LEVEL_DB + random.uniform(-4, 4)) / 20) / _rms(prompt)
        )
        turns.append((at_s + spoken[0][0], at_s + spoken[-1][1]))
        at_s += len(prompt) / RATE + float(random.uniform(1.1, 2.4))
    if kind == "far":
        audio = _in_a_room(audio, random)
    return audio + random.normal(0, 10 ** (-66 / 20), len(audio)), tuple(turns)


def _prompts(language: Path, lengths_s: tuple[float, float], random: np.random.Generator) -> Iterator[Floats]:
    paths = sorted(path for path in language.glob("**/*.g722") if path.parent.name != "silence")
    for n in random.permutation(len(paths))[:LOOKED_AT]:
        if lengths_s[0] <= paths[n].stat().st_size / 8_000 <= lengths_s[1]:
            yield decoded(paths[n])


def _in_a_room(audio: Floats, random: np.random.Generator) -> Floats:
    """Add the sound that comes from the walls: noise that dies away."""
    decay_s, direct = random.uniform(0.25, 0.55), random.uniform(1.5, 4)
    walls = random.normal(0, 1, round(RATE * decay_s)) * 10 ** (
        -3 * np.arange(round(RATE * decay_s)) / RATE / decay_s
    )
    walls[: RATE // 250] = 0
    walls /= np.sqrt(direct * float(walls @ walls))
    walls[0] = 1
    size = len(audio) + len(walls)
    wet: Floats = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(walls, size), size)[: len(audio)]
    return wet


def _clean(heard: dict[str, _Session]) -> Iterator[Condition]:
    for name, (audio, turns) in heard.items():
        yield _condition(name, "clean", audio, turns)


def _mixed(
    heard: dict[str, _Session], sounds: dict[str, Floats], random: np.random.Generator
) -> Iterator[Condition]:
    names, n = list(sounds), 0
    for name, (audio, turns) in heard.items():
        spoken = np.concatenate([audio[round(a * RATE) : round(b * RATE)] for a, b in turns])
        for ratio_db in RATIOS_DB:
            noise, n = names[n % len(names)], n + 1
            turned = np.roll(sounds[noise], int(random.integers(len(audio))))
            scale = np.sqrt(np.mean(spoken**2) / np.mean(turned**2)) * 10 ** (-ratio_db / 20)
            mixed = audio + scale * turned
            yield _condition(f"{name}+{noise}@{ratio_db}", f"{ratio_db}dB", mixed, turns, noise)
        n += 1  # or each noise would meet the same ratio again


def _alone(sounds: dict[str, Floats]) -> Iterator[Condition]:
    for name, sound in sounds.items():
        for level_db in NOISE_LEVELS_DB:
            scaled = sound / np.sqrt(np.mean(sound**2)) * 10 ** (level_db / 20)
            yield _condition(f"{name} alone at {level_db} dB", "noise", np.clip(scaled, -0.98, 0.98), ())


def _condition(name: str, group: str, audio: Floats, turns: Spans, noise: str = "") -> Condition:
    scaled = audio * min(1.0, 0.98 / float(np.abs(audio).max()))
    return Condition(name, group, np.round(scaled * 32_767).astype(np.int16), turns, noise)


def _rms(audio: Floats) -> float:
    """Measure it where the audio is loud."""
    level_db = _levels_db(audio)
    loud = level_db[level_db > np.percentile(level_db, 95) - 25]
    return float(np.sqrt(np.mean(10 ** (loud / 10))))


def _levels_db(audio: Floats) -> Floats:
    blocks = audio[: len(audio) // 160 * 160].reshape(-1, 160)
    levels: Floats = 10 * np.log10(blocks.var(1) + 1e-12)
    return levels
