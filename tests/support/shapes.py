"""Pipelines of every kind, for tests of every step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from support.sound import RATE, noise, speech
from support.stages import Does, InlineRecorder, Loopback, Recorder
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    MicrophoneInput,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    SpeakerOutput,
    StartParams,
    TextFrame,
    UtteranceCollector,
    UtteranceFrame,
    VADProcessor,
)
from voicepipe_devices.fake import SimulatedCard

Timed = tuple[float, Callable[[], object]]


@dataclass
class Shape:
    """A pipeline, and what happens to it."""

    stages: Sequence[Processor]
    queued: Sequence[Frame] = ()
    """Sent in before the start."""
    happens: Callable[[PipelineTask], Iterable[Timed]] = field(default=lambda task: ())
    """What is called when, in seconds from the start."""
    end_after_s: float = 0.2

    def recorders(self) -> list[Recorder]:
        """Those that note their hooks, at whatever depth."""
        return list(_recorders(self.stages))


def _recorders(stages: Iterable[Processor]) -> Iterable[Recorder]:
    for stage in stages:
        if isinstance(stage, Recorder):
            yield stage
        elif isinstance(stage, Pipeline):
            yield from _recorders(stage.processors)
        elif isinstance(stage, ParallelPipeline):
            yield from _recorders(stage.branches)


class Slow(Recorder):
    """Takes a few steps for everything."""

    async def on_start(self, params: StartParams) -> None:
        await super().on_start(params)
        for _ in range(3):
            await asyncio.sleep(0.01)

    async def on_end(self) -> None:
        await asyncio.sleep(0.01)
        await super().on_end()

    async def cleanup(self) -> None:
        await super().cleanup()  # noted first: it may be cut short
        await asyncio.sleep(0.01)


class Loud:
    """Takes whatever is loud for speech."""

    rate = 8_000
    window = 160

    def score(self, window: bytes) -> float:
        return float(np.abs(np.frombuffer(window, np.int16).astype(int)).mean() > 500)

    def reset(self) -> None: ...


class Parrot(InlineProcessor):
    """Says every utterance back."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return OutputAudioFrame.parts_of(frame) if isinstance(frame, UtteranceFrame) else (frame,)


def _ends(card: SimulatedCard, block_s: float = 0.04) -> tuple[MicrophoneInput, SpeakerOutput]:
    return MicrophoneInput(card.backend(), block_s=block_s), SpeakerOutput(card.backend(), block_s=block_s)


def one_stage() -> Shape:
    return Shape([Slow()])


def nested_and_parallel() -> Shape:
    inside = Pipeline([Slow(), ParallelPipeline([Slow()], [InlineRecorder()])])
    return Shape([Recorder(), inside, Recorder()], [TextFrame("a"), speech(0.01)])


def devices() -> Shape:
    card = SimulatedCard()
    card.mic.hear(b"\1\0" * 1600)
    card.mic.run_out()
    mic, speaker = _ends(card, 0.02)
    return Shape([mic, Loopback(), Slow(), speaker])


def devices_slow_to_open_and_close() -> Shape:
    card = SimulatedCard()
    for side in (card.mic, card.speaker):
        side.slow_open(0.03)
        side.stuck_close(0.03)
    mic, speaker = _ends(card)
    return Shape([mic, Loopback(), speaker], end_after_s=0.15)


def a_turn_and_its_answer() -> Shape:
    """Speech is found, gathered, and said back."""
    card = SimulatedCard()
    card.mic.hear(np.concatenate([noise(0.3), np.zeros(round(0.2 * RATE), np.int16)]))
    mic, speaker = _ends(card, 0.05)
    ear = [mic, VADProcessor(Loud(), start_s=0.04, stop_s=0.08), UtteranceCollector(tail_s=0.0)]
    return Shape([*ear, Parrot(), Recorder(), speaker], end_after_s=0.6)


def devices_lost_and_found() -> Shape:
    """Both are pulled out; one is put back."""
    card = SimulatedCard()
    card.mic.hear(noise(2.0))
    mic, speaker = _ends(card, 0.1)

    def faults(task: PipelineTask) -> Iterable[Timed]:
        return (0.25, card.mic.unplug), (0.3, card.speaker.vanish), (0.7, card.mic.replug)

    return Shape([mic, Loopback(), Recorder(), speaker], happens=faults, end_after_s=1.2)


def interrupted() -> Shape:
    """Twice: while sound waits everywhere, and again when it ends."""
    card = SimulatedCard()
    speaker = SpeakerOutput(card.backend(), block_s=0.05, max_queue_s=0.1)
    said = [speech(0.2, seed) for seed in range(3)]

    def twice(task: PipelineTask) -> Iterable[Timed]:
        return (0.12, task.interrupt), (0.2, task.interrupt)

    return Shape([Recorder(), speaker], said, twice)


def full_mailboxes() -> Shape:
    """Everybody waits for room before a stage that takes its time."""

    async def dawdle(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(0.02)
        await stage.push_frame(frame, direction)

    slow = Does(dawdle, "dawdles")
    slow.mailbox_size = 1
    before = Recorder()
    before.mailbox_size = 1
    return Shape([before, slow, Recorder()], [speech(0.01, seed) for seed in range(6)], end_after_s=0.05)


SHAPES: dict[str, Callable[[], Shape]] = {
    shape.__name__: shape
    for shape in (
        one_stage,
        nested_and_parallel,
        devices,
        devices_slow_to_open_and_close,
        a_turn_and_its_answer,
        devices_lost_and_found,
        interrupted,
        full_mailboxes,
    )
}
