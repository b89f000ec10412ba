"""The frame in hand goes on once; a stage's own frames as often as it likes."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable

import pytest

from support.stages import DOWN, UP, Does, Ends
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    OutputAudioFrame,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    SystemFrame,
    TextFrame,
)

Handler = Callable[[FrameProcessor, Frame, FrameDirection], Awaitable[None]]


async def run(stages: Iterable[Processor], frames: Iterable[Frame]) -> tuple[RunReport, list[Frame]]:
    """Send the frames through the stages; return the report and what left at the end."""
    task = PipelineTask(Pipeline(list(stages)))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    for frame in frames:
        await task.queue_frame(frame)
    task.end()
    report = await running
    return report, [frame for frame in ends.down if not frame.is_request]


async def _super_then_push(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    await FrameProcessor.process_frame(stage, frame, direction)
    await stage.push_frame(frame, direction)


async def _push_then_super(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    await stage.push_frame(frame, direction)
    await FrameProcessor.process_frame(stage, frame, direction)


async def _around_its_own(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    await stage.push_frame(frame, direction)
    await stage.push_frame(TextFrame("its own"))
    await stage.push_frame(frame, direction)


async def _in_a_loop(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    for _ in range(2):
        await stage.push_frame(frame)


async def _side_by_side(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    await asyncio.gather(stage.push_frame(frame), stage.push_frame(frame))


async def _twice_upstream(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    for way in (UP, DOWN, UP):
        await stage.push_frame(frame, way)


async def _after_a_wait(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
    await stage.push_frame(frame)
    await asyncio.sleep(1)
    await stage.push_frame(frame)


@pytest.mark.parametrize(
    "handler",
    [
        _super_then_push,
        _push_then_super,
        _around_its_own,
        _in_a_loop,
        _side_by_side,
        _twice_upstream,
        _after_a_wait,
    ],
)
async def test_the_frame_in_hand_pushed_twice_is_an_error_with_the_cure(handler: Handler) -> None:
    with pytest.raises(PipelineError, match=r"does passed the same InputAudioFrame on twice.*copy") as caught:
        await run([Does(handler)], [InputAudioFrame(bytes(640))])
    assert caught.value.stage == "does"


@pytest.mark.parametrize("frame", [TextFrame("a"), OutputAudioFrame(bytes(640)), SystemFrame()])
async def test_it_is_an_error_for_every_kind_of_frame(frame: Frame) -> None:
    with pytest.raises(PipelineError, match=f"{type(frame).__name__} on twice"):
        await run([Does(_super_then_push)], [frame])


class Repeats(InlineProcessor):
    def __init__(self, make: Callable[[Frame], Iterable[Frame]]) -> None:
        super().__init__()
        self.make = make

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        return self.make(frame)


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: (frame, frame),
        lambda frame: [frame, TextFrame("own"), frame],
        lambda frame: iter((frame,) * 3),
    ],
)
async def test_an_inline_stage_returns_the_frame_in_hand_once(
    make: Callable[[Frame], Iterable[Frame]],
) -> None:
    with pytest.raises(PipelineError, match="Repeats passed the same TextFrame on twice"):
        await run([Repeats(make)], [TextFrame("a")])


async def test_the_policy_of_the_stage_applies() -> None:
    stage = Does(_super_then_push)
    stage.on_error = "report"
    report, out = await run([stage], [TextFrame("a"), TextFrame("b")])
    assert report.state is RunState.ENDED
    assert [frame.text for frame in out if isinstance(frame, TextFrame)] == ["a", "b"]
    assert [error.stage for error in report.errors] == ["does", "does"]


async def test_the_next_frame_after_an_error_can_be_pushed() -> None:
    """Also the same object once more, which is another handling."""
    frame = TextFrame("a")
    stage = Does(_super_then_push)
    stage.on_error = "report"
    _, out = await run([stage], [frame, frame, frame])
    assert out == [frame] * 3


@pytest.mark.parametrize("kind", ["mailbox", "inline"])
async def test_a_stage_may_push_its_own_frames_as_often_as_it_likes(kind: str) -> None:
    chime = OutputAudioFrame(bytes(640))

    async def sound(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        for _ in range(3):
            await stage.push_frame(chime)
        await stage.push_frame(frame, direction)

    stage = Does(sound) if kind == "mailbox" else Repeats(lambda frame: (chime, chime, chime, frame))
    _, out = await run([stage], [TextFrame("a")])
    assert out.count(chime) == 3


async def test_a_copy_may_be_pushed_beside_the_frame() -> None:
    async def double(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)
        await stage.push_frame(copy.copy(frame), direction)

    _, out = await run([Does(double)], [InputAudioFrame(bytes(640)), TextFrame("a")])
    assert [type(frame) for frame in out] == [InputAudioFrame] * 2 + [TextFrame] * 2


async def test_both_directions_are_two_ways() -> None:
    async def back_and_forth(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, UP)
        await stage.push_frame(frame, DOWN)

    report, out = await run([Does(back_and_forth)], [TextFrame("a")])
    assert len(out) == 1
    assert report.errors == ()


async def test_the_same_object_may_come_again() -> None:
    frame = InputAudioFrame(bytes(640))
    report, out = await run([FrameProcessor(), FrameProcessor()], [frame] * 5)
    assert out == [frame] * 5
    assert report.errors == ()


async def test_a_frame_that_was_kept_can_be_pushed_later() -> None:
    class Late(FrameProcessor):
        def __init__(self) -> None:
            super().__init__()
            self.kept: list[Frame] = []

        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            self.kept.append(frame)

        async def on_end(self) -> None:
            for frame in self.kept * 2:
                await self.push_frame(frame)

    _, out = await run([Late()], [TextFrame("a"), TextFrame("b")])
    assert [frame.text for frame in out if isinstance(frame, TextFrame)] == ["a", "b", "a", "b"]


async def test_a_system_frame_that_comes_while_a_push_waits_is_another_handling() -> None:
    """The frame whose push waits was pushed; the system frame was not, and afterwards the first was still."""
    seen: list[Frame] = []
    gate = asyncio.Event()

    async def late(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        if not frame.is_system:
            await gate.wait()
        await stage.push_frame(frame, direction)

    async def twice_if_told(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(frame, direction)
        seen.append(frame)
        if frame is last:
            await stage.push_frame(frame, direction)

    slow = Does(late, name="slow")
    slow.mailbox_size = 1
    last = TextFrame("last")
    task = PipelineTask(Pipeline([Does(twice_if_told), slow]))
    ends = Ends(task)
    running = asyncio.create_task(task.run())
    await ends.started.wait()
    for text in "abc":
        await task.queue_frame(TextFrame(text))
    await task.queue_frame(last)
    await asyncio.sleep(0.1)
    news = SystemFrame()
    await task.queue_frame(news)
    await asyncio.sleep(0.1)
    assert news in seen
    assert last not in seen
    gate.set()
    task.end()
    with pytest.raises(PipelineError, match="does passed the same TextFrame on twice"):
        await running


@pytest.mark.parametrize("value", [None, DOWN, "text", 3])
async def test_what_is_no_frame_is_refused_with_no_frame_in_hand(value: object) -> None:
    class Wrong(FrameProcessor):
        async def on_running(self) -> None:
            await self.push_frame(value)  # type: ignore[arg-type]

    with pytest.raises(PipelineError, match="must push or return frames"):
        await run([Wrong()], [])


# -- parallel branches -----------------------------------------------------------------------


class Takes(InlineProcessor):
    """Passes on every nth data frame."""

    def __init__(self, *turns: int, of: int) -> None:
        super().__init__()
        self.turns, self.of, self.count = turns, of, 0

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        if frame.is_request:
            return (frame,)
        self.count += 1
        return (frame,) if (self.count - 1) % self.of in self.turns else ()


class TakesSlowly(FrameProcessor):
    """The same, with a mailbox, and late."""

    def __init__(self, *turns: int, of: int) -> None:
        super().__init__()
        self.turns, self.of, self.count = turns, of, 0

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.count += 1
        await asyncio.sleep(0.01)
        if (self.count - 1) % self.of in self.turns:
            await self.push_frame(frame, direction)


BRANCHES: dict[str, Callable[[], ParallelPipeline]] = {
    "one passes the odd, one the even": lambda: ParallelPipeline([Takes(0, of=2)], [Takes(1, of=2)]),
    "the same, one late": lambda: ParallelPipeline([Takes(0, of=2)], [TakesSlowly(1, of=2)]),
    "the same, both late": lambda: ParallelPipeline([TakesSlowly(0, of=2)], [TakesSlowly(1, of=2)]),
    "three in turn": lambda: ParallelPipeline(
        [Takes(0, of=3)], [TakesSlowly(1, of=3)], [TakesSlowly(2, of=3)]
    ),
    "both pass all": lambda: ParallelPipeline([FrameProcessor()], [Takes(0, of=1)]),
    "one passes all, one none": lambda: ParallelPipeline([Takes(of=1)], [TakesSlowly(0, of=1)]),
    "branches within branches": lambda: ParallelPipeline(
        [ParallelPipeline([Takes(0, of=2)], [TakesSlowly(1, of=2)])], [Takes(of=1)]
    ),
}


@pytest.mark.parametrize("branches", BRANCHES)
@pytest.mark.parametrize("frame", [TextFrame("a"), InputAudioFrame(bytes(640)), SystemFrame()])
async def test_an_object_sent_again_leaves_as_often_as_it_went_in(branches: str, frame: Frame) -> None:
    report, out = await run([BRANCHES[branches]()], [frame] * 6)
    assert len(out) == 6
    assert all(each is frame for each in out)
    assert report.errors == ()


async def test_an_object_that_no_branch_passes_does_not_leave() -> None:
    frame = TextFrame("a")
    _, out = await run([ParallelPipeline([Takes(0, of=3)], [TakesSlowly(0, of=3)])], [frame] * 6)
    assert out == [frame, frame]


async def test_a_stage_sends_its_own_frame_again_through_branches() -> None:
    chime = OutputAudioFrame(bytes(640))

    async def ring(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(chime, direction)

    branches = ParallelPipeline([TakesSlowly(0, of=2)], [TakesSlowly(1, of=2)])
    _, out = await run([Does(ring), branches], [TextFrame("a")] * 4)
    assert out == [chime] * 4
