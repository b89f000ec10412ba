"""A processor by itself: what went in comes out, in virtual time, and what breaks a rule is named."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from typing import Any

import pytest

from support.stages import DOWN, UP, Does, InlineRecorder, Recorder, forever, stubborn
from voicepipe import (
    AudioFormat,
    EndFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    InterruptionFrame,
    Limits,
    ParallelPipeline,
    Pipeline,
    PipelineError,
    PipelineStartError,
    RunState,
    StartFrame,
    StartParams,
    TextFrame,
)
from voicepipe.frames import CancelFrame
from voicepipe.testing import (
    Frames,
    RuleError,
    VirtualClockError,
    arun_processor,
    frames_of,
    run_processor,
    tone,
)
from voicepipe.testing.rules import Hooks, find_order_faults


class Echo(FrameProcessor):
    """Says every text twice: at once upstream, and a second later downstream."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame) and direction is DOWN:
            await self.push_frame(TextFrame(frame.text.upper()), UP)
            await asyncio.sleep(1.0)
        await self.push_frame(frame, direction)


# -- in and out ------------------------------------------------------------------------


def test_what_comes_out_is_there_in_both_directions_with_its_time() -> None:
    said = TextFrame("hello")
    began = time.monotonic()
    out = run_processor(Echo(), [2.0, said, 3_600.0])
    assert time.monotonic() - began < 5
    assert list(out.down) == [said]
    assert out.down[0] is said
    assert out.down.when(said) == pytest.approx(3.0)
    (up,) = out.up.of(TextFrame)
    assert up.text == "HELLO"
    assert out.up.when(up) == pytest.approx(2.0)
    assert out.report.state is RunState.ENDED
    assert out.report.reason == "the script is done"


@pytest.mark.parametrize(
    "make", [Recorder, InlineRecorder, lambda: Pipeline([]), lambda: Pipeline([Recorder()])]
)
def test_frames_go_in_from_both_sides_and_keep_their_order(make: Any) -> None:
    down, up = [TextFrame(str(n)) for n in range(100)], [TextFrame(str(n)) for n in range(100)]
    script: list[Any] = [
        each for pair in zip(down, ((frame, UP) for frame in up), strict=True) for each in pair
    ]
    out = run_processor(make(), script)
    assert [f.text for f in out.down.of(TextFrame)] == [str(n) for n in range(100)]
    assert [f.text for f in out.up.of(TextFrame)] == [str(n) for n in range(100)]


def test_more_frames_than_wait_for_a_start_go_in() -> None:
    class SlowToBegin(Recorder):
        async def on_running(self) -> None:
            await asyncio.sleep(1.0)

    out = run_processor(SlowToBegin(), [TextFrame(str(n)) for n in range(1_000)])
    assert len(out.down) == 1_000


def test_audio_comes_out_joined() -> None:
    sound = tone(0.5)
    out = run_processor(Recorder(), frames_of(sound))
    assert out.down.audio == sound.tobytes()
    assert len(out.down.of(InputAudioFrame)) == 25


def test_an_interruption_cuts_what_is_being_said() -> None:
    out = run_processor(Echo(), [TextFrame("hello"), 0.5, InterruptionFrame(), 10.0])
    assert out.down.of(TextFrame) == []
    assert len(out.down.of(InterruptionFrame)) == 1


@pytest.mark.parametrize(
    ("frame", "state"), [(EndFrame("that's all"), RunState.ENDED), (CancelFrame("stop"), RunState.CANCELLED)]
)
def test_a_script_may_end_or_cancel_the_run(frame: Frame, state: RunState) -> None:
    out = run_processor(Recorder(), [TextFrame("a"), 1.0, frame, 60.0, TextFrame("b")])
    assert [f.text for f in out.down.of(TextFrame)] == ["a"]
    assert out.report.state is state
    assert out.report.seconds == pytest.approx(1.0)


def test_a_processor_that_ends_the_run_itself_ends_it() -> None:
    async def end(stage: FrameProcessor, frame: Frame, direction: FrameDirection) -> None:
        await stage.push_frame(EndFrame("enough"))

    out = run_processor(Does(end), [TextFrame("a"), 3_600.0])
    assert out.report.reason == "enough"
    assert out.report.seconds < 1


def test_formats_and_limits_are_the_runs() -> None:
    class Asks(InlineProcessor):
        async def on_start(self, params: StartParams) -> None:
            self.params = params

    stage = Asks()
    run_processor(stage, input=AudioFormat(48_000), output=AudioFormat(8_000, 2))
    assert stage.params.input == AudioFormat(48_000)
    assert stage.params.output == AudioFormat(8_000, 2)
    with pytest.raises(RuleError, match=r"stood still for 3\.0 s"):
        run_processor(Does(lambda *_: forever()), [TextFrame("a")], limits=Limits(stall_s=3.0))


async def test_in_a_loop_it_is_awaited_and_the_other_says_so() -> None:
    out = await arun_processor(Echo(), [TextFrame("a"), 5.0])
    assert len(out.down) == 1
    with pytest.raises(RuntimeError, match=r"await arun_processor\(\.\.\.\) instead"):
        run_processor(Echo())


@pytest.mark.real_time
async def test_it_runs_in_a_real_loop_too() -> None:
    out = await arun_processor(Recorder(), [TextFrame("a"), 0.01])
    assert len(out.down) == 1


