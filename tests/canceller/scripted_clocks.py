"""A microphone and a speaker with scripted clocks: losses, drift, delays, jitter. Times only, no device.

The speaker plays a ramp, so that a sample's value tells its place. So what the reference reads tells by how
many samples it is beside the truth.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.canceller.reference.alignment import LEAD_S
from voicepipe.canceller.reference.reference import Reference
from voicepipe.speakers import Sounded, Tapped

__all__ = [
    "Device",
    "Heard",
    "Jitter",
    "Jump",
    "Looks",
    "Room",
    "card",
    "errors",
    "late",
    "listen",
    "losses",
    "movement",
    "no_jitter",
    "noisy",
    "quantised",
    "read_noted",
    "run",
]

Jitter: TypeAlias = Callable[[random.Random, float], float]
"""From the true time to that of a stamp."""
SLOPE = 4
"""The steps of a sample's value from one sample of the microphone to the next."""
SPAN = 60_000
FALL = 400
"""So near to where the ramp falls back, filters ring."""
SPEAKER = "the speaker"


def no_jitter(_: random.Random, at_s: float) -> float:
    """Stamps are true."""
    return at_s


def late(by_s: float) -> Jitter:
    """Stamps are late, by so much on average and at most three times as much."""
    return lambda chance, at_s: at_s + min(3 * by_s, chance.expovariate(1 / by_s))


def card(chance: random.Random, at_s: float) -> float:
    """Stamps are those of PortAudio on a busy machine: right to some microseconds, and late now and then."""
    wander_s = 0.00001 * math.sin(at_s / 3.0)
    late_s = chance.expovariate(1 / 0.001) if chance.random() < 0.03 else 0.0
    return at_s + chance.gauss(0.0, 0.000007) + wander_s + late_s


def quantised(step_s: float) -> Jitter:
    """Stamps are whole multiples of a step."""
    return lambda _, at_s: math.floor(at_s / step_s) * step_s


def noisy(by_s: float) -> Jitter:
    """Stamps lie around the truth, as behind a server."""
    return lambda chance, at_s: at_s + chance.gauss(0.0, by_s)


@dataclass(frozen=True, slots=True)
class Jump:
    """From a moment on, samples come later by so much: a loss, or another delay."""

    at_s: float
    by_s: float


@dataclass(frozen=True)
class Device:
    """A stream of a device, by its true clock."""

    rate: int = 16_000
    ppm: float = 0.0
    """A second of its samples takes longer by so much."""
    warms_ppm: float = 0.0
    """By so much the clock changes in a minute, back and forth."""
    jumps: tuple[Jump, ...] = ()
    jitter: Jitter = no_jitter
    block_s: float = 0.01
    begin_s: float = 0.0
    end_s: float = math.inf
    channels: int = 1

    def spans(self, until_s: float) -> list[tuple[float, float, float]]:
        """Return the stretches between jumps: first position, its time, and the time at which they end."""
        spans: list[tuple[float, float, float]] = []
        position, at_s = 0.0, self.begin_s
        for jump in sorted(self.jumps, key=lambda one: one.at_s):
            if not at_s < jump.at_s < until_s:
                continue
            spans.append((position, at_s, jump.at_s))
            position = self._position(spans[-1], jump.at_s)
            at_s = jump.at_s + jump.by_s
        return [*spans, (position, at_s, min(until_s, self.end_s))]

    def _ease(self, at_s: float) -> float:
        """Return what the clock has gained on the true one by that time."""
        turn = 2 * math.pi / 240.0  # back and forth in 4 minutes
        return self.ppm * 1e-6 * at_s + self.warms_ppm * 1e-6 / 60 / turn**2 * (1 - math.cos(turn * at_s))

    def _position(self, span: tuple[float, float, float], at_s: float) -> float:
        first, begin_s, _ = span
        return first + self.rate * ((at_s - begin_s) - (self._ease(at_s) - self._ease(begin_s)))

    def time_of(self, span: tuple[float, float, float], position: float) -> float:
        """Return the time of a position in that stretch."""
        first, begin_s, _ = span
        at_s = begin_s + (position - first) / self.rate
        for _ in range(3):
            at_s += (position - self._position(span, at_s)) / self.rate
        return at_s

    def position_at(self, spans: Sequence[tuple[float, float, float]], at_s: float) -> float | None:
        """Return the position whose time that is; None: none has."""
        for span, after in zip(reversed(spans), [None, *reversed(spans)], strict=False):
            if span[1] <= at_s:
                position = self._position(span, at_s)
                return position if after is None or position <= after[0] else None
        return None


