"""Audio crosses between a callback's thread and the loop: nothing is lost but what is counted as lost."""

from __future__ import annotations

import array
import asyncio
import itertools
import random
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import NamedTuple

import numpy as np
import pytest

from voicepipe import AudioFormat
from voicepipe.devices.port import Block
from voicepipe_devices.ring import RAMP_S, CaptureRing, Doorbell, PlaybackRing

MONO, STEREO = AudioFormat(16_000), AudioFormat(48_000, 2)
ALL_FORMATS = [MONO, STEREO, AudioFormat(1_000, 3)]
RAMP = MONO.samples(RAMP_S)
STEP = 1.001
"""A ramp's values are cut to whole ones."""


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """Threads take turns a thousand times as often as usual."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def beside(work: Callable[[], None], other: Callable[[], None]) -> None:
    """Run one here and the other in a thread; an exception in either one is raised."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            other()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded, name="callback")
    thread.start()
    try:
        work()
    finally:
        thread.join()
    assert errors == []


@contextmanager
def set_after(event: threading.Event) -> Iterator[None]:
    """However it goes: the other thread waits for this."""
    try:
        yield
    finally:
        event.set()


def pcm(values: Iterable[int], format_: AudioFormat = MONO) -> bytes:
    """So many samples, with the same value in every channel."""
    return np.repeat(np.fromiter(values, np.int16), format_.channels).tobytes()


def values_of(data: bytes, format_: AudioFormat = MONO) -> list[int]:
    """The samples, each of which must be the same in every channel."""
    audio = np.frombuffer(data, np.int16).reshape(-1, format_.channels)
    assert (audio == audio[:, :1]).all()
    return [int(value) for value in audio[:, 0]]


