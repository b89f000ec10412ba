"""A rewrite replaces what waits for the device, and positions and counts stay true however late it comes."""

from __future__ import annotations

import random
import threading
from collections import deque

import pytest

from backends.test_ring import (
    STEREO,
    beside,
    impatient_threads,  # noqa: F401  # a fixture: pytest finds it by its name here
    pcm,
    playback,
    set_after,
    values_of,
)
from voicepipe_devices.ring import PlaybackRing


def balance(ring: PlaybackRing) -> None:
    assert ring.written == ring.played + ring.queued + ring.dropped


def rest_of(ring: PlaybackRing) -> list[int]:
    return values_of(ring.pull(ring.queued)) if ring.queued else []


def test_what_waits_from_there_on_is_replaced() -> None:
    ring = playback()
    ring.write(pcm(range(1, 101)))
    assert values_of(ring.pull(10)) == list(range(1, 11))
    assert ring.rewrite(30, pcm([500] * 20))
    assert ring.queued == 40
    assert values_of(ring.pull(40)) == [*range(11, 31), *[500] * 20]
    assert (ring.played, ring.queued, ring.dropped, ring.written) == (50, 0, 0, 50)


@pytest.mark.parametrize("size", [0, 1, 20, 500])
@pytest.mark.parametrize("position", [10, 11, 60, 99, 100])
def test_it_may_be_shorter_or_longer_and_later_writes_follow_it(position: int, size: int) -> None:
    ring = playback(STEREO)
    ring.write(pcm(range(1, 61), STEREO))
    ring.write(pcm(range(61, 101), STEREO))
    ring.pull(10)
    assert ring.rewrite(position, pcm([900] * size, STEREO))
    ring.write(pcm([7] * 5, STEREO))
    balance(ring)
    due = [*range(11, position + 1), *[900] * size, *[7] * 5]
    assert ring.queued == len(due)
    assert values_of(ring.pull(len(due)), STEREO) == due
    balance(ring)
    assert ring.queued == 0


@pytest.mark.parametrize("late", [1, 20, 49, 50, 51, 70])
def test_what_is_late_is_left_out(late: int) -> None:
    ring = playback()
    ring.write(pcm(range(1, 101)))
    ring.pull(late)
    assert ring.rewrite(0, pcm(range(501, 551)))
    ring.write(pcm([7] * 3))
    pulled = values_of(ring.pull(200))
    due = [*range(501 + late, 551), *[7] * 3]
    assert pulled[: len(due)] == due
    assert not any(pulled[len(due) :])
    assert (ring.queued, ring.written) == (0, ring.played)
    balance(ring)


def test_the_last_of_several_counts() -> None:
    ring = playback()
    ring.write(pcm([1] * 100))
    ring.pull(10)
    ring.rewrite(20, pcm([2] * 50))
    ring.rewrite(40, pcm([3] * 5))
    ring.rewrite(45, pcm([4] * 2))
    assert ring.queued == 37
    assert rest_of(ring) == [*[1] * 10, *[2] * 20, *[3] * 5, *[4] * 2]
    balance(ring)


def test_a_rewrite_of_what_was_not_written_appends() -> None:
    ring = playback()
    ring.write(pcm([1] * 10))
    ring.rewrite(999, pcm([2] * 10))
    assert rest_of(ring) == [1] * 10 + [2] * 10
    balance(ring)


def test_none_while_a_flush_waits_and_one_after_it() -> None:
    ring = playback()
    ring.write(pcm([1_000] * 500))
    ring.flush()
    assert not ring.rewrite(0, pcm([2] * 10))
    ring.pull(100)
    assert ring.played == 80
    ring.write(pcm([3] * 50))
    assert ring.rewrite(90, pcm([4] * 10))
    assert rest_of(ring) == [3] * 10 + [4] * 10
    balance(ring)


def test_a_flush_behind_a_rewrite_fades_what_that_has_written() -> None:
    ring = playback()
    ring.write(pcm([1_000] * 500))
    ring.rewrite(0, pcm([8_000] * 300))
    ring.flush()
    pulled = values_of(ring.pull(100))
    assert pulled[0] == 8_000
    assert not any(pulled[80:])
    assert (ring.played, ring.dropped, ring.queued) == (80, 220, 0)
    balance(ring)


