"""Runs that come and go all day, side by side, and in whatever loop."""

from __future__ import annotations

import asyncio
import gc
import threading

import numpy as np
import pytest

from support.stages import Ends, InlineRecorder, Loopback, Recorder
from voicepipe import (
    Limits,
    MicrophoneInput,
    ParallelPipeline,
    Pipeline,
    PipelineTask,
    RunState,
    SpeakerOutput,
    TextFrame,
)
from voicepipe.census.census import assert_nothing_left, take_census
from voicepipe.testing import run_virtual
from voicepipe_devices.fake import SimulatedCard


async def one_run(stop: str = "end") -> None:
    task = PipelineTask(Pipeline([Recorder(), ParallelPipeline([InlineRecorder()], [Recorder()])]))
    await task.queue_frame(TextFrame("hello"))
    asyncio.get_running_loop().call_soon(getattr(task, stop))
    await task.run()


@pytest.mark.heavy
async def test_a_thousand_runs_in_one_loop_leave_no_object_behind() -> None:
    for _ in range(50):
        await one_run()
    gc.collect()
    before = len(gc.get_objects())
    for n in range(1000):
        await one_run("cancel" if n % 3 == 0 else "end")
    gc.collect()
    assert len(gc.get_objects()) - before < 50


@pytest.mark.real_time
def test_twenty_event_loops_in_one_process() -> None:
    before = take_census()
    for _ in range(20):
        asyncio.run(one_run())
    assert_nothing_left(before)


def test_a_loop_in_another_thread() -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run_virtual(one_run())
            asyncio.run(one_run())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert failed == []


async def test_three_runs_at_once_each_with_a_card_of_its_own() -> None:
    speech = bytes(range(1, 251)) * 128
    cards = [SimulatedCard(name) for name in "abc"]
    tasks = []
    for n, card in enumerate(cards):
        card.mic.hear(speech)
        card.mic.run_out()
        backend = card.backend()
        stages = [MicrophoneInput(backend, block_s=0.01 * (n + 1)), Loopback(), SpeakerOutput(backend)]
        tasks.append(PipelineTask(Pipeline(stages)))
    for report in await asyncio.gather(*(task.run() for task in tasks)):
        assert report.state is RunState.ENDED
    for card in cards:
        played = np.frombuffer(card.speaker.played(), np.int16)
        assert played[played != 0].tobytes() == speech  # zeros: where the device asked before there was more


async def test_one_run_fails_and_its_neighbours_do_not_notice() -> None:
    class Breaks(Recorder):
        async def on_end(self) -> None:
            raise ValueError("broken")

    good = [PipelineTask(Pipeline([Recorder()])) for _ in range(2)]
    bad = PipelineTask(Pipeline([Breaks()]), limits=Limits(stall_s=1))
    ends = [Ends(task) for task in good]
    for task in (*good, bad):
        asyncio.get_running_loop().call_later(1, task.end)
    results = await asyncio.gather(*(task.run() for task in (*good, bad)), return_exceptions=True)
    assert [type(result).__name__ for result in results] == ["RunReport", "RunReport", "PipelineError"]
    assert all(end.ended.is_set() for end in ends)