class Calls:
    """Counts how often it was called."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


# -- from the microphone ---------------------------------------------------------


def capture(samples: int = 1_000, format_: AudioFormat = MONO) -> CaptureRing:
    return CaptureRing(format_, samples / format_.rate, Calls())


def drained(ring: CaptureRing) -> list[Block]:
    blocks = []
    while (block := ring.take()) is not None:
        blocks.append(block)
    return blocks


def test_captured_blocks_come_out_in_order_with_their_places_and_times() -> None:
    notify = Calls()
    ring = CaptureRing(STEREO, 1.0, notify)
    datas = [pcm(range(n), STEREO) for n in (10, 20, 30)]
    for n, data in enumerate(datas):
        ring.store(data, n / 10)
        assert notify.count == n + 1
    assert ring.held == 60
    assert drained(ring) == [Block(datas[0], 0, 0.0), Block(datas[1], 10, 0.1), Block(datas[2], 30, 0.2)]
    assert ring.held == 0
    assert ring.take() is None


def test_a_full_ring_loses_its_oldest_block_and_the_position_jumps() -> None:
    ring = capture(1_000)
    for n in range(15):
        ring.store(pcm([n] * 100), float(n))
        assert ring.held <= 1_000
    blocks = drained(ring)
    assert [block.position for block in blocks] == list(range(500, 1_500, 100))
    assert [values_of(block.data)[0] for block in blocks] == list(range(5, 15))
    report = ring.report("mic", {})
    assert (report.taken, report.given, report.held, report.dropped) == (
        1_500,
        1_000,
        0,
        {"mic_overflow": 500},
    )


def test_a_ring_that_is_full_to_the_sample_loses_nothing() -> None:
    ring = capture(1_000)
    for _ in range(10):
        ring.store(bytes(200), 0.0)
    assert (ring.held, ring.report("mic", {}).dropped) == (1_000, {})
    ring.store(bytes(2), 0.0)
    assert (ring.held, ring.report("mic", {}).dropped) == (901, {"mic_overflow": 100})


def test_a_block_that_is_larger_than_the_ring_is_lost_and_counted() -> None:
    ring = capture(100)
    ring.store(bytes(2 * 101), 0.0)
    assert ring.take() is None
    assert ring.report("mic", {}).dropped == {"mic_overflow": 101}
    ring.store(bytes(2 * 100), 0.0)
    block = ring.take()
    assert block is not None
    assert block.position == 101


def test_a_block_that_the_loop_takes_in_the_midst_of_a_store_is_given_and_not_lost() -> None:
    taken: list[Block | None] = []

    class Raced(CaptureRing):
        @property
        def held(self) -> int:
            held = super().held
            if held > 100:
                taken.append(self.take())
            return held

    ring = Raced(MONO, 100 / MONO.rate, Calls())
    ring.store(bytes(2 * 150), 0.5)
    assert taken == [Block(bytes(2 * 150), 0, 0.5)]
    report = ring.report("mic", {})
    assert (report.taken, report.given, report.held, report.dropped) == (150, 150, 0, {})


def test_a_block_that_the_loop_takes_as_soon_as_it_is_there_is_in_the_books_already() -> None:
    ring = capture()
    seen: list[tuple[Block | None, int, bool]] = []

    def take_in_the_midst(frame: FrameType, event: str, called: object) -> None:
        """Where a thread switch could be: the callback has just put the block into the queue."""
        if event == "c_return" and getattr(called, "__name__", "") == "append":
            sys.setprofile(None)
            seen.append((ring.take(), ring.held, ring.report("mic", {}).balanced))

    sys.setprofile(take_in_the_midst)
    try:
        ring.store(bytes(20), 0.5)
    finally:
        sys.setprofile(None)
    assert seen == [(Block(bytes(20), 0, 0.5), 0, True)]
    assert ring.held == 0


def test_what_the_device_lost_makes_the_position_jump_and_is_counted() -> None:
    ring = capture()
    ring.store(bytes(20), 0.0)
    ring.skip(7)
    ring.store(bytes(20), 0.1)
    assert [block.position for block in drained(ring)] == [0, 17]
    report = ring.report("mic", {})
    assert (report.taken, report.given, report.dropped) == (27, 20, {"mic_overflow": 7})


def test_a_closed_intake_takes_nothing_more_and_keeps_what_is_there() -> None:
    notify = Calls()
    ring = CaptureRing(MONO, 1.0, notify)
    ring.store(bytes(20), 0.0)
    ring.close_intake()
    ring.close_intake()
    ring.store(bytes(40), 0.1)
    assert (ring.held, notify.count) == (10, 1)
    assert [block.position for block in drained(ring)] == [0]
    report = ring.report("mic", {})
    assert (report.taken, report.given, report.held, report.dropped) == (10, 10, 0, {})


def test_what_the_reader_dropped_is_in_the_report_and_was_not_given() -> None:
    ring = capture(100)
    for _ in range(3):
        ring.store(bytes(2 * 50), 0.0)
    drained(ring)
    dropped = {"muted": 30, "mic_overflow": 20}
    report = ring.report("mic", dropped)
    assert (report.taken, report.given, report.held) == (150, 50, 0)
    assert report.dropped == {"muted": 30, "mic_overflow": 70}
    assert report.balanced
    assert dropped == {"muted": 30, "mic_overflow": 20}


@pytest.mark.parametrize("format_", ALL_FORMATS, ids=str)
def test_any_sequence_of_captures_is_accounted_for_to_the_sample(format_: AudioFormat) -> None:
    for seed in range(100):
        choose = random.Random(seed)
        limit = choose.randrange(1, 200)
        ring = CaptureRing(format_, limit / format_.rate, Calls())
        model: deque[Block] = deque()
        stored = lost = given = 0
        for step in range(100):
            samples = choose.randrange(40)
            match choose.randrange(5):
                case 0 | 1:
                    model.append(Block(pcm([step] * samples, format_), stored, step / 10))
                    stored += samples
                    ring.store(model[-1].data, step / 10)
                    while stored - lost - given > limit:
                        lost += len(model.popleft().data) // format_.sample_bytes
                case 2:
                    ring.skip(samples)
                    stored, lost = stored + samples, lost + samples
                case _:
                    expected = model.popleft() if model else None
                    assert ring.take() == expected
                    given += len(expected.data) // format_.sample_bytes if expected else 0
            report = ring.report("mic", {})
            held = sum(len(block.data) // format_.sample_bytes for block in model)
            assert ring.held == report.held == held, seed
            assert (report.taken, report.given, sum(report.dropped.values())) == (stored, given, lost), seed


@pytest.mark.usefixtures("impatient_threads")
@pytest.mark.parametrize("limit", [1, 60, 1_000_000])
def test_two_threads_at_a_capture_ring_lose_only_what_is_counted(limit: int) -> None:
    number = 12_000
    ring = CaptureRing(MONO, limit / MONO.rate, Calls())
    stored = threading.Event()
    got: list[Block] = []

    def callback() -> None:
        with set_after(stored):
            for n in range(number):
                ring.store(pcm([n] * (1 + n % 20)), float(n))

    def loop() -> None:
        over = False
        while not over:
            over = stored.is_set()
            got.extend(drained(ring))
            report = ring.report("mic", {})
            assert report.balanced
            assert report.held >= 0

    beside(loop, callback)
    report = ring.report("mic", {})
    lost = end = 0
    for block in got:
        assert block.position >= end
        assert block.data == pcm([int(block.captured_s)] * (len(block.data) // 2))
        lost += block.position - end
        end = block.position + len(block.data) // 2
    lost += report.taken - end
    assert report.taken == sum(1 + n % 20 for n in range(number))
    assert report.given == sum(len(block.data) // 2 for block in got)
    assert (report.held, ring.held) == (0, 0)
    assert lost == sum(report.dropped.values()) == report.taken - report.given
    if limit > report.taken:
        assert lost == 0


@pytest.mark.usefixtures("impatient_threads")
def test_an_intake_that_is_closed_in_the_midst_of_a_callback_leaves_balanced_books() -> None:
    for _ in range(100):
        ring = capture(500)
        begun, over = threading.Event(), threading.Event()
        beside(partial(close_when_begun, ring, begun, over), partial(store_until, ring, begun, over))
        stood = ring.report("mic", {})
        ring.store(bytes(20), 0.0)
        assert ring.report("mic", {}) == stood
        assert sum(len(block.data) // 2 for block in drained(ring)) == stood.held
        assert ring.held == 0


def store_until(ring: CaptureRing, begun: threading.Event, over: threading.Event) -> None:
    while not over.is_set():
        ring.store(bytes(20), 0.0)
        begun.set()


def close_when_begun(ring: CaptureRing, begun: threading.Event, over: threading.Event) -> None:
    with set_after(over):
        begun.wait(5)
        ring.close_intake()


# -- to the speaker ----------------------------------------------------------------


class Books(NamedTuple):
    """A playback ring's counters."""

    written: int
    played: int
    dropped: int
    queued: int


