"""What waits in a mailbox comes out in its order; who pushes waits afterwards, and is woken."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from support.stages import DOWN, UP
from voicepipe import (
    AudioFrame,
    ControlFrame,
    EndFrame,
    Frame,
    FrameDirection,
    OutputAudioFrame,
    SystemFrame,
    TextFrame,
)
from voicepipe.pipeline.mailbox import (
    CAPACITY,
    SYSTEM_CAPACITY,
    UPSTREAM_CAPACITY,
    Congestion,
    Mailbox,
    wake,
)


@dataclass(frozen=True, slots=True, eq=False)
class Alarm(SystemFrame):
    number: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Bell(SystemFrame):
    number: int = 0


@dataclass(frozen=True, slots=True)
class Siren(SystemFrame):
    """Compares by value, as a user's dataclass may."""

    number: int = 0


class Mark(ControlFrame):
    pass


def mailbox(capacity: int = CAPACITY) -> Mailbox:
    return Mailbox(capacity)


def texts(*names: str) -> list[TextFrame]:
    return [TextFrame(name) for name in names]


def speech(samples: int) -> AudioFrame:
    return AudioFrame(bytes(2 * samples))


def all_of(box: Mailbox) -> list[tuple[Frame, FrameDirection]]:
    taken = []
    while (entry := box.take()) is not None:
        taken.append(entry)
    return taken


def make_a_pusher_wait(box: Mailbox) -> None:
    box.add_waiter(asyncio.get_running_loop().create_future())


@pytest.mark.parametrize(
    "rare",
    [
        lambda box: box.put_down(Alarm()),
        lambda box: box.put_up(Alarm()),
        lambda box: box.put_up(TextFrame("up")),
        lambda box: box.put_end(EndFrame()),
        lambda box: box.close(lambda frame, direction: None),
        make_a_pusher_wait,
    ],
    ids=["system, down", "system, up", "upstream", "the end", "the close", "a pusher that waits"],
)
async def test_whatever_is_rare_makes_the_stage_ask_for_the_order(rare: Callable[[Mailbox], object]) -> None:
    box = mailbox()
    for _ in range(20):
        box.put_down(TextFrame("plain"))
    assert box.is_plain
    rare(box)
    assert not box.is_plain
    taken = all_of(box)
    closes = box.bypass is not None or any(isinstance(frame, EndFrame) for frame, _ in taken)
    assert box.is_plain is not closes


# -- order ---------------------------------------------------------------------


def test_downstream_frames_come_out_in_the_order_they_were_put() -> None:
    box = mailbox()
    frames: list[Frame] = [TextFrame("a"), Mark(), speech(5), TextFrame("b")]
    for frame in frames:
        box.put_down(frame)
    assert all_of(box) == [(frame, DOWN) for frame in frames]
    assert box.take() is None


def test_system_frames_go_first_whichever_way_they_travel() -> None:
    box = mailbox()
    text, alarm, bell = TextFrame("a"), Alarm(), Bell()
    box.put_down(text)
    box.put_up(bell)
    box.put_down(alarm)
    assert all_of(box) == [(bell, UP), (alarm, DOWN), (text, DOWN)]


def test_upstream_and_downstream_go_by_turns() -> None:
    box = mailbox()
    down, up = texts("a", "b", "c", "d"), texts("1", "2")
    for frame in down:
        box.put_down(frame)
    for frame in up:
        box.put_up(frame)
    a, b, c, d = ((frame, DOWN) for frame in down)
    one, two = ((frame, UP) for frame in up)
    assert all_of(box) == [a, one, b, two, c, d]


def test_upstream_alone_does_not_wait_for_its_turn() -> None:
    box = mailbox()
    up = texts("1", "2", "3")
    for frame in up:
        box.put_up(frame)
    assert all_of(box) == [(frame, UP) for frame in up]


def test_a_flood_from_either_side_does_not_starve_the_other() -> None:
    box = mailbox()
    for flooding, other in ((box.put_down, box.put_up), (box.put_up, box.put_down)):
        drop = TextFrame("drop")
        flooding(TextFrame("flood"))
        flooding(TextFrame("flood"))
        other(drop)
        taken = []
        for _ in range(3):
            flooding(TextFrame("flood"))
            entry = box.take()
            assert entry is not None
            taken.append(entry[0])
        assert drop in taken
        box.empty()


