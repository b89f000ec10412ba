"""A program that stands still again and again, while it listens and plays: what becomes of the sound?

    holding.py BACKEND SECONDS SPOKEN.raw HEARD.raw

Plays SPOKEN.raw, keeps what it hears in HEARD.raw (both 48 kHz, mono, int16), and holds the interpreter's
lock for 200 ms in every second. Prints what became of the positions, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import voicepipe as vp

RATE = 48_000
HOLD_S, EVERY_S = 0.2, 1.0


class Keeps(vp.InlineProcessor):
    """Keeps what the microphone heard; stands still in every second."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []
        self.jumps = 0
        self._next = 0
        self._stood_s = time.monotonic()

    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        if not isinstance(frame, vp.InputAudioFrame):
            return (frame,)
        self.heard.append(frame.data)
        self.jumps += frame.position != self._next
        self._next = frame.position + frame.num_samples
        if time.monotonic() - self._stood_s > EVERY_S:
            hold(HOLD_S)
            self._stood_s = time.monotonic()
        return ()


def hold(seconds: float) -> None:
    """Calls into C that keep the interpreter's lock, one after the other."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        sum(range(300_000))  # some milliseconds each: no other thread runs meanwhile


async def main(backend: str, seconds: float, data: bytes) -> bytes:
    """Run for so long, and tell; returns what was heard."""
    sys.setswitchinterval(10.0)  # and none between them either
    sound, keeps = vp.open_backend(backend), Keeps()
    mic = vp.MicrophoneInput(sound, device="vcard", block_s=0.01, latency=0.04, cancel=False, mute=False)
    speaker = vp.SpeakerOutput(sound, device="vcard", block_s=0.01, latency=0.04)
    audio = vp.AudioFormat(RATE)
    task = vp.PipelineTask(vp.Pipeline([mic, keeps, speaker]), input=audio, output=audio)
    running = asyncio.create_task(task.run())
    until_s = asyncio.get_running_loop().time() + seconds
    for at in range(0, len(data), 2 * RATE):
        await task.queue_frame(vp.OutputAudioFrame(data[at : at + 2 * RATE], RATE))
        await asyncio.sleep(0.9)  # some seconds at once would keep the microphone's frames waiting
    await asyncio.sleep(until_s - asyncio.get_running_loop().time())
    task.end()
    report = await running
    print(json.dumps({"jumps": keeps.jumps, "dropped": report.dropped}), flush=True)
    return b"".join(keeps.heard)


if __name__ == "__main__":
    _, name, how_long, to_play, heard = sys.argv
    Path(heard).write_bytes(asyncio.run(main(name, float(how_long), Path(to_play).read_bytes())))
