"""A user who stays silent after the program's speech."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.talk import STOP_S, Talk
from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    FrameDirection,
    IdleTimer,
    Interrupter,
    Pipeline,
    UserIdleFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)

ASK = (0.0, "question", 0.5)
HEARD_S = 0.5 + STOP_S + 0.1 + 1.0 + 0.8
"""The end of the answer to it."""


def idle_talk(*said: tuple[float, str, float], idle_s: float = 5.0, until_s: float = 60.0) -> Talk:
    done = Talk(Pipeline([Interrupter(), IdleTimer(idle_s)]))
    done.run(said, until_s=until_s)
    return done


def test_it_tells_once_per_silence() -> None:
    done = idle_talk(ASK)
    assert done.times_of(UserIdleFrame) == [pytest.approx(HEARD_S + 0.3 + 5.0)]


def test_each_silence_counts() -> None:
    done = idle_talk(ASK, (20.0, "more", 0.5))
    assert len(done.of(UserIdleFrame)) == 2


def test_nothing_counts_before_the_program_has_spoken() -> None:
    done = Talk(Pipeline([IdleTimer(5.0)]))
    done.run([(1.0, "", 0.5)])
    assert done.of(UserIdleFrame) == []


def test_it_counts_from_the_heard_end_not_from_when_it_became_known() -> None:
    done = Talk(Pipeline([IdleTimer(5.0)]))

    async def speak() -> None:
        await asyncio.sleep(1.0)
        await done.mouth.push_frame(BotStartedSpeakingFrame(), FrameDirection.UPSTREAM)
        await asyncio.sleep(3.0)
        await done.mouth.push_frame(BotStoppedSpeakingFrame(ended_s=3.25), FrameDirection.UPSTREAM)

    done.run([], speak)
    assert done.times_of(UserIdleFrame) == [pytest.approx(8.25)]
    [fact] = done.of(UserIdleFrame)
    assert isinstance(fact, UserIdleFrame)
    assert fact.silent_s == pytest.approx(5.0)


@pytest.mark.parametrize("begins_s", [0.1, 1.0, 4.0, 4.8])
def test_a_user_who_speaks_is_not_idle(begins_s: float) -> None:
    # The answer to what the user says begins another silence.
    begin_s = HEARD_S + 0.4 + begins_s
    done = idle_talk(ASK, (begin_s, "more", 0.5))
    answered_s = begin_s + 0.5 + STOP_S + 0.1 + 1.0 + 0.4 + 0.3
    assert done.times_of(UserIdleFrame) == [pytest.approx(answered_s + 5.0)]


def test_a_user_who_speaks_for_long_is_not_idle() -> None:
    done = idle_talk(ASK, (4.0, "more", 20.0), until_s=24.0)
    assert done.of(UserIdleFrame) == []


def test_a_program_that_thinks_for_long_is_not_waiting() -> None:
    done = Talk(Pipeline([Interrupter(), IdleTimer(2.0)]), llm_s=30.0)
    done.run([ASK, (33.0, "question", 0.5)], until_s=80.0)
    assert done.times_of(UserIdleFrame) == [pytest.approx(33.9 + 30.0 + 0.8 + 0.3 + 2.0)]


def test_a_noise_that_nobody_answers_begins_the_count_again() -> None:
    done = idle_talk(ASK, (5.0, "", 0.5))
    assert done.times_of(UserIdleFrame) == [pytest.approx(5.5 + 5.0)]


def test_it_goes_both_ways() -> None:
    up: list[object] = []
    done = Talk(Pipeline([IdleTimer(1.0)]))
    done.task.subscribe(lambda frame, way: up.append(frame) if way is FrameDirection.UPSTREAM else None)
    done.run([ASK])
    assert [fact for fact in up if isinstance(fact, UserIdleFrame)] == done.of(UserIdleFrame) != []


def test_a_timer_is_left_by_no_run() -> None:
    timer = IdleTimer(1_000.0)
    for _ in range(2):
        done = Talk(timer)
        done.run([ASK], until_s=5.0)
        assert done.of(UserIdleFrame) == []


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: IdleTimer(0.0), ValueError),
        (lambda: IdleTimer(-1.0), ValueError),
        (lambda: IdleTimer(float("inf")), ValueError),
        (lambda: IdleTimer("5"), TypeError),  # type: ignore[arg-type]  # it is to be refused
        (lambda: IdleTimer(None), TypeError),  # type: ignore[arg-type]  # it is to be refused
    ],
)
def test_a_wrong_time_is_refused(make: Callable[[], object], error: type[Exception]) -> None:
    with pytest.raises(error, match="idle_s"):
        make()


def test_user_facts_of_any_origin_count() -> None:
    done = Talk(Pipeline([IdleTimer(5.0)]))

    async def speak() -> None:
        await done.mouth.push_frame(BotStoppedSpeakingFrame(), FrameDirection.UPSTREAM)
        await asyncio.sleep(1.0)
        await done.task.queue_frame(UserStartedSpeakingFrame(origin="kitchen"))
        await asyncio.sleep(9.0)
        await done.task.queue_frame(UserStoppedSpeakingFrame(origin="kitchen"))

    done.run([], speak)
    assert done.times_of(UserIdleFrame) == [pytest.approx(15.0)]
