"""Who holds a draining run up."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from support.stages import Recorder
from voicepipe import TextFrame
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
