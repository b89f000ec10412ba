"""A stage raises at each step in turn: the n-th time that any of its code is run, for every n."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

import pytest

from support.sound import speech
from support.stages import Recorder
from voicepipe import (
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    Limits,
    Pipeline,
    PipelineError,
    PipelineStartError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    StartParams,
    TextFrame,
)
from voicepipe.census.census import assert_nothing_left, take_census
from voicepipe.pipeline.processor import OnError
from voicepipe.testing import run_virtual

ERRORS = (ValueError, asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit)
AT_THE_START = ("on_start", "on_running", "child")
LIMITS = Limits(start_s=5, stall_s=0.15, cancel_s=2)


class Fuse:
    """Counts the times that a stage's code is run, and blows at one of them."""

    def __init__(self, at: int, error: type[BaseException]) -> None:
        self._at = at
        self._error = error
        self.place = ""
        """Where it blew."""
        self.places: Counter[str] = Counter()

    def burn(self, place: str) -> None:
        self.places[place] += 1
        if self.places.total() == self._at:
            self.place = place
            raise self._error("the fuse has blown")


class Hooks(Processor):
    """What both kinds of stages have."""

    fuse: Fuse

    async def _twice(self, place: str) -> None:
        self.fuse.burn(place)
        await asyncio.sleep(0.01)
        self.fuse.burn(place)

    async def on_start(self, params: StartParams) -> None:
        self.create_task(self._twice("child"))
        await self._twice("on_start")

    async def on_running(self) -> None:
        await self._twice("on_running")

    def on_ending(self) -> None:
        self.fuse.burn("on_ending")

    def on_interruption(self) -> None:
        self.fuse.burn("on_interruption")

    async def on_cancel(self) -> None:
        await self._twice("on_cancel")

    async def cleanup(self) -> None:
        await self._twice("cleanup")


class Waits(Hooks, FrameProcessor):
    """With a mailbox."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await self._twice("process")
        await self.push_frame(frame, direction)
        self.fuse.burn("process")

    async def on_end(self) -> None:
        await self._twice("on_end")
        await self.push_frame(TextFrame("held"))

    def progress(self) -> object:
        self.fuse.burn("progress")
        return None


class Inline(Hooks, InlineProcessor):
    """Without; its `process` is a generator, which runs bit by bit."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        self.fuse.burn("process")
        yield frame
        self.fuse.burn("process")

    def on_end(self) -> Iterable[Frame]:
        self.fuse.burn("on_end")
        yield TextFrame("held")
        self.fuse.burn("on_end")


def culprit(kind: type[Hooks], fuse: Fuse, on_error: OnError) -> Hooks:
    stage = kind(name="culprit", on_error=on_error)
    stage.fuse = fuse
    return stage


async def run_once(stage: Hooks, stop: str) -> tuple[RunReport, PipelineError | None]:
    """A run with audio, words both ways and an interruption; its report, and what it raised."""
    before = take_census()
    around = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([around[0], stage, around[1]]), limits=LIMITS)
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(0.15, task.interrupt), loop.call_later(0.2, getattr(task, stop))]
    for frame in (speech(0.02), TextFrame("a"), speech(0.02), TextFrame("b"), speech(0.02)):
        await task.queue_frame(frame)
    raised: PipelineError | None = None
    try:
        await task.run()
    except PipelineError as error:
        raised = error
    for timer in timers:
        timer.cancel()
    await asyncio.sleep(0)
    assert_nothing_left(before)
    for recorder in around:
        opened, cleaned = recorder.events.count("start"), recorder.events.count("cleanup")
        assert opened == cleaned <= 1, recorder.events
        assert recorder.events.count("end") <= 1
        if task.state is not RunState.CANCELLED and stage.fuse.place not in AT_THE_START:
            assert recorder.events == ["start", "end", "cleanup"]
    assert task.report is not None
    assert raised is None or raised.report is task.report
    return task.report, raised


