"""Queues are bounded, and cannot deadlock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import pytest

from support.stages import DOWN, UP, Does, Ends, Recorder, forever
from voicepipe import (
    AudioFrame,
    ControlFrame,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    Pipeline,
    PipelineTask,
    SystemFrame,
    TextFrame,
)
from voicepipe.pipeline.mailbox import UPSTREAM_CAPACITY, Mailbox
from voicepipe.run.frame_entry import FrameEntry
from voicepipe.run.run import Run


class Urgent(SystemFrame):
    pass


class Mark(ControlFrame):
    pass


@dataclass
class Quiet:
    """A run none of whose stages is at work, as the entry of frames sees it."""

    loop: asyncio.AbstractEventLoop

    def current_work(self) -> None:
        """None: somebody else is at work."""


async def queue(task: PipelineTask, frames: int) -> None:
    for n in range(frames):
        await task.queue_frame(TextFrame(str(n)))


async def test_a_pusher_waits_where_a_mailbox_downstream_is_full() -> None:
    handled = 0

    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        nonlocal handled
        await asyncio.sleep(0.1)
        handled += 1

    task = PipelineTask(Pipeline([Recorder(), Does(slowly, "slow")]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    ahead = 0
    for n in range(500):
        await task.queue_frame(TextFrame(str(n)))
        ahead = max(ahead, n + 1 - handled)
    task.end()
    report = await running
    assert handled == 500
    assert ahead <= 2 * (32 + 2) + 2  # two mailboxes, and a frame in each hand
    assert not report.dropped_frames


async def test_the_size_of_a_mailbox_is_the_stages_choice() -> None:
    class Small(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.sleep(1)

    task = PipelineTask(Pipeline([Small(mailbox=2)]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    await task.queue_frame(TextFrame("in hand"))
    await asyncio.sleep(0.1)
    for n in range(2):
        await task.queue_frame(TextFrame(f"waits {n}"))
    pushing = asyncio.create_task(task.queue_frame(TextFrame("one too many")))
    await asyncio.sleep(0.5)
    assert not pushing.done()
    await asyncio.sleep(2)
    assert pushing.done()
    task.end()
    await running


async def test_system_frames_go_ahead_of_data_after_the_frame_in_progress() -> None:
    order: list[str] = []

    async def slowly(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(1)
        order.append(frame.text if isinstance(frame, TextFrame) else type(frame).__name__)

    task = PipelineTask(Pipeline([Does(slowly)]))
    for frame in (TextFrame("a"), TextFrame("b"), Mark(), TextFrame("c")):
        await task.queue_frame(frame)
    asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(task.queue_frame(Urgent())))
    asyncio.get_running_loop().call_later(0.6, task.end)
    await task.run()
    assert order == ["a", "Urgent", "b", "Mark", "c"]


async def test_a_stage_that_waits_for_room_still_handles_system_frames() -> None:
    handled: list[float] = []
    gate = asyncio.Event()

    async def flood(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, Urgent):
            handled.append(asyncio.get_running_loop().time())
            return
        for n in range(200):
            await stage.push_frame(TextFrame(str(n)))

    async def shut(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await gate.wait()
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Does(flood, "flood"), Does(shut, "shut")]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("x"))
    loop = asyncio.get_running_loop()
    for when in (1, 2, 3):
        loop.call_later(when, lambda: asyncio.ensure_future(task.queue_frame(Urgent())))
    loop.call_later(4, gate.set)
    loop.call_later(4, task.end)
    await task.run()
    assert handled == [1, 2, 3]
    assert [f.text for f in ends.down if isinstance(f, TextFrame)] == [str(n) for n in range(200)]


async def test_upstream_never_waits_and_drops_its_oldest_data() -> None:
    kept: list[Frame] = []

    async def busy(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if direction is DOWN:
            await stage.push_frame(frame)
            await asyncio.sleep(1)
        else:
            kept.append(frame)

    async def chatter(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        for n in range(1000):
            await stage.push_frame(TextFrame(str(n)), UP)

    task = PipelineTask(Pipeline([Does(busy, "busy"), Does(chatter, "chatter")]))
    await task.queue_frame(TextFrame("go"))
    asyncio.get_running_loop().call_later(0.5, task.end)
    report = await task.run()
    assert [f.text for f in kept if isinstance(f, TextFrame)] == [str(n) for n in range(744, 1000)]
    assert len(kept) == UPSTREAM_CAPACITY
    assert report.dropped_frames == {"upstream_overflow": 1000 - UPSTREAM_CAPACITY}


async def test_two_stages_that_push_at_each_other_do_not_deadlock() -> None:
    got = {"up": 0, "down": 0}

    async def ping(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if direction is UP:
            got["up"] += 1
        else:
            for _ in range(100):
                await stage.push_frame(TextFrame("ping"))

    async def pong(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        got["down"] += 1
        await stage.push_frame(TextFrame("pong"), UP)

    task = PipelineTask(Pipeline([Does(ping), Does(pong)]))
    for _ in range(2):
        await task.queue_frame(TextFrame("go"))
    task.end()
    report = await task.run()
    # What comes back after the End has passed the first stage passes by it.
    assert got["up"] + report.discarded.get("upstream", 0) == got["down"] == 200
    assert not report.slow


async def test_a_pipeline_of_inline_stages_leaves_the_loop_to_others() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = PipelineTask(Pipeline([]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    ticking = asyncio.create_task(tick())
    for n in range(1000):
        await task.queue_frame(TextFrame(str(n)))
    assert ticks >= 10
    ticking.cancel()
    task.end()
    await running


async def test_the_ledger_of_a_mailbox_counts_what_waits_and_what_is_in_hand() -> None:
    async def hang(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await forever()

    task = PipelineTask(Pipeline([Does(hang, "hang")]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0.1)
    for _ in range(5):
        await task.queue_frame(AudioFrame(bytes(320)))
    await asyncio.sleep(0.1)
    assert task.report is not None
    (seam,) = task.report.seams
    assert (seam.taken, seam.given, seam.held, seam.balanced) == (800, 0, 800, True)
    task.cancel()
    (seam,) = (await running).seams
    assert (seam.taken, seam.held, seam.dropped, seam.balanced) == (800, 0, {"cancelled": 800}, True)


async def test_a_flood_of_errors_upstream_stays_bounded() -> None:
    async def complain(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        for n in range(5000):
            await stage.push_frame(ErrorFrame(str(n)), UP)

    async def busy(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if direction is DOWN:
            await stage.push_frame(frame)
            await asyncio.sleep(1)
        else:
            got.append(frame)
            await stage.push_frame(frame, direction)

    got: list[Frame] = []
    task = PipelineTask(Pipeline([Does(busy), Does(complain)]))
    await task.queue_frame(TextFrame("go"))
    asyncio.get_running_loop().call_later(2, task.end)
    report = await task.run()
    assert len(got) == 64
    assert report.dropped_frames == {"coalesced": 5000 - 64}
    assert len(report.errors) == 64


async def test_a_flood_of_one_handling_lets_system_frames_be_handled_meanwhile() -> None:
    """The stage behind takes all in one turn of the loop, so the pusher never waits for longer."""
    seen: list[object] = []

    async def flood(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        seen.append(type(frame))
        if isinstance(frame, TextFrame):
            for n in range(1_000):
                await stage.push_frame(Mark())
                if n == 500:
                    await task.queue_frame(Urgent())
        seen.append(type(frame))

    async def drop(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        pass

    task = PipelineTask(Pipeline([Does(flood, "floods"), Does(drop, "drops")]))
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("begin"))
    await asyncio.sleep(1)
    task.end()
    await running
    assert seen[:3] == [TextFrame, Urgent, Urgent]


@pytest.mark.parametrize("pauses", [1, 2, 5, 16, 33], ids="a turn for each {}".format)
async def test_a_pusher_is_not_woken_for_each_frame_that_is_taken(pauses: int) -> None:
    """Its stage takes some frames in a turn of the loop: the pusher waits until half of the room is free."""
    box, pushed = Mailbox(), 0
    loop = asyncio.get_running_loop()
    turns = 0

    async def push() -> None:
        nonlocal pushed, turns
        entry = FrameEntry()
        for n in range(500):
            pushed = n + 1
            if (full := box.put_down(TextFrame(str(n)))) is not None:
                turns += 1
                await entry.wait(cast(Run, Quiet(loop)), full)

    pushing = asyncio.create_task(push())
    taken = 0
    while taken < 500:
        while taken < 500 and box.take() is not None:
            taken += 1
            if taken % pauses == 0:
                break
        assert pushed - taken <= box.capacity + 1
        await asyncio.sleep(0)
    await pushing
    assert turns <= 500 / (box.capacity // 2)


async def test_a_flood_through_quick_stages_leaves_the_loop_to_others() -> None:
    async def push_on(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)

    task = PipelineTask(Pipeline([Does(push_on, f"stage-{n}") for n in range(5)]))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1)
    flood = asyncio.create_task(queue(task, 2_000))
    turns = 0
    while not flood.done():
        await asyncio.sleep(0)
        turns += 1
    task.end()
    await running
    assert turns >= 2_000 / 64
