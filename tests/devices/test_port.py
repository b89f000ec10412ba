"""The port's promises over the simulated card; and the checks see a back end that breaks one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from voicepipe.devices.port import Backend, DeviceInfo, OutputStream, StreamInfo, StreamRequest
from voicepipe.testing import BACKEND_CHECKS, RuleError, check_backend
from voicepipe.testing.backend_checks import BackendCheck, check_close_without_start, check_open_again
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend
from voicepipe_devices.streams import DriverBackend, RenderStream

every_check = pytest.mark.parametrize("check", BACKEND_CHECKS, ids=lambda check: check.__name__)


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
async def test_the_fake_in_virtual_time(make: Callable[[], Backend], check: BackendCheck) -> None:
    await check(make())


@every_check
@pytest.mark.real_time
async def test_the_fake_with_a_thread_in_real_time(check: BackendCheck) -> None:
    await check(FakeBackend())


@pytest.mark.real_time
async def test_a_slow_fake_with_a_thread_is_closed_once_in_real_time() -> None:
    await check_close_without_start(SlowFake())
    await check_open_again(SlowFake())


# -- the checks themselves -----------------------------------------------------------------


async def test_one_call_runs_every_check_over_a_new_back_end() -> None:
    made: list[Backend] = []

    def make() -> Backend:
        made.append(FakeBackend())
        return made[-1]

    await check_backend(make)
    assert len(made) == len(BACKEND_CHECKS)


class RingsAfterClose(RenderStream):
    async def close(self) -> None:
        await super().close()
        self._loop.call_soon(self._wake)


class NeverDrains(RenderStream):
    async def drain(self) -> None:
        await asyncio.sleep(60)


class ForgetsWrites(RenderStream):
    def write(self, data: bytes | memoryview) -> None:
        pass


class BrokenFake(FakeBackend):
    """Opens outputs that break a promise."""

    def __init__(self, broken: type[RenderStream]) -> None:
        super().__init__()
        self._broken = broken
        self.streams: list[RenderStream] = []

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        stream = self._broken(request, wake)
        await stream.open(self.open_render(request, stream.render, stream.on_finished))
        self.streams.append(stream)
        return stream


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (RingsAfterClose, r"check_output: a wake-up call came after close\(\)"),
        (NeverDrains, r"check_output: drain\(\) did not come within 5 s"),
        (ForgetsWrites, "check_output: it counts 0 of 800 written samples"),
    ],
)
async def test_a_broken_promise_is_named(broken: type[RenderStream], named: str) -> None:
    made: list[BrokenFake] = []

    def make() -> Backend:
        made.append(BrokenFake(broken))
        return made[-1]

    with pytest.raises(RuleError, match=named):
        await check_backend(make)
    for stream in (stream for backend in made for stream in backend.streams):
        await stream.close()
    await asyncio.sleep(0)


class Forgetful(FakeBackend):
    """Begins something with every output, and forgets it."""

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        tasks.append(asyncio.create_task(asyncio.sleep(3_600), name="forgotten"))
        return await super().open_output(request, wake)


tasks: list[asyncio.Task[None]] = []


async def test_what_a_back_end_leaves_behind_is_named() -> None:
    with pytest.raises(AssertionError, match=r"left behind:\ntasks: forgotten .* in open_output"):
        await check_backend(Forgetful)
    while tasks:
        tasks.pop().cancel()
    await asyncio.sleep(0)