def assert_clean(report: RunReport, fuse: Fuse) -> None:
    for seam in report.seams:
        assert seam.balanced, seam
        assert seam.held == 0, seam
    assert (report.slow, report.forced, report.abandoned) == ((), (), ())
    assert report.seconds < 2
    # Its first half may have been the one that blew.
    assert fuse.places["cleanup"] in ({1} if fuse.place == "cleanup" else set()) | {2}


def assert_named(
    report: RunReport, raised: PipelineError | None, fuse: Fuse, error: type[BaseException]
) -> None:
    """The stage and its error are what the run says."""
    (told,) = report.errors
    assert told.stage == "culprit"
    assert type(told.exception) is error
    if raised is None:
        assert report.state is RunState.CANCELLED  # too late to fail
        return
    assert report.state is RunState.FAILED
    assert raised.stage == "culprit"
    assert type(raised.__cause__) is error
    at_the_start = fuse.place in ("on_start", "on_running")
    assert isinstance(raised, PipelineStartError) == at_the_start


@pytest.mark.parametrize("stop", ["end", "cancel"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("kind", [Waits, Inline])
@pytest.mark.heavy(after=4)
def test_an_exception_at_any_step_of_a_stage_ends_the_run_and_names_it(
    kind: type[Hooks], error: type[BaseException], stop: str
) -> None:
    blown: Counter[str] = Counter()
    while True:
        fuse = Fuse(blown.total() + 1, error)
        report, raised = run_virtual(run_once(culprit(kind, fuse, "fail"), stop))
        assert_clean(report, fuse)
        if not fuse.place:
            break
        blown[fuse.place] += 1
        stray = fuse.place == "child" and error is asyncio.CancelledError
        assert_named(report, raised, fuse, RuntimeError if stray else error)
    assert (report.errors, raised) == ((), None)
    expected = {"child", "on_start", "on_running", "process", "on_interruption", "cleanup"}
    expected |= {"end": {"on_ending", "on_end"}, "cancel": {"on_cancel"}}[stop]
    assert expected | ({"progress"} if kind is Waits and stop == "end" else set()) == blown.keys()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("kind", [Waits, Inline])
@pytest.mark.heavy(after=2)
def test_a_stage_that_reports_its_errors_goes_on_wherever_it_raises(
    kind: type[Hooks], error: type[BaseException]
) -> None:
    blown: Counter[str] = Counter()
    while True:
        fuse = Fuse(blown.total() + 1, error)
        report, raised = run_virtual(run_once(culprit(kind, fuse, "report"), "end"))
        assert_clean(report, fuse)
        if not fuse.place:
            break
        blown[fuse.place] += 1
        if fuse.place in ("on_start", "on_running", "cleanup"):
            assert_named(report, raised, fuse, error)  # no policy has a say in these
        else:
            assert (report.state, raised) == (RunState.ENDED, None)
            assert {(told.stage, type(told.exception)) for told in report.errors} == {("culprit", error)}
    assert {"process", "on_end", "on_ending", "on_interruption", "child"} <= blown.keys()


@pytest.mark.parametrize("hook", ["on_start", "on_running", "on_end", "on_cancel", "cleanup"])
async def test_a_hook_whose_result_cannot_be_awaited_is_an_error_of_its_stage(hook: str) -> None:
    nothing = [None]
    stage = type("Forgot", (FrameProcessor,), {hook: lambda *_: nothing[0]})(name="culprit")
    around = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([around[0], stage, around[1]]))
    timer = asyncio.get_running_loop().call_later(1, task.cancel if hook == "on_cancel" else task.end)
    if hook == "on_cancel":
        await task.run()  # too late to fail
    else:
        with pytest.raises(PipelineError, match=rf"culprit .*Forgot\.{hook} must be async def"):
            await task.run()
    timer.cancel()
    assert task.report is not None
    assert [told.stage for told in task.report.errors] == ["culprit"]
    for recorder in around:
        assert recorder.events.count("cleanup") == recorder.events.count("start")
