"""Live sound wakes up few: it is pushed and written as it comes, and its end is told with its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from support.live import Live
from support.sound import virtual_loop
from voicepipe import (
    BotStoppedSpeakingFrame,
    Frame,
    FrameDirection,
    InlineProcessor,
    InputAudioFrame,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    SpeakerOutput,
)
from voicepipe_devices.fake import SimulatedCard

BLOCK_S = 0.02


class Who(InlineProcessor):
    """Notes in which task each block comes, and may fail."""

    def __init__(self, fails_at: int = -1) -> None:
        super().__init__()
        self.tasks: list[asyncio.Task[object] | None] = []
        self.positions: list[int] = []
        self._fails_at = fails_at

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, InputAudioFrame):
            self.tasks.append(asyncio.current_task())
            self.positions.append(frame.position)
            if len(self.tasks) == self._fails_at:
                raise ZeroDivisionError("odd")
        return (frame,)


async def test_a_block_is_pushed_as_it_comes_and_wakes_no_task() -> None:
    who = Who()
    await Live(seconds=1.0, between=[who]).run()
    assert len(who.tasks) >= 49
    assert who.tasks[1:45] == [None] * 44
    assert who.positions == list(range(0, 320 * len(who.positions), 320))


@pytest.mark.parametrize("seconds", [0.03, 0.2, 0.7, 1.9])
async def test_after_a_standstill_all_that_was_captured_comes_in_order(seconds: float) -> None:
    who = Who()
    live = await Live([(0.503, seconds)], seconds=1.0 + seconds, between=[who]).run()
    assert who.positions == list(range(0, 320 * len(who.positions), 320))
    assert sum(live.report.dropped.values()) == live.report.dropped.get("late", 0)


async def test_a_stage_that_fails_on_the_way_ends_the_run_as_ever() -> None:
    with pytest.raises(PipelineError, match="Who failed: ZeroDivisionError: odd"):
        await Live(seconds=1.0, between=[Who(fails_at=9)]).run()
    await asyncio.sleep(1.0)  # the timer of its end is gone then


async def test_a_lost_microphone_hands_over_to_its_task_and_back() -> None:
    who = Who()
    card = SimulatedCard()
    at = [(0.5, lambda live: live.card.mic.unplug()), (0.6, lambda live: live.card.mic.replug())]
    live = await Live(seconds=2.5, between=[who], card=card, at=at).run()
    assert live.report.devices[0].reconnections == 1
    assert who.tasks[-5:-1] == [None] * 4, "at once again"
    assert who.positions == sorted(set(who.positions))


async def _stopped(pieces: int, *, live: bool) -> tuple[BotStoppedSpeakingFrame, float, float]:
    """Play blocks as they come; return what tells of the end, and the times of that and of its telling.

    They count from when the last block came.
    """
    card = SimulatedCard()
    task = PipelineTask(Pipeline([SpeakerOutput(card.backend(), block_s=BLOCK_S)]))
    told: list[tuple[BotStoppedSpeakingFrame, float]] = []

    def tell(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, BotStoppedSpeakingFrame) and direction is FrameDirection.DOWNSTREAM:
            told.append((frame, virtual_loop().time()))

    task.subscribe(tell)
    running = asyncio.create_task(task.run())
    for n in range(pieces):
        await asyncio.sleep(0.3 if n == 0 else BLOCK_S)
        await task.queue_frame(OutputAudioFrame(b"\1\1" * 320, 16_000, 1, live=live))
    last_s = virtual_loop().time()
    await asyncio.sleep(2.0)
    task.end()
    await running
    [(frame, told_s)] = told
    assert frame.ended_s is not None
    return frame, frame.ended_s - last_s, told_s - last_s


@pytest.mark.parametrize("pieces", [1, 2, 10, 37, 60])
async def test_the_end_of_live_sound_is_told_with_its_time(pieces: int) -> None:
    """As that of made sound, though nobody waits for it."""
    made, *made_times = await _stopped(pieces, live=False)
    live, *live_times = await _stopped(pieces, live=True)
    assert live.position == made.position == 320 * pieces
    assert live_times == pytest.approx(made_times, abs=BLOCK_S)


async def test_an_end_behind_live_sound_waits_for_its_last_sample() -> None:
    card = SimulatedCard()
    task = PipelineTask(Pipeline([SpeakerOutput(card.backend(), block_s=BLOCK_S)]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    for _ in range(10):
        await task.queue_frame(OutputAudioFrame(b"\1\1" * 320, 16_000, 1, live=True))
    task.end()
    report = await running
    assert card.speaker.played().count(b"\1\1") == 3200
    assert not report.dropped
