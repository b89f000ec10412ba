"""A program that speaks on and on in a room, for tests of the canceller: `speaking.py DEVICE [DETECTOR]`.

For every 0.1 s of the microphone it prints a line of JSON: the time, the level of the bare microphone and of
what voice detection hears, in dB. So it does when the user starts to speak, and of devices lost and restored.
A line on its stdin, `mic NAME` or `speaker NAME`, changes the device; an empty one ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

import voicepipe as vp
from voicepipe.testing import speech

__all__ = ["main"]

_RATE = 16_000
_BLOCKS = 10
"""Of 10 ms, in a line."""
NEWS = (vp.UserStartedSpeakingFrame, vp.DeviceLostFrame, vp.DeviceRestoredFrame)


def _tell(what: str, **figures: float) -> None:
    print(json.dumps({"what": what, **figures}), flush=True)


class News(vp.InlineProcessor):
    """Tells what happens."""

    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        """Pass everything on."""
        if isinstance(frame, NEWS):
            _tell(type(frame).__name__)
        return (frame,)


class Levels:
    """The levels of the bare microphone and of the ear, over some blocks. It is a `TrackSink`."""

    def __init__(self, *devices: vp.MicrophoneInput | vp.SpeakerOutput) -> None:
        self._devices = devices
        self._mic: list[bytes] = []
        self._ear: list[bytes] = []

    def note_heard(self, origin: str, position: int, captured_s: float | None, mic: bytes, far: Any) -> None:
        """Take the next block, and tell of the last ones."""
        self._mic.append(mic)
        if len(self._mic) == _BLOCKS and captured_s is not None:
            levels = {"mic_db": _level(self._mic), "ear_db": _level(self._ear)}
            _tell("level", at_s=captured_s, gaps=self._gaps(), **levels)
        if len(self._mic) == _BLOCKS:
            self._mic.clear()
            self._ear.clear()

    def note_given(self, origin: str, position: int, words: bytes, ear: bytes) -> None:
        """Take what voice detection hears."""
        self._ear.append(ear)

    def note_protection(self, origin: str, echo: vp.EchoState) -> None:
        """Ignore it."""

    def note_fact(self, fact: object) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Do nothing: there is no file."""

    def _gaps(self) -> int:
        """Return how often the sound was held up, on its way in or out, by the program's own counts."""
        counts = [device.device_statistics() for device in self._devices]
        return sum(each.overflow + each.underflow + each.late + each.gaps for each in counts if each)


def _level(blocks: list[bytes]) -> float:
    """Return the level; of nothing, as while it is half-duplex, that of silence."""
    sound = np.frombuffer(b"".join(blocks) or bytes(2), np.int16) / 32_768
    return round(float(10 * np.log10(np.mean(sound * sound) + 1e-10)), 1)


class Voice(vp.FrameProcessor):
    """Speaks the bundled sentences for ever, a second at a time."""

    takes = ()

    def __init__(self, levels: Levels) -> None:
        super().__init__()
        self._levels = levels

    async def on_start(self, params: vp.StartParams) -> None:
        """Put the levels in place of a recording, before the microphone starts."""
        params.speakers.tracks = self._levels

    async def on_running(self) -> None:
        """Begin."""
        self.create_task(self._speak(), name="speak")

    async def _speak(self) -> None:
        words = speech().tobytes()
        while True:
            for at in range(0, len(words), 2 * _RATE):
                await self.push_frame(vp.OutputAudioFrame(words[at : at + 2 * _RATE], _RATE))


async def _obey(task: vp.PipelineTask) -> None:
    lines = asyncio.StreamReader()
    reading, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while line := (await lines.readline()).decode().split():
        if line[0] == "mic":
            task.microphone.device = line[1]
        else:
            task.speaker.device = line[1]
    reading.close()


async def main(device: str, engine: str = "") -> None:
    """Speak until the input ends."""
    ear = vp.MicrophoneInput("portaudio", device=device)
    speaker = vp.SpeakerOutput("portaudio", device=device, max_queue_s=1)
    task = vp.PipelineTask(
        vp.Pipeline(
            [
                ear,
                vp.VADProcessor(engine) if engine else vp.VADProcessor(),
                vp.FrameFilter(drop=vp.InputAudioFrame),
                News(),
                Voice(Levels(ear, speaker)),
                speaker,
            ]
        )
    )
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    assert ear.echo is not None
    assert ear.echo.protection == "cancelling", ear.echo
    await _obey(task)
    task.cancel()
    report = await running
    print(json.dumps({"what": "end", "echo": str(report.devices[0].echo)}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
