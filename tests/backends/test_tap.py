"""The tap of a speaker's stream: what the device took, where, and when it sounds."""

from __future__ import annotations

import asyncio
import tracemalloc

import numpy as np
import pytest

from support.sound import BLOCK, RATE, noise
from voicepipe import AudioFormat
from voicepipe.devices.port import OutputStream, StreamRequest
from voicepipe.speakers import KEPT_S, Sounded
from voicepipe_devices.conversion import Renderer
from voicepipe_devices.fake import SimulatedCard
from voicepipe_devices.ring import PlaybackRing
from voicepipe_devices.tap import CallbackLine, SoundedRecord, Tap

AUDIO = AudioFormat(RATE)
TAPPED = StreamRequest(AUDIO, block_s=BLOCK / RATE, tap=True)


def do_nothing() -> None:
    pass


def all_of(stream: OutputStream) -> list[Sounded]:
    return list(iter(stream.heard, None))


async def playing(card: SimulatedCard, request: StreamRequest = TAPPED) -> OutputStream:
    stream = await card.backend().open_output(request, do_nothing)
    await stream.start()
    return stream


def assert_gapless(record: list[Sounded], size: int = 2, begin: int = 0) -> None:
    for block in record:
        assert block.position == begin
        begin += len(block.data) // size


# -- what the device took ------------------------------------------------------


@pytest.mark.parametrize("case", ["silence", "sound", "flush", "flush early", "rewrite", "late rewrite"])
async def test_the_record_is_what_came_out_sample_by_sample(case: str) -> None:
    card = SimulatedCard()
    stream = await playing(card)
    await asyncio.sleep(0.1)
    if case != "silence":
        stream.write(noise(0.3).tobytes())
    if case == "flush early":
        stream.flush()
    await asyncio.sleep(0.11)
    if case == "flush":
        stream.flush()
        stream.write(noise(0.05, seed=3).tobytes())
    elif case.endswith("rewrite"):
        late = 500 if case == "late rewrite" else -500
        assert stream.rewrite(stream.position - late, noise(0.2, seed=4).tobytes())
    await asyncio.sleep(1.0)
    record = all_of(stream)
    assert_gapless(record)
    assert b"".join(block.data for block in record) == card.speaker.played()
    assert case == "silence" or card.speaker.played().strip(b"\0")
    await stream.close()


async def test_an_underrun_moves_the_time_and_no_position() -> None:
    card = SimulatedCard()
    stream = await playing(card)
    await asyncio.sleep(0.1)
    before = all_of(stream)
    card.speaker.xrun(800)
    await asyncio.sleep(1.5)
    after = all_of(stream)
    assert_gapless(before + after)
    last = after[-1]
    late_s = last.sounds_s - before[0].sounds_s - AUDIO.seconds(last.position)
    assert late_s == pytest.approx(AUDIO.seconds(800))
    await stream.close()


