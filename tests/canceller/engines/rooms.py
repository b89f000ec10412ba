"""Small rooms for the tests of engines: noise like speech, and its echo."""

from __future__ import annotations

import numpy as np

from canceller.sounds import RATE, Floats, Ints
from voicepipe.canceller.engines.part import Canceller


def program(seconds: float, *, seed: int = 0, rate: int = RATE) -> Floats:
    """Return what a program plays: syllables of coloured noise, with pauses between, at -23 dB."""
    rng = np.random.default_rng(seed)
    size = int(seconds * rate)
    noise = np.convolve(rng.standard_normal(size + 200), 0.9 ** np.arange(200), "valid")[:size]
    syllables = np.repeat(rng.uniform(0, 1, size // (rate // 5) + 1) > 0.3, rate // 5)[:size]
    smooth = np.convolve(syllables, np.ones(rate // 50) / (rate // 50), "same")
    sound: Floats = noise / noise.std() * 0.07 * smooth
    return sound


def impulse(*, seed: int = 0, rate: int = RATE, decay_s: float = 0.2) -> Floats:
    """Return the answer of a room: the direct sound after some ms, and a tail of noise that dies away."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(decay_s * rate)) / rate
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
    tail *= 0.35 / np.sqrt(tail @ tail)
    tail[0] += 0.35
    return np.concatenate([np.zeros(int(rng.uniform(0.002, 0.01) * rate)), tail])


def cancelled(canceller: Canceller, mic: Ints, far: Floats, *, block: int = RATE // 100) -> Ints:
    """Return all that comes out for blocks of a microphone of one or several channels."""
    heard = mic.reshape(len(mic), -1)
    sounded = far.astype(np.float32)
    made = [
        canceller.cancel(heard[at : at + block], sounded[at : at + block])
        for at in range(0, len(mic) - block + 1, block)
    ]
    return np.concatenate(made).reshape(-1, *mic.shape[1:])


def level(audio: Ints | Floats) -> float:
    """Return the mean power in dB, of samples of any scale."""
    return float(10 * np.log10(np.mean(np.square(audio.astype(np.float64))) + 1e-12))


def reduced(before: Ints, after: Ints, begin_s: float, end_s: float, rate: int = RATE) -> float:
    """Return the dB by which the audio became quieter between two times."""
    part = slice(int(begin_s * rate), int(end_s * rate))
    return level(before[part]) - level(after[part])
