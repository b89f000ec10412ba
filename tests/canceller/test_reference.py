"""What sounded while a block was captured, by time: scripted clocks, and all that may happen to them."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from canceller.scripted_clocks import (
    Device,
    Jitter,
    Jump,
    Room,
    card,
    errors,
    late,
    listen,
    losses,
    movement,
    no_jitter,
    noisy,
    quantised,
    read_noted,
    run,
)
from canceller.scripts import broken_rules, script
from voicepipe.canceller.reference.reference import Reference
from voicepipe.speakers import Sounded, Tapped

RATE = 16_000
BLOCK = 160
LEAD = 64


def tapped(number: int, data: bytes, position: int, at_s: float, stream: int = 0, rate: int = RATE) -> Tapped:
    return Tapped(number, stream, rate, 1, Sounded(data, position, at_s))


def block(value: int = 1000, samples: int = BLOCK) -> bytes:
    return np.full(samples, value, np.int16).tobytes()


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("seed", range(4))
def test_every_rule_holds_whatever_the_clocks_do(seed: int) -> None:
    assert list(broken_rules(script(seed))) == []


JITTERS = {
    "a card's": card,
    "true": no_jitter,
    "0.1 ms late": late(0.0001),
    "1 ms late": late(0.001),
    "whole milliseconds": quantised(0.001),
    "noisy by 0.3 ms": noisy(0.0003),
}


@pytest.mark.parametrize("jitter", JITTERS.values(), ids=JITTERS)
@pytest.mark.heavy(after=1)
def test_on_one_clock_nothing_ever_moves_whatever_stamps_do(jitter: Jitter) -> None:
    room = Room(Device(jitter=jitter, ppm=40), (Device(jitter=jitter, ppm=40),), seconds=10)
    looks = listen(room)
    assert movement(looks, 2, 10) < 1e-6
    assert looks[-1].realignments == 0
    assert abs(errors(looks)[-1]) < 0.003 * RATE


@pytest.mark.heavy(after=2)
@pytest.mark.parametrize("ppm", [-12, 8, -8, 0, 12])
def test_within_12_ppm_samples_are_copied(ppm: float) -> None:
    looks = listen(Room(Device(jitter=late(0.0001)), (Device(ppm=ppm, jitter=late(0.0001)),), seconds=10))
    assert {look.ppm for look in looks} == {0.0}
    assert looks[-1].realignments == 0


@pytest.mark.heavy(after=2)
@pytest.mark.parametrize("ppm", [-300, 50, -150, 150])
def test_another_clock_is_followed_between_samples(ppm: float) -> None:
    looks = listen(Room(Device(jitter=late(0.0001)), (Device(ppm=ppm, jitter=late(0.0001)),), seconds=14))
    assert abs(-looks[-1].ppm - ppm) < 7
    assert movement(looks, 1.5, 2.5) < 2.0
    assert movement(looks, 10, 11) < 0.1
    assert movement(looks, 12, 14) < 0.2
    assert looks[-1].realignments == 0


def test_another_clock_is_followed_through_stamps_of_whole_milliseconds() -> None:
    jitter = quantised(0.001)
    looks = listen(Room(Device(jitter=jitter), (Device(ppm=300, jitter=jitter),), seconds=16))
    assert movement(looks, 12, 13) < 2.0  # 4.8 where it is not followed


@pytest.mark.parametrize("side", ["microphone", "speaker"])
def test_behind_a_step_the_reference_is_where_it_was(side: str) -> None:
    jumps = tuple(Jump(3.0 + nth, 0.0300625 + nth / 16_000) for nth in range(5))  # whole samples
    jumps_of = {"microphone": (), "speaker": (), side: jumps}
    mic, speaker = (Device(jitter=late(0.0002), jumps=its) for its in jumps_of.values())
    looks = listen(Room(mic, (speaker,), seconds=9))
    assert abs(errors(looks)[-1] - errors(looks, 2.0)[0]) < 2.0
    for jump in jumps:
        behind = errors(looks, jump.at_s + 0.6, jump.at_s + 0.9)
        assert abs(behind[0] - errors(looks, jump.at_s - 0.2)[0]) < 0.8


@pytest.mark.heavy(after=4)
@pytest.mark.parametrize("jitter", [card, late(0.001), quantised(0.001)], ids=["card", "late", "quantised"])
@pytest.mark.parametrize("ppm", [0, 150])
@pytest.mark.parametrize("side", ["microphone", "speaker"])
def test_a_loss_that_nobody_told_of_is_seen_at_once(side: str, ppm: float, jitter: Jitter) -> None:
    jumps = losses(3, 8.0, 7, (0.01, 0.06))
    mic = Device(jitter=jitter, jumps=jumps if side == "microphone" else ())
    speaker = Device(jitter=jitter, ppm=ppm, jumps=jumps if side == "speaker" else ())
    looks = listen(Room(mic, (speaker,), seconds=9))
    assert looks[-1].realignments <= len(jumps) + 1
    for jump in jumps:
        settled = jump.at_s + jump.by_s + 0.08
        assert max(map(abs, errors(looks, settled, settled + 0.2))) < 0.005 * RATE


def test_a_loss_of_the_speaker_is_in_its_place_before_it_is_heard() -> None:
    jump = Jump(5.0, 0.03)
    looks = listen(Room(speakers=(Device(jumps=(jump,)),), seconds=7, out_s=0.08))
    assert max(map(abs, errors(looks))) < 1.0


def test_a_speaker_that_loses_time_is_silent_meanwhile() -> None:
    room = Room(speakers=(Device(jumps=(Jump(5.0, 0.03),)),), seconds=7, out_s=0.08)
    tone = run(room, lambda places, _: np.full(len(places), 8_000.0), Reference(RATE))
    heard = np.concatenate([block.far for block in tone if block.far is not None and block.at_s > 0.9995])
    silent = np.flatnonzero(heard == 0.0)
    assert np.array_equal(silent, 4 * RATE - LEAD + np.arange(0.03 * RATE))


@pytest.mark.parametrize("by_s", [-0.2, -0.02, 0.02, 0.2])
@pytest.mark.heavy(after=1)
def test_another_delay_is_followed(by_s: float) -> None:
    looks = listen(Room(speakers=(Device(jumps=(Jump(5.0, by_s),)),), seconds=7))
    assert looks[-1].realignments == 1
    assert max(map(abs, errors(looks, 5.25))) < 1.0


@pytest.mark.heavy
def test_thirty_losses_do_not_bend_the_slope() -> None:
    jumps = losses(30, 60.0, 3)
    looks = listen(Room(Device(jumps=jumps[:15]), (Device(jumps=jumps[15:]),), seconds=60.0))
    assert max(abs(look.ppm) for look in looks) <= 5.0  # parts of samples are made up behind a loss
    assert looks[-1].realignments == 30


def test_a_standstill_of_the_program_moves_nothing() -> None:
    looks = listen(Room(stands=((4.0, 4.8), (6.0, 8.5)), seconds=10))
    assert looks[-1].realignments == 0
    assert max(map(abs, errors(looks))) < 0.1


def test_another_device_at_another_rate_is_aligned_as_the_first() -> None:
    first = Device(end_s=5.0)
    second = Device(48_000, ppm=100, begin_s=5.4, channels=2)
    looks = listen(Room(speakers=(first, second), seconds=12))
    assert max(map(abs, errors(looks, 0, 4.9))) < 0.1
    assert max(map(abs, errors(looks, 7.4))) < 5.0
    assert movement(looks, 7.4, 8.4) < 0.3


def test_a_device_that_is_back_has_the_clock_that_it_had() -> None:
    first = Device(ppm=100, end_s=6.0)
    looks = listen(Room(speakers=(first, Device(ppm=100, begin_s=6.5)), seconds=9))
    assert movement(looks, 6.6, 7.6) < 0.3


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 48_000])
def test_sound_of_another_rate_is_converted(rate: int) -> None:
    looks = listen(Room(speakers=(Device(rate),), seconds=3, sounds=lambda at_s: at_s > 0.7))
    beside = errors(looks, 0.8)
    assert len(beside) > 100
    assert max(map(abs, beside)) < 0.3


# -- what it gives -------------------------------------------------------------------------


def test_samples_are_copied_bit_for_bit_a_few_milliseconds_early() -> None:
    reference = Reference(RATE)
    sound = np.random.default_rng(1).integers(-30_000, 30_000, 10 * BLOCK).astype(np.int16)
    for number in range(10):
        at = number * BLOCK
        reference.put("it", tapped(number, sound[at : at + BLOCK].tobytes(), at, 9.0 + at / RATE))
    assert reference.lead == LEAD
    heard = read_noted(reference, 0, 9.02, BLOCK)
    assert heard is not None
    begin = 320 + LEAD
    assert np.array_equal(heard, sound[begin : begin + BLOCK].astype(np.float32) / 32_768)


def test_two_speakers_are_added() -> None:
    reference = Reference(RATE)
    for number in range(5):
        for speaker, value in (("one", 1000), ("other", 234)):
            reference.put(speaker, tapped(number, block(value), number * BLOCK, number * 0.01))
    heard = read_noted(reference, 0, 0.0, BLOCK)
    assert heard is not None
    assert np.allclose(heard * 32_768, 1234)


def test_without_a_speaker_there_is_nothing_and_nothing_to_wait_for() -> None:
    reference = Reference(RATE)
    assert reference.is_in(1e9)
    assert read_noted(reference, 0, 1.0, BLOCK) is None


def test_a_silent_speaker_is_nothing_and_half_a_second_of_tail_is_zeros() -> None:
    reference = Reference(RATE)
    read: list[str] = []
    for number in range(200):
        data = block() if 50 <= number < 100 else bytes(2 * BLOCK)
        reference.put("it", tapped(number, data, number * BLOCK, number * 0.01))
        heard = read_noted(reference, number * BLOCK, number * 0.01 - 0.02, BLOCK)
        read.append("none" if heard is None else "sound" if heard.any() else "zeros")
    counts = [(kind, read.count(kind)) for kind in ("none", "sound", "zeros")]
    assert read[0] == read[-1] == "none"
    assert dict(counts) == {"none": 200 - 51 - 51, "sound": 51, "zeros": 51}


def test_a_gap_in_the_record_is_silent() -> None:
    reference = Reference(RATE)
    for number in range(20):
        if not 5 <= number < 10:
            reference.put("it", tapped(number, block(), number * BLOCK, number * 0.01))
    heard = [read_noted(reference, n * BLOCK, n * 0.01, BLOCK) for n in range(15)]
    assert all(one is not None for one in heard)
    sound = np.concatenate([one for one in heard if one is not None])
    silent = np.flatnonzero(sound == 0.0)
    assert (silent[0], len(silent)) == (5 * BLOCK - LEAD, 5 * BLOCK)


def test_the_old_stream_is_heard_to_its_end_beside_the_new_one() -> None:
    reference = Reference(RATE)
    for number in range(10):
        reference.put("it", tapped(number, block(100), number * BLOCK, number * 0.01))
    for number in range(10):
        at_s = 0.1 + number * 0.01
        reference.put("it", tapped(10 + number, block(200), number * BLOCK, at_s, stream=1))
    heard = [read_noted(reference, n * BLOCK, n * 0.01, BLOCK) for n in range(20)]
    values = [None if one is None else round(float(one[0]) * 32_768) for one in heard]
    assert values[:10] == [100] * 10
    assert values[10:20] == [200] * 10


# -- what it waits for ---------------------------------------------------------------------


def test_it_waits_for_a_speaker_that_goes_on_and_not_for_a_dead_one() -> None:
    reference = Reference(RATE)
    for number in range(100):
        reference.put("it", tapped(number, block(), number * BLOCK, number * 0.01))
    assert reference.is_in(0.98)
    assert not reference.is_in(1.0)
    assert not reference.is_in(1.2)
    assert reference.is_in(1.5)


# -- stamps that are wrong -----------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0.0, math.nan, math.inf, -1.0, 1e12])
@pytest.mark.parametrize("side", ["microphone", "speaker"])
def test_single_wrong_stamps_change_nothing(side: str, wrong: float) -> None:
    reference = Reference(RATE)
    for number in range(400):
        at_s = 100.0 + number * 0.01
        is_wrong = number % 7 == 3
        sounds_s = wrong if is_wrong and side == "speaker" else at_s
        captured_s = wrong if is_wrong and side == "microphone" else at_s - 0.05
        value = 5000 if 200 <= number < 210 else 1000
        reference.put("it", tapped(number, block(value), number * BLOCK, sounds_s))
        heard = read_noted(reference, number * BLOCK, captured_s, BLOCK)
        if number >= 6:
            assert heard is not None
            assert round(float(heard[0]) * 32_768) == (5000 if 205 <= number < 215 else 1000)
    assert reference.realignments == 0


def test_a_microphone_whose_stamps_go_back_a_little_moves_nothing() -> None:
    looks = listen(Room(Device(jitter=noisy(0.006)), seconds=10))
    assert looks[-1].realignments <= 1
    assert movement(looks, 2, 10) < 4.0


@pytest.mark.parametrize("side", ["microphone", "speaker"])
def test_stamps_that_are_late_by_milliseconds_are_no_steps(side: str) -> None:
    busy, true = Device(jitter=late(0.003)), Device()
    mic, speaker = (busy, true) if side == "microphone" else (true, busy)
    assert listen(Room(mic, (speaker,), seconds=10, seed=1))[-1].realignments == 0


def test_one_late_stamp_of_a_long_block_is_not_seen_five_times() -> None:
    reference = Reference(RATE)
    for number in range(300):
        reference.put("it", tapped(number, block(), number * BLOCK, number * 0.01))
        late_s = 0.004 if number // 5 == 40 else 0.0  # blocks of 50 ms, cut in five
        read_noted(reference, number * BLOCK, number * 0.01 + late_s, BLOCK)
    assert reference.steps == 0


def test_a_loss_of_the_microphone_that_is_told_needs_no_five_blocks() -> None:
    reference = Reference(RATE)
    ramp = np.arange(400 * BLOCK) % 30_000
    position = 0
    for number in range(400):
        at = number * BLOCK
        reference.put(
            "it", tapped(number, ramp[at : at + BLOCK].astype(np.int16).tobytes(), at, number * 0.01)
        )
        if number == 200:
            position += 4000  # the device tells a loss, of another length than it has
        heard = read_noted(reference, position, (number - 10) * 0.01, BLOCK)
        position += BLOCK
        if number > 10:
            assert heard is not None
            assert round(float(heard[0]) * 32_768) == ((number - 10) * BLOCK + LEAD) % 30_000
    assert reference.steps == 1


@pytest.mark.parametrize("lost", [40, 4_000])
def test_a_loss_of_the_microphone_that_is_told_moves_nothing(lost: int) -> None:
    reference = Reference(RATE)
    ramp, ahead = np.arange(460 * BLOCK) % 30_000, 60
    for number in range(460):
        at = number * BLOCK
        data = ramp[at : at + BLOCK].astype(np.int16).tobytes()
        reference.put("it", tapped(number, data, at, number * 0.01))
        if number < ahead:
            continue
        position = at - ahead * BLOCK + (lost if number >= 200 else 0)
        heard = read_noted(reference, position, position / RATE, BLOCK)
        assert heard is not None
        assert round(float(heard[0]) * 32_768) == (position + LEAD) % 30_000
    assert (reference.realignments, reference.steps) == (0, 0)


# -- times that are noted ahead ------------------------------------------------------------


def noted_ahead(lost: int, step_block: int = 200) -> tuple[Reference, list[tuple[int, bool, int, bool]]]:
    """A microphone that loses so many samples, and is read once nothing is in doubt.

    Returns the reference, and for each block: the first sample that it heard, in doubt, lost, true.
    """
    reference, ramp = Reference(RATE), np.arange(600 * BLOCK) % 30_000
    waiting: list[tuple[int, int]] = []
    read: list[tuple[int, bool, int, bool]] = []
    for number in range(400):
        at = number * BLOCK
        data = ramp[at : at + BLOCK].astype(np.int16).tobytes()
        reference.put("it", tapped(number, data, at, number * 0.01))
        if number < 40 or number % 2:
            continue
        position = (number - 40) * BLOCK
        true = position + (lost if number >= step_block else 0)
        waiting.append((position, true))
        if reference.note(position, true / RATE, 2 * BLOCK):
            continue
        for begin, place in waiting:
            for part in (0, BLOCK):
                heard = reference.read(begin + part, BLOCK)
                first = -1 if heard is None else round(float(heard[0]) * 32_768)
                is_true = first == (place + part + LEAD) % 30_000
                read.append((first, len(waiting) > 1, reference.lost, is_true))
        waiting.clear()
    return reference, read


@pytest.mark.parametrize("lost", [80, 320, 1_000])
def test_no_block_behind_a_loss_is_read_from_the_wrong_place(lost: int) -> None:
    reference, read = noted_ahead(lost)
    assert all(is_true for _, _, _, is_true in read)
    assert reference.steps == reference.realignments == 1
    assert [each for _, _, each, _ in read if each] == [lost]


@pytest.mark.parametrize("lost", [80, 320])
def test_times_are_in_doubt_for_at_most_five_blocks(lost: int) -> None:
    _, read = noted_ahead(lost)
    assert sum(waited for _, waited, _, _ in read) == 2 * (3 if lost > 128 else 5)


def test_a_step_is_taken_where_reading_comes_to_it() -> None:
    reference, ramp = Reference(RATE), np.arange(200 * BLOCK) % 30_000
    for number in range(200):
        at = number * BLOCK
        data = ramp[at : at + BLOCK].astype(np.int16).tobytes()
        reference.put("it", tapped(number, data, at, number * 0.01))
    for number in range(100):
        reference.note(number * BLOCK, number * 0.01 + (0.02 if number >= 60 else 0.0), BLOCK)
        if number == 20:
            reference.read(20 * BLOCK, BLOCK)
    for number in range(21, 100):
        heard = reference.read(number * BLOCK, BLOCK)
        assert heard is not None
        expected = number * BLOCK + LEAD + (320 if number >= 60 else 0)
        assert round(float(heard[0]) * 32_768) == expected % 30_000


@pytest.mark.parametrize("ppm", [0.0, 200.0])
def test_what_sounded_before_a_block_is_in_a_line_with_it(ppm: float) -> None:
    reference, position, heard = Reference(RATE), 0, None
    tone = np.rint(9_000 * np.sin(np.arange(400 * BLOCK) * 0.3)).astype(np.int16)
    for number in range(300):
        at = number * BLOCK
        reference.put(
            "it", tapped(number, tone[at : at + BLOCK].tobytes(), at, number * 0.01 * (1 + ppm * 1e-6))
        )
        if number > 20:
            position += 320 if number == 200 else 0
            heard = read_noted(reference, position, position / RATE, BLOCK)
            position += BLOCK
    assert heard is not None
    line = np.concatenate([reference.read_before(4_800), heard])
    places = np.arange(len(line)) * 0.3
    basis = np.stack([np.sin(places), np.cos(places)], axis=1)
    left = line - basis @ np.linalg.lstsq(basis, line, rcond=None)[0]
    assert np.max(np.abs(left)) < 0.02 * np.max(np.abs(line)) + 10 * ppm * 1e-6


def test_nothing_sounded_before_where_there_is_no_speaker() -> None:
    reference = Reference(RATE)
    read_noted(reference, 0, 1.0, BLOCK)
    assert not reference.read_before(320).any()


# -- what it costs -------------------------------------------------------------------------


def test_its_memory_is_bounded_and_silence_takes_none() -> None:
    reference = Reference(RATE)

    def play(begin: int, end: int, data: bytes) -> None:
        for number in range(begin, end):
            reference.put("it", tapped(number, data, number * BLOCK, number * 0.01))
            read_noted(reference, number * BLOCK, number * 0.01, BLOCK)

    play(0, 20, bytes(2 * BLOCK))
    tracemalloc.start()
    play(20, 1_000, bytes(2 * BLOCK))
    silent, _ = tracemalloc.get_traced_memory()
    play(1_000, 2_500, block())
    loud, _ = tracemalloc.get_traced_memory()
    play(2_500, 3_500, bytes(2 * BLOCK))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert silent < 20_000
    assert 256_000 < loud < 300_000
    assert after < 30_000
