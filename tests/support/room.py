"""A speaker's sound as a microphone in the same simulated room hears it, with the times of both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voicepipe import AudioFormat
from voicepipe.devices.port import Block, StreamRequest
from voicepipe.testing import SimulatedCard, run_virtual

__all__ = ["Heard", "heard_in_room"]

Samples = npt.NDArray[np.int16]


@dataclass
class Heard:
    """What came out of the speaker, and what the microphone heard meanwhile."""

    played: Samples
    """All that the speaker played since its start; channels are columns where there are several."""
    blocks: list[Block]

    @property
    def sound(self) -> Samples:
        """What was captured, joined."""
        return np.frombuffer(b"".join(block.data for block in self.blocks), np.int16)


def heard_in_room(
    card: SimulatedCard,
    sound: Samples,
    seconds: float,
    *,
    rates: tuple[int, int] = (16_000, 16_000),
    at: Mapping[float, Callable[[], object]] | None = None,
    speaker_later_s: float = 0.0,
) -> Heard:
    """Play a sound for so long, and return what a microphone of the same card hears.

    `rates`: the microphone's and the speaker's. `at`: calls at times, in seconds from the microphone's start.
    """
    channels = sound.shape[1] if sound.ndim == 2 else 1

    async def run() -> Heard:
        backend, loop = card.backend(), asyncio.get_running_loop()
        mic = await backend.open_input(StreamRequest(AudioFormat(rates[0])), lambda: None)
        speaker = await backend.open_output(StreamRequest(AudioFormat(rates[1], channels)), lambda: None)
        for time_s, call in (at or {}).items():
            loop.call_later(time_s, call)
        speaker.write(np.ascontiguousarray(sound).tobytes())
        await mic.start()
        await asyncio.sleep(speaker_later_s)
        await speaker.start()
        blocks: list[Block] = []
        for _ in range(round(seconds * 10)):
            await asyncio.sleep(0.1)
            while (block := mic.read()) is not None:
                blocks.append(block)
        await mic.close()
        await speaker.close()
        played = np.frombuffer(card.speaker.played(), np.int16)
        return Heard(played.reshape(-1, channels) if channels > 1 else played, blocks)

    return run_virtual(run())
