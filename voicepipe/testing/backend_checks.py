"""Checks of the promises of the device port, for any back end, in virtual or real time.

They use only the port. `check_backend` runs all of them. BACKEND_CHECKS holds the single checks,
for a parametrized test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import islice
from typing import Protocol

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import Backend, Block, InputStream, OutputStream, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe.speakers import Sounded
from voicepipe.testing.leftovers import nothing_left
from voicepipe.testing.rules import RuleError, expect

__all__ = ["BACKEND_CHECKS", "BackendCheck", "Bell", "check_backend"]

REQUEST = StreamRequest(AudioFormat(16_000, 2), block_s=0.01)
LIMIT_S = 5.0
"""The time limit for each action of a working device, in seconds."""
_SOON_S = 0.03
"""The duration of a few blocks, in seconds. Pending events have happened after it."""


_MOST_BLOCKS = 10_000
"""More blocks than any record holds."""


async def check_backend(make_backend: Callable[[], Backend], request: StreamRequest = REQUEST) -> None:
    """Check that a back end keeps every promise of the port.

    Args:
        make_backend: makes a working back end with both directions, whose input lasts at least 2 s.
            It is called once for each check.
        request: the request for the streams to open.

    Raises:
        RuleError: the back end broke a promise; the message names it.
        AssertionError: something is left open.
    """
    for check in BACKEND_CHECKS:
        try:
            async with nothing_left():
                await check(make_backend(), request)
        except RuleError as error:
            raise RuleError(f"{check.__name__}: {error}") from error


class BackendCheck(Protocol):
    """A single check. Raises: RuleError."""

    __name__: str

    def __call__(self, backend: Backend, request: StreamRequest = REQUEST) -> Awaitable[None]:
        """Check a newly made back end."""
        ...


class Bell:
    """A wake-up call of a stream that a check can wait for."""

    def __init__(self) -> None:
        self.rings = 0
        """The number of calls so far."""
        self._rung = asyncio.Event()

    def __call__(self) -> None:
        self.rings += 1
        self._rung.set()

    async def until(self, condition: Callable[[], bool], what: str = "the wake-up call") -> None:
        """Wait for calls until the condition holds. A working device calls often enough."""
        await _within_limit(self._until(condition), what)

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._rung.clear()
            await self._rung.wait()

    async def expect_silence(self, message: str) -> None:
        """Check that no call comes for the duration of a few blocks."""
        rings = self.rings
        await asyncio.sleep(_SOON_S)
        expect(self.rings == rings, message)


async def check_input(backend: Backend, request: StreamRequest = REQUEST) -> None:
    """Check an input stream from its opening until after its close."""
    bell = Bell()
    stream = await backend.open_input(request, bell)
    _check_info(stream, request)
    await asyncio.sleep(_SOON_S)
    expect(stream.read() is None, "it captured before the start")
    expect(not stream.exhausted, "its input had run out before the start")

    await stream.start()
    blocks: list[Block] = []
    while len(blocks) < 5:
        await bell.until(lambda: _read(stream, blocks), "the first five blocks")
    expect(stream.error is None, f"it has an error: {stream.error}")
    _check_blocks(blocks, request)

    await asyncio.sleep(_SOON_S)
    stream.stop()
    await _within_limit(stream.finish(), "finish()")
    waiting: list[Block] = []
    while _read(stream, waiting):
        pass
    expect(waiting, "audio captured before stop() cannot be read after it")
    await asyncio.sleep(_SOON_S)
    expect(stream.read() is None, "it captured after stop()")
    _check_blocks(blocks + waiting, request)
    _check_ledger(stream, blocks + waiting, request)
    stream.stop()  # a second call changes nothing

    await _check_close(stream, bell)
    expect(stream.read() is None, "there was something to read after close()")
    _check_ledger(stream, blocks + waiting, request)


async def check_output(backend: Backend, request: StreamRequest = REQUEST) -> None:
    """Check an output stream from its opening until after its close."""
    bell = Bell()
    stream = await backend.open_output(request, bell)
    _check_info(stream, request)
    _expect_books(stream, position=0, queued=0, dropped=0)
    await stream.start()
    await _check_writing(stream, bell, request)
    await _check_flush(stream, request)
    await _check_rewrite(stream, request)

    written = _total(stream)
    stream.write(_audio(123, request))  # not a whole number of blocks
    await _within_limit(stream.drain(), "drain()")
    expect(_total(stream) == written + 123, "the samples after the last whole block were lost or not counted")
    expect(stream.queued == 0, f"{stream.queued} samples are queued after drain()")
    expect(stream.error is None, f"it has an error: {stream.error}")

    stream.write(_audio(16_000, request))
    await _check_close_while_draining(stream, bell)
    heard = stream.position
    await asyncio.sleep(_SOON_S)
    expect(stream.position == heard, "it played on after its close")
    expect(_total(stream) == written + 123 + 16_000, "it did not count the samples that its close dropped")


async def check_close_without_start(backend: Backend, request: StreamRequest = REQUEST) -> None:
    """Check that a stream that was never started closes like any other."""
    for opening in (backend.open_input, backend.open_output):
        bell = Bell()
        stream = await opening(request, bell)
        await _check_close(stream, bell)


async def check_open_again(backend: Backend, request: StreamRequest = REQUEST) -> None:
    """Check that a device can be opened again as soon as close() has returned."""
    for _ in range(3):
        ear = await backend.open_input(request, Bell())
        mouth = await backend.open_output(request, Bell())
        await ear.start()
        await mouth.start()
        await mouth.close()
        await ear.close()


async def check_nothing_after_close(backend: Backend, request: StreamRequest = REQUEST) -> None:
    """Check that a pending wake-up call does not arrive after the close."""
    bell = Bell()
    stream = await backend.open_output(request, bell)
    await stream.start()
    stream.notify_at(0)  # rings at once, in the loop's next step
    await stream.close()
    await bell.expect_silence("a wake-up call came after close()")


async def check_heard(backend: Backend, request: StreamRequest = REQUEST) -> None:
    """Check that the record of what the device took, where the stream keeps one, is true and has its times.

    A stream without one is legal: then no echo can be cancelled.
    """
    bell = Bell()
    stream = await backend.open_output(replace(request, tap=True), bell)
    await stream.start()
    begin_s = asyncio.get_running_loop().time()
    sound = _counting(1_000, request)
    stream.write(sound)
    await _within_limit(stream.drain(), "drain()")
    stream.write(_counting(16_000, request))
    stream.flush()
    await _within_limit(stream.settle(), "settle()")
    await asyncio.sleep(_SOON_S)
    record = _record_of(stream)
    position = stream.position
    await _check_close(stream, bell)
    record += _record_of(stream)
    if record:
        _check_record(record, sound, position, request)
        _check_times(record, begin_s, request)
    stream = await backend.open_output(request, bell)
    await stream.start()
    await asyncio.sleep(_SOON_S)
    expect(not _record_of(stream), "heard() returned something that the request did not ask for")
    await stream.close()


BACKEND_CHECKS: tuple[BackendCheck, ...] = (
    check_input,
    check_output,
    check_heard,
    check_close_without_start,
    check_open_again,
    check_nothing_after_close,
)
"""All checks, for a parametrized test."""


async def _check_writing(stream: OutputStream, bell: Bell, request: StreamRequest) -> None:
    """Check that written audio is queued, then handed over, and that a requested wake-up call comes."""
    stream.write(b"")
    expect(_total(stream) == 0, "an empty write was counted")
    stream.write(_audio(400, request))
    stream.write(memoryview(_audio(400, request)))
    expect(_total(stream) == 800, f"it counts {_total(stream)} of 800 written samples")
    rings = bell.rings
    stream.notify_at(0)
    await bell.until(lambda: bell.rings > rings and stream.queued == 0, "notify_at(0)")
    _expect_books(stream, position=800, queued=0, dropped=0)
    rings = bell.rings
    stream.notify_at(0)  # the condition holds already
    await bell.until(lambda: bell.rings > rings, "notify_at(0), with nothing queued,")
    await bell.expect_silence("the wake-up call came twice for one notify_at()")


async def _check_flush(stream: OutputStream, request: StreamRequest) -> None:
    """Check that a flush plays at most a fade, drops the rest, and keeps audio written after it."""
    before = stream.position
    stream.write(_audio(16_000, request))
    expect(not stream.flushing, "it is flushing before flush()")
    stream.flush()
    at_flush = stream.position  # a busy machine may have let the device take some before
    stream.write(_audio(500, request))
    await _within_limit(stream.settle(), "settle()")
    expect(not stream.flushing, "it is flushing after settle()")
    await _within_limit(stream.drain(), "drain()")
    heard = stream.position - before - 500
    most = at_flush - before + 2 * stream.info.block
    expect(0 < heard <= most, f"the flush let {heard} samples through: at most {most} were due")
    _expect_books(stream, queued=0, dropped=16_000 - heard)
    stream.flush()  # nothing to flush
    await _within_limit(stream.settle(), "settle()")
    _expect_books(stream, dropped=16_000 - heard)


async def _check_rewrite(stream: OutputStream, request: StreamRequest) -> None:
    """Check that a rewrite, where the stream can do it, replaces what waits and keeps the counts true."""
    reach = getattr(stream, "reach", 0)
    expect(reach >= 0, f"reach must be at least 0, not {reach}")
    if not hasattr(stream, "rewrite") or not stream.rewrite(stream.position, b""):
        return
    before, dropped = stream.position, stream.dropped
    stream.write(_audio(16_000, request))
    at = stream.position + reach + 10
    expect(stream.rewrite(at, _audio(700, request)), "rewrite() did not do what it had done before")
    stream.write(_audio(300, request))
    await _within_limit(stream.drain(), "drain(), behind rewrite(),")
    # A device that is ahead of `at` by then has taken some of what was to be replaced.
    due = max(at + 700, before) + 300 - before
    heard = stream.position - before
    late = 0 <= heard - due <= 16_000 and heard == 16_300  # an unpaced file had taken all of it
    expect(heard == due or late, f"{heard} samples were heard behind rewrite(), and {due} were due")
    _expect_books(stream, queued=0, dropped=dropped)
    stream.write(_audio(16_000, request))
    stream.flush()
    accepted = stream.rewrite(stream.position, b"")
    # The flush may have come to its end before rewrite(), but not where it still waits behind it.
    expect(not (accepted and stream.flushing), "rewrite() must return False while a flush waits")
    await _within_limit(stream.settle(), "settle()")


async def _check_close(stream: InputStream | OutputStream, bell: Bell) -> None:
    """Check that several concurrent close() calls, one of them cancelled, close the stream once."""
    first, given_up, third = (asyncio.create_task(stream.close()) for _ in range(3))
    await asyncio.sleep(0)
    given_up.cancel()
    await _within_limit(asyncio.wait([third]), "close()")
    third.result()
    expect(first.done(), "a second close() returned before the first")
    await first
    await asyncio.wait([given_up])
    await _within_limit(stream.close(), "another close()")
    await bell.expect_silence("a wake-up call came after close()")


async def _check_close_while_draining(stream: OutputStream, bell: Bell) -> None:
    """Check that drain() ends with an error when the stream is closed meanwhile."""
    rest = asyncio.create_task(stream.drain())
    await asyncio.sleep(0)
    await _check_close(stream, bell)
    await _within_limit(asyncio.wait([rest]), "drain(), of a stream that was closed,")
    expect(
        not rest.cancelled() and isinstance(rest.exception(), DeviceError),
        "drain() did not raise DeviceError when the stream was closed meanwhile",
    )


def _record_of(stream: OutputStream) -> list[Sounded]:
    heard = getattr(stream, "heard", None)
    record = [] if heard is None else list(islice(iter(heard, None), _MOST_BLOCKS))
    expect(len(record) < _MOST_BLOCKS, "heard() never returns None")
    return record


def _check_record(record: list[Sounded], sound: bytes, position: int, request: StreamRequest) -> None:
    """Check that the blocks are whole, in order, and hold what was written and nothing that a flush took."""
    size, end = request.format.sample_bytes, 0
    for block in record:
        expect(
            block.data and len(block.data) % size == 0, "heard() returned a block that ends within a sample"
        )
        expect(block.position >= end, f"heard() returned a block at {block.position}, behind {end}")
        end = block.position + len(block.data) // size
    told = b"".join(block.data for block in record)
    begin = told.find(sound[:size])
    expect(begin >= 0 and told[begin:].startswith(sound), "heard() does not tell what was written as it was")
    count = sum(bool(told[at : at + size].strip(b"\0")) for at in range(0, len(told), size))
    expect(
        1_000 <= count <= position + 1,
        f"heard() told {count} samples of sound, and {position} were handed to the device",
    )


def _check_times(record: list[Sounded], begin_s: float, request: StreamRequest) -> None:
    """Check that the times fit the clock and the positions."""
    first, last = record[0], record[-1]
    now_s = asyncio.get_running_loop().time()
    expect(
        begin_s - 0.5 < first.sounds_s and last.sounds_s < now_s + 2.0,
        f"a block must sound about when it is taken, by the loop's clock, not at {last.sounds_s:.1f} s: it "
        f"is {now_s:.1f} s",
    )
    lasted_s, due_s = last.sounds_s - first.sounds_s, request.format.seconds(last.position - first.position)
    expect(abs(lasted_s - due_s) < 0.5, f"{due_s:.2f} s of sound would take {lasted_s:.2f} s by heard()")


def _check_info(stream: InputStream | OutputStream, request: StreamRequest) -> None:
    info = stream.info
    expect(stream.error is None, f"it has an error: {stream.error}")
    expect(info.device, "its info names no device")
    expect(info.format == request.format, f"its format must be {request.format}, not {info.format}")
    expect(info.block >= 1, f"its block must be at least 1, not {info.block}")
    expect(info.latency_s >= 0, f"its latency must be at least 0, not {info.latency_s}")
    expect(hasattr(stream, "callbacks"), "it must have a member callbacks: derive its class from the port's")


def _check_blocks(blocks: list[Block], request: StreamRequest) -> None:
    """Check that blocks hold whole samples, without gaps, and in the order of their capture."""
    size = request.format.sample_bytes
    position, captured_s = 0, -1.0
    for block in blocks:
        expect(block.position == position, f"a block must be at {position}, not {block.position}")
        expect(block.captured_s > captured_s, "a block was captured no later than the one before")
        expect(len(block.data) % size == 0, "a block ends within a sample")
        position, captured_s = position + len(block.data) // size, block.captured_s
    expect(captured_s <= asyncio.get_running_loop().time(), "a block was captured in the future")
    lasted_s = blocks[-1].captured_s - blocks[0].captured_s
    due_s = request.format.seconds(blocks[-1].position)
    expect(abs(lasted_s - due_s) < 0.1, f"{due_s:.2f} s of audio were captured in {lasted_s:.2f} s")


def _check_ledger(stream: InputStream, blocks: list[Block], request: StreamRequest) -> None:
    """Check that the ledger counts all samples as taken, and the reader's drops as not given."""
    count = sum(len(block.data) for block in blocks) // request.format.sample_bytes
    for dropped in ({}, {"muted": 7}):
        seam = stream.seam("mic", dict(dropped))
        books = (seam.taken, seam.given, seam.held, seam.dropped)
        due = (count, count - sum(dropped.values()), 0, dropped)
        expect(seam.balanced and books == due, f"its ledger must be {due}, not {books}")


