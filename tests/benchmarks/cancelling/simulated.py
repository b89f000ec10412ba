"""Plays a scene through a pipeline and a simulated card in a room, in virtual time."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.cancelling.rooms import RATE, Floats
from benchmarks.cancelling.scenes import Ints, Scene, ints
from benchmarks.cancelling.subjects import AEC3, BARE, OURS, Heard, Taken, aec3, bare
from voicepipe import (
    AudioFormat,
    Frame,
    FrameDirection,
    InlineProcessor,
    InputAudioFrame,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.testing import Losses, SimulatedCard, run_virtual
from voicepipe_devices.driver import CaptureCallback
from voicepipe_devices.fake.handle import OpenSide
from voicepipe_devices.fake.sides import SimulatedMicrophone

__all__ = ["AHEAD_S", "START", "Air", "Kept", "simulated"]

CHUNK_S = 0.5
AHEAD_S = 1.0
"""The program is so far ahead of what sounds."""
LEAD_S = 0.02
"""AEC3 alone is given what sounds so much early: it can do with less, but not with more than there is."""
START = 960
"""The sample of the microphone at which the program begins."""
SPARE_S = 1.0
LOST_S = 0.02


@dataclass(frozen=True, slots=True)
class Air:
    """What befalls the card."""

    mic_ppm: float = 0.0
    speaker_ppm: float = 0.0
    losses: Losses | None = None
    jumps: tuple[tuple[float, float], ...] = ()
    """When the loudspeaker's delay becomes another, and how long it is then, in seconds."""
    lost_s: tuple[float, ...] = ()
    """When the microphone loses 20 ms, besides."""
    ahead_s: float = AHEAD_S
    """How much speech is queued."""
    block_s: float = 0.02


class TapedMicrophone(SimulatedMicrophone):
    """A microphone that keeps what it gives, and when."""

    def __init__(self, name: str, drift_ppm: float) -> None:
        super().__init__(name, drift_ppm, 0.0, 1)
        self.tape = bytearray()
        self.at_s: dict[int, float] = {}
        """When the sample before this position had been given."""

    def tick(self, handle: OpenSide, missed: int, callback: CaptureCallback) -> bool:
        """Make one callback, and keep it."""

        def taped(data: bytes, captured_s: float, missed: int) -> None:
            self.tape += bytes(2 * missed) + data
            self.at_s[len(self.tape) // 2] = asyncio.get_running_loop().time()
            callback(data, captured_s, missed)

        return super().tick(handle, missed, taped)


class Keep(InlineProcessor):
    """Keeps the audio that comes by, and when it came."""

    def __init__(self) -> None:
        super().__init__(name="keep")
        self.frames: list[tuple[float, InputAudioFrame]] = []

    def process(self, frame: Frame, direction: FrameDirection) -> tuple[Frame, ...]:
        """Take the microphone's audio, and let the rest by."""
        if not isinstance(frame, InputAudioFrame):
            return (frame,)
        self.frames.append((asyncio.get_running_loop().time(), frame))
        return ()


@dataclass(slots=True)
class Kept:
    """What a run left behind."""

    mic: TapedMicrophone
    keep: Keep
    played: Ints
    told: str
    """What its report says of the echo."""


def simulated(air: Air | None = None) -> Callable[[Scene], Taken]:
    """Return what plays a scene on a card to which that happens."""
    chosen = air or Air()
    return lambda scene: _taken(scene, run_virtual(_run(scene, chosen)))


async def _run(scene: Scene, air: Air) -> Kept:
    card = SimulatedCard(keep_s=scene.seconds + 10)
    card.mic = mic = TapedMicrophone("simulated microphone", air.mic_ppm)
    card.speaker.drift_ppm = air.speaker_ppm
    _enter(card, scene, 0, air)
    mic.hear(np.concatenate([np.zeros(START, np.int16), scene.clean]))
    keep, audio = Keep(), AudioFormat(RATE)
    stages = [
        MicrophoneInput(card.backend(), block_s=air.block_s),
        keep,
        SpeakerOutput(card.backend(), block_s=air.block_s),
    ]
    task = PipelineTask(Pipeline(stages), input=audio, output=audio)
    loop = asyncio.get_running_loop()
    for n, at in enumerate(scene.changed):
        loop.call_later((at + START) / RATE, _enter, card, scene, n + 1, air)
    for at_s, delay_s in air.jumps:
        loop.call_later(at_s, card.speaker.delay, delay_s)
    for at_s in air.lost_s:
        loop.call_later(at_s, mic.lose, LOST_S)
    feeding = loop.create_task(_feed(task, scene.far, air.ahead_s))
    loop.call_later(scene.seconds + SPARE_S, task.end)
    report = await task.run()
    await feeding
    told = next((each.echo.details for each in report.devices if each.echo is not None), "no canceller")
    return Kept(mic, keep, np.frombuffer(card.speaker.played(), np.int16), told)


def _enter(card: SimulatedCard, scene: Scene, way: int, air: Air) -> None:
    card.room(scene.ways[way], rate=RATE, clip=scene.drive or None, loss=air.losses)


async def _feed(task: PipelineTask, far: Floats, ahead_s: float) -> None:
    began_s, size = asyncio.get_running_loop().time(), round(CHUNK_S * RATE)
    for at in range(0, len(far), size):
        chunk = ints(far[at : at + size])
        wait_s = began_s + at / RATE - ahead_s - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, wait_s))
        await task.queue_frame(OutputAudioFrame(chunk.tobytes(), RATE))


