"""No stage keeps the event loop for itself: one that only pushes, or queues, lets the others run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

import pytest

from support.sound import speech
from support.stages import Does, Ends, InlineRecorder, Recorder
from voicepipe import (
    EndFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameFilter,
    FrameProcessor,
    InterruptionFrame,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineStartError,
    PipelineTask,
    Processor,
    RunState,
    SpeakerOutput,
    TextFrame,
)
from voicepipe.pipeline.task_seat import PUSHES_IN_A_ROW, SEALED_IN_A_ROW, SEALED_S
from voicepipe_devices.fake import SimulatedCard

UP = FrameDirection.UPSTREAM
Push = Callable[["Source"], Awaitable[None]]
TONE = OutputAudioFrame(bytes(640))


class Source(FrameProcessor):
    """A task of it only pushes."""

    def __init__(self, push: Push) -> None:
        super().__init__(name="source")
        self._push = push
        self.task: PipelineTask | None = None

    async def on_running(self) -> None:
        self.create_task(self._work(), name="pushes")

    async def _work(self) -> None:
        while True:
            await self._push(self)


async def down(stage: Source) -> None:
    await stage.push_frame(TONE)


async def up(stage: Source) -> None:
    await stage.push_frame(TextFrame("x"), UP)


async def system(stage: Source) -> None:
    await stage.push_frame(ErrorFrame("told"), UP)


async def requests(stage: Source) -> None:
    await stage.push_frame(InterruptionFrame())


async def from_a_generator(stage: Source) -> None:
    async def tones() -> AsyncGenerator[Frame]:
        while True:
            yield TONE

    async for tone in tones():
        await stage.push_frame(tone)


async def queue(stage: Source) -> None:
    assert stage.task is not None
    await stage.task.queue_frame(TextFrame("x"))


async def queue_requests(stage: Source) -> None:
    assert stage.task is not None
    await stage.task.queue_frame(EndFrame())


PUSHES: tuple[Push, ...] = (down, up, system, requests, from_a_generator, queue, queue_requests)


def _behind(kind: str) -> list[Processor]:
    kinds: dict[str, list[Processor]] = {
        "nothing": [],
        "inline stages": [InlineRecorder(), InlineRecorder()],
        "a filter that drops all": [FrameFilter(drop=OutputAudioFrame)],
        "a mailbox": [Recorder()],
        "a speaker": [SpeakerOutput(SimulatedCard().backend())],
    }
    return kinds[kind]


async def ended_by_others(task: PipelineTask, ends: Ends) -> None:
    """End it as a signal does: from a task that has to get its turn."""
    await ends.started.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    task.end()


@pytest.mark.parametrize(
    "kind", ["nothing", "inline stages", "a filter that drops all", "a mailbox", "a speaker"]
)
@pytest.mark.parametrize("push", PUSHES)
@pytest.mark.heavy(after=15)
async def test_one_end_ends_a_stage_whose_task_only_pushes(push: Push, kind: str) -> None:
    source, front = Source(push), Recorder("front")
    task = source.task = PipelineTask(Pipeline([front, source, *_behind(kind)]))
    ending = asyncio.create_task(ended_by_others(task, Ends(task)))
    report = await task.run()
    await ending
    assert report.state is RunState.ENDED
    assert all(seam.balanced for seam in report.seams)
    assert (report.slow, report.abandoned, report.forced) == ((), (), ())


async def test_upstream_data_without_end_does_not_keep_the_end_away() -> None:
    """The stage in front takes a turn for each, and there is always another."""

    async def linger(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(0)
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Does(linger, "front"), Source(up)]))
    ending = asyncio.create_task(ended_by_others(task, Ends(task)))
    assert (await task.run()).state is RunState.ENDED
    await ending


async def test_a_stage_that_pushes_on_after_its_end_does_not_spin() -> None:
    """While the speaker plays what is left, its pushes are dropped at an easy pace."""

    class Slow(Recorder):
        async def on_end(self) -> None:
            await asyncio.sleep(2.0)

    task = PipelineTask(Pipeline([Source(down), Slow()]))
    ends = Ends(task)
    ending = asyncio.create_task(ended_by_others(task, ends))
    report = await task.run()
    await ending
    dropped = next(seam for seam in report.seams if seam.name == "source").dropped_frames["shutdown"]
    assert 0 < dropped <= PUSHES_IN_A_ROW + SEALED_IN_A_ROW * (2.0 / SEALED_S + 2)


@pytest.mark.parametrize("hook", ["process_frame", "on_end"])
async def test_a_stage_that_never_returns_can_be_cancelled(hook: str) -> None:
    """It makes progress for ever, so the End waits for it; the second Ctrl-C does not."""

    class Endless(FrameProcessor):
        async def _push(self) -> None:
            while True:
                await self.push_frame(TONE)

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await self._push()

        async def on_end(self) -> None:
            await self._push()

    task = PipelineTask(Pipeline([Endless()]))
    ends = Ends(task)
    if hook == "process_frame":
        await task.queue_frame(TextFrame("x"))

    async def stop() -> None:
        await ends.started.wait()
        task.end()
        await asyncio.sleep(0)
        task.cancel()

    stopping = asyncio.create_task(stop())
    report = await task.run()
    await stopping
    assert report.state is RunState.CANCELLED
    assert report.abandoned == ()


async def test_an_on_running_that_never_returns_is_a_failed_start() -> None:
    class Endless(FrameProcessor):
        async def on_running(self) -> None:
            while True:
                await self.push_frame(TONE)

    speaker = SpeakerOutput(SimulatedCard().backend())
    task = PipelineTask(Pipeline([Endless(), speaker]), limits=Limits(start_s=2.0))
    with pytest.raises(
        PipelineStartError, match=r"^Endless did not start: .* 2 s: let on_running\(\) return, and work in"
    ):
        await task.run()


async def test_a_subscriber_that_queues_what_it_sees_ends() -> None:
    tasks: set[asyncio.Task[bool]] = set()
    task = PipelineTask(Pipeline([Recorder(), InlineRecorder()]))

    def again(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            tasks.add(asyncio.ensure_future(task.queue_frame(frame)))

    task.subscribe(again)
    ends = Ends(task)
    await task.queue_frame(TextFrame("x"))
    ending = asyncio.create_task(ended_by_others(task, ends))
    report = await task.run()
    await ending
    assert report.state is RunState.ENDED
    assert len(tasks) > 10
    await asyncio.wait(tasks)


# -- a stage that queues into its own run -----------------------------------------------------------


@pytest.mark.parametrize("place", ["first", "second", "last"])
async def test_a_stage_that_waits_for_itself_is_told_so(place: str) -> None:
    """It queues a mailbox's worth and more while it handles a frame."""

    async def flood(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        for _ in range(500):
            await task.queue_frame(TextFrame("again"))

    before: Iterable[Processor] = {
        "first": [],
        "second": [Recorder()],
        "last": [Recorder("a"), Recorder("b")],
    }[place]
    task = PipelineTask(Pipeline([*before, Does(flood, "floods")]))
    await task.queue_frame(TextFrame("x"))
    with pytest.raises(PipelineError, match=r"floods queued more frames into its own run than fit") as failed:
        await task.run()
    assert failed.value.stage == "floods"
    assert "self.push_frame()" in str(failed.value)


async def test_a_stage_that_queues_no_more_than_fits_waits_its_turn() -> None:
    """The stage in front is slow, and makes room: nobody waits for himself."""

    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(0.01)
        await stage.push_frame(frame, direction)

    queued = 0

    async def again(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        nonlocal queued
        if isinstance(frame, TextFrame) and frame.text == "x":
            for _ in range(60):
                queued += await task.queue_frame(TextFrame("y"))
        await stage.push_frame(frame, direction)

    last = Recorder()
    task = PipelineTask(Pipeline([Does(slowly, "slow"), Does(again, "again"), last]))
    await task.queue_frame(TextFrame("x"))
    asyncio.get_running_loop().call_later(3.0, task.end)
    report = await task.run()
    assert report.state is RunState.ENDED
    assert queued == 60 == sum(isinstance(f, TextFrame) and f.text == "y" for f in last.frames)


async def test_a_task_of_a_stage_may_wait_for_room_in_its_own_run() -> None:
    async def child(stage: FrameProcessor) -> None:
        for _ in range(200):
            await task.queue_frame(speech(0.01))

    async def begin(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            stage.create_task(child(stage), name="queues")

    task = PipelineTask(Pipeline([Does(begin, "begins")]))
    await task.queue_frame(TextFrame("x"))
    asyncio.get_running_loop().call_later(3.0, task.end)
    report = await task.run()
    assert report.state is RunState.ENDED
    assert report.seams[0].given == 200 * 160
