"""A program that speaks and is interrupted, for `barge_in.py`: it obeys the lines of its stdin.

    play         speak for ten seconds
    task         interrupt the run: task.interrupt()
    stage        a stage pushes an InterruptionFrame
    fact         a stage tells that the user has started to speak; the interrupter cuts

Its arguments: the voice detection, or an empty word, and a WAV file of 16 kHz with what it says, in a room.
Without a file it says a tone, and wears headphones.

For each of the last three, and whenever the user starts or stops speaking, it prints a line of JSON with
the time of the decision, by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import wave
from collections.abc import Iterable

import numpy as np

import voicepipe as vp

__all__ = ["main"]

_RATE = 16_000
_BLOCK_S = 0.02
_TONE = 0.25 * np.sin(2 * np.pi * 440 / _RATE * np.arange(10 * _RATE))


def _tell(what: str) -> None:
    print(json.dumps({"what": what, "at_s": time.monotonic()}), flush=True)


class Watch(vp.InlineProcessor):
    """The clock beside the voice detection: it says when a decision has been made."""

    def process(self, frame: vp.Frame, direction: vp.FrameDirection) -> Iterable[vp.Frame]:
        if isinstance(frame, vp.UserStartedSpeakingFrame):
            _tell("started")
        elif isinstance(frame, vp.UserStoppedSpeakingFrame):
            _tell("stopped")
        return (frame,)


class Mouth(vp.FrameProcessor):
    """A stage that speaks, and one that interrupts. Nothing that travels enters its mailbox."""

    takes = ()

    def __init__(self, words: bytes) -> None:
        super().__init__()
        self._words = words

    def play(self) -> None:
        """Speak for ten seconds."""
        self.create_task(self.push_frame(vp.OutputAudioFrame(self._words, _RATE)), name="play")

    def interrupt(self) -> None:
        """Push an interruption."""
        self.create_task(self.push_frame(vp.InterruptionFrame()), name="interrupt")


class Ear(vp.FrameProcessor):
    """A voice detection that decides on request."""

    takes = ()

    def decide(self) -> None:
        """Tell that the user has started to speak."""
        self.create_task(self._tell_both(), name="decide")

    async def _tell_both(self) -> None:
        await self.push_frame(vp.UserStartedSpeakingFrame())
        await asyncio.sleep(0.2)
        await self.push_frame(vp.UserStoppedSpeakingFrame())


def _words_of(file: str) -> bytes:
    if not file:
        return vp.OutputAudioFrame.from_array(_TONE, _RATE).data
    with wave.open(file, "rb") as sound:
        return sound.readframes(sound.getnframes())


async def main(engine: str, file: str = "") -> None:
    """Obey until the input ends, or has another word."""
    ear, mouth = Ear(), Mouth(_words_of(file))
    protects = None if file else False
    task = vp.PipelineTask(
        vp.Pipeline(
            [
                vp.MicrophoneInput(
                    "portaudio",
                    device="vcard",
                    block_s=_BLOCK_S,
                    latency="low",
                    cancel=protects,
                    mute=protects,
                ),
                *([vp.VADProcessor(engine)] if engine else [ear]),
                Watch(),
                vp.FrameFilter(drop=vp.InputAudioFrame),
                vp.Interrupter(),
                mouth,
                vp.SpeakerOutput("portaudio", device="vcard", block_s=_BLOCK_S, latency="low"),
            ]
        )
    )
    orders = {"play": mouth.play, "task": task.interrupt, "stage": mouth.interrupt, "fact": ear.decide}
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while (order := (await lines.readline()).decode().strip()) in orders:
        if order in ("task", "stage"):
            _tell("decided")
        orders[order]()
    task.cancel()
    report = await running
    print(json.dumps({"what": str(report.devices[0].echo), "at_s": time.monotonic()}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
