"""Facts are passed on by the framework: at once, once, in order, past whatever the stages do."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from support.sound import virtual_loop
from support.stages import DOWN, UP, Does, Ends, InlineRecorder, Recorder
from voicepipe import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    FactFrame,
    Frame,
    FrameDirection,
    FrameFilter,
    FrameProcessor,
    InlineProcessor,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    SpokenStoppedFrame,
    StartParams,
    TextFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)


class Busy(FrameProcessor):
    """Stands for 30 s with each text, and notes when it learns of a fact: at once, and when it is free."""

    may_take_s = 60.0

    def __init__(self, name: str = "busy") -> None:
        super().__init__(name=name)
        self.at_once: list[tuple[float, Frame]] = []
        self.when_free: list[tuple[float, Frame]] = []

    def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
        self.at_once.append((virtual_loop().time(), fact))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, FactFrame):
            self.when_free.append((virtual_loop().time(), frame))
        if isinstance(frame, TextFrame):
            await asyncio.sleep(30.0)
        await self.push_frame(frame, direction)


class Says(InlineProcessor):
    """Tells a fact for each text that says so."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if isinstance(frame, TextFrame) and frame.text == "start":
            return (frame, UserStartedSpeakingFrame(7))
        return (frame,)


def facts(frames: Iterable[Frame]) -> list[Frame]:
    return [frame for frame in frames if isinstance(frame, FactFrame)]


@pytest.mark.parametrize("direction", [DOWN, UP])
async def test_a_fact_passes_full_mailboxes_and_busy_stages_at_once(direction: FrameDirection) -> None:
    first, last = Recorder("first"), Recorder("last")
    busy = [Busy("a"), Busy("b")]
    origin = Recorder("origin")
    stages = [origin, *busy, last] if direction is DOWN else [first, *busy, origin]
    task = PipelineTask(Pipeline(stages))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    # The mailbox of the first is over its limit; its pushers wait.
    pushers = [asyncio.ensure_future(task.queue_frame(TextFrame(str(n)))) for n in range(40)]
    await asyncio.sleep(1.0)
    fact = BotStartedSpeakingFrame(3)
    await origin.push_frame(fact, direction)
    told_s = virtual_loop().time()
    assert told_s == 1.0
    assert facts(ends.down if direction is DOWN else ends.up) == [fact]
    assert facts(ends.up if direction is DOWN else ends.down) == []
    for stage in busy:
        assert stage.at_once == [(1.0, fact)]
    task.cancel()
    await asyncio.gather(running, *pushers)
    other = last if direction is DOWN else first
    assert facts(other.frames) in ([fact], [])  # the cancel may have been sooner


async def test_a_busy_stage_gets_the_facts_in_order_when_it_is_free() -> None:
    busy = Busy()
    task = PipelineTask(Pipeline([busy]))
    told = [UserStartedSpeakingFrame(1), UserStoppedSpeakingFrame(2), UserStartedSpeakingFrame(3)]
    await task.queue_frame(TextFrame("long"))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    for fact in told:
        await task.queue_frame(fact)
    task.end()
    await running
    assert busy.at_once == [(1.0, fact) for fact in told]
    assert busy.when_free == [(30.0, fact) for fact in told]


@pytest.mark.parametrize("way", ["holds", "doubles", "doubles later", "pushes both ways"])
async def test_no_stage_can_hold_or_double_a_fact(way: str) -> None:
    kept: list[Frame] = []

    async def misbehave(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, FactFrame):
            for fact in kept:
                await stage.push_frame(fact)
            await stage.push_frame(frame, direction)
            return
        if way == "doubles":
            await stage.push_frame(frame, direction)
            await stage.push_frame(frame, direction)
        elif way == "doubles later":
            kept.append(frame)

    behind = Recorder("behind")
    task = PipelineTask(Pipeline([Does(misbehave), behind]))
    ends = Ends(task)
    fact = UserStartedSpeakingFrame(5)
    for frame in (fact, fact, TextFrame("then")):
        await task.queue_frame(frame)
    task.end()
    await task.run()
    assert facts(ends.down) == [fact]
    assert facts(behind.frames) == [fact]


