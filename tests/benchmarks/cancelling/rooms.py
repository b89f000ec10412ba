"""Impulse responses of rooms, drawn from a seed: from a loudspeaker to the microphone beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["RATE", "Floats", "Room", "overdriven", "room", "through"]

RATE = 16_000
SOUND_M_S = 343.0
DIRECT_S = (0.002, 0.010)
"""The way from the loudspeaker to the microphone, buffers that nobody knows of included."""
LONGEST_S = 0.8
LOWEST_HZ = 100.0
"""The images of a box all have one sign, and add up below this. No loudspeaker and microphone does that."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """The way of a sound from the loudspeaker to the microphone."""

    name: str
    impulse: Floats
    """At 16 kHz, with an energy of 1."""


def room(seed: int, reverberation_s: float) -> Room:
    """Draw a room. Those of even seeds are boxes, of odd ones noise that dies away.

    Args:
        seed: the same one gives the same room.
        reverberation_s: the time in which a sound falls by 60 dB.
    """
    random = np.random.default_rng(seed)
    make, kind = (_fading, "noise") if seed % 2 else (_box, "box")
    impulse = make(random, reverberation_s)
    delay = np.zeros(round(RATE * random.uniform(*DIRECT_S)))
    whole = np.concatenate([delay, impulse[np.flatnonzero(np.abs(impulse) > 1e-9)[0] :]])
    return Room(f"{kind} {seed}, {reverberation_s:g} s", whole / np.sqrt(whole @ whole))


def through(audio: Floats, impulse: Floats) -> Floats:
    """Return the audio as it sounds at the far end of a way."""
    size = 1 << (len(audio) + len(impulse) - 1).bit_length()
    heard: Floats = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(impulse, size), size)
    return heard[: len(audio)]


def overdriven(audio: Floats, drive: float) -> Floats:
    """Return what a loudspeaker makes of audio that is too loud for it; a drive of 0 leaves it clean."""
    return np.tanh(drive * audio) / drive if drive else audio


def _fading(random: np.random.Generator, reverberation_s: float) -> Floats:
    count = round(RATE * min(LONGEST_S, 1.2 * reverberation_s))
    tail = random.normal(0, 1, count) * 10 ** (-3 * np.arange(count) / RATE / reverberation_s)
    tail[0] = 0
    direct_db = random.uniform(-3, 6)
    tail *= 10 ** (-direct_db / 20) / np.sqrt(tail @ tail)
    tail[0] = 1
    return tail


def _box(random: np.random.Generator, reverberation_s: float) -> Floats:
    """Add up the images of the loudspeaker in six walls (Allen and Berkley, 1979)."""
    sides = random.uniform([3.0, 2.5, 2.4], [6.0, 4.5, 3.0])
    mic = random.uniform(0.25, 0.75, 3) * sides
    way = random.normal(0, 1, 3)
    speaker = np.clip(mic + way / np.sqrt(way @ way) * random.uniform(0.2, 1.0), 0.1, sides - 0.1)
    volume, surface = np.prod(sides), 2 * (np.prod(sides) / sides).sum()
    loss = 0.161 * volume / surface / reverberation_s  # of a wall, as a logarithm, by Eyring
    length_s = min(LONGEST_S, reverberation_s)
    axes = [_images(side, source, at, length_s) for side, source, at in zip(sides, speaker, mic, strict=True)]
    for _ in range(2):  # a box fades more slowly than his formula says
        loss *= _fades_s(_images_added(axes, float(np.exp(-loss)), length_s)) / reverberation_s
    return _without_lowest(_images_added(axes, float(np.exp(-loss)), length_s))


def _without_lowest(impulse: Floats) -> Floats:
    """Pass the impulse through the high-pass filter that Allen and Berkley put behind their images."""
    pole = np.exp(-2 * np.pi * LOWEST_HZ / RATE)
    angle = np.exp(2j * np.pi * LOWEST_HZ / RATE)
    count = np.arange(len(impulse))
    # The filter's answer: zeros at 1 and at the pole's length, poles at that length and this angle.
    ringing = (pole**count) * np.imag(angle ** (count + 1)) / angle.imag
    zeros = np.array([1.0, -(1 + pole), pole])
    return through(impulse, np.convolve(ringing, zeros)[: len(impulse)])


def _images_added(axes: list[tuple[Floats, Floats]], kept: float, length_s: float) -> Floats:
    """Return the sound of all images; a wall gives so much of the energy back."""
    (x, nx), (y, ny), (z, nz) = axes
    impulse = np.zeros(round(RATE * length_s) + 1)
    for dx, bounces in zip(x, nx, strict=True):
        metres = np.sqrt(dx**2 + y[:, None] ** 2 + z[None, :] ** 2).ravel()
        walls = (bounces + ny[:, None] + nz[None, :]).ravel()
        places = np.rint(metres / SOUND_M_S * RATE).astype(int)
        near = places < len(impulse)
        gains = np.sqrt(kept) ** walls[near] / metres[near]
        impulse += np.bincount(places[near], gains, len(impulse))
    return impulse


def _fades_s(impulse: Floats) -> float:
    """Return the time in which it falls by 60 dB, by its fall from -5 to -25 dB."""
    energy = np.cumsum(impulse[::-1] ** 2)[::-1]
    begin, end = (int(np.argmax(energy < energy[0] * 10 ** (-db / 10))) for db in (5, 25))
    return 3 * (end - begin) / RATE


def _images(side: float, source: float, at: float, length_s: float) -> tuple[Floats, Floats]:
    """Return the distances of a wall's images along one axis, and the walls each has met."""
    most = int(np.ceil(length_s * SOUND_M_S / side / 2)) + 1
    n = np.arange(-most, most + 1)
    straight, turned = 2 * n * side + source - at, 2 * n * side - source - at
    walls: Floats = np.concatenate([np.abs(2 * n), np.abs(2 * n - 1)]).astype(np.float64)
    away: Floats = np.concatenate([straight, turned]).astype(np.float64)
    return away, walls
