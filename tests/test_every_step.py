"""A run is cancelled from outside at every step of the loop in turn: opening, start, steady, drain, close."""

from __future__ import annotations

import asyncio

import pytest

from stages_for_tests import InlineRecorder, Loopback, Recorder
from voicepipe import (
    MicrophoneInput,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    Processor,
    RunState,
    SpeakerOutput,
    StartParams,
)
from voicepipe.census import assert_nothing_left, take_census
from voicepipe.testing import VirtualLoop
from voicepipe_devices.fake import SimulatedCard


class SteppingLoop(VirtualLoop):
    """Cancels its victim when it has made so many steps since it was told to count."""

    def __init__(self) -> None:
        self.steps = 0
        self.cancel_at = -1
        self.victim: asyncio.Task[object] | None = None
        super().__init__()

    def advance(self, timeout: float | None) -> float | None:
        self.steps += 1
        if self.victim is not None and self.steps == self.cancel_at:
            self.victim.cancel()
            return 0.0
        return super().advance(timeout)


class SlowToOpen(Recorder):
    """Takes a few steps for everything."""

    async def on_start(self, params: StartParams) -> None:
        await super().on_start(params)
        for _ in range(3):
            await asyncio.sleep(0.01)

    async def on_end(self) -> None:
        await asyncio.sleep(0.01)
        await super().on_end()

    async def cleanup(self) -> None:
        await asyncio.sleep(0.01)
        await super().cleanup()


def shapes() -> dict[str, list[Processor]]:
    card = SimulatedCard()
    card.mic.hear(b"\1\0" * 1600)
    card.mic.run_out()
    return {
        "one stage": [SlowToOpen()],
        "nested and parallel": [
            Recorder(),
            Pipeline([SlowToOpen(), ParallelPipeline([SlowToOpen()], [InlineRecorder()])]),
            Recorder(),
        ],
        "devices": [MicrophoneInput(card.backend()), Loopback(), SlowToOpen(), SpeakerOutput(card.backend())],
    }


def cancelled_at(step: int, stages: list[Processor], end_after_s: float) -> bool:
    """Whether the run was still going on at that step."""
    before = take_census()
    with asyncio.Runner(loop_factory=SteppingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SteppingLoop)
        result = runner.run(_cancelled_at(loop, step, stages, end_after_s))
    assert_nothing_left(before)
    return result


async def _cancelled_at(loop: SteppingLoop, step: int, stages: list[Processor], end_after_s: float) -> bool:
    before = take_census()
    task = PipelineTask(Pipeline(stages))
    ending = loop.call_later(end_after_s, task.end)
    loop.victim = asyncio.create_task(task.run())
    loop.steps, loop.cancel_at = 0, step
    try:
        await loop.victim
    except asyncio.CancelledError:
        pass
    ending.cancel()
    await asyncio.sleep(0)
    assert_nothing_left(before)
    assert task.state in (RunState.CANCELLED, RunState.ENDED, RunState.CREATED)
    if task.report is not None and task.state is not RunState.CREATED:
        assert all(seam.balanced and seam.held == 0 for seam in task.report.seams)
        assert not task.report.abandoned
        assert not task.report.forced
    for stage in stages:
        if isinstance(stage, Recorder):
            assert stage.events.count("cleanup") == stage.events.count("start")
    return loop.victim.cancelled()


@pytest.mark.parametrize("shape", shapes())
def test_outer_cancellation_at_any_step_leaves_nothing(shape: str) -> None:
    step = 1
    while cancelled_at(step, shapes()[shape], end_after_s=0.2):
        step += 1
    assert step > 10
