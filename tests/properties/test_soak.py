"""What goes on for long: runs that come and go in one loop, and one run over a week of sound.

By default 300 runs and 17 virtual hours; 3,000 runs and the whole week (some minutes):

    VOICEPIPE_TIMES=10 pytest -n0 tests/properties/test_soak.py
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.counts import count_of
from support.shapes import SHAPES
from support.sound import assert_accounted
from support.stages import Loopback
from voicepipe import (
    AudioFormat,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    MicrophoneInput,
    Pipeline,
    PipelineTask,
    RunState,
    SpeakerOutput,
    assert_nothing_left,
    take_census,
)
from voicepipe_devices.fake import SimulatedCard

RUNS = count_of(3_000)
WEEK_S = count_of(7 * 24 * 3_600)
RATE = 1_000
"""The lowest there is: a long time is what counts here, not much sound."""
LONG_LIVED = ("devices_lost_and_found", "a_turn_and_its_answer")
"""Shapes that take longest, and are tried less often."""


@dataclass
class Memory:
    """What the process has, as far as it can be counted."""

    objects: int
    """Python objects that the garbage collector knows."""
    blocks: int
    """Small pieces of memory that Python has given out."""
    megabytes: float
    """In use, as the system sees it; large pieces too."""

    @classmethod
    def now(cls) -> Memory:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
        return cls(len(gc.get_objects()), sys.getallocatedblocks(), pages * 4096 / 1e6)


@pytest.fixture(autouse=True)
def nothing_is_logged() -> Iterator[None]:
    """pytest keeps every record, and that grows."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def assert_flat(before: Memory, after: Memory) -> None:
    assert after.objects - before.objects < 50, (before, after)
    assert after.blocks - before.blocks < 500, (before, after)
    assert after.megabytes - before.megabytes < 8, (before, after)


async def one_run(shape_name: str, stop: str) -> None:
    shape = SHAPES[shape_name]()
    task = PipelineTask(Pipeline(shape.stages))
    for frame in shape.queued:
        await task.queue_frame(frame)
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(when, call) for when, call in shape.happens(task)]
    timers.append(loop.call_later(shape.end_after_s, getattr(task, stop)))
    report = await task.run()
    for timer in timers:
        timer.cancel()
    assert report.state is (RunState.ENDED if stop == "end" else RunState.CANCELLED)
    assert_accounted(report)


@pytest.mark.heavy
async def test_runs_come_and_go_in_one_loop_and_nothing_grows() -> None:
    short = [name for name in SHAPES if name not in LONG_LIVED]
    before_all = take_census()

    async def several(count: int) -> None:
        for number in range(count):
            name = LONG_LIVED[number // 25 % 2] if number % 25 == 0 else short[number % len(short)]
            await one_run(name, "cancel" if number % 3 == 0 else "end")

    await several(60)
    before = Memory.now()
    await several(RUNS)
    assert_flat(before, Memory.now())
    assert_nothing_left(before_all)


class Counts(InlineProcessor):
    """Counts what passes: no sample twice, none missing."""

    def __init__(self) -> None:
        super().__init__(name="counts")
        self.position = 0

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, InputAudioFrame):
            assert frame.position == self.position
            self.position += frame.num_samples
        return (frame,)


class Passes(FrameProcessor):
    """A mailbox on the way."""


@pytest.mark.heavy
async def test_over_a_week_of_sound_what_goes_in_comes_out_at_every_seam() -> None:
    card = SimulatedCard(keep_s=0.0)
    microphone = MicrophoneInput(card.backend(), block_s=1.0)
    speaker = SpeakerOutput(card.backend(), block_s=1.0, max_queue_s=4.0)
    counts = Counts()
    stages = [microphone, Passes(), counts, Loopback(), speaker]
    task = PipelineTask(Pipeline(stages), input=AudioFormat(RATE), output=AudioFormat(RATE))
    loop = asyncio.get_running_loop()
    memory: list[Memory] = []
    for part in (0.1, 0.9):
        loop.call_later(part * WEEK_S, lambda: memory.append(Memory.now()))
    loop.call_later(WEEK_S + 0.5, task.end)
    report = assert_accounted(
        await task.run(), "MicrophoneInput device", "Passes", "SpeakerOutput", "SpeakerOutput device"
    )
    assert report.state is RunState.ENDED
    assert report.dropped == {}
    assert counts.position == WEEK_S * RATE
    assert [seam.given for seam in report.seams if seam.given] == [WEEK_S * RATE] * 4
    assert_flat(*memory)