def books(ring: PlaybackRing) -> Books:
    return Books(ring.written, ring.played, ring.dropped, ring.queued)


def playback(format_: AudioFormat = MONO, notify: Callable[[], None] | None = None) -> PlaybackRing:
    return PlaybackRing(format_, notify or Calls())


def test_what_was_written_is_pulled_in_order_across_blocks_of_any_size() -> None:
    ring = playback()
    written = list(range(1, 1_001))
    for start in range(0, 1_000, 250):
        ring.write(pcm(written[start : start + 250]))
    pulled: list[int] = []
    for size in (1, 79, 160, 0, 260, 500):
        data = ring.pull(size)
        assert len(data) == 2 * size
        pulled += values_of(data)
    assert pulled == written
    assert books(ring) == (1_000, 1_000, 0, 0)


def test_where_there_is_too_little_there_are_zeros_behind_it() -> None:
    ring = playback(STEREO)
    assert ring.pull(50) == bytes(200)
    ring.write(pcm([7] * 30, STEREO))
    assert values_of(ring.pull(50), STEREO) == [7] * 30 + [0] * 20
    assert books(ring) == (30, 30, 0, 0)
    assert ring.pull(50) == bytes(200)


def test_nothing_written_is_nothing() -> None:
    ring = playback()
    ring.write(b"")
    assert books(ring) == (0, 0, 0, 0)


def test_a_view_is_written_as_the_bytes_that_it_shows() -> None:
    ring = playback()
    samples = pcm(range(1, 101))
    ring.write(memoryview(samples)[20:60])
    ring.write(memoryview(array.array("h", range(1, 101))))
    assert ring.written == 120
    assert values_of(ring.pull(60)) == [*range(11, 31), *range(1, 41)]
    assert values_of(ring.pull(60)) == list(range(41, 101))
    assert books(ring) == (120, 120, 0, 0)


