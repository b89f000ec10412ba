"""What is compared: the bare microphone, AEC3 alone, and the engine of the product."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.cancelling.rooms import RATE, Floats
from benchmarks.cancelling.scenes import Ints, Scene, ints
from voicepipe.errors import BackendMissingError

__all__ = [
    "AEC3",
    "AEC3_DELAY",
    "BARE",
    "OURS",
    "SPEEX",
    "Heard",
    "Play",
    "Taken",
    "aec3",
    "bare",
    "offline",
    "speex",
]

BARE, AEC3, OURS = "microphone", "AEC3 alone", "voicepipe"
"""The subjects, as the tables name them."""
SPEEX = "speex"
"""The subject that is about the words alone, and optional."""
BLOCK = RATE // 100
AEC3_DELAY = 128
"""The samples by which its output is late, at 16 kHz."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a subject makes of a microphone's audio: sample for sample the same instants."""

    ear: Ints
    words: Ints
    late_s: float
    """The time by which it comes later than the microphone's audio."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A scene that was played: the microphone's audio, and what each subject made of it."""

    mic: Ints
    heard: dict[str, Heard]
    told: str = ""
    """What the run says of it."""


Play = Callable[[Scene], Taken]


def offline(scene: Scene) -> Taken:
    """Play a scene without a card: each subject knows to the sample what sounded.

    Raises:
        BackendMissingError: an engine cannot be had here.
    """
    mic = scene.microphone()
    return Taken(mic, {BARE: bare(mic), AEC3: aec3(mic, scene.far), OURS: ours(mic, scene.far)})


def bare(mic: Ints) -> Heard:
    """Leave the audio as it is."""
    return Heard(mic, mic, 0.0)


def aec3(mic: Ints, far: Floats) -> Heard:
    """Let AEC3 take the echo out, as most programs do: one output for all.

    Raises:
        BackendMissingError: its package is not installed.
    """
    try:
        module = importlib.import_module("pywebrtc_audio")
    except ImportError as error:
        raise BackendMissingError(f"pywebrtc-audio is not installed ({error})") from None
    canceller, sounded = module.EchoCanceller(sample_rate=RATE, num_channels=1), ints(far)
    out = [canceller.process(mic[at : at + BLOCK], sounded[at : at + BLOCK]) for at in _blocks(mic)]
    heard = at_its_time(np.concatenate(out), AEC3_DELAY, len(mic))
    return Heard(heard, heard, AEC3_DELAY / RATE)


def ours(mic: Ints, far: Floats) -> Heard:
    """Let the product's engine take the echo out.

    Raises:
        BackendMissingError: it cannot be had here.
    """
    from voicepipe.canceller.engines.registry import default_engine

    engine, sounded = default_engine(RATE, 1), far.astype(np.float32)
    pairs = [engine.cancel(mic[at : at + BLOCK, None], sounded[at : at + BLOCK]) for at in _blocks(mic)]
    ear = np.concatenate([ear for ear, _ in pairs])
    words = np.concatenate([words[:, 0] for _, words in pairs])
    delay, count = engine.delay, len(mic)
    return Heard(at_its_time(ear, delay, count), at_its_time(words, delay, count), delay / RATE)


def speex(mic: Ints, far: Floats) -> Heard:
    """Let libspeexdsp take the echo out. It gives words; there is no ear.

    Raises:
        EngineError: the library is not installed.
    """
    from voicepipe.canceller.engines.speex import Speex

    canceller, sounded = Speex(RATE, 1), far.astype(np.float32)
    out = [canceller.cancel(mic[at : at + BLOCK, None], sounded[at : at + BLOCK]) for at in _blocks(mic)]
    words = at_its_time(np.concatenate(out)[:, 0], canceller.delay, len(mic))
    return Heard(words, words, canceller.delay / RATE)


def at_its_time(out: Ints, delay: int, count: int) -> Ints:
    """Take a delay away; what has not come by the end is silence."""
    whole = np.zeros(count, np.int16)
    kept = out[delay : delay + count]
    whole[: len(kept)] = kept
    return whole


def _blocks(mic: Ints) -> range:
    return range(0, len(mic) // BLOCK * BLOCK, BLOCK)
