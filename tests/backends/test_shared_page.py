"""The memory that a program shares with the sound process of its speaker, and the end of the pipe there."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from support.backends import outside
from voicepipe import AudioFormat, DeviceLostError
from voicepipe.census.census import take_census
from voicepipe.devices.port import StreamRequest
from voicepipe.testing.backend_checks import Bell
from voicepipe_devices.sound_process.shared_page import Progress, SharedPage, make_page
from voicepipe_devices.sound_process.sound_pipe import SoundPipe, make_roomy
from voicepipe_devices.sound_process.streams import FarOutput

NOTHING = Progress()
SOME = Progress(7, 480, 20, 3, 1, 2, 5, 11_000_000, 99_000_000_000)
REQUEST = StreamRequest(AudioFormat(16_000), block_s=0.01)


@pytest.fixture
def pages() -> Iterator[tuple[SharedPage, SharedPage]]:
    """The two ends: that of the sound process, and that of the program."""
    with ExitStack() as stack:
        descriptor = make_page()
        there, here = (SharedPage(os.dup(descriptor)) for _ in range(2))
        os.close(descriptor)
        stack.callback(there.close)
        stack.callback(here.close)
        yield there, here


def test_what_is_noted_there_is_seen_here(pages: tuple[SharedPage, SharedPage]) -> None:
    there, here = pages
    assert here.look(NOTHING) is NOTHING
    there.note(SOME)
    assert here.look(NOTHING) == SOME
    assert here.look(SOME) is SOME


@pytest.mark.parametrize("at", range(0, 80, 8))
def test_what_is_half_written_is_not_believed(at: int) -> None:
    descriptor = make_page()
    with mmap.mmap(descriptor, mmap.PAGESIZE) as memory:
        page = SharedPage(descriptor)
        first, second, third = (
            Progress(*(number + 1000 * n for number in SOME))._replace(calls=7 + n) for n in range(3)
        )
        page.note(first)
        page.note(second)
        place, calls = bytes(memory[128:208]), bytes(memory[256:264])
        page.note(third)
        memory[128 + at : 208] = place[at:]
        assert page.look(second).played != third.played
        memory[256:264] = calls  # as its writer leaves it until all is written
        assert page.look(first) == second
        page.note(third)
        assert page.look(second) == third
        page.close()


def test_a_wish_is_reached_once_and_the_same_wish_once_more(pages: tuple[SharedPage, SharedPage]) -> None:
    there, here = pages
    assert not there.reaches_wish(1 << 40), "there is none at first"
    for _ in range(600):  # more than there are serial numbers
        here.wish(480)
        assert [there.reaches_wish(samples) for samples in (479, 480, 481)] == [False, True, False]
    here.wish(0)
    assert there.reaches_wish(0)
    here.wish(480)
    here.wish(None)
    assert not there.reaches_wish(480)


def test_a_closed_page_stays_as_it_was(pages: tuple[SharedPage, SharedPage]) -> None:
    there, here = pages
    there.note(SOME)
    here.close()
    here.close()
    there.note(SOME._replace(calls=8))
    here.wish(5)
    assert here.look(NOTHING) == SOME
    assert not there.reaches_wish(5)


@pytest.fixture
def pipe() -> Iterator[tuple[int, SoundPipe]]:
    """The end to write to, and the other."""
    its_end, our_end = os.pipe()
    make_roomy(our_end)
    os.set_blocking(our_end, False)
    yield our_end, SoundPipe(its_end, 4)
    os.close(its_end)
    os.close(our_end)


def test_a_pipe_is_read_to_its_end_without_waiting(pipe: tuple[int, SoundPipe]) -> None:
    our_end, sound = pipe
    assert list(sound.read()) == []
    data = bytes(range(256)) * 250
    assert os.write(our_end, data) == len(data), "all of it has room"
    assert b"".join(sound.read()) == data
    assert list(sound.read()) == []


@pytest.mark.parametrize("cut", range(1, 9))
def test_samples_stay_whole_wherever_the_pipe_cuts(pipe: tuple[int, SoundPipe], cut: int) -> None:
    our_end, sound = pipe
    data, got = bytes(range(200)), b""
    for at in range(0, len(data), cut):
        os.write(our_end, data[at : at + cut])
        for piece in sound.read():
            assert piece
            assert len(piece) % 4 == 0
            got += piece
    assert got == data


def test_the_end_of_a_pipe_is_silence() -> None:
    its_end, our_end = os.pipe()
    sound = SoundPipe(its_end, 2)
    os.write(our_end, b"abcd")
    os.close(our_end)
    assert [b"".join(sound.read()) for _ in range(3)] == [b"abcd", b"", b""]
    os.close(its_end)


# -- with a real process -----------------------------------------------------------------------


async def _playing(samples: int) -> FarOutput:
    stream = await outside("well").open_output(REQUEST, Bell())
    assert isinstance(stream, FarOutput)
    await stream.start()
    stream.write(bytes(2 * samples))
    return stream


@pytest.mark.real_time
@pytest.mark.heavy
async def test_progress_is_seen_at_once_and_needs_no_turn_of_the_loop() -> None:
    stream = await _playing(1600)
    time.sleep(0.25)  # noqa: ASYNC251  # nothing else of this process runs meanwhile
    assert (stream.position, stream.queued, stream.dropped) == (1600, 0, 0)
    assert stream.counts.calls == stream.callbacks >= 10
    assert stream.asked_s is not None
    assert -0.005 < time.monotonic() - stream.asked_s < 0.1
    await stream.close()
    assert not take_census().children


@pytest.mark.real_time
@pytest.mark.heavy
async def test_what_was_seen_stays_after_the_close() -> None:
    stream = await _playing(160)
    await stream.drain()
    await stream.close()
    assert (stream.position, stream.queued) == (160, 0)
    assert stream.counts.calls > 0


@pytest.mark.real_time
@pytest.mark.heavy(after=1)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda seen: seen._replace(played=1 << 40),
        lambda seen: seen._replace(dropped=1 << 40),
        lambda seen: seen._replace(played=max(0, seen.played - 1)),
    ],
    ids=["more played than sent", "more dropped than sent", "less played than before"],
)
async def test_progress_that_makes_no_sense_is_a_loss(spoil: Callable[[Progress], Progress]) -> None:
    bell = Bell()
    stream = await outside("well").open_output(REQUEST, bell)
    assert isinstance(stream, FarOutput)
    await stream.start()
    stream.write(bytes(320))
    await stream.drain()
    page = stream.handle.process.page
    while stream.error is None:  # a callback may come in between
        seen = page.look(NOTHING)
        page.note(spoil(seen)._replace(calls=seen.calls + 2))
        assert stream.position == 160, "it is not believed"
        await bell.until(lambda: True)
    assert isinstance(stream.error, DeviceLostError)
    assert "invalid message" in str(stream.error)
    await stream.close()