def test_the_end_stays_behind_data_that_came_before_it_from_either_side() -> None:
    box = mailbox()
    text, end, up = TextFrame("a"), EndFrame(), texts("1", "2", "3")
    box.put_down(text)
    box.put_end(end)
    for frame in up:
        box.put_up(frame)
    taken = all_of(box)
    assert taken[-1] == (end, DOWN)
    assert taken.index((text, DOWN)) < 2
    assert [frame for frame, way in taken if way is UP] == up


def test_what_is_behind_the_end_stays_there() -> None:
    box = mailbox()
    text, end = TextFrame("late"), EndFrame()
    box.put_end(end)
    box.put_down(text)
    assert all_of(box) == [(end, DOWN), (text, DOWN)]


def test_a_stage_that_waits_for_room_takes_system_frames_only() -> None:
    box = mailbox()
    alarm = Alarm()
    box.put_down(TextFrame("a"))
    box.put_up(TextFrame("b"))
    assert box.take_system() is None
    box.put_up(alarm)
    assert box.take_system() == (alarm, UP)
    assert box.take_system() is None
    assert len(all_of(box)) == 2


# -- room ----------------------------------------------------------------------


@pytest.mark.parametrize("capacity", [1, 2, 32, 1_000])
def test_put_never_refuses_and_returns_the_mailbox_once_it_is_over_capacity(capacity: int) -> None:
    box = mailbox(capacity)
    answers = [box.put_down(TextFrame(str(n))) for n in range(capacity * 2)]
    assert answers == [None] * capacity + [box] * capacity
    assert len(box.data) == capacity * 2
    assert box.congested


def test_a_mailbox_is_congested_over_its_capacity_and_not_at_it() -> None:
    box = mailbox(2)
    for expected in (False, False, True):
        box.put_down(TextFrame("a"))
        assert box.congested is expected
    box.take()
    assert not box.congested


def test_system_frames_and_upstream_frames_make_nobody_wait() -> None:
    box = mailbox(1)
    box.put_down(TextFrame("a"))
    box.put_down(TextFrame("b"))
    assert box.put_down(Alarm()) is None
    assert box.put_up(Alarm()) is None
    assert box.put_up(TextFrame("c")) is None


async def test_pushers_are_woken_when_half_of_the_room_is_free() -> None:
    box, loop = mailbox(8), asyncio.get_running_loop()
    for n in range(10):
        box.put_down(TextFrame(str(n)))
    waiters = [loop.create_future() for _ in range(3)]
    for waiter in waiters:
        box.add_waiter(waiter)
    while len(box.data) > 5:
        box.take()
        assert not any(waiter.done() for waiter in waiters)
    box.take()
    assert len(box.data) == 4
    assert all(waiter.done() for waiter in waiters)


async def test_a_mailbox_of_one_wakes_its_pusher_when_it_is_empty() -> None:
    box, waiter = mailbox(1), asyncio.get_running_loop().create_future()
    box.put_down(TextFrame("a"))
    box.put_down(TextFrame("b"))
    box.add_waiter(waiter)
    box.take()
    assert not waiter.done()
    box.take()
    assert waiter.done()


async def test_a_pusher_that_gave_up_is_not_woken_and_does_no_harm() -> None:
    box, loop = mailbox(1), asyncio.get_running_loop()
    gone, cancelled, waiting = (loop.create_future() for _ in range(3))
    for waiter in (gone, cancelled, waiting):
        box.add_waiter(waiter)
    box.remove_waiter(gone)
    box.remove_waiter(gone)
    cancelled.cancel()
    box.empty()
    assert not gone.done()
    assert waiting.done()


async def test_a_purge_and_an_emptying_wake_pushers_too() -> None:
    def purge(box: Mailbox) -> None:
        box.purge(lambda _: True)

    def empty(box: Mailbox) -> None:
        box.empty()

    for free in (purge, empty):
        box, waiter = mailbox(1), asyncio.get_running_loop().create_future()
        for name in "abc":
            box.put_down(TextFrame(name))
        box.add_waiter(waiter)
        free(box)
        assert waiter.done()
        assert not box.congested


