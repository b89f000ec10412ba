"""The port's promises over the simulated card; and the checks see a back end that breaks one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from voicepipe.devices.port import Backend, DeviceInfo, OutputStream, StreamInfo, StreamRequest
from voicepipe.speakers import Sounded
from voicepipe.testing import BACKEND_CHECKS, RuleError, check_backend
from voicepipe.testing.backend_checks import (
    BackendCheck,
    check_close_without_start,
    check_heard,
    check_open_again,
)
from voicepipe_devices.driver import CaptureCallback, Finished, Handle, RenderCallback
from voicepipe_devices.fake import FakeBackend
from voicepipe_devices.streams import DriverBackend, RenderStream

RATE = 16_000
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


class TellsTwice(RenderStream):
    told: Sounded | None = None

    def heard(self) -> Sounded | None:
        if self.told is None:
            self.told = super().heard()
            return self.told
        told, self.told = self.told, None
        return told


class TellsPieces(RenderStream):
    def heard(self) -> Sounded | None:
        told = super().heard()
        return told and told._replace(data=told.data[:-1])


class TellsWrites(RenderStream):
    def write(self, data: bytes | memoryview) -> None:
        if self._request.tap:
            self._record.add(bytes(data), self._written, self._loop.time())
        self._written += memoryview(data).nbytes // 4
        super().write(data)

    _written = 0

    async def open(self, opening: Awaitable[Handle]) -> None:
        await super().open(opening)
        self._tap = None


class TellsTooSoft(RenderStream):
    def heard(self) -> Sounded | None:
        told = super().heard()
        return told and told._replace(data=bytes(len(told.data)))


class TellsByAnotherClock(RenderStream):
    def heard(self) -> Sounded | None:
        told = super().heard()
        return told and told._replace(sounds_s=told.sounds_s + 1e9)


class TellsTooFast(RenderStream):
    def heard(self) -> Sounded | None:
        told = super().heard()
        return told and told._replace(sounds_s=told.sounds_s + 100 * told.position / RATE)


class NeverEnds(RenderStream):
    def heard(self) -> Sounded | None:
        return Sounded(bytes(4), 0, self._loop.time())


class TellsUnasked(RenderStream):
    told = False

    def heard(self) -> Sounded | None:
        if self._tap is not None or self.told:
            return super().heard()
        self.told = True
        return Sounded(bytes(4), 0, self._loop.time())


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
        (TellsTwice, r"check_heard: heard\(\) returned a block at 0, behind 160"),
        (NeverEnds, r"check_heard: heard\(\) never returns None"),
        (TellsPieces, r"check_heard: heard\(\) returned a block that ends within a sample"),
        (TellsWrites, r"check_heard: heard\(\) told 17000 samples of sound, and 1\d\d\d were handed"),
        (TellsTooSoft, r"check_heard: heard\(\) does not tell what was written"),
        (TellsByAnotherClock, "check_heard: a block must sound about when it is taken"),
        (TellsTooFast, r"check_heard: a block must sound|check_heard: 0.1\d s of sound would take"),
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


async def test_a_record_that_nobody_asked_for_is_a_broken_promise() -> None:
    backend = BrokenFake(TellsUnasked)

    with pytest.raises(RuleError, match="did not ask for"):
        await check_heard(backend)
    for stream in backend.streams:
        await stream.close()


class Silent(RenderStream):
    def heard(self) -> Sounded | None:
        return None


async def test_a_back_end_need_not_tell_what_its_device_took() -> None:
    await check_heard(BrokenFake(Silent))


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
