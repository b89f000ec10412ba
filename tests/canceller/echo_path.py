"""An echo through scripted clocks: what a microphone hears of a speaker, and how much a filter takes away."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from canceller.kalman import Kalman
from canceller.scripted_clocks import Device, Heard, Room, run
from voicepipe.canceller.reference.alignment import LEAD_S
from voicepipe.canceller.reference.reference import Reference

__all__ = ["Residue", "echo_left", "erle_db"]

_Floats = npt.NDArray[np.floating]
SPEECH = Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav"
TAPS = 32
NOISE = 1e-4


class Residue(NamedTuple):
    """One block: the power of the echo, and of what is left of it."""

    at_s: float
    echo: float
    left: float
    left_of_truth: float
    """The same for a filter that has the true reference."""


def echo_left(room: Room, rt60_s: float = 0.1) -> Iterator[Residue]:
    """Play speech, and cancel its echo: with the reference, and with the truth."""
    speech = _speech()
    path = _path(room.mic.rate, rt60_s, room.seed)
    air = _Air(room, speech, path)
    reference = Reference(room.mic.rate)
    samples = round(room.mic.block_s * room.mic.rate)
    filters = Kalman(samples), Kalman(samples)
    noise = np.random.default_rng(room.seed)
    nothing = np.zeros(samples)

    def play(places: _Floats, speaker: Device) -> _Floats:
        return 32_768 * _between(speech, places * (room.mic.rate / speaker.rate))

    for heard in run(room, play, reference):
        echo, truth = air.block(heard, samples)
        mic = echo + NOISE * noise.standard_normal(samples)
        far = nothing if heard.far is None else heard.far
        left, best = filters[0].cancel(mic, far), filters[1].cancel(mic, truth)
        yield Residue(heard.at_s, float(echo @ echo), float(left @ left), float(best @ best))


def erle_db(residues: list[Residue], from_s: float, to_s: float, *, of_truth: bool = False) -> float:
    """Return by how much the echo is reduced in that time."""
    those = [one for one in residues if from_s <= one.at_s < to_s]
    echo = sum(one.echo for one in those)
    left = sum(one.left_of_truth if of_truth else one.left for one in those)
    return float(10 * np.log10((echo + 1e-9) / (left + 1e-9)))


def _speech() -> _Floats:
    with wave.open(str(SPEECH)) as file:
        audio = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    speech: _Floats = audio / 32_768
    return speech


def _path(rate: int, rt60_s: float, seed: int) -> _Floats:
    taps = round(0.1 * rate)
    at_s = np.arange(taps) / rate
    path: _Floats = np.random.default_rng(seed).standard_normal(taps) * 10 ** (-3 * at_s / rt60_s)
    path[: round(0.003 * rate)] = 0.0
    path *= 0.5 / np.sqrt((path**2).sum())
    return path


class _Air:
    """The sound in the room, by the microphone's clock. Samples that the device loses are in it."""

    def __init__(self, room: Room, speech: _Floats, path: _Floats) -> None:
        self._room, self._path = room, path
        self._clock = replace(room.mic, jumps=())
        self._span = self._clock.spans(room.seconds + 1.0)[0]
        count = round((room.seconds + 1.0) * room.mic.rate)
        self._dry = np.concatenate([self._dry_block(at, speech) for at in range(0, count, 160)])
        size = 1 << (len(self._dry) + len(path)).bit_length()
        wet = np.fft.irfft(np.fft.rfft(self._dry, size) * np.fft.rfft(path, size), size)
        self._wet = wet[: len(self._dry)]

    def block(self, heard: Heard, samples: int) -> tuple[_Floats, _Floats]:
        """Return the echo in a block of the microphone, and what sounded then, early as the reference is."""
        at = round(self._clock.position_at([self._span], heard.at_s) or 0.0)
        early = at + round(LEAD_S * self._room.mic.rate)
        return self._wet[at : at + samples], self._dry[early : early + samples]

    def _dry_block(self, at: int, speech: _Floats) -> _Floats:
        out = np.zeros(160)
        for speaker in self._room.speakers:
            spans = speaker.spans(self._room.seconds + 1.0)
            times = [self._clock.time_of(self._span, at + n) for n in (0, 159)]
            begin, end = (speaker.position_at(spans, time_s) for time_s in times)
            if begin is None or end is None or times[1] >= speaker.end_s:
                continue
            scale = self._room.mic.rate / speaker.rate
            out += _between(speech, scale * (begin + (end - begin) / 159 * np.arange(160)))
        return out


def _between(speech: _Floats, places: _Floats) -> _Floats:
    whole = np.floor(places).astype(int)
    taps = np.arange(1 - TAPS // 2, TAPS // 2 + 1)
    at = taps[None, :] - (places - whole)[:, None]
    window = np.cos(np.pi * at / (TAPS + 2)) ** 2
    filters = np.sinc(at) * window
    filters /= filters.sum(1, keepdims=True)
    near = speech[(whole[:, None] + taps) % len(speech)]
    values: _Floats = (filters * near).sum(1)
    return values