class Heard(NamedTuple):
    """One block of the microphone, and the reference for it."""

    position: int
    at_s: float
    """The true time of its first sample."""
    far: npt.NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Looks:
    """One block of the microphone, and by what the reference was wrong."""

    at_s: float
    error: float | None
    """In samples; None: nothing sounded, or the reference had nothing."""
    is_silent: bool
    """True where the reference had nothing."""
    should_be_silent: bool
    realignments: int
    ppm: float


Play: TypeAlias = Callable[[npt.NDArray[np.floating], Device], npt.NDArray[np.floating]]
"""From positions of a speaker's stream to the values of its samples."""


@dataclass(frozen=True)
class Room:
    """What is scripted."""

    mic: Device = field(default_factory=Device)
    speakers: tuple[Device, ...] = field(default_factory=lambda: (Device(),))
    """Streams of one speaker, one after the other."""
    seconds: float = 60.0
    seed: int = 0
    out_s: float = 0.03
    """Sound is handed over so long before it sounds."""
    in_s: float = 0.01
    """A block arrives so long behind its end."""
    stands: tuple[tuple[float, float], ...] = ()
    """The program stands still from, to."""
    sounds: Callable[[float], bool] = lambda _: True
    """From the stream's seconds: does the program play anything?"""
    origin_s: float = 5_000.0
    """The loop's clock at the beginning."""


def run(room: Room, play: Play, reference: Reference) -> Iterator[Heard]:
    """Play it, and read the reference for every block of the microphone."""
    taps = _taps(room, play)
    waiting = next(taps, None)
    for arrives_s, position, stamp_s, at_s, samples in _blocks(room):
        while waiting is not None and waiting[0] <= arrives_s:
            reference.put(SPEAKER, waiting[1])
            waiting = next(taps, None)
        yield Heard(position, at_s, read_noted(reference, position, stamp_s + room.origin_s, samples))


def read_noted(
    reference: Reference, position: int, captured_s: float, samples: int
) -> npt.NDArray[np.float32] | None:
    """Note a block's time, and read at once what sounded."""
    reference.note(position, captured_s, samples)
    return reference.read(position, samples)


def listen(room: Room) -> list[Looks]:
    """Play a ramp, and look at every block of the microphone."""
    reference = Reference(room.mic.rate)
    truth = [(speaker, speaker.spans(room.seconds + 1.0)) for speaker in room.speakers]

    def play(places: npt.NDArray[np.floating], speaker: Device) -> npt.NDArray[np.floating]:
        return _value(places * (room.mic.rate / speaker.rate))

    return [_look(room, truth, heard, reference) for heard in run(room, play, reference)]


def _blocks(room: Room) -> Iterator[tuple[float, int, float, float, int]]:
    """Yield when each block of the microphone arrives, its position, stamp, true time, and samples."""
    mic, chance = room.mic, random.Random(f"{room.seed} mic")
    samples = round(mic.block_s * mic.rate)
    for position, at_s in _walk(mic, samples, room.seconds):
        arrives_s = _awake(room, at_s + mic.block_s + room.in_s)
        yield arrives_s, position, mic.jitter(chance, at_s), at_s, samples


