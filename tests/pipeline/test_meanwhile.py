"""A system frame is handled while the push of the frame in progress waits: each has its own fate."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from support.sound import speech
from support.stages import forever
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InputAudioFrame,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunReport,
    RunState,
    SeamReport,
    SystemFrame,
)

SAMPLES, FRAMES = 160, 10
Hook = Callable[["Waits"], Awaitable[None]]


class Ping(SystemFrame):
    """A system frame, which overtakes data."""


class Waits(FrameProcessor):
    """Pushes data into a full mailbox, and does something with a ping meanwhile."""

    def __init__(self, on_ping: Hook, on_error: str) -> None:
        super().__init__(name="waits", on_error=on_error)  # type: ignore[arg-type]
        self._on_ping = on_ping
        self.cut: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, Ping):
            await self._on_ping(self)
            return
        await asyncio.sleep(0.01)  # the dam takes the first meanwhile, and is full from then on
        try:
            await self.push_frame(frame, direction)
        except asyncio.CancelledError:
            self.cut.append("data")
            raise


class Dam(FrameProcessor):
    """Lets nothing pass for a second."""

    def __init__(self) -> None:
        super().__init__(name="dam", mailbox=4)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, (InputAudioFrame, OutputAudioFrame)):
            await asyncio.sleep(1.0)
        await self.push_frame(frame, direction)


async def fail(stage: Waits) -> None:
    raise ValueError("with a ping")


async def fail_later(stage: Waits) -> None:
    await asyncio.sleep(0.1)
    raise ValueError("with a ping")


async def be_cancelled(stage: Waits) -> None:
    raise asyncio.CancelledError


async def run_out_of_time(stage: Waits) -> None:
    async with asyncio.timeout(0.1):
        await forever()


async def exit_(stage: Waits) -> None:
    raise SystemExit(1)


FAILURES: tuple[Hook, ...] = (fail, fail_later, be_cancelled, run_out_of_time, exit_)


async def played(
    on_ping: Hook, on_error: str = "fail", *, then: str = "", limits: Limits | None = None
) -> tuple[RunReport, SeamReport, Waits]:
    """Run it: ten frames, a ping while one waits for room, and something 0.05 s later."""
    stage, loop = Waits(on_ping, on_error), asyncio.get_running_loop()
    task = PipelineTask(Pipeline([stage, Dam()]), limits=limits)
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    for nth in range(FRAMES):
        await task.queue_frame(speech(SAMPLES / 16_000, nth))
    loop.call_later(0.2, lambda: loop.create_task(task.queue_frame(Ping())))
    if then:
        loop.call_later(0.25, getattr(task, then))
    end = loop.call_later(0.5, task.end)
    with contextlib.suppress(PipelineError):
        await running
    end.cancel()
    report = task.report
    assert report is not None
    return report, next(seam for seam in report.seams if seam.name == "waits"), stage


@pytest.mark.parametrize("on_ping", FAILURES)
async def test_a_failure_with_it_leaves_the_frame_that_waits_alone(on_ping: Hook) -> None:
    report, seam, stage = await played(on_ping, "report")
    assert report.state is RunState.ENDED
    assert [error.stage for error in report.errors] == ["waits"]
    assert (seam.taken, seam.given, seam.dropped) == (FRAMES * SAMPLES, FRAMES * SAMPLES, {})
    assert seam.dropped_frames == {"processor_error": 1}
    assert stage.cut == []


@pytest.mark.parametrize("on_ping", FAILURES)
async def test_a_failure_that_ends_the_run_drops_both_and_ends_the_push(on_ping: Hook) -> None:
    report, seam, stage = await played(on_ping)
    assert report.state is RunState.FAILED
    assert [error.stage for error in report.errors] == ["waits"]
    assert seam.balanced
    assert seam.held == 0
    assert seam.dropped_frames["processor_error"] >= 2
    assert stage.cut == ["data"]


@pytest.mark.parametrize("on_error", ["fail", "report"])
async def test_a_cancel_meanwhile_drops_both(on_error: str) -> None:
    report, seam, stage = await played(lambda _: forever(), on_error, then="cancel")
    assert report.state is RunState.CANCELLED
    assert seam.balanced
    assert seam.dropped == {"cancelled": seam.taken - seam.given}
    assert stage.cut == ["data"]


async def test_who_hangs_with_it_is_passed_by_and_both_are_dropped() -> None:
    limits = Limits(stall_s=1.0, passed_by="report")
    report, seam, stage = await played(lambda _: forever(), limits=limits)
    assert [slow.stage for slow in report.slow] == ["waits"]
    assert "Ping" in report.slow[0].holding
    assert seam.balanced
    assert stage.cut == ["data"]


async def test_an_interruption_cuts_the_frame_that_waits_and_no_later_one() -> None:
    """The failure with the ping leaves no cut behind, and the frame goes with those that wait."""
    report, seam, stage = await played(fail_later, "report", then="interrupt")
    assert report.state is RunState.ENDED
    assert seam.balanced
    assert seam.dropped_frames == {
        "processor_error": 1,
        "interrupted": seam.dropped["interrupted"] // SAMPLES,
    }
    assert stage.cut == ["data"]


async def test_the_time_limit_of_a_push_holds_while_a_system_frame_is_handled() -> None:
    class InTime(Waits):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            if isinstance(frame, Ping):
                await forever()
            await asyncio.sleep(0.01)
            try:
                async with asyncio.timeout(0.3):
                    await self.push_frame(frame, direction)
            except TimeoutError:
                self.cut.append("in time")

    stage = InTime(fail, "fail")
    task = PipelineTask(Pipeline([stage, Dam()]))
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    for nth in range(FRAMES):
        await task.queue_frame(speech(SAMPLES / 16_000, nth))
    loop = asyncio.get_running_loop()
    loop.call_later(0.1, lambda: loop.create_task(task.queue_frame(Ping())))
    loop.call_later(0.2, task.end)
    report = await running
    assert report.state is RunState.ENDED
    assert stage.cut
    assert report.seams[0].dropped_frames == {"interrupted": 1}


@pytest.mark.parametrize("error", [ValueError, TimeoutError, LookupError, SystemExit, OSError])
async def test_each_interruption_cuts_though_the_stage_makes_another_error_of_it(
    error: type[BaseException],
) -> None:
    class Turns(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            try:
                if isinstance(frame, OutputAudioFrame):
                    await forever()
            except asyncio.CancelledError:
                pass
            raise error("with every frame")

    task = PipelineTask(Pipeline([Turns(on_error="report")]))
    running = asyncio.create_task(task.run())
    await task.wait_until_started()
    for _ in range(3):
        await task.queue_frame(OutputAudioFrame(bytes(320)))
        await asyncio.sleep(0.1)
        task.interrupt()
        await task.queue_frame(OutputAudioFrame(bytes(320)))  # at once, before any other frame is handled
        await asyncio.sleep(0.1)
        task.interrupt()
        await asyncio.sleep(0.1)
    task.end()
    report = await running
    assert report.state is RunState.ENDED
    assert report.seams[0].dropped == {"processor_error": 6 * SAMPLES}
