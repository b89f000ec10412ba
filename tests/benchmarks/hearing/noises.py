"""Noises that are computed: bangs, keys, beeps and hisses, which detectors take for speech."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.hearing.conditions import RATE
from benchmarks.hearing.prompts import Floats, decoded

__all__ = ["noises"]

Random = np.random.Generator


def noises(music: Path, count: int) -> dict[str, Floats]:
    """Return each kind, so many samples long; music only where the folder has some."""
    random = np.random.default_rng(2)
    made = {
        "door": _events(_knock, count, random),
        "bang": _events(_bang, count, random),
        "keys": _events(_key, count, random),
        "beeps": _events(_beep, count, random),
        "brown": _brown(count, random),
        "white": random.normal(0, 1, count),
    }
    for n, path in enumerate(sorted(music.glob("*.wav"))[:3]):
        made[f"music {n + 1}"] = np.resize(decoded(path)[20 * RATE :], count)
    return made


def _events(sound: Callable[[Floats, Random], Floats], count: int, random: Random) -> Floats:
    """Return groups of one to four such sounds, with pauses."""
    audio = random.normal(0, 1e-3, count)
    times = np.arange(round(0.15 * RATE)) / RATE
    at = RATE // 2
    while True:
        for _ in range(int(random.integers(1, 5))):
            if at + len(times) > count:
                return audio
            audio[at : at + len(times)] += sound(times, random) * 10 ** (random.uniform(-8, 0) / 20)
            at += round(random.uniform(0.1, 0.3) * RATE)
        at += round(random.uniform(0.2, 1.6) * RATE)


def _knock(times: Floats, random: Random) -> Floats:
    """Return the tones of a board that is struck. They are near to those of a vowel."""
    audio = np.zeros(len(times))
    for _ in range(6):
        tone = np.sin(2 * np.pi * random.uniform(80, 900) * times + random.uniform(0, 6))
        audio += random.normal() * tone * np.exp(-times / random.uniform(0.01, 0.04))
    return audio


def _bang(times: Floats, random: Random) -> Floats:
    audio: Floats = random.normal(0, 1, len(times)) * np.exp(-times / random.uniform(0.01, 0.03))
    return audio


def _key(times: Floats, random: Random) -> Floats:
    """Return a key that is pressed, and let go 60 ms later."""
    down, up = (random.normal(0, 1, len(times)) * np.exp(-times / 0.005) for _ in range(2))
    audio: Floats = down + 0.3 * np.roll(up, round(0.06 * RATE))
    return audio


def _beep(times: Floats, random: Random) -> Floats:
    audio: Floats = np.sin(2 * np.pi * random.uniform(300, 2_000) * times)
    return audio


def _brown(count: int, random: Random) -> Floats:
    audio = np.cumsum(random.normal(0, 1, count))
    level: Floats = audio - np.convolve(audio, np.ones(4_001) / 4_001, "same")
    return level