def _expect_books(
    stream: OutputStream,
    *,
    position: int | None = None,
    queued: int | None = None,
    dropped: int | None = None,
) -> None:
    for name, due in (("position", position), ("queued", queued), ("dropped", dropped)):
        known = getattr(stream, name)
        expect(due is None or known == due, f"{name} must be {due}, not {known}")


def _total(stream: OutputStream) -> int:
    """Return the samples written so far, by the stream's counts, although callbacks may change them."""
    while True:
        before = (stream.position, stream.dropped)
        queued = stream.queued
        if before == (stream.position, stream.dropped):
            return sum(before) + queued


def _audio(count: int, request: StreamRequest) -> bytes:
    return b"\1\2" * request.format.channels * count


def _counting(count: int, request: StreamRequest) -> bytes:
    """Return samples none of which is zero, and each unlike the next."""
    return b"".join((n % 30_000 + 1).to_bytes(2, "little") * request.format.channels for n in range(count))


def _read(stream: InputStream, blocks: list[Block]) -> bool:
    block = stream.read()
    if block is not None:
        blocks.append(block)
    return block is not None


async def _within_limit(awaitable: Awaitable[object], what: str) -> None:
    try:
        async with asyncio.timeout(LIMIT_S):
            await awaitable
    except TimeoutError:
        raise RuleError(f"{what} did not come within {LIMIT_S:g} s") from None
