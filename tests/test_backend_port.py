"""What the port promises, as functions that run over any back end, in virtual time or in real time.

`check_input` and `check_output` ask nothing of a back end but the port: no script, no verbs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from voicepipe import AudioFormat
from voicepipe.devices import (
    Backend,
    Block,
    DeviceInfo,
    InputStream,
    OutputStream,
    StreamInfo,
    StreamRequest,
)
from voicepipe.errors import DeviceError
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend
from voicepipe_devices.streams import DriverBackend

REQUEST = StreamRequest(AudioFormat(16_000, 2), block_s=0.01)
LIMIT_S = 5.0
"""For anything that a well device does."""


class Bell:
    """The wake-up call of a stream, to be waited for."""

    def __init__(self) -> None:
        self.rings = 0
        self._rung = asyncio.Event()

    def __call__(self) -> None:
        self.rings += 1
        self._rung.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for rings until the condition holds; a device that is well rings often enough."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                self._rung.clear()
                await self._rung.wait()


async def within_limit(awaitable: Awaitable[None]) -> None:
    async with asyncio.timeout(LIMIT_S):
        await awaitable


async def check_input(backend: Backend) -> None:
    """An input stream, from its opening to after its close."""
    bell = Bell()
    stream = await backend.open_input(REQUEST, bell)
    _check_info(stream)
    await asyncio.sleep(0.03)
    assert stream.read() is None, "it captured before the start"
    assert not stream.exhausted

    await stream.start()
    blocks: list[Block] = []
    while len(blocks) < 5:
        await bell.until(lambda: _read(stream, blocks))
    assert stream.error is None
    _check_blocks(blocks)

    await asyncio.sleep(0.03)
    stream.stop()
    await within_limit(stream.finish())
    waiting: list[Block] = []
    while _read(stream, waiting):
        pass
    assert waiting, "what was captured before stop() can still be read"
    await asyncio.sleep(0.03)
    assert stream.read() is None, "the intake was closed"
    _check_blocks(blocks + waiting)
    _check_ledger(stream, blocks + waiting)
    stream.stop()  # twice is once

    await _check_close(stream, bell)
    assert stream.read() is None
    _check_ledger(stream, blocks + waiting)


async def check_output(backend: Backend) -> None:
    """An output stream, from its opening to after its close."""
    bell = Bell()
    stream = await backend.open_output(REQUEST, bell)
    _check_info(stream)
    assert (stream.position, stream.queued, stream.dropped) == (0, 0, 0)
    await stream.start()
    await within_limit(stream.drain())  # nothing was written
    await within_limit(stream.settle())

    await _check_writing(stream, bell)
    await _check_flush(stream)

    written = _total(stream)
    stream.write(_audio(123))  # no whole block
    await within_limit(stream.drain())
    assert _total(stream) == written + 123
    assert stream.queued == 0
    assert stream.error is None

    stream.write(_audio(16_000))
    rest = asyncio.create_task(stream.drain())
    await asyncio.sleep(0)
    await _check_close(stream, bell)
    with pytest.raises(DeviceError):  # nobody waits for sound that will never come
        await within_limit(rest)
    heard = stream.position
    await asyncio.sleep(0.03)
    assert stream.position == heard, "it played on after its close"
    assert _total(stream) == written + 123 + 16_000


async def check_close_without_start(backend: Backend) -> None:
    """A stream that never began closes like any other."""
    for opening in (backend.open_input, backend.open_output):
        bell = Bell()
        stream = await opening(REQUEST, bell)
        await _check_close(stream, bell)


async def check_open_again(backend: Backend) -> None:
    """A device can be opened again as soon as close() has returned."""
    for _ in range(3):
        ear = await backend.open_input(REQUEST, Bell())
        mouth = await backend.open_output(REQUEST, Bell())
        await ear.start()
        await mouth.start()
        await mouth.close()
        await ear.close()


async def check_nothing_after_close(backend: Backend) -> None:
    """A wake-up that was on its way when the stream was closed does not arrive."""
    bell = Bell()
    stream = await backend.open_output(REQUEST, bell)
    await stream.start()
    stream.notify_at(0)  # rings at once, in the loop's next step
    await stream.close()
    rings = bell.rings
    await asyncio.sleep(0.03)
    assert bell.rings == rings


async def _check_writing(stream: OutputStream, bell: Bell) -> None:
    """What is written is queued, then handed over, and the wake-up comes when it was asked for."""
    stream.write(b"")
    assert _total(stream) == 0
    stream.write(_audio(400))
    stream.write(memoryview(_audio(400)))
    assert _total(stream) == 800
    rings = bell.rings
    stream.notify_at(0)
    await bell.until(lambda: bell.rings > rings and stream.queued == 0)
    assert (stream.position, stream.dropped) == (800, 0)
    rings = bell.rings
    stream.notify_at(0)  # it is so already: it rings at once
    await bell.until(lambda: bell.rings > rings)
    rings = bell.rings
    await asyncio.sleep(0.03)
    assert bell.rings == rings, "it rang twice for one notify_at"


async def _check_flush(stream: OutputStream) -> None:
    """A flush plays at most a fade, forgets the rest, and touches nothing that is written after it."""
    before = stream.position
    stream.write(_audio(16_000))
    assert not stream.flushing
    stream.flush()
    stream.write(_audio(500))
    await within_limit(stream.settle())
    assert not stream.flushing
    await within_limit(stream.drain())
    heard = stream.position - before - 500
    block = stream.info.block
    assert 0 < heard <= 2 * block, f"the flush let {heard} samples through"
    assert stream.dropped == 16_000 - heard
    assert stream.queued == 0
    stream.flush()  # of nothing
    await within_limit(stream.settle())
    assert stream.dropped == 16_000 - heard


async def _check_close(stream: InputStream | OutputStream, bell: Bell) -> None:
    """Closed at once by several, one of whom gives up, and then once more: it is closed once."""
    first, given_up, third = (asyncio.create_task(stream.close()) for _ in range(3))
    await asyncio.sleep(0)
    given_up.cancel()
    await within_limit(third)
    assert first.done(), "a second close() returned before the first"
    await first
    await asyncio.wait([given_up])
    await within_limit(stream.close())
    rings = bell.rings
    await asyncio.sleep(0.03)
    assert bell.rings == rings, "it rang after its close"


def _check_info(stream: InputStream | OutputStream) -> None:
    assert stream.error is None
    assert stream.info.device
    assert stream.info.format == REQUEST.format
    assert stream.info.block >= 1
    assert stream.info.latency_s >= 0


def _check_blocks(blocks: list[Block]) -> None:
    """Whole samples, one behind the other, each captured after the one before."""
    size = REQUEST.format.sample_bytes
    position, captured_s = 0, -1.0
    for block in blocks:
        assert block.position == position
        assert block.captured_s > captured_s
        assert len(block.data) % size == 0
        position, captured_s = position + len(block.data) // size, block.captured_s
    span_s = blocks[-1].captured_s - blocks[0].captured_s
    assert span_s == pytest.approx(REQUEST.format.seconds(blocks[-1].position), abs=0.1)
    assert captured_s <= asyncio.get_running_loop().time()


def _check_ledger(stream: InputStream, blocks: list[Block]) -> None:
    """What came in was read; of what was read, what a reader dropped was not given."""
    count = sum(len(block.data) for block in blocks) // REQUEST.format.sample_bytes
    ledger = stream.seam("mic", {})
    assert ledger.balanced
    assert (ledger.taken, ledger.given, ledger.held, ledger.dropped) == (count, count, 0, {})
    ledger = stream.seam("mic", {"muted": 7})
    assert ledger.balanced
    assert (ledger.given, ledger.dropped) == (count - 7, {"muted": 7})


def _total(stream: OutputStream) -> int:
    """Samples written so far, by the stream's own books; a callback may come while they are read."""
    while True:
        before = (stream.position, stream.dropped)
        queued = stream.queued
        if before == (stream.position, stream.dropped):
            return sum(before) + queued


