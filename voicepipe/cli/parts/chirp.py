"""Measurements on a microphone and a speaker: blocks as they come, and the way of a chirp."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.optional import take_heard
from voicepipe.devices.port import Backend, Block, InputStream, OutputStream, StreamRequest
from voicepipe.speakers import Sounded

__all__ = ["CHIRP_S", "Chirp", "Trip", "collect", "open_microphone", "open_speaker", "round_trip"]

CHIRP_S = 0.1
_FROM_HZ, _TO_HZ = 500.0, 3_500.0
"""A band that every loudspeaker plays and every microphone hears, at 8 kHz too."""
_LOUDNESS = 0.3
_SHARPNESS = 8.0
"""The least ratio of the correlation at a chirp to that of the rest."""
_LOOK_S = 0.005


@asynccontextmanager
async def open_microphone(backend: Backend, wish: StreamRequest, name: str) -> AsyncIterator[InputStream]:
    """Open a microphone; its stream runs. Raises: DeviceError."""
    stream = await backend.open_input(replace(wish, device=name), lambda: None)
    try:
        await stream.start()
        yield stream
    finally:
        await stream.close()


@asynccontextmanager
async def open_speaker(backend: Backend, wish: StreamRequest, name: str) -> AsyncIterator[OutputStream]:
    """Open a speaker; its stream runs, and tells when its sound is heard. Raises: DeviceError."""
    stream = await backend.open_output(replace(wish, device=name, tap=True), lambda: None)
    try:
        await stream.start()
        yield stream
    finally:
        await stream.close()


async def collect(stream: InputStream, seconds: float) -> list[Block]:
    """Return the blocks of a running stream, for so many seconds.

    Raises:
        DeviceError: the device is lost.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    blocks: list[Block] = []
    while loop.time() < until_s:
        await asyncio.sleep(_LOOK_S)
        while (block := stream.read()) is not None:
            blocks.append(block)
        if stream.error is not None:
            raise stream.error
    return blocks


class Chirp:
    """A short rising tone, found again by its correlation, to the sample."""

    def __init__(self, audio: AudioFormat) -> None:
        self.format = audio
        times = np.arange(audio.samples(CHIRP_S)) / audio.rate
        sweep = _FROM_HZ * times + (_TO_HZ - _FROM_HZ) * times**2 / (2 * CHIRP_S)
        shape = np.sin(math.pi * times / CHIRP_S) ** 2
        self._wave = _LOUDNESS * shape * np.sin(2 * math.pi * sweep)
        mono = np.rint(32767 * self._wave).astype(np.int16)
        self.data = np.repeat(mono[:, None], audio.channels, axis=1).tobytes()
        """The samples for a speaker."""

    def find(self, sound: npt.NDArray[np.float64]) -> tuple[int, float] | None:
        """Find the chirp in mono sound of full scale 1: its beginning and its gain; or None."""
        wave = self._wave
        if len(sound) < len(wave):
            return None
        size = 1 << (len(sound) + len(wave)).bit_length()
        spectrum = np.fft.rfft(sound, size) * np.fft.rfft(wave, size).conj()
        alike = np.fft.irfft(spectrum, size)[: len(sound) - len(wave) + 1]
        at = int(np.argmax(np.abs(alike)))
        peak = abs(float(alike[at]))
        rest = np.sqrt(np.mean(alike**2))
        if peak <= _SHARPNESS * float(rest) or not peak:
            return None
        return at, peak / float(wave @ wave)


@dataclass(frozen=True, slots=True)
class Trip:
    """The way of one chirp: out of the program, through the air, and back to the microphone."""

    began_s: float
    """The time at which it was written, by the loop's clock."""
    seconds: float
    """From the moment it was written until it was at the microphone, as the device's clock has it."""
    in_hand_s: float
    """Until the program held the block in which it begins."""
    gain_db: float
    """Its level beside that of the played chirp."""
    air_s: float | None = None
    """From the moment it sounded, by the speaker's clock, until it was at the microphone. None: the speaker
    does not tell when it sounds."""


async def round_trip(
    microphone: InputStream,
    speaker: OutputStream,
    chirp: Chirp,
    listen_s: float,
    heard: list[Block] | None = None,
) -> Trip | None:
    """Play one chirp and listen for so many seconds; return None where it was not heard. Both streams run.

    Args:
        heard: a list for the blocks that came meanwhile.

    Raises:
        DeviceError: a device is lost.
    """
    loop = asyncio.get_running_loop()
    while microphone.read() is not None or [*take_heard(speaker)]:
        pass
    began_s = loop.time()
    speaker.write(chirp.data)
    arrived: list[tuple[Block, float]] = []
    while loop.time() < began_s + listen_s + CHIRP_S:
        await asyncio.sleep(_LOOK_S / 5)
        while (block := microphone.read()) is not None:
            arrived.append((block, loop.time()))
        for error in (microphone.error, speaker.error):
            if error is not None:
                raise error
    if heard is not None:
        heard.extend(block for block, _ in arrived)
    return _trip(chirp, arrived, began_s, _sounded_s(chirp, list(take_heard(speaker))))


def _trip(
    chirp: Chirp, arrived: Sequence[tuple[Block, float]], began_s: float, sounded_s: float | None
) -> Trip | None:
    found = _find(chirp, [(block.position, block.data) for block, _ in arrived])
    if found is None:
        return None
    at, gain = found
    block, in_hand_s = next(b for b in reversed(arrived) if b[0].position <= at)
    heard_s = block.captured_s + (at - block.position) / chirp.format.rate
    air_s = None if sounded_s is None else heard_s - sounded_s
    return Trip(began_s, heard_s - began_s, in_hand_s - began_s, 20 * math.log10(gain), air_s)


def _sounded_s(chirp: Chirp, tapped: Sequence[Sounded]) -> float | None:
    """Return the time at which a chirp sounded, by the clock of its speaker; None: that is not told."""
    found = _find(chirp, [(block.position, block.data) for block in tapped])
    if found is None:
        return None
    block = next(each for each in reversed(tapped) if each.position <= found[0])
    return block.sounds_s + (found[0] - block.position) / chirp.format.rate


def _find(chirp: Chirp, blocks: Sequence[tuple[int, bytes]]) -> tuple[int, float] | None:
    """Return the position of a chirp in blocks, and its gain; None: it is not in them."""
    if not blocks:
        return None
    audio, first = chirp.format, blocks[0][0]
    position, data = blocks[-1]
    sound = np.zeros(position + len(data) // audio.sample_bytes - first)
    for position, data in blocks:  # what was lost between two blocks stays silent
        mono = np.frombuffer(data, np.int16).reshape(-1, audio.channels)[:, 0] / 32768
        sound[position - first : position - first + len(mono)] = mono
    found = chirp.find(sound)
    return None if found is None else (found[0] + first, found[1])
