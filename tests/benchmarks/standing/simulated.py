"""A live pipeline on the simulated card, in virtual time: the loop and the sides of the card stand still."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.standing.plan import Standstill
from benchmarks.standing.run import AFTER_S, BEFORE_S, ROOM_S, Moment, Run
from benchmarks.standing.tape import Noise, Tape
from soundcard.rooms import Samples
from voicepipe import (
    AudioFormat,
    BackgroundAudioFrame,
    Frame,
    FrameDirection,
    InlineProcessor,
    Loopback,
    MicrophoneInput,
    OutputAudioFrame,
    Pipeline,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe.audio.convert import Converter
from voicepipe.testing import VirtualLoop
from voicepipe_devices.driver import CaptureCallback, RenderCallback
from voicepipe_devices.fake import SimulatedCard, SimulatedMicrophone, SimulatedSpeaker
from voicepipe_devices.fake.handle import OpenSide

__all__ = ["RATE", "Way", "play"]

RATE = 16_000
SETTLE_S = 2.0
_OTHER_RATE = 24_000


@dataclass(frozen=True, slots=True)
class Way:
    """The way of live sound from the microphone to the speaker."""

    block_s: float = 0.01
    steady: bool = False
    resampled: bool = False
    """The voice comes to the speaker at another rate than the speaker's."""
    background: bool = False
    """Music, faint, is mixed under it."""
    drift_ppm: float = 0.0
    """How much faster the microphone's clock runs."""
    jitter_s: float = 0.0


def play(way: Way, standstills: Sequence[Standstill]) -> Run:
    """Run it in virtual time, and let it stand still."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_play(loop, way, standstills))


async def _play(loop: VirtualLoop, way: Way, standstills: Sequence[Standstill]) -> Run:
    seconds = sum(each.seconds + each.waits_s + BEFORE_S + AFTER_S + ROOM_S for each in standstills)
    card = _TapedCard(loop, way, SETTLE_S + seconds + 2.0)
    mic = MicrophoneInput(card.backend(), block_s=way.block_s, mute=False)
    speaker = SpeakerOutput(card.backend(), block_s=way.block_s, steady=way.steady)
    stages = [Loopback(), *([_Resample()] if way.resampled else [])]
    task = PipelineTask(Pipeline([mic, *stages, speaker]))
    run = asyncio.create_task(task.run())
    music = asyncio.create_task(_hum(task)) if way.background else None
    await asyncio.sleep(SETTLE_S)
    moments = list[Moment]()
    for standstill in standstills:
        await asyncio.sleep(BEFORE_S + standstill.waits_s)
        begin_s = loop.time()
        for number, stands_s in enumerate(standstill.stands_s):
            await asyncio.sleep(standstill.apart_s if number else 0.0)
            card.stand(standstill.who, stands_s)
            if standstill.who in ("microphone", "speaker"):
                await asyncio.sleep(stands_s)
        moments.append(Moment(standstill, begin_s, loop.time()))
        await asyncio.sleep(AFTER_S + ROOM_S)
    if music is not None:
        music.cancel()
    task.end()
    report = await run
    dropped = {str(reason): 1e3 * samples / RATE for reason, samples in report.dropped.items()}
    return Run(card.tape(), tuple(moments), dropped)


async def _hum(task: PipelineTask) -> None:
    """Play a faint sound in the background, without an end."""
    hum = np.random.default_rng(7).normal(0, 30, RATE // 2).astype(np.int16).tobytes()
    goes_on = True
    while goes_on:
        goes_on = await task.queue_frame(BackgroundAudioFrame(hum, RATE, sound="hum"))
        await asyncio.sleep(0.45)


class _Resample(InlineProcessor):
    """Gives live sound on at another rate."""

    def __init__(self) -> None:
        super().__init__()
        self._converter = Converter(AudioFormat(RATE), AudioFormat(_OTHER_RATE))

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if not isinstance(frame, OutputAudioFrame) or not frame.live:
            return (frame,)
        data = self._converter.convert(frame.data)
        return (OutputAudioFrame(data, _OTHER_RATE, captured_s=frame.captured_s, live=True),)


class _TapedCard(SimulatedCard):
    """A card that notes what it captured and played when: a stream may be opened again meanwhile."""

    def __init__(self, loop: VirtualLoop, way: Way, seconds: float) -> None:
        super().__init__()
        self._loop = loop
        self._said = np.zeros(round(seconds * RATE), np.int16)
        self._heard = self._said.copy()
        self.mic = _TapedMicrophone("microphone", way.drift_ppm, way.jitter_s, 1)
        self.mic.track = self._said
        self.mic.hear(Noise(RATE).at(0, round(1.1 * seconds * RATE)).tobytes())
        self.speaker = _TapedSpeaker("speaker", 0.0, way.jitter_s, 2, keep_s=1.0)
        self.speaker.track = self._heard

    def stand(self, who: str, seconds: float) -> None:
        """Let the loop, a side of the card, or everything stand still for so long."""
        lost = round(seconds * RATE)
        if who in ("microphone", "all"):
            self.mic.xrun(lost)
        if who in ("speaker", "all"):
            self.speaker.xrun(lost)
        if who in ("program", "all"):
            self._loop.freeze(seconds)

    def tape(self) -> Tape:
        """Return what was noted."""
        return Tape(RATE, self._said, self._heard)


class _TapedMicrophone(SimulatedMicrophone):
    track: Samples

    def tick(self, handle: OpenSide, missed: int, callback: CaptureCallback) -> bool:
        def captured(data: bytes, captured_s: float, missed: int) -> None:
            _put(self.track, captured_s, data)
            callback(data, captured_s, missed)

        return super().tick(handle, missed, captured)


class _TapedSpeaker(SimulatedSpeaker):
    track: Samples

    def tick(self, handle: OpenSide, missed: int, callback: RenderCallback) -> bool:
        def rendered(samples: int, sounds_s: float | None = None) -> bytes:
            data = callback(samples, sounds_s)
            _put(self.track, handle.block_began_s + samples / RATE, data)  # it begins when it is asked for
            return data

        return super().tick(handle, missed, rendered)


def _put(track: Samples, at_s: float, data: bytes) -> None:
    samples = np.frombuffer(data, np.int16)
    part = track[round(at_s * RATE) :][: len(samples)]
    part[:] = samples[: len(part)]
