"""A program that runs on a virtual sound card, and what is said to it and heard of it."""

from __future__ import annotations

import array
import os
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

from process.running import PATIENCE_S, Program
from soundcard.plugging import HERE, PluggedCard

__all__ = ["DEV", "Found", "ProgramOnCard", "Samples", "Wire", "find", "intact", "load_wav"]

DEV = ("-X", "dev", "-W", "error")
_PRIORITY = 10
"""That of the sound processes."""

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

    def has_opened(self, *, mic: bool = True, speaker: bool = True, limit_s: float = PATIENCE_S) -> Self:
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

    def is_preferred(self) -> Self:
        """Give every thread of it the sound processes' own priority, where that is granted.

        A bare program of a test is then as little in want of a processor as the product is.
        """
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            try:
                os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(_PRIORITY))
            except PermissionError:
                break
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

    def answer(self, frame: int, *, above: int = 0, pause_s: float = 1.0) -> Samples:
        """Wait for a sound at the left loudspeaker from that frame on; return it when it is over.

        It is over with so long a pause. Louder than `above` is a sound, as a converter makes some of silence.

        Raises:
            AssertionError: there is none.
        """
        deadline, step = time.monotonic() + PATIENCE_S, self.card.rate // 20
        pieces, quiet = list[Samples](), 0
        while quiet < pause_s * self.card.rate:
            pieces.append(self.heard(frame, step))
            frame += step
            is_loud = bool(np.any(np.abs(pieces[-1].astype(np.int32)) > above))
            if not is_loud and not quiet and len(pieces) == 1:
                pieces.clear()
                assert time.monotonic() < deadline, f"nothing was answered; it said {self._said}"
                continue
            quiet = 0 if is_loud else quiet + step
        return np.concatenate(pieces)


class Wire(ProgramOnCard):
    """`wire.py`, which passes sound on in PortAudio's own callback: a test of the card, not of a schedule."""

    def __init__(self, card: PluggedCard, *arguments: str, flags: tuple[str, ...] = DEV) -> None:
        super().__init__(card, str(HERE / "wire.py"), "duplex", *arguments, flags=flags)

    def has_opened(self, *, mic: bool = True, speaker: bool = True, limit_s: float = PATIENCE_S) -> Self:
        """Wait until its streams run, and prefer it from then on."""
        return super().has_opened(mic=mic, speaker=speaker, limit_s=limit_s).is_preferred()


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


def intact(said: Samples, heard: Samples, pieces: int = 10) -> float:
    """Return how well a piece in the middle of the field survived, each looked for by itself.

    Behind a server without real-time priority some are lost on a busy machine, and the rest comes later.
    """
    return float(np.median([find(piece, heard).correlation for piece in np.array_split(said, pieces)]))


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