# -- limits that drop ------------------------------------------------------------


def test_upstream_overflow_drops_the_oldest_and_counts_it() -> None:
    box = mailbox()
    frames = [AudioFrame(bytes(2 * n)) for n in range(UPSTREAM_CAPACITY + 10)]
    for frame in frames:
        assert box.put_up(frame) is None
    report = box.report("ear", box.held)
    assert report.dropped_frames == {"upstream_overflow": 10}
    assert report.dropped == {"upstream_overflow": sum(range(10))}
    assert report.balanced
    assert [frame for frame, _ in all_of(box)] == frames[10:]


def test_downstream_data_is_never_dropped_for_want_of_room() -> None:
    box = mailbox(1)
    for n in range(2_000):
        box.put_down(TextFrame(str(n)))
    assert len(all_of(box)) == 2_000
    assert not box.dropped_frames


def test_system_frames_of_one_kind_coalesce_to_the_newest() -> None:
    box = mailbox()
    alarms = [Alarm(n) for n in range(SYSTEM_CAPACITY + 36)]
    for alarm in alarms:
        box.put_down(alarm)
    assert [frame for frame, _ in all_of(box)] == alarms[36:]
    assert box.dropped_frames == {"coalesced": 36}
    assert box.report("ear").balanced


def test_system_frames_of_another_kind_do_not_give_way() -> None:
    box = mailbox()
    bells = [Bell(n) for n in range(10)]
    for bell in bells:
        box.put_up(bell)
    for n in range(SYSTEM_CAPACITY * 2):
        box.put_down(Alarm(n))
    taken = [frame for frame, _ in all_of(box)]
    assert taken[:10] == bells
    assert len(taken) == 10 + SYSTEM_CAPACITY
    assert box.dropped_frames == {"coalesced": SYSTEM_CAPACITY}


def test_frames_that_compare_by_value_coalesce_one_at_a_time() -> None:
    box = mailbox()
    for _ in range(SYSTEM_CAPACITY + 5):
        box.put_down(Siren(1))
    assert len(all_of(box)) == SYSTEM_CAPACITY
    assert box.dropped_frames == {"coalesced": 5}


# -- taking out ------------------------------------------------------------------


def test_a_purge_takes_the_data_that_it_is_told_to_in_order_and_leaves_the_rest() -> None:
    box = mailbox()
    a, b, c = texts("a", "b", "c")
    mark, audio, spoken, alarm, end = Mark(), speech(5), OutputAudioFrame(bytes(20)), Alarm(), EndFrame()
    for frame in (a, mark, spoken, audio, alarm, b, end):
        box.put_down(frame)
    box.put_up(c)
    assert box.purge(lambda frame: frame.interruptible) == [a, spoken, b, c]
    assert [frame for frame, _ in all_of(box)] == [alarm, mark, audio, end]


def test_a_purge_does_not_ask_about_system_frames() -> None:
    box = mailbox()
    box.put_down(Alarm())
    assert box.purge(lambda _: True) == []
    assert not box.is_empty


def test_emptying_gives_out_everything_system_frames_first_then_upstream() -> None:
    box = mailbox()
    text, up, alarm, bell = TextFrame("a"), TextFrame("1"), Alarm(), Bell()
    box.put_down(text)
    box.put_up(up)
    box.put_down(alarm)
    box.put_up(bell)
    assert box.empty() == [(alarm, DOWN), (bell, UP), (up, UP), (text, DOWN)]
    assert box.is_empty
    assert box.empty() == []


@pytest.mark.parametrize("frame", [TextFrame("a"), Alarm(), EndFrame(), speech(3)])
def test_a_mailbox_is_empty_when_nothing_of_any_kind_waits(frame: Frame) -> None:
    for direction in FrameDirection:
        box = mailbox()
        assert box.is_empty
        (box.put_down if direction is DOWN else box.put_up)(frame)
        assert not box.is_empty
        assert box.take() == (frame, direction)
        assert box.is_empty