def test_a_rewrite_that_is_lost_with_the_device_leaves_the_books_in_order() -> None:
    ring = playback()
    ring.write(pcm([1] * 100))
    ring.rewrite(50, pcm([2] * 500))
    ring.discard()
    balance(ring)
    assert ring.queued == 0


def test_sound_that_is_still_to_come_in_is_kept_or_replaced() -> None:
    """As in a sound process: what was written before comes by another pipe."""
    for position, arrives_first in ((20, True), (20, False), (70, True), (70, False)):
        ring = playback()
        ring.write(pcm(range(1, 41)))
        if arrives_first:
            ring.write(pcm(range(41, 101)))
        ring.rewrite(position, pcm([500] * 30), came=100, overrun=0)
        if not arrives_first:
            assert values_of(ring.pull(5)) == [1, 2, 3, 4, 5], "nothing stands still meanwhile"
            ring.write(pcm(range(41, 101)))
        ring.write(pcm([7] * 4))
        due = [*range(1, position + 1), *[500] * 30, *[7] * 4]
        assert rest_of(ring) == due[0 if arrives_first else 5 :]
        balance(ring)


def test_sound_that_was_written_after_it_may_come_in_before_it() -> None:
    ring = playback()
    ring.write(pcm(range(1, 101)))
    ring.write(pcm([7] * 4))
    ring.rewrite(20, pcm([500] * 30), came=100, overrun=0)
    assert rest_of(ring) == [*range(1, 21), *[500] * 30, *[7] * 4]
    balance(ring)


class Model:
    """A ring as a list."""

    def __init__(self) -> None:
        self.waiting: deque[int] = deque()
        self.played: list[int] = []

    def rewrite(self, position: int, data: list[int]) -> None:
        kept = list(self.waiting)[: max(0, position - len(self.played))]
        self.waiting = deque(kept + data[max(0, len(self.played) - position) :])


def test_any_order_of_calls_is_what_the_model_says() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        ring, model, value = playback(), Model(), 1
        for _ in range(60):
            what = rng.choice(["write", "rewrite", "pull", "pull"])
            data = [value + n for n in range(rng.choice([0, 1, 5, 40]))]
            value = (value + len(data)) % 20_000 + 1
            if what == "write":
                ring.write(pcm(data))
                model.waiting.extend(data)
            elif what == "rewrite":
                end = len(model.played) + len(model.waiting)
                position = rng.randint(max(0, len(model.played) - 10), end)
                assert ring.rewrite(position, pcm(data))
                model.rewrite(position, data)
                ring.pull(0)
            else:
                count = rng.choice([1, 7, 30])
                got = values_of(ring.pull(count))
                due = [model.waiting.popleft() for _ in range(min(count, len(model.waiting)))]
                model.played += due
                assert got == due + [0] * (count - len(due)), seed
            assert ring.played == len(model.played), seed
            assert ring.queued == len(model.waiting), seed
            balance(ring)


@pytest.mark.usefixtures("impatient_threads")
def test_two_threads_and_many_rewrites_keep_positions_true() -> None:
    """Each sample's value is its position: whatever was rewritten when, that is what must be played."""
    ring, over = playback(), threading.Event()
    heard: list[int] = []

    every = memoryview(pcm(1 + position % 30_000 for position in range(1_000_000)))

    def values(begin: int, end: int) -> memoryview:
        return every[2 * begin : 2 * end]  # at once, or the other thread takes it all meanwhile

    def callback() -> None:
        last = False
        while not last:
            last = over.is_set() and not ring.queued
            before = ring.played
            heard.extend(values_of(ring.pull(37))[: ring.played - before])

    def loop() -> None:
        rng, end = random.Random(1), 0
        with set_after(over):
            for _ in range(300):
                if rng.random() < 0.5:
                    ring.write(values(end, end + 40))
                    end += 40
                else:
                    at = min(end, ring.played + rng.randrange(60))
                    ring.rewrite(at, values(at, at + 20_000))  # too long for all of it to be late
                    end = at + 20_000

    beside(loop, callback)
    assert heard == [1 + position % 30_000 for position in range(len(heard))]
    assert (ring.queued, ring.written) == (0, ring.played)