async def test_who_reads_late_finds_four_seconds_and_sees_the_gap() -> None:
    card = SimulatedCard()
    stream = await playing(card)
    await asyncio.sleep(10.0)
    record = all_of(stream)
    assert record[0].position > 0
    assert_gapless(record, begin=record[0].position)
    kept_s = AUDIO.seconds(sum(len(block.data) for block in record) // 2)
    assert KEPT_S <= kept_s <= KEPT_S + 2 * TAPPED.block_s
    await stream.close()


async def test_without_a_wish_there_is_no_record() -> None:
    card = SimulatedCard()
    stream = await playing(card, StreamRequest(AUDIO))
    stream.write(noise(0.1).tobytes())
    await asyncio.sleep(0.5)
    assert stream.heard() is None
    await stream.close()


async def test_what_was_taken_before_a_loss_or_a_close_can_be_read_after_it() -> None:
    card = SimulatedCard()
    stream = await playing(card)
    stream.write(noise(0.1).tobytes())
    await asyncio.sleep(0.2)
    card.speaker.unplug()
    await stream.close()
    assert b"".join(block.data for block in all_of(stream)) == card.speaker.played()


def test_a_block_that_is_longer_than_the_record_stays_until_it_is_old() -> None:
    record = SoundedRecord(AUDIO)
    second = bytes(2 * RATE)
    record.add(10 * second, 0, 0.0)  # a file takes ten seconds at once
    assert record.take() == Sounded(10 * second, 0, 0.0)
    record.add(10 * second, 10 * RATE, 10.0)
    record.add(5 * second, 20 * RATE, 20.0)
    assert [record.take(), record.take()] == [Sounded(5 * second, 20 * RATE, 20.0), None]


# -- when it sounds ----------------------------------------------------------------

RATES = [
    (16_000, 16_000, 160),
    (16_000, 48_000, 480),
    (48_000, 16_000, 160),
    (16_000, 48_000, 37),
    (16_000, 44_100, 441),  # soxr from here on
    (44_100, 16_000, 160),
    (22_050, 48_000, 512),
    (24_000, 44_100, 1000),
]


@pytest.mark.parametrize(("written", "device", "block"), RATES)
def test_times_hold_over_a_change_of_the_rate(written: int, device: int, block: int) -> None:
    audio, hard = AudioFormat(written), AudioFormat(device)
    ring = PlaybackRing(audio, do_nothing)
    record: list[Sounded] = []
    tap = Tap(ring.pull, audio, lambda *noted: record.append(Sounded(*noted)), lambda: 0.0)
    tap.expect(device, 0.0)
    render = tap.pull if hard == audio else Renderer(hard, audio, tap.pull).render
    played, rounds = [], device // 2 // block
    for count in range(rounds):
        if count % 7 == 3:  # pulses of 2 ms, wherever the device is by then
            ring.write(pulse(written))
        played.append(tap.render(render, block, 5.0 + count * block / device))
    assert_gapless(record)
    recorded = b"".join(block.data for block in record)
    begin_s = record[0].sounds_s - 5.0
    assert record[-1].sounds_s - 5.0 == pytest.approx(record[-1].position / written)
    heard_s, noted_s = centre_s(b"".join(played), device), begin_s + centre_s(recorded, written)
    assert heard_s == pytest.approx(noted_s, abs=2e-6)


def pulse(rate: int) -> bytes:
    offsets = (np.arange(rate * 0.02) - rate * 0.01) / (rate * 0.002)
    return np.rint(20_000 * np.exp(-(offsets**2) / 2)).astype(np.int16).tobytes()


def centre_s(data: bytes, rate: int) -> float:
    """Return the time of the middle of all pulses but the last, which a filter may still hold."""
    sound = np.frombuffer(data, np.int16).astype(np.float64)
    edges = np.flatnonzero(np.diff((sound > 1_000).astype(np.int8)) == -1)
    sound = sound[: edges[-2] + rate // 200]
    return float(np.sum(np.arange(len(sound)) * sound) / np.sum(sound)) / rate


LATE = [0.004, 0.0, 0.019, 0.003, 0.0]


def test_without_stamps_the_earliest_callback_tells_the_time_of_all() -> None:
    line = CallbackLine()
    for count in range(200):
        played_s = count * 0.02
        found_s = line.time_s(100.0 + played_s + LATE[count % 5], played_s)
        assert count < 5 or found_s == pytest.approx(100.0 + played_s)


@pytest.mark.parametrize("ppm", [-300, 0, 300])
def test_the_line_follows_the_clock_of_the_device(ppm: int) -> None:
    line = CallbackLine()
    for count in range(5_000):
        played_s = count * 0.02
        true_s = 100.0 + played_s * (1 + 1e-6 * ppm)
        found_s = line.time_s(true_s + LATE[count % 5], played_s)
        assert count < 5 or abs(found_s - true_s) < 4e-4


@pytest.mark.parametrize("step_s", [-0.1, 0.1])
def test_the_line_follows_a_standstill_within_a_second(step_s: float) -> None:
    line = CallbackLine()
    found_s = true_s = 0.0
    for count in range(200):
        played_s = count * 0.02
        true_s = 100.0 + played_s + (step_s if count >= 100 else 0.0)
        found_s = line.time_s(true_s + LATE[count % 5], played_s)
    assert found_s == pytest.approx(true_s)


def test_a_line_keeps_no_more_than_it_needs() -> None:
    line = CallbackLine()
    tracemalloc.start()
    for count in range(10_000):
        line.time_s(count * 0.0201, count * 0.02)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10_000, "bytes: that of 50 callbacks, which are one second"


def test_a_tap_adds_the_latency_to_callbacks_without_a_stamp() -> None:
    record: list[Sounded] = []
    tap = Tap(
        lambda samples: bytes(2 * samples), AUDIO, lambda *noted: record.append(Sounded(*noted)), lambda: 7.0
    )
    tap.expect(RATE, 0.04)
    tap.render(tap.pull, 160, None)
    tap.render(tap.pull, 160, 99.0)
    assert record == [Sounded(bytes(320), 0, 7.04), Sounded(bytes(320), 160, 99.0)]
