"""The record of what a speaker's device took, in memory that is shared with its sound process."""

from __future__ import annotations

import asyncio
import mmap
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from backends.test_tap import all_of, assert_gapless
from support.backends import inside, outside
from support.sound import noise, until
from voicepipe import AudioFormat
from voicepipe.devices.port import StreamRequest
from voicepipe.speakers import KEPT_S, Sounded
from voicepipe_devices.sound_process.shared_page import SharedPage, make_page
from voicepipe_devices.sound_process.shared_record import SharedRecord, record_bytes
from voicepipe_devices.sound_process.streams import FarOutput

RATE, BLOCK = 16_000, 160
REQUEST = StreamRequest(AudioFormat(RATE, 2), block_s=BLOCK / RATE, tap=True)


def block(number: int, samples: int = BLOCK) -> bytes:
    """Return a block unlike all others."""
    return number.to_bytes(4, "little") * samples


@pytest.fixture
def ends() -> Iterator[tuple[SharedRecord, SharedRecord]]:
    """The two ends: that of the sound process, and that of the program."""
    with ExitStack() as stack:
        descriptor = make_page(record_bytes(REQUEST))
        pages = [SharedPage(os.dup(descriptor)) for _ in range(2)]
        os.close(descriptor)
        for page in pages:
            stack.callback(page.close)
        yield pages[0].keep_record(REQUEST), pages[1].keep_record(REQUEST)


def add(record: SharedRecord, numbers: range) -> None:
    for number in numbers:
        record.add(block(number), number * BLOCK, number / 100)


def sounded(number: int) -> Sounded:
    return Sounded(block(number), number * BLOCK, number / 100)


def rest_of(record: SharedRecord) -> list[Sounded]:
    return list(iter(record.take, None))


def test_what_is_added_there_is_read_here_once(ends: tuple[SharedRecord, SharedRecord]) -> None:
    there, here = ends
    assert here.take() is None
    add(there, range(2))
    assert rest_of(here) == [sounded(0), sounded(1)]
    add(there, range(2, 900))
    assert here.take() == sounded(rest_of(here)[0].position // BLOCK - 1)


@pytest.mark.parametrize("added", [1, 399, 401, 402, 403, 404, 1_000, 5_000])
def test_who_reads_late_finds_the_last_four_seconds(
    ends: tuple[SharedRecord, SharedRecord], added: int
) -> None:
    there, here = ends
    add(there, range(added))
    found = rest_of(here)
    assert found == [sounded(number) for number in range(added - len(found), added)]
    assert len(found) >= min(added, KEPT_S * 100)


def test_blocks_of_any_size_fit(ends: tuple[SharedRecord, SharedRecord]) -> None:
    there, here = ends
    position = 0
    for samples in (1, 7, 160, 48_000, 3, 63_000, 64_319, 64_320, 500):
        there.add(block(samples, samples), position, 0.5)
        assert here.take() == Sounded(block(samples, samples), position, 0.5)
        position += samples
    there.add(block(9, 100_000), position, 0.5)  # longer than all that is kept
    last = here.take()
    assert last is not None
    assert last.data == block(9, 64_320)
    assert last.position == position + 100_000 - 64_320


@pytest.mark.parametrize("place", [128, 136, 144, 152, 160, -1])
def test_an_entry_that_does_not_add_up_is_a_gap(ends: tuple[SharedRecord, SharedRecord], place: int) -> None:
    there, here = ends
    add(there, range(3))
    first_sample = len(here._memory) - len(here._ring)
    here._memory[place if place > 0 else first_sample + 11] ^= 1  # as if it were being written
    assert rest_of(here) == [sounded(1), sounded(2)]


@pytest.mark.real_time
@pytest.mark.heavy
def test_a_reader_beside_a_writer_never_reads_what_is_torn(ends: tuple[SharedRecord, SharedRecord]) -> None:
    there, here = ends
    writer = threading.Thread(target=add, args=(there, range(20_000)))
    writer.start()
    numbers = []
    while writer.is_alive():
        for found in rest_of(here):
            assert found == sounded(found.position // BLOCK)
            numbers.append(found.position // BLOCK)
    writer.join()
    numbers += [found.position // BLOCK for found in rest_of(here)]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 19_999


def test_what_was_not_read_outlives_the_memory(ends: tuple[SharedRecord, SharedRecord]) -> None:
    there, here = ends
    add(there, range(5))
    here.take()
    here.close()
    here.close()
    add(there, range(5, 9))
    assert rest_of(here) == [sounded(number) for number in range(1, 5)]


def test_nobody_pays_who_does_not_ask() -> None:
    request = StreamRequest(AudioFormat(48_000, 2))
    assert record_bytes(request) == 0
    descriptor = make_page(record_bytes(request))
    page = SharedPage(os.dup(descriptor))
    assert os.fstat(descriptor).st_size == mmap.PAGESIZE
    assert page.record is None
    page.close()
    os.close(descriptor)


# -- real processes ------------------------------------------------------------------


@pytest.mark.real_time
@pytest.mark.heavy
@pytest.mark.parametrize("backend", [outside, inside])
async def test_a_stream_tells_what_its_device_took(backend: object) -> None:
    stream = await (outside if backend is outside else inside)("well").open_output(REQUEST, lambda: None)
    await stream.start()
    sound = noise(0.1, seed=1).tobytes() * 2
    stream.write(sound)
    await stream.drain()
    record = all_of(stream)
    await stream.close()
    record += all_of(stream)
    assert_gapless(record, size=4)
    told = b"".join(each.data for each in record)
    assert told[told.index(sound[:40]) :].startswith(sound)
    first, last = record[0], record[-1]
    now_s = asyncio.get_running_loop().time()
    assert now_s - 2 < first.sounds_s < last.sounds_s < now_s + 0.1
    lasted_s = REQUEST.format.seconds(last.position - first.position)
    assert last.sounds_s - first.sounds_s == pytest.approx(lasted_s, abs=0.2)  # the first may come late


@pytest.mark.real_time
@pytest.mark.heavy
async def test_a_process_that_is_killed_leaves_what_its_device_took() -> None:
    stream = await outside("well").open_output(REQUEST, lambda: None)
    assert isinstance(stream, FarOutput)
    await stream.start()
    stream.write(noise(0.2).tobytes() * 2)
    await until(lambda: stream.position > 1_000)
    os.kill(stream.handle.process._process.pid, signal.SIGKILL)
    await until(lambda: stream.error is not None)
    await stream.close()
    record = all_of(stream)
    assert_gapless(record, size=4)
    assert sum(len(each.data) for each in record) // 4 >= stream.position > 1_000
