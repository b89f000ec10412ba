"""A program that plays a scene through real PortAudio, cancels, and records all tracks, for `real.py`.

    python real_program.py FAR.npy TRACKS.wav [DEVICE]

It plays FAR.npy (int16, 16 kHz), and prints what the run says of the echo.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (2, 3)]

import numpy as np

import voicepipe as vp

__all__ = ["main"]

RATE = 16_000
CHUNK = RATE // 2
AFTER_S = 1.0


async def main(far: Path, tracks: Path, device: str = "vcard") -> None:
    """Play it, and write what was heard."""
    sound = np.load(far)
    devices = {"device": device, "block_s": 0.02, "latency": "low"}
    stages = [
        vp.MicrophoneInput("portaudio", **devices),  # type: ignore[arg-type]  # of several types
        vp.FrameFilter(drop=vp.InputAudioFrame),
        vp.SpeakerOutput("portaudio", **devices),  # type: ignore[arg-type]  # of several types
    ]
    audio = vp.AudioFormat(RATE)
    task = vp.PipelineTask(vp.Pipeline(stages), input=audio, output=audio, tracks=tracks)
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    for at in range(0, len(sound), CHUNK):
        await task.queue_frame(vp.OutputAudioFrame(sound[at : at + CHUNK].tobytes(), RATE))
    await asyncio.sleep(len(sound) / RATE + AFTER_S)  # an end closes the microphone at once
    task.end()
    report = await running
    print(next((each.echo.details for each in report.devices if each.echo is not None), "no canceller"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