def ramp(values: list[int]) -> list[float]:
    """A straight line from where the audio is to nothing."""
    return [value * (1 - place / len(values)) for place, value in enumerate(values)]


def test_a_flush_is_a_ramp_of_5_ms_and_then_silence() -> None:
    ring = playback()
    ring.write(pcm([10_000] * 1_000))
    ring.pull(100)
    ring.flush()
    heard = values_of(ring.pull(320))
    assert RAMP == 80
    assert heard[:RAMP] == pytest.approx(ramp([10_000] * RAMP), abs=STEP)
    assert heard[0] == 10_000
    assert all(later < before for before, later in itertools.pairwise(heard[: RAMP + 1]))
    assert heard[RAMP:] == [0] * (320 - RAMP)
    assert ring.pull(320) == bytes(640)
    assert books(ring) == (1_000, 180, 820, 0)


def test_a_flush_fades_all_channels_alike() -> None:
    ring = playback(STEREO)
    ring.write(pcm([9_000] * 1_000, STEREO))
    ring.flush()
    assert values_of(ring.pull(480), STEREO)[:240] == pytest.approx(ramp([9_000] * 240), abs=STEP)
    assert books(ring) == (1_000, 240, 760, 0)


def test_what_is_written_after_a_flush_is_heard_right_behind_the_ramp() -> None:
    ring = playback()
    ring.write(pcm([10_000] * 1_000))
    ring.flush()
    ring.write(pcm(range(1, 301)))
    assert ring.queued == 1_300
    heard = values_of(ring.pull(320)) + values_of(ring.pull(320))
    assert heard[RAMP : RAMP + 300] == list(range(1, 301))
    assert heard[RAMP + 300 :] == [0] * (640 - RAMP - 300)
    assert books(ring) == (1_300, RAMP + 300, 1_000 - RAMP, 0)


def test_a_flush_with_less_than_a_ramp_to_play_fades_that() -> None:
    ring = playback()
    ring.write(pcm([8_000] * 20))
    ring.flush()
    assert values_of(ring.pull(320)) == pytest.approx([*ramp([8_000] * 20), *[0] * 300], abs=STEP)
    assert books(ring) == (20, 20, 0, 0)


def test_a_flush_fades_within_a_block_that_is_shorter_than_the_ramp() -> None:
    ring = playback()
    ring.write(pcm([10_000] * 1_000))
    ring.flush()
    heard = values_of(ring.pull(32))
    assert heard == pytest.approx(ramp([10_000] * 32), abs=STEP)
    assert books(ring) == (1_000, 32, 968, 0)
    assert ring.pull(32) == bytes(64)


def test_a_flush_goes_on_with_the_block_that_was_begun() -> None:
    ring = playback()
    ring.write(pcm(range(10_000, 10_500)))
    ring.pull(300)
    ring.flush()
    assert values_of(ring.pull(160))[:RAMP] == pytest.approx(
        ramp(list(range(10_300, 10_300 + RAMP))), abs=STEP
    )
    assert books(ring) == (500, 300 + RAMP, 200 - RAMP, 0)


def test_a_flush_of_nothing_is_over_with_the_next_block() -> None:
    notify = Calls()
    ring = playback(notify=notify)
    assert not ring.flushing
    ring.flush()
    assert ring.flushing
    assert ring.pull(160) == bytes(320)
    assert not ring.flushing
    assert notify.count == 1
    ring.write(pcm([5] * 10))
    assert values_of(ring.pull(10)) == [5] * 10


def test_several_flushes_before_a_block_forget_what_came_before_the_last_one() -> None:
    ring = playback()
    for value in (10_000, 20_000, 30_000):
        ring.write(pcm([value] * 200))
        ring.flush()
    ring.write(pcm([5] * 50))
    heard = values_of(ring.pull(200))
    assert heard[:RAMP] == pytest.approx(ramp([10_000] * RAMP), abs=STEP)
    assert heard[RAMP:] == [5] * 50 + [0] * (150 - RAMP)
    assert not ring.flushing
    assert books(ring) == (650, RAMP + 50, 600 - RAMP, 0)


