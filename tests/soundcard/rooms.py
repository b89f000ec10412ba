"""A program that runs on a virtual sound card, and what is said to it and heard of it."""

from __future__ import annotations

import array
import shlex
import sys
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import soxr

from process.running import Program
from soundcard.plugging import PluggedCard

__all__ = ["DEV", "Found", "ProgramOnCard", "Samples", "find", "load_wav"]

DEV = ("-X", "dev", "-W", "error")
_OPENING_S = 20.0
"""For a program to open the card, on a machine with other things to do."""

Samples = npt.NDArray[np.int16]
"""Mono."""


class ProgramOnCard(Program):
    """A Python program on a card, from its start to its end; a context manager kills what is left of it.

    `says`, `send`, `end` and the rest are those of any program in these tests.

    Args:
        card: the card it shall see.
        command: what follows `python`: a file or `-m module`, and its arguments.
        flags: for the interpreter.
        environment: further variables to set.
    """

    def __init__(
        self, card: PluggedCard, *command: str, flags: tuple[str, ...] = DEV, **environment: str
    ) -> None:
        self.card = card
        variables = [f"{name}={value}" for name, value in {**card.env, **environment}.items()]
        line = shlex.join(["env", *variables, sys.executable, *flags, *command])
        super().__init__(command[-1], shell=f"exec {line}")

    def has_opened(self, *, mic: bool = True, speaker: bool = True, limit_s: float = _OPENING_S) -> Self:
        """Wait until its streams run: those of the microphone, the speaker, or both.

        Raises:
            AssertionError: they do not within the limit, or it has ended; has what it said.
        """
        deadline = time.monotonic() + limit_s
        while (mic and not self.card.mic.running) or (speaker and not self.card.speaker.running):
            if self._process.poll() is not None:
                raise AssertionError(f"it ended before it opened the card: {self.end()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"it has not opened the card after {limit_s} s; it said {self._said}")
            time.sleep(0.01)
        return self

    def say(self, samples: Samples, *, after_s: float = 0.2, channel: int = 0) -> int:
        """Speak into the microphone, or into one channel of it, counted from 1.

        Returns the card's frame of the first sample, when all has been put into the card, which holds
        about 4 s that are yet to be said.
        """
        return self.card.say(array.array("h", samples.astype(np.int16).tobytes()), after_s, channel)

    def heard(self, frame: int, count: int, channel: int = 0) -> Samples:
        """What the left loudspeaker played from that frame of the microphone on; waits until it has.

        `channel`: the one of another loudspeaker, counted from 0.
        """
        return np.array(self.card.heard(self.card.at_speaker(frame), count, channel), dtype=np.int16)


@dataclass(frozen=True, slots=True)
class Found:
    """Where in what was heard that lies which was said, and how well it survived."""

    offset: int
    """The sample of `heard` at which the first of `said` is; negative if it was before."""
    same: float
    """Share of the samples of `said` that are there to the bit."""
    correlation: float
    """1: the same shape. 0: nothing of it."""


def find(said: Samples, heard: Samples) -> Found:
    """Look for one recording in another, at the offset where they are most alike."""
    x, y = said.astype(np.float64), heard.astype(np.float64)
    size = 1 << (len(x) + len(y) - 1).bit_length()
    alike = np.fft.irfft(np.fft.rfft(y, size) * np.fft.rfft(x, size).conj(), size)
    place = int(np.argmax(alike))
    offset = place if place < len(y) else place - size
    begin, end = max(0, -offset), min(len(x), len(y) - offset)
    there = slice(begin + offset, end + offset)
    same = int(np.count_nonzero(said[begin:end] == heard[there]))
    loudness = float(np.linalg.norm(x) * np.linalg.norm(y[there]))
    return Found(offset, same / len(x), float(alike[place]) / loudness if loudness else 0.0)


def load_wav(path: Path, rate: int = 48000) -> Samples:
    """The first channel of a plain 16-bit WAV, brought to that rate."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path} has {8 * file.getsampwidth()} bits: 16 are wanted")
        data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        samples = data[:: file.getnchannels()].astype(np.int16)
        return samples if file.getframerate() == rate else _resampled(samples, file.getframerate(), rate)


def _resampled(samples: Samples, source: int, target: int) -> Samples:
    resampled: Samples = soxr.resample(samples, source, target)
    return resampled