async def test_a_cancellation_from_outside_closes_everything() -> None:
    stage = Recorder()
    running = asyncio.create_task(arun_processor(stage, [3_600.0]))
    await asyncio.sleep(1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stage.events == ["start", "cancel", "cleanup"]


@pytest.mark.parametrize(
    ("wrong", "error", "named"),
    [
        ("hello", TypeError, "a script must consist of frames, seconds and"),
        (None, TypeError, "a script must consist of"),
        ((TextFrame("a"), "up"), TypeError, "a script must consist of"),
        (-1.0, ValueError, "a pause must be"),
        (float("nan"), ValueError, "a pause must be"),
        (True, TypeError, "a pause must be"),
        (StartFrame(StartParams()), ValueError, "only the task sends a StartFrame"),
        ((StartFrame(StartParams()), UP), ValueError, "only the task sends a StartFrame"),
    ],
)
def test_a_script_that_holds_something_else_is_refused(
    wrong: Any, error: type[Exception], named: str
) -> None:
    stage = Recorder()
    with pytest.raises(error, match=named):
        run_processor(stage, [TextFrame("a"), wrong])
    assert stage.events == []


def test_a_frame_that_did_not_come_has_no_time() -> None:
    with pytest.raises(ValueError, match="is not among these frames"):
        Frames().when(TextFrame("a"))


# -- errors and rules ------------------------------------------------------------------------


def test_an_exception_of_the_stage_is_its_pipeline_error() -> None:
    async def fail(*_: object) -> None:
        raise KeyError("lost")

    with pytest.raises(PipelineError, match="does failed: KeyError") as failed:
        run_processor(Does(fail), [TextFrame("a"), 60.0])
    assert failed.value.stage == "does"
    assert isinstance(failed.value.__cause__, KeyError)


def test_a_stage_that_does_not_open_is_a_start_error() -> None:
    class Shut(InlineProcessor):
        async def on_start(self, params: StartParams) -> None:
            raise OSError("no key")

    with pytest.raises(PipelineStartError, match="no key"):
        run_processor(Shut(), [TextFrame("a")])


class LeavesATask(InlineProcessor):
    async def on_start(self, params: StartParams) -> None:
        self.task = asyncio.create_task(forever(), name="forgotten")


class PushesLate(FrameProcessor):
    async def cleanup(self) -> None:
        await self.push_frame(TextFrame("late"))


class Hangs(FrameProcessor):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await forever()


class RefusesToStop(InlineProcessor):
    async def cleanup(self) -> None:
        await stubborn(60)


class LeavesAThing(InlineProcessor):
    """What is not the loop's."""

    async def on_start(self, params: StartParams) -> None:
        self.file = os.open(__file__, os.O_RDONLY)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (LeavesATask, r"left behind: tasks: forgotten .*made .* in on_start"),
        (PushesLate, r"PushesLate pushed 1 frames after EndFrame: push held frames in on_end\(\)"),
        (Hangs, r"Hangs stood still for 5\.0 s at .* in forever, holding TextFrame"),
        (RefusesToStop, "RefusesToStop:cleanup refused to stop at .* in stubborn"),
    ],
)
def test_a_rule_that_is_broken_is_named(make: type[Any], named: str) -> None:
    with pytest.raises(RuleError, match=named) as broken:
        run_processor(make(), [TextFrame("a"), 1.0])
    how = "failed" if make is Hangs else "was ended"  # it was passed by
    assert str(broken.value).startswith(f"{make.__name__}, in a run that {how} after ")


def test_what_is_not_the_loops_is_missed_too() -> None:
    stage = LeavesAThing()
    with pytest.raises(RuleError, match=r"left behind: descriptors: .*test_processing\.py"):
        run_processor(stage)
    os.close(stage.file)


def test_a_rule_that_is_broken_in_a_run_that_failed_is_named_too() -> None:
    class Both(LeavesATask):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            raise KeyError("lost")

    with pytest.raises(
        RuleError, match=r"in a run that failed after 0\.000 s:\n  left behind: tasks: forgotten"
    ):
        run_processor(Both(), [TextFrame("a")])


def test_what_would_hang_is_an_error() -> None:
    with pytest.raises(VirtualClockError):
        run_processor(Does(lambda *_: _spin()), [TextFrame("a")])


async def _spin() -> None:
    while True:  # noqa: ASYNC110
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("left", "broken"),
    [
        ("Se", []),
        ("SaeC", []),
        ("ase", ["left before StartFrame"]),
        ("SSe", ["StartFrame must leave once, not 2 times"]),
        ("Sa", ["EndFrame must leave once, not 0 times"]),
        ("Saee", ["EndFrame must leave once, not 2 times", "left after EndFrame"]),
        ("Seab", ["left after EndFrame"]),
    ],
)
def test_the_order_of_frames_is_a_rule(left: str, broken: list[str]) -> None:
    frames = {"S": StartFrame(StartParams()), "e": EndFrame(), "C": CancelFrame()}
    seen = [(frames.get(letter, TextFrame(letter)), DOWN) for letter in left]
    found = list(find_order_faults(seen, RunState.ENDED))
    assert len(found) == len(broken)
    assert all(part in line for part, line in zip(broken, found, strict=True))


async def test_a_stage_is_cleaned_up_once_for_every_opening() -> None:
    stage, other = Recorder("ear"), Recorder("other")
    with Hooks(Pipeline([stage, ParallelPipeline([other])])) as hooks:
        await stage.on_start(StartParams())
        assert list(hooks.find_faults()) == ["cleanup() of ear was called 0 times for 1 openings"]
        await stage.cleanup()
        assert list(hooks.find_faults()) == []
        await other.cleanup()
        assert list(hooks.find_faults()) == ["cleanup() of other was called 1 times for 0 openings"]
    assert "cleanup" not in vars(stage)
    assert stage.events == ["start", "cleanup"]