def _taps(room: Room, play: Play) -> Iterator[tuple[float, Tapped]]:
    """Yield when each block of the speaker can be read, and the block."""
    chance = random.Random(f"{room.seed} speaker")
    number = 0
    for stream, speaker in enumerate(room.speakers):
        samples = round(speaker.block_s * speaker.rate)
        for position, at_s in _walk(speaker, samples, room.seconds + 1.0):
            data = _data(position, samples, speaker, room, play)
            sounded = Sounded(data, position, speaker.jitter(chance, at_s) + room.origin_s)
            tapped = Tapped(number, stream, speaker.rate, speaker.channels, sounded)
            yield _awake(room, at_s - room.out_s), tapped
            number += 1


def _walk(device: Device, samples: int, until_s: float) -> Iterator[tuple[int, float]]:
    """Yield the position and the true time of each block. A jump within a block shows in the next one."""
    spans = device.spans(until_s)
    position = 0
    for span, after in zip(spans, [*spans[1:], None], strict=True):
        while after is None or position < after[0]:
            at_s = device.time_of(span, position)
            if at_s >= min(until_s, device.end_s):
                break
            yield position, at_s
            position += samples


def _awake(room: Room, at_s: float) -> float:
    return next((end_s for begin_s, end_s in room.stands if begin_s <= at_s < end_s), at_s)


def _data(position: int, samples: int, speaker: Device, room: Room, play: Play) -> bytes:
    if not room.sounds(position / speaker.rate):
        return bytes(2 * samples * speaker.channels)
    mono = np.rint(play(position + np.arange(float(samples)), speaker)).astype(np.int16)
    return np.repeat(mono, speaker.channels).tobytes()


def _value(places: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    return SLOPE * places % SPAN - SPAN // 2


def _look(
    room: Room,
    truth: Sequence[tuple[Device, list[tuple[float, float, float]]]],
    block: Heard,
    reference: Reference,
) -> Looks:
    at_s, heard = block.at_s, block.far
    samples = round(room.mic.block_s * room.mic.rate)
    error = None
    sounding = False
    for speaker, spans in truth:
        begin, end = (
            speaker.position_at(spans, at_s + LEAD_S + part * room.mic.block_s) for part in (0.0, 1.0)
        )
        if begin is None or end is None or at_s + LEAD_S >= speaker.end_s:
            continue
        sounding = room.sounds(begin / speaker.rate) and room.sounds(end / speaker.rate)
        if sounding and heard is not None:
            places = (begin + (end - begin) / samples * np.arange(samples)) * (room.mic.rate / speaker.rate)
            span = SPAN / SLOPE
            if not FALL < places[0] % span < places[-1] % span < span - FALL:
                continue  # where the ramp falls, values tell no place
            beside = (heard * 32_768.0 - _value(places)) / SLOPE
            error = float(np.median((beside + span / 2) % span - span / 2))
    realignments, ppm = reference.realignments, reference.ratio_ppm
    return Looks(at_s, error, heard is None, not sounding, realignments, ppm)


def losses(
    count: int, seconds: float, seed: int, by_s: tuple[float, float] = (0.005, 0.06)
) -> tuple[Jump, ...]:
    """Losses that nobody tells of, at random moments."""
    chance = random.Random(seed)
    return tuple(Jump(chance.uniform(3.0, seconds), chance.uniform(*by_s)) for _ in range(count))


def errors(looks: Sequence[Looks], from_s: float = 0.0, to_s: float = math.inf) -> list[float]:
    """Return by how many samples the reference was wrong, block by block, in that time."""
    return [look.error for look in looks if look.error is not None and from_s <= look.at_s < to_s]


def movement(looks: Sequence[Looks], from_s: float, to_s: float) -> float:
    """Return by how many samples the reference moved against the truth in that time."""
    beside = errors(looks, from_s, to_s)
    return max(beside) - min(beside)
