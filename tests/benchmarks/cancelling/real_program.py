"""A program that plays a scene through real PortAudio and cancels, for `real.py`.

    python real_program.py FAR.npy HEARD.npz [DEVICE]

It plays FAR.npy (int16, 16 kHz) and writes what its engine was given and gave: `mic`, `far`, `ear` and
`words`; the engine's `delay`; and what the run `told` of the echo.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[up]) for up in (2, 3)]

import numpy as np

import voicepipe as vp
from voicepipe.canceller.engines.registry import default_engine
from voicepipe.canceller.stage import EchoCanceller

if TYPE_CHECKING:
    from voicepipe.canceller.protocol import EchoEngine

__all__ = ["TapedEngine", "main"]

RATE = 16_000
CHUNK = RATE // 2
AFTER_S = 1.0


class TapedEngine:
    """An engine that keeps what it was given, and what it gave."""

    def __init__(self, engine: EchoEngine) -> None:
        self._engine = engine
        self.name, self.rate, self.channels = engine.name, engine.rate, engine.channels
        self.block, self.delay = engine.block, engine.delay
        self._kept: list[tuple[np.ndarray, ...]] = []

    def cancel(self, mic: np.ndarray, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cancel, and keep it all."""
        ear, words = self._engine.cancel(mic, far)
        self._kept.append((mic[:, 0].copy(), far.copy(), ear, words[:, 0]))
        return ear, words

    def reset(self) -> None:
        """Forget the path of the echo."""
        self._engine.reset()

    def tapes(self) -> dict[str, np.ndarray]:
        """Return what it was given and gave, by name."""
        names = ("mic", "far", "ear", "words")
        tapes = zip(*self._kept, strict=True)
        return {name: np.concatenate(tape) for name, tape in zip(names, tapes, strict=True)}


async def main(far: Path, heard: Path, device: str = "vcard") -> None:
    """Play it, and write what was heard."""
    sound = np.load(far)
    engine = TapedEngine(default_engine(RATE, 1))
    devices = {"device": device, "block_s": 0.02, "latency": "low"}
    stages = [
        vp.MicrophoneInput("portaudio", **devices),  # type: ignore[arg-type]  # of several types
        EchoCanceller(engine=engine),
        vp.FrameFilter(drop=vp.InputAudioFrame),
        vp.SpeakerOutput("portaudio", **devices),  # type: ignore[arg-type]  # of several types
    ]
    audio = vp.AudioFormat(RATE)
    task = vp.PipelineTask(vp.Pipeline(stages), input=audio, output=audio)
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    for at in range(0, len(sound), CHUNK):
        await task.queue_frame(vp.OutputAudioFrame(sound[at : at + CHUNK].tobytes(), RATE))
    await asyncio.sleep(len(sound) / RATE + AFTER_S)  # an end closes the microphone at once
    task.end()
    report = await running
    told = next((each.echo.details for each in report.devices if each.echo is not None), "no canceller")
    tapes: dict[str, Any] = {**engine.tapes(), "delay": engine.delay, "told": told}
    np.savez(heard, **tapes)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