async def test_an_inline_stage_cannot_drop_a_fact_but_may_add_to_it() -> None:
    class Adds(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return (TextFrame("added"),) if isinstance(frame, FactFrame) else (frame,)

    behind = InlineRecorder("behind")
    task = PipelineTask(Pipeline([Adds(), FrameFilter(TextFrame), behind]))
    ends = Ends(task)
    fact = UserStartedSpeakingFrame(5)
    await task.queue_frame(fact)
    task.end()
    await task.run()
    kinds = [type(frame) for frame in ends.down]
    assert kinds.index(UserStartedSpeakingFrame) < kinds.index(TextFrame)
    assert [type(frame) for frame in behind.frames] == [UserStartedSpeakingFrame, TextFrame]


async def test_a_fact_leaves_a_junction_once_and_reaches_every_branch_once() -> None:
    branches: list[list[Processor]] = [
        [Busy("a"), InlineRecorder("a1")],
        [InlineRecorder("b1")],
        [Recorder("c1"), Recorder("c2")],
    ]
    front, behind = Recorder("front"), Recorder("behind")
    task = PipelineTask(Pipeline([front, ParallelPipeline(*branches), behind]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    down, up = UserStartedSpeakingFrame(1), BotStartedSpeakingFrame(2)
    await task.queue_frame(down)
    await behind.push_frame(up, UP)
    assert facts(ends.down) == [down]
    assert facts(ends.up) == [up]
    task.end()
    await running
    for branch in branches:
        for stage in branch:
            if isinstance(stage, (Recorder, InlineRecorder)):
                assert facts(stage.frames) == [down, up]
    assert facts(front.frames) == [down, up]
    assert facts(behind.frames) == [down]


async def test_a_fact_of_one_branch_does_not_reach_the_other() -> None:
    other, behind = Recorder("other"), Recorder("behind")
    task = PipelineTask(Pipeline([ParallelPipeline([Says(), Busy()], [other]), behind]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("start"))
    task.end()
    await task.run()
    assert len(facts(ends.down)) == len(facts(behind.frames)) == 1
    assert facts(other.frames) == []


async def test_facts_from_before_the_start_wait_for_it() -> None:
    class Early(FrameProcessor):
        async def on_start(self, params: object) -> None:
            await self.push_frame(fact)
            await self.push_frame(fact, UP)

    fact = UserStartedSpeakingFrame(1)
    front, behind = Recorder("front"), Recorder("behind")
    task = PipelineTask(Pipeline([front, Early(), behind]))
    ends = Ends(task)
    task.end()
    await task.run()
    assert [type(frame).__name__ for frame in ends.down] == [
        "StartFrame",
        "UserStartedSpeakingFrame",
        "EndFrame",
    ]
    assert facts(ends.up) == [fact]
    for stage in (front, behind):
        assert stage.events == ["start", "end", "cleanup"]
        assert facts(stage.frames) == [fact]


@pytest.mark.parametrize("direction", [DOWN, UP])
async def test_facts_from_before_the_start_keep_their_order(direction: FrameDirection) -> None:
    told = [UserStartedSpeakingFrame(1), UserStoppedSpeakingFrame(2), BotStartedSpeakingFrame(3)]

    class Early(FrameProcessor):
        async def on_start(self, params: object) -> None:
            for fact in told:
                await self.push_frame(fact, direction)

    front, behind = Recorder("front"), InlineRecorder("behind")
    task = PipelineTask(Pipeline([front, Early(), behind]))
    ends = Ends(task)
    task.end()
    await task.run()
    assert facts(ends.down if direction is DOWN else ends.up) == told
    assert facts(behind.frames if direction is DOWN else front.frames) == told


async def test_too_many_facts_before_the_start_are_an_error() -> None:
    class Early(FrameProcessor):
        async def on_start(self, params: object) -> None:
            for n in range(300):
                await self.push_frame(UserStartedSpeakingFrame(n))

    with pytest.raises(PipelineError, match="over 256 facts were pushed before the start"):
        await PipelineTask(Pipeline([Early()])).run()


async def test_a_fact_passes_by_a_stage_that_has_failed() -> None:
    async def fail(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        raise ValueError("oh")

    failing = Does(fail)
    behind = InlineRecorder("behind")
    task = PipelineTask(Pipeline([failing, behind]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    failing_seat = failing._seat
    assert failing_seat is not None
    failing_seat.disable("processor_error")  # type: ignore[attr-defined]  # as a failure does
    fact = UserStartedSpeakingFrame(1)
    await task.queue_frame(fact)
    task.end()
    await running
    assert facts(ends.down) == facts(behind.frames) == [fact]


async def test_facts_that_wait_at_a_stage_that_is_given_up_do_not_go_on_twice() -> None:
    busy, behind = Busy(), InlineRecorder("behind")
    task = PipelineTask(Pipeline([busy, behind]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await task.queue_frame(TextFrame("long"))
    await asyncio.sleep(1.0)
    fact = UserStartedSpeakingFrame()
    await task.queue_frame(fact)
    assert busy._seat is not None
    busy._seat.disable("processor_error")  # type: ignore[attr-defined]  # as a failure does
    task.end()
    await running
    assert facts(ends.down) == facts(behind.frames) == [fact]


async def test_a_stage_that_is_busy_for_long_misses_whole_pairs_only() -> None:
    busy = Busy()
    task = PipelineTask(Pipeline([busy]))
    await task.queue_frame(TextFrame("long"))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    for n in range(200):
        await task.queue_frame(UserStartedSpeakingFrame(n))
        await task.queue_frame(BotStartedSpeakingFrame(n))
        await task.queue_frame(UserStoppedSpeakingFrame(n))
        await task.queue_frame(BotStoppedSpeakingFrame(n))
    await task.queue_frame(UserStartedSpeakingFrame(999))
    task.end()
    report = await running
    got = [fact for _, fact in busy.when_free]
    assert len(busy.at_once) == 801
    assert len(got) + report.dropped_frames["coalesced"] == 801
    assert len(got) <= 66
    for start, stop in (
        (UserStartedSpeakingFrame, UserStoppedSpeakingFrame),
        (BotStartedSpeakingFrame, BotStoppedSpeakingFrame),
    ):
        mine = [fact for fact in got if isinstance(fact, (start, stop))]
        assert all(isinstance(fact, start if at % 2 == 0 else stop) for at, fact in enumerate(mine)), (
            "a pair was split"
        )
    assert isinstance(got[-1], UserStartedSpeakingFrame)
    assert got[-1].position == 999


@dataclass(frozen=True)  # it compares by value, as a user's may
class Noted(FactFrame):
    what: str


async def test_facts_of_a_users_own_class_travel_in_the_same_way() -> None:
    busy, behind = Busy(), Recorder("behind")
    task = PipelineTask(Pipeline([busy, behind]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("long"))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    one = Noted("one")
    for fact in (one, copy.copy(one), one):
        await task.queue_frame(fact)
    for n in range(200):  # it has no partner: of too many the oldest goes
        await task.queue_frame(Noted(str(n)))
    task.end()
    report = await running
    assert len(facts(ends.down)) == 202
    assert report.dropped_frames["coalesced"] == 202 - len(busy.when_free)
    assert [fact for _, fact in busy.when_free][-1] == Noted("199")


async def test_a_fact_that_follows_from_a_fact_comes_behind_it_everywhere() -> None:
    class Answers(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            if isinstance(frame, UserStartedSpeakingFrame):
                return (Noted("follows"), frame)
            return (frame,)

    behind: list[Processor] = [InlineRecorder("1"), Recorder("2"), InlineRecorder("3")]
    task = PipelineTask(Pipeline([Answers(), *behind]))
    ends = Ends(task)
    await task.queue_frame(UserStartedSpeakingFrame())
    task.end()
    await task.run()
    assert [type(fact) for fact in facts(ends.down)] == [UserStartedSpeakingFrame, Noted]
    for stage in behind:
        assert isinstance(stage, (Recorder, InlineRecorder))
        assert [type(fact) for fact in facts(stage.frames)] == [UserStartedSpeakingFrame, Noted]


async def test_an_error_in_on_fact_is_the_stages_and_the_fact_goes_on() -> None:
    class Fails(FrameProcessor):
        def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
            raise ValueError("oh")

    behind = InlineRecorder("behind")
    task = PipelineTask(Pipeline([Fails(), behind]))
    ends = Ends(task)
    fact = UserStartedSpeakingFrame()
    await task.queue_frame(fact)
    with pytest.raises(PipelineError, match="Fails failed: ValueError: oh"):
        await task.run()
    assert facts(ends.down) == facts(behind.frames) == [fact]


async def test_facts_that_wait_at_a_stage_that_fails_are_not_sent_a_second_time() -> None:
    async def fail_later(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await asyncio.sleep(2.0)
        raise ValueError("oh")

    behind = Recorder("behind")
    task = PipelineTask(Pipeline([Does(fail_later), behind]))
    ends = Ends(task)
    await task.queue_frame(TextFrame("long"))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    told = [UserStartedSpeakingFrame(1), UserStoppedSpeakingFrame(2)]
    for fact in told:
        await task.queue_frame(fact)
    with pytest.raises(PipelineError, match="oh"):
        await running
    assert facts(ends.down) == facts(behind.frames) == told


async def test_facts_keep_their_order_while_a_push_waits() -> None:
    handled: list[Frame] = []

    async def wait(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, FactFrame):
            handled.append(frame)
            return
        for n in range(40):  # more than fit into the next mailbox
            await stage.push_frame(TextFrame(str(n)))

    task = PipelineTask(Pipeline([Does(wait), Busy()]))
    await task.queue_frame(TextFrame("go"))
    running = asyncio.create_task(task.run())
    await asyncio.sleep(1.0)
    told = [UserStartedSpeakingFrame(1), UserStoppedSpeakingFrame(2), UserStartedSpeakingFrame(3)]
    for fact in told:
        await task.queue_frame(fact)
    await asyncio.sleep(0.1)
    assert handled == told
    task.cancel()
    await running


async def test_a_fact_of_the_program_does_not_wait_for_an_interruption() -> None:
    task = PipelineTask(Pipeline([Busy()]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    await asyncio.sleep(0.1)
    fact = UserStartedSpeakingFrame(1)
    task.interrupt()
    queueing = task.queue_frame(fact)
    with pytest.raises(StopIteration):
        queueing.send(None)
    assert facts(ends.down) == [fact]
    task.end()
    await running


async def test_a_fact_for_both_directions_is_noted_once_whenever_it_is_pushed() -> None:
    """The record of the conversation has each sentence once, also of a stage that tells it in a fact."""

    class Tells(FrameProcessor):
        async def on_start(self, params: StartParams) -> None:
            self.record = params.conversation
            for direction in (UP, DOWN):
                await self.push_frame(spoken[0], direction)

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await self.push_frame(frame, direction)

        def on_fact(self, fact: Frame, direction: FrameDirection) -> None:
            if isinstance(fact, UserStartedSpeakingFrame):
                for each in (UP, DOWN):  # while that fact is being passed
                    with contextlib.suppress(StopIteration):
                        self.push_frame(spoken[1], each).send(None)

    spoken = [SpokenStoppedFrame(text, heard=text) for text in ("early", "at once")]
    stage = Tells()
    task = PipelineTask(Pipeline([stage]))
    await task.queue_frame(UserStartedSpeakingFrame())
    task.end()
    await task.run()
    assert [remark.text for remark in stage.record.remarks] == ["early", "at once"]