def test_a_flush_takes_what_is_still_to_come_in_too() -> None:
    ring = playback()
    ring.write(pcm([10_000] * 200))
    ring.flush(until=500)
    heard = values_of(ring.pull(200))
    assert heard == pytest.approx(ramp([10_000] * RAMP) + [0] * (200 - RAMP), abs=STEP)
    assert not ring.flushing
    assert (ring.played, ring.dropped) == (RAMP, 500 - RAMP)
    ring.write(pcm([7] * 150))
    assert values_of(ring.pull(100)) == [0] * 100
    ring.write(pcm([7] * 150 + [8] * 50))  # cut anywhere
    assert values_of(ring.pull(100)) == [8] * 50 + [0] * 50
    assert books(ring) == (550, RAMP + 50, 500 - RAMP, 0)


def test_a_discard_forgets_everything_and_says_how_much() -> None:
    ring = playback()
    ring.write(pcm([5] * 100))
    ring.pull(30)
    ring.flush()
    ring.write(pcm([6] * 50))
    assert ring.discard() == 120
    assert books(ring) == (150, 30, 120, 0)
    assert not ring.flushing
    assert ring.discard() == 0
    ring.write(pcm([7] * 10))
    assert values_of(ring.pull(20)) == [7] * 10 + [0] * 10


def test_the_notice_comes_once_when_so_few_samples_wait() -> None:
    notify = Calls()
    ring = playback(notify=notify)
    ring.write(pcm([5] * 500))
    ring.notify_at(200)
    for queued, calls in ((400, 0), (300, 0), (200, 1), (100, 1), (0, 1)):
        ring.pull(100)
        assert (ring.queued, notify.count) == (queued, calls)


def test_the_notice_comes_at_once_where_so_few_samples_wait_already() -> None:
    notify = Calls()
    ring = playback(notify=notify)
    ring.write(pcm([5] * 100))
    ring.notify_at(100)
    assert notify.count == 1
    ring.pull(50)
    assert notify.count == 1
    ring.notify_at(49)
    assert notify.count == 1
    ring.pull(1)
    assert notify.count == 2


def test_the_callback_gives_no_notice_that_nobody_asked_for() -> None:
    notify = Calls()
    ring = playback(notify=notify)
    ring.write(pcm([5] * 100))
    for _ in range(5):
        ring.pull(50)
    assert notify.count == 0


class Model:
    """What a playback ring does, in a few slow lines."""

    def __init__(self, format_: AudioFormat) -> None:
        self.format = format_
        self.queue: list[int] = []
        self.flushes: list[int] = []
        self.written = self.played = self.dropped = 0

    def write(self, values: list[int]) -> None:
        self.queue += values
        self.written += len(values)

    def flush(self) -> None:
        self.flushes.append(len(self.queue))

    def pull(self, samples: int) -> list[float]:
        faded: list[float] = []
        if self.flushes:
            most = min(samples, self.format.samples(RAMP_S), self.flushes[0])
            faded = ramp(self.queue[:most])
            self.dropped += self.flushes[-1] - most
            del self.queue[: self.flushes[-1]]
            self.flushes = []
        plain = self.queue[: samples - len(faded)]
        del self.queue[: len(plain)]
        self.played += len(faded) + len(plain)
        return [*faded, *plain, *[0] * (samples - len(faded) - len(plain))]


@pytest.mark.parametrize("format_", ALL_FORMATS, ids=str)
def test_any_sequence_of_writes_flushes_and_pulls_is_heard_and_counted_as_it_should_be(
    format_: AudioFormat,
) -> None:
    for seed in range(100):
        choose = random.Random(seed)
        ring, model = playback(format_), Model(format_)
        for _ in range(60):
            match choose.randrange(6):
                case 0 | 1:
                    values = [choose.randrange(1, 30_000)] * choose.randrange(0, 400)
                    ring.write(pcm(values, format_))
                    model.write(values)
                case 2:
                    ring.flush()
                    model.flush()
                case _:
                    samples = choose.randrange(1, 300)
                    data = ring.pull(samples)
                    assert len(data) == samples * format_.sample_bytes, seed
                    heard, expected = np.array(values_of(data, format_)), np.array(model.pull(samples))
                    assert np.abs(heard - expected).max() <= STEP, seed
            assert books(ring) == (model.written, model.played, model.dropped, len(model.queue)), seed
            assert ring.flushing == bool(model.flushes), seed


