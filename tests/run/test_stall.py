"""Who holds a draining run up."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

import pytest

from support.stages import Does, Recorder
from voicepipe import (
    AudioFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    Pipeline,
    PipelineTask,
    TextFrame,
)
from voicepipe.pipeline.task_seat import TaskSeat
from voicepipe.run.stall import StallWatch


class Loop:
    """No task is made here."""


def test_it_is_never_told_to_look_again_at_a_time_that_has_come() -> None:
    """The sum of a time and a limit, and the difference of two times, are rounded each in its own way."""
    draw = random.Random(1)
    for _ in range(2_000):
        seat = TaskSeat(Recorder(), "recorder", cast(Any, Loop()))
        seat.work.current = TextFrame("held")
        began, limit = draw.uniform(0, 1e5), draw.uniform(0.1, 20)
        watch = StallWatch([seat], limit, began)
        now = began
        while True:
            stuck, due = watch.look(now)
            if stuck:
                break
            assert due > now
            now = due


def test_what_the_loop_stood_still_does_not_count() -> None:
    seat = TaskSeat(Recorder(), "recorder", cast(Any, Loop()))
    seat.work.current = TextFrame("held")
    watch = StallWatch([seat], 2.0, 0.0)
    stuck, due = watch.look(0.0)
    for _ in range(5):
        assert not stuck
        stuck, due = watch.look(due + 10.0)  # it was to be looked at then, and the loop stood still
    while not stuck and due < 100.0:
        stuck, due = watch.look(due)
    assert stuck[0][1].seconds == pytest.approx(2.0, abs=0.01)


async def test_a_stage_that_handles_one_object_again_and_again_is_not_stuck() -> None:
    """Each handling takes most of the limit: only the call itself is another each time."""

    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(1.5)

    task = PipelineTask(Pipeline([Does(slowly, "slow")]), limits=Limits(stall_s=2.0, drain_s=60.0))
    silence = AudioFrame(bytes(320))
    for _ in range(8):
        await task.queue_frame(silence)
    task.end()
    report = await task.run()
    assert (report.slow, report.forced, report.dropped_frames) == ((), (), {})
