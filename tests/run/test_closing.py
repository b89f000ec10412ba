"""How a run closes: within its limits, whatever the loop and the stages do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support.sound import virtual_loop
from support.stages import Ends, Recorder, forever, stubborn
from voicepipe import (
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Limits,
    MicrophoneInput,
    Pipeline,
    PipelineError,
    PipelineTask,
    RunState,
    SpeakerOutput,
    StartParams,
    TextFrame,
)
from voicepipe_devices.fake import SimulatedCard


def later(seconds: float, call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_later(seconds, call)


class SlowToClose(Recorder):
    """Takes two seconds, or so many, for its clean-up."""

    def __init__(self, name: str, seconds: float = 2.0) -> None:
        super().__init__(name)
        self._seconds = seconds

    async def cleanup(self) -> None:
        await super().cleanup()
        await asyncio.sleep(self._seconds)
        self.events.append("clean")


async def test_a_loop_that_stands_still_while_the_run_closes_takes_no_time_from_it() -> None:
    """As when another task blocks the loop, or the laptop sleeps: everybody would have closed at once."""

    class Unlucky(SlowToClose):
        async def cleanup(self) -> None:
            later(0.1, lambda: virtual_loop().freeze(5.0))
            await super().cleanup()

    card, stage = SimulatedCard(), Unlucky("unlucky", 0.3)
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), stage, SpeakerOutput(card.backend())]))
    later(1.0, task.cancel)
    later(1.0, lambda: virtual_loop().freeze(5.0))
    report = await task.run()
    assert report.state is RunState.CANCELLED
    assert report.abandoned == ()
    assert stage.events == ["start", "cancel", "cleanup", "clean"]
    assert not card.mic.is_open
    assert not card.speaker.is_open


async def test_a_cancel_hurries_a_close_that_has_begun() -> None:
    task = PipelineTask(Pipeline([SlowToClose("slow")]), limits=Limits(close_s=10.0, cancel_s=0.5))
    later(1.0, task.end)
    later(1.1, task.cancel)
    report = await task.run()
    assert report.seconds <= 1.1 + 0.5 + 0.1
    assert [given_up.name.split(":")[1] for given_up in report.abandoned] == []


async def test_no_patience_at_all_is_enough_for_what_needs_no_time() -> None:
    stage = Recorder()
    task = PipelineTask(Pipeline([stage]), limits=Limits(cancel_s=0.0, close_s=0.0))
    later(1.0, task.cancel)
    report = await task.run()
    assert stage.events == ["start", "cancel", "cleanup"]
    assert report.abandoned == ()


async def test_a_stage_that_fails_when_it_hears_of_the_end_has_not_to_be_forced() -> None:
    class Fails(FrameProcessor):
        def on_ending(self) -> None:
            raise ValueError("on purpose")

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.1)  # it stops, if not at once

    task = PipelineTask(Pipeline([Fails(), Recorder()]))
    await task.queue_frame(TextFrame("x"))
    later(1.0, task.end)
    with pytest.raises(PipelineError) as caught:
        await task.run()
    assert caught.value.report is not None
    assert caught.value.report.forced == ()


async def test_an_end_that_a_stage_hangs_with_goes_past_it() -> None:
    class Hangs(FrameProcessor):
        async def on_end(self) -> None:
            await forever()

    behind = Recorder()
    task = PipelineTask(
        Pipeline([Hangs(name="hangs"), behind]), limits=Limits(stall_s=1.0, passed_by="report")
    )
    ends = Ends(task)
    later(1.0, task.end)
    report = await task.run()
    assert behind.events == ["start", "end", "cleanup"]
    assert [slow.stage for slow in report.slow] == ["hangs"]
    assert report.forced == ()
    assert sum(isinstance(frame, EndFrame) for frame in ends.down) == 1


async def test_an_opening_that_was_given_up_opens_nothing_more() -> None:
    """A stage that refuses to be cancelled comes back when the run is over."""
    before = Recorder("before")

    class Deaf(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            loop = asyncio.get_running_loop()
            until = loop.time() + 30.0
            while loop.time() < until:
                try:
                    await asyncio.sleep(until - loop.time())
                except asyncio.CancelledError:
                    pass

    task = PipelineTask(Pipeline([before, Deaf(name="deaf")]))
    later(1.0, task.cancel)
    report = await task.run()
    assert [given_up.name.partition(":")[2] for given_up in report.abandoned] == ["deaf:on_start"]
    await asyncio.sleep(60)
    assert before.events == []


async def test_a_beginning_that_was_given_up_begins_nothing_more() -> None:
    """As above, in `on_running`: these hooks share a task, which goes on when the deaf one returns."""
    begun: list[str] = []

    class Deaf(FrameProcessor):
        async def on_running(self) -> None:
            await stubborn(30)

    class Begins(FrameProcessor):
        async def on_running(self) -> None:
            begun.append("begun")

    task = PipelineTask(Pipeline([Deaf(name="deaf"), Begins()]), name="run")
    later(1.0, task.cancel)
    report = await task.run()
    assert [given_up.name for given_up in report.abandoned] == ["run:begin"]
    await asyncio.sleep(60)
    assert begun == []


async def test_a_run_that_never_opened_reports_no_books_of_the_run_before() -> None:
    card = SimulatedCard()
    stages = [MicrophoneInput(card.backend()), SpeakerOutput(card.backend())]
    first = PipelineTask(Pipeline(stages))
    later(1.0, first.end)
    assert any(seam.taken for seam in (await first.run()).seams)
    second = PipelineTask(Pipeline(stages))
    second.cancel()
    assert not any(seam.taken for seam in (await second.run()).seams)