def _taken(scene: Scene, kept: Kept) -> Taken:
    mic = np.frombuffer(bytes(kept.mic.tape), np.int16)
    offset = _offset(mic, scene)
    began = int(np.argmax(kept.played != 0)) if kept.played.any() else 0
    far = _shifted(kept.played, offset - began - round(LEAD_S * RATE), len(mic)) / 32_768
    heard = {BARE: bare(mic), AEC3: aec3(mic, far), OURS: _ours(kept, len(mic))}
    scene_only = slice(START, START + len(scene.far))
    cut = {
        name: Heard(each.ear[scene_only], each.words[scene_only], each.late_s) for name, each in heard.items()
    }
    late = "" if offset == START else f"; the program began {offset - START} samples late"
    return Taken(mic[scene_only], cut, kept.told + late)


def _ours(kept: Kept, count: int) -> Heard:
    """Put the frames at their positions."""
    ear, words, late = np.zeros(count, np.int16), np.zeros(count, np.int16), []
    blocks = list(kept.mic.at_s)
    for came_s, frame in kept.keep.frames:
        begin, end = frame.position, min(frame.position + frame.num_samples, count)
        data = np.frombuffer(frame.data, np.int16)
        words[begin:end] = data[: end - begin]
        ear[begin:end] = (data if frame.ear is None else np.frombuffer(frame.ear, np.int16))[: end - begin]
        at = bisect_left(blocks, end)
        if at < len(blocks):
            late.append(came_s - kept.mic.at_s[blocks[at]] + (blocks[at] - end) / RATE)
    return Heard(ear, words, median(late) if late else 0.0)


def _offset(mic: Ints, scene: Scene) -> int:
    """Return the sample of the microphone at which the program's first sample is due."""
    first = slice(0, 6 * RATE)
    expected = scene.microphone()[first] - scene.clean[first].astype(float)
    heard = mic[first].astype(float)
    size = 1 << (len(heard) + len(expected)).bit_length()
    match = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(expected, size)), size)
    return int(np.argmax(match[:RATE]))


def _shifted(played: Ints, by: int, count: int) -> Ints:
    """Return it so much later, and so long."""
    ahead = played[max(0, -by) :]
    whole = np.concatenate([np.zeros(max(0, by), np.int16), ahead, np.zeros(count, np.int16)])
    return whole[:count]