def _audio(count: int) -> bytes:
    return b"\1\2\3\4" * count


def _read(stream: InputStream, blocks: list[Block]) -> bool:
    block = stream.read()
    if block is not None:
        blocks.append(block)
    return block is not None


CHECKS = (
    check_input,
    check_output,
    check_close_without_start,
    check_open_again,
    check_nothing_after_close,
)
every_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
Check = Callable[[Backend], Awaitable[None]]


class _ClosedOnce:
    """A handle that is as PortAudio's: a second close of it would hang for ever."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._closed = False

    @property
    def info(self) -> StreamInfo:
        return self._handle.info

    async def start(self) -> None:
        await self._handle.start()

    async def close(self) -> None:
        assert not self._closed, "the handle was closed twice"
        self._closed = True
        await self._handle.close()


class SlowFake(DriverBackend):
    """Takes its time to open and to close, and minds how often a handle is closed."""

    name = "slow fake"
    shares_air = False

    def __init__(self) -> None:
        self._fake = FakeBackend()
        for side in (self._fake.card.mic, self._fake.card.speaker):
            side.slow_open(0.005)
            side.stuck_close(0.02)

    async def devices(self) -> list[DeviceInfo]:
        return await self._fake.devices()

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> Handle:
        return _ClosedOnce(await self._fake.open_capture(request, callback, finished))

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> Handle:
        return _ClosedOnce(await self._fake.open_render(request, callback, finished))


@every_check
@pytest.mark.parametrize("make", [FakeBackend, SlowFake])
async def test_the_fake_in_virtual_time(make: Callable[[], Backend], check: Check) -> None:
    await check(make())


@every_check
@pytest.mark.real_time
async def test_the_fake_with_a_thread_in_real_time(check: Check) -> None:
    await check(FakeBackend())


@pytest.mark.real_time
async def test_a_slow_fake_with_a_thread_is_closed_once_in_real_time() -> None:
    await check_close_without_start(SlowFake())
    await check_open_again(SlowFake())
