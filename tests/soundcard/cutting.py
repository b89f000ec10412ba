"""A program that is cut short while it speaks: when, and how much had been heard?

    cutting.py BACKEND LATENCY SPOKEN.raw

Plays SPOKEN.raw (48 kHz, mono, int16) with up to 2 s queued, and for each line on its stdin, "play",
"interrupt" or "cancel", does that. Prints the time of each, by the monotonic clock, and what came back, as a
line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import voicepipe as vp

RATE = 48_000
BLOCK_S = 0.01


def tell(**what: object) -> None:
    """A line of JSON."""
    print(json.dumps(what), flush=True)


async def main(name: str, latency: str, spoken: bytes) -> None:
    """Obey until the run is cancelled."""
    wanted = latency if latency == "low" else float(latency)
    speaker = vp.SpeakerOutput(name, device="vcard", block_s=BLOCK_S, latency=wanted, max_queue_s=2.0)
    task = vp.PipelineTask(vp.Pipeline([speaker]), output=vp.AudioFormat(RATE))
    before = 0

    def tell_of(frame: vp.Frame, direction: vp.FrameDirection) -> None:
        nonlocal before
        if isinstance(frame, vp.BotStoppedSpeakingFrame) and direction is vp.FrameDirection.DOWNSTREAM:
            tell(heard=frame.position - before, interrupted=frame.interrupted)
            before = frame.position

    task.subscribe(tell_of)
    running = asyncio.create_task(task.run())
    orders = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while order := (await orders.readline()).decode().strip():
        if order == "play":
            await task.queue_frame(vp.OutputAudioFrame(spoken, RATE))
            continue
        at_s = time.monotonic()
        if order == "interrupt":
            task.interrupt()
        else:
            task.cancel()
        tell(order=order, at_s=at_s)
        if order == "cancel":
            report = await running
            (seam,) = [seam for seam in report.seams if seam.name.endswith("device")]
            tell(heard=seam.given - before, dropped=seam.dropped)
            return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]).read_bytes()))