def test_held_is_the_audio_that_waits_both_ways() -> None:
    box = mailbox()
    assert box.held == 0
    box.put_down(speech(5))
    box.put_down(TextFrame("a"))
    box.put_up(AudioFrame(bytes(40), channels=2))
    assert box.held == 15
    assert box.taken == 15
    box.take()
    assert box.held == 10
    box.empty()
    assert box.held == 0


# -- a stage that takes no more ----------------------------------------------------


def test_frames_pass_by_a_mailbox_with_a_bypass_and_are_not_in_its_books() -> None:
    box, elsewhere = mailbox(), mailbox()
    passed: list[tuple[Frame, FrameDirection]] = []

    def by(frame: Frame, direction: FrameDirection) -> Congestion | None:
        passed.append((frame, direction))
        return elsewhere

    box.close(by)
    frames: list[Frame] = [speech(5), Alarm(), EndFrame()]
    for frame in frames:
        assert box.put_down(frame) is elsewhere
        assert box.put_up(frame) is elsewhere
    assert passed == [(frame, way) for frame in frames for way in (DOWN, UP)]
    assert box.is_empty
    assert box.taken == 0


# -- the reader --------------------------------------------------------------------


@pytest.mark.parametrize("frame", [TextFrame("a"), Alarm(), EndFrame(), speech(3)])
@pytest.mark.parametrize("direction", FrameDirection)
async def test_the_reader_is_woken_by_whatever_is_put(frame: Frame, direction: FrameDirection) -> None:
    box = mailbox()
    reader = box.wait(asyncio.get_running_loop())
    assert not reader.done()
    for _ in range(2):  # twice does no harm
        (box.put_down if direction is DOWN else box.put_up)(frame)
        assert reader.done()


async def test_the_reader_can_be_woken_for_nothing_and_may_have_given_up() -> None:
    box, loop = mailbox(), asyncio.get_running_loop()
    box.wake()
    reader = box.wait(loop)
    box.wake()
    assert reader.done()
    box.wait(loop).cancel()
    box.put_down(TextFrame("a"))
    box.wait(loop).cancel()
    box.wake()
    assert len(all_of(box)) == 1


async def test_a_stage_that_waits_for_room_is_woken_by_system_frames_only() -> None:
    box, loop = mailbox(), asyncio.get_running_loop()
    waiter = loop.create_future()
    box.expect_system(waiter)
    box.put_down(TextFrame("a"))
    box.put_up(TextFrame("b"))
    assert not waiter.done()
    box.put_up(Alarm())
    assert waiter.done()
    unexpected = loop.create_future()
    box.expect_system(unexpected)
    box.expect_system(None)
    box.put_down(Alarm())
    assert not unexpected.done()


async def test_waking_nobody_or_somebody_awake_does_nothing() -> None:
    wake(None)
    waiter = asyncio.get_running_loop().create_future()
    wake(waiter)
    wake(waiter)
    assert waiter.done()


# -- any sequence --------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(30))
def test_any_sequence_keeps_each_sides_order_and_a_balanced_ledger(seed: int) -> None:
    choose = random.Random(seed)
    box = mailbox(choose.randrange(1, 8))
    put: dict[FrameDirection, list[Frame]] = {DOWN: [], UP: []}
    out: dict[FrameDirection, list[Frame]] = {DOWN: [], UP: []}
    for _ in range(400):
        direction = choose.choice((DOWN, UP))
        match choose.randrange(10):
            case 0 | 1 | 2 | 3 | 4 | 5:
                frame: Frame = choose.choice((speech(choose.randrange(20)), TextFrame("a"), Mark()))
                full = (box.put_down if direction is DOWN else box.put_up)(frame)
                assert (full is box) == (direction is DOWN and len(box.data) > box.capacity)
                put[direction].append(frame)
            case 6:
                for frame in box.purge(lambda frame: frame.interruptible):
                    box.drop(frame, "interrupted")
                    put[DOWN if frame in put[DOWN] else UP].remove(frame)
            case _:
                entry = box.take()
                if entry is not None:
                    out[entry[1]].append(entry[0])
                    if isinstance(entry[0], AudioFrame):
                        box.given += entry[0].num_samples
        assert box.report("ear", box.held).balanced
    for frame, direction in box.empty():
        out[direction].append(frame)
    assert out == put
