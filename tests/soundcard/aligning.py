"""Says how far the canceller's reference is from the echo that a card's microphone hears of its speaker.

    python tests/soundcard/aligning.py BACKEND SECONDS

The speaker plays a ramp, so that a value tells its place. A line for each second: the samples by which the
reference is early, the least and the most, the realignments so far, and the ratio of the clocks in ppm.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from voicepipe.audio.format import AudioFormat
from voicepipe.canceller.reference.reference import Reference
from voicepipe.devices.backends import open_backend
from voicepipe.devices.port import InputStream, OutputStream, StreamRequest
from voicepipe.endpoints.speaker_tap import StreamsTap

RATE, BLOCK = 16_000, 160
SLOPE, SPAN, FALL = 4, 60_000, 4_000
AHEAD_S = 0.3

_Floats: TypeAlias = npt.NDArray[np.floating]


class Player:
    """Keeps the speaker's queue filled with a ramp."""

    def __init__(self, speaker: OutputStream) -> None:
        self._speaker = speaker
        self._written = 0

    def fill(self, until_s: float) -> None:
        """Write what sounds up to that second."""
        count = round(until_s * RATE) - self._written
        ramp = SLOPE * np.arange(self._written, self._written + count) % SPAN - SPAN // 2
        self._speaker.write(ramp.astype(np.int16).tobytes())
        self._written += count


def compare(mic: InputStream, reference: Reference) -> Iterator[float]:
    """Yield by how much the reference is early, for every block that has come."""
    while (block := mic.read()) is not None:
        samples = np.frombuffer(block.data, np.int16)
        for at in range(0, len(samples) - BLOCK + 1, BLOCK):
            heard: _Floats = samples[at : at + BLOCK].astype(np.float64)
            reference.note(block.position + at, block.captured_s + at / RATE, BLOCK)
            far = reference.read(block.position + at, BLOCK)
            if far is None:
                continue
            both = np.concatenate((heard, far * 32_768.0))
            if heard.any() and far.any() and np.abs(both).max() < SPAN / 2 - FALL:
                yield float(np.median(both[BLOCK:] - heard)) / SLOPE


async def align(mic: InputStream, speaker: OutputStream, seconds: int) -> None:
    """Print a line for each second."""
    await mic.start()
    await speaker.start()
    tap, reference, player = StreamsTap(), Reference(RATE), Player(speaker)
    tap.follow(speaker)
    read, began_s = -1, time.monotonic()
    for second in range(1, seconds + 1):
        early: list[float] = []
        while (passed_s := time.monotonic() - began_s) < second:
            player.fill(passed_s + AHEAD_S)
            await asyncio.sleep(0.01)
            for block in tap.read(read):
                reference.put(tap, block)
                read = block.number
            early += compare(mic, reference)
        least, most = np.percentile(early, (5, 95)) if early else (0.0, 0.0)
        print(
            f"second {second}: {least:.2f} {most:.2f} {reference.realignments} {reference.ratio_ppm:.1f}",
            flush=True,
        )


async def main(backend: str, seconds: int) -> None:
    """Open the default devices, and look."""
    opened = open_backend(backend)
    request = StreamRequest(AudioFormat(RATE), tap=True)
    mic = await opened.open_input(StreamRequest(AudioFormat(RATE)), lambda: None)
    try:
        speaker = await opened.open_output(request, lambda: None)
        try:
            await align(mic, speaker, seconds)
        finally:
            await speaker.close()
    finally:
        await mic.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