@pytest.mark.usefixtures("impatient_threads")
def test_two_threads_at_a_playback_ring_lose_and_double_nothing() -> None:
    ring = playback()
    written = [1 + n % 30_000 for n in range(60_000)]
    over = threading.Event()
    heard: list[bytes] = []

    def callback() -> None:
        last = False
        while not last:
            last = over.is_set() and not ring.queued
            heard.append(ring.pull(37))

    def loop() -> None:
        place, step = 0, 1
        with set_after(over):
            while place < len(written):
                ring.write(pcm(written[place : place + step]))
                place, step = place + step, 1 + step % 97
                ring.notify_at(step)

    beside(loop, callback)
    assert {len(data) for data in heard} == {74}
    assert [value for data in heard for value in values_of(data) if value] == written
    assert books(ring) == (len(written), len(written), 0, 0)


@pytest.mark.usefixtures("impatient_threads")
def test_two_threads_and_many_flushes_keep_the_books_and_what_follows_the_last_flush() -> None:
    tail = list(range(1, 500))
    for seed in range(10):
        ring, over = playback(), threading.Event()
        heard: list[bytes] = []
        beside(partial(write_and_flush, ring, over, seed, tail), partial(pull_until, ring, over, heard))
        assert {len(data) for data in heard} == {320}
        played = [value for data in heard for value in values_of(data)]
        while not played[-1]:
            played.pop()
        assert played[-len(tail) :] == tail, seed
        assert (ring.written, ring.queued, ring.flushing) == (ring.played + ring.dropped, 0, False), seed


def pull_until(ring: PlaybackRing, over: threading.Event, heard: list[bytes]) -> None:
    last = False
    while not last and len(heard) < 100_000:
        last = over.is_set() and not ring.queued and not ring.flushing
        heard.append(ring.pull(160))


def write_and_flush(ring: PlaybackRing, over: threading.Event, seed: int, tail: list[int]) -> None:
    choose = random.Random(seed)
    with set_after(over):
        for _ in range(200):
            ring.write(pcm([20_000] * choose.randrange(1, 500)))
            if choose.random() < 0.5:
                ring.flush()
        ring.flush()
        ring.write(pcm(tail))


# -- the bell ------------------------------------------------------------------------


async def test_however_often_it_rings_a_bell_is_answered_once() -> None:
    answer = Calls()
    bell = Doorbell(asyncio.get_running_loop(), answer)
    for _ in range(2):
        before = answer.count
        for _ in range(5):
            bell.ring()
        assert answer.count == before
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert answer.count == before + 1


async def test_a_ring_while_it_is_answered_is_answered_again() -> None:
    answered: list[float] = []

    def answer() -> None:
        answered.append(asyncio.get_running_loop().time())
        if len(answered) < 3:
            bell.ring()
            bell.ring()

    bell = Doorbell(asyncio.get_running_loop(), answer)
    bell.ring()
    await asyncio.sleep(1)
    assert len(answered) == 3


def test_a_ring_at_a_closed_loop_is_heard_by_nobody_and_does_no_harm() -> None:
    loop = asyncio.new_event_loop()
    answer = Calls()
    bell = Doorbell(loop, answer)
    loop.close()
    for _ in range(3):
        bell.ring()
    assert answer.count == 0


@pytest.mark.real_time
@pytest.mark.usefixtures("impatient_threads")
async def test_no_ring_from_another_thread_is_lost() -> None:
    left, got = deque[int](), list[int]()
    done = asyncio.Event()
    here = threading.get_ident()

    def answer() -> None:
        assert threading.get_ident() == here
        while left:
            got.append(left.popleft())
        if len(got) == 20_000:
            done.set()

    bell = Doorbell(asyncio.get_running_loop(), answer)

    def ring() -> None:
        for n in range(20_000):
            left.append(n)
            bell.ring()

    thread = threading.Thread(target=ring)
    thread.start()
    async with asyncio.timeout(5):
        await done.wait()
    thread.join()
    assert got == list(range(20_000))
    await asyncio.sleep(0)
