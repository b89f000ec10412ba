"""Objects of users that raise where they are shown, compared or asked: their stage is named, all closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from support.evil import EVIL_ERRORS, Unprintable
from support.sound import speech
from support.stages import UP, Recorder
from voicepipe import (
    DataFrame,
    DeviceStage,
    ErrorFrame,
    Frame,
    FrameDirection,
    FrameProcessor,
    InlineProcessor,
    InputAudioFrame,
    Limits,
    OutputAudioFrame,
    Pipeline,
    PipelineError,
    PipelineTask,
    Processor,
    RunReport,
    RunState,
    StartParams,
    SystemFrame,
    TextFrame,
    VADProcessor,
)
from voicepipe.pipeline.processor import OnError

LIMITS = Limits(start_s=5, stall_s=1, cancel_s=2, passed_by="report")


class Raises(Processor):
    """The part that all kinds of stage share: at one place it raises an error."""

    place = ""
    make: Callable[[], BaseException]

    def at(self, place: str) -> None:
        if self.place == place:
            raise self.make()

    async def _child(self) -> None:
        await asyncio.sleep(0.01)
        self.at("child")

    async def on_start(self, params: StartParams) -> None:
        self.create_task(self._child())
        self.at("on_start")

    async def on_running(self) -> None:
        self.at("on_running")

    def on_ending(self) -> None:
        self.at("on_ending")

    def on_interruption(self) -> None:
        self.at("on_interruption")

    async def on_cancel(self) -> None:
        self.at("on_cancel")

    async def cleanup(self) -> None:
        self.at("cleanup")


class Mailbox(Raises, FrameProcessor):
    """A stage that may wait."""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        self.at("process")
        await self.push_frame(frame, direction)

    async def on_end(self) -> None:
        self.at("on_end")

    def progress(self) -> object:
        self.at("progress")
        return None


class Device(Raises, DeviceStage):
    """A stage that works while no frame waits."""

    async def work_when_idle(self) -> bool:
        self.at("process")
        return False

    async def on_end(self) -> None:
        self.at("on_end")


class Inline(Raises, InlineProcessor):
    """A stage that never waits."""

    def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
        self.at("process")
        return (frame,)

    def on_end(self) -> Iterable[Frame]:
        self.at("on_end")
        return ()


KINDS: dict[str, type[Raises]] = {"mailbox": Mailbox, "device": Device, "inline": Inline}
PLACES = ("on_start", "on_running", "process", "on_end", "on_ending", "on_interruption", "cleanup", "child")


async def run_between_recorders(
    stage: Processor, frames: Iterable[Frame] = (), stop: str = "end"
) -> tuple[RunReport, PipelineError | None]:
    """Run a stage between two others, with an interruption; both must be closed as always."""
    around = Recorder("before"), Recorder("behind")
    task = PipelineTask(Pipeline([around[0], stage, around[1]]), limits=LIMITS)
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(0.1, task.interrupt), loop.call_later(0.2, getattr(task, stop))]
    for frame in frames or (speech(0.02), TextFrame("a")):
        await task.queue_frame(frame)
    raised = None
    try:
        await task.run()
    except PipelineError as error:
        raised = error
    for timer in timers:
        timer.cancel()
    for recorder in around:
        assert recorder.events.count("start") == recorder.events.count("cleanup") <= 1
    assert task.report is not None
    assert all(seam.balanced and seam.held == 0 for seam in task.report.seams)
    return task.report, raised


@pytest.mark.parametrize("on_error", ["fail", "report"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "evil",
    [pytest.param(evil, marks=[pytest.mark.heavy] * (n > 0)) for n, evil in enumerate(EVIL_ERRORS)],
)
async def test_an_error_that_cannot_be_shown_is_its_stages_and_all_closes(
    evil: str, kind: str, place: str, on_error: OnError
) -> None:
    stage = KINDS[kind](name="culprit", on_error=on_error)
    stage.place, stage.make = place, EVIL_ERRORS[evil]
    report, raised = await run_between_recorders(stage)
    assert {told.stage for told in report.errors} == {"culprit"}
    assert all(len(told.message) <= 200 and "Evil" in told.message for told in report.errors)
    assert report.abandoned == ()
    if raised is None:
        assert on_error == "report"
        assert report.state is RunState.ENDED
    else:
        assert report.state is RunState.FAILED
        assert raised.stage == "culprit"
        assert type(raised.__cause__) is type(EVIL_ERRORS[evil]())
        assert "culprit" in str(raised)
        assert len(str(raised)) < 300


@pytest.mark.parametrize("evil", EVIL_ERRORS)
async def test_an_error_in_on_cancel_that_cannot_be_shown_is_told_after_a_cancel(evil: str) -> None:
    stage = Mailbox(name="culprit")
    stage.place, stage.make = "on_cancel", EVIL_ERRORS[evil]
    report, raised = await run_between_recorders(stage, stop="cancel")
    assert (report.state, raised) == (RunState.CANCELLED, None)
    assert [told.stage for told in report.errors] == ["culprit"]


@pytest.mark.parametrize("evil", EVIL_ERRORS)
async def test_a_subscriber_whose_error_cannot_be_shown_is_named(evil: str) -> None:
    def observer(frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, TextFrame):
            error = EVIL_ERRORS[evil]()
            raise error

    recorder = Recorder()
    task = PipelineTask(recorder)
    task.subscribe(observer)
    await task.queue_frame(TextFrame("a"))
    with pytest.raises(PipelineError, match=r"subscriber .*observer failed: Evil"):
        await task.run()
    assert recorder.events == ["start", "end", "cleanup"]


@pytest.mark.parametrize("evil", EVIL_ERRORS)
@pytest.mark.parametrize("method", ["score", "reset"])
async def test_an_engine_whose_error_cannot_be_shown_is_named(method: str, evil: str) -> None:
    class Engine:
        rate, window = 16_000, 160

        def score(self, window: bytes) -> float:
            return self._do("score")

        def reset(self) -> None:
            self._do("reset")

        def _do(self, what: str) -> float:
            if what == method:
                error = EVIL_ERRORS[evil]()
                raise error
            return 0.0

    report, raised = await run_between_recorders(
        VADProcessor(Engine(), name="culprit"), [InputAudioFrame(bytes(3_200))]
    )
    assert raised is not None
    assert raised.stage == "culprit"
    assert [told.stage for told in report.errors] == ["culprit"]


# -- other objects -----------------------------------------------------------------------------


class NamelessMixin(Processor):
    """A stage whose own name and repr raise."""

    @property
    def name(self) -> str:
        raise KeyboardInterrupt("evil")

    def __repr__(self) -> str:
        raise SystemExit("evil")


class NamelessMailbox(NamelessMixin, Mailbox):
    """One with a mailbox."""


class NamelessInline(NamelessMixin, Inline):
    """One without."""


@pytest.mark.parametrize("place", ["", *PLACES])
@pytest.mark.parametrize("kind", [NamelessMailbox, NamelessInline])
async def test_a_stage_whose_name_raises_is_known_by_its_class(kind: type[Raises], place: str) -> None:
    stage = kind()
    stage.place, stage.make = place, ValueError
    report, raised = await run_between_recorders(stage)
    assert [told.stage for told in report.errors] == [kind.__name__] * bool(place)
    assert (raised is None) == (not place)


@pytest.mark.parametrize("name", [None, 7, "", "\x1b[31mred", "x" * 5000, Unprintable()], ids=range(6))
async def test_a_name_that_is_no_text_or_no_line_is_made_safe(name: Any) -> None:
    stage = type("Named", (Mailbox,), {"name": name})()
    stage.place, stage.make = "process", ValueError
    _, raised = await run_between_recorders(stage)
    assert raised is not None
    assert 0 < len(raised.stage) <= 200
    assert raised.stage.isprintable()


def test_a_pipeline_refuses_a_nameless_stage_twice_in_words() -> None:
    stage = NamelessMailbox()
    with pytest.raises(ValueError, match="contains NamelessMailbox twice"):
        Pipeline([stage, stage])


@pytest.mark.parametrize("thing", [Unprintable(), [Unprintable()]], ids=["object", "list"])
def test_a_pipeline_refuses_what_cannot_be_shown_in_words(thing: Any) -> None:
    with pytest.raises(TypeError, match="stage must derive"):
        Pipeline([thing])


def _raise(*_: object) -> Any:
    raise ValueError("evil")


_refuse: Any = _raise


@dataclass(frozen=True, slots=True, eq=False)
class EvilData(DataFrame):
    """A frame that cannot be shown or compared."""

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = _refuse


@dataclass(frozen=True, slots=True, eq=False)
class EvilSystem(SystemFrame):
    """One that goes ahead of the others."""

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = _refuse


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EvilAudio(OutputAudioFrame):
    """One with audio."""

    __repr__ = __str__ = __eq__ = __hash__ = __bool__ = _refuse


MAKERS: dict[str, Callable[[], Frame]] = {
    "data": EvilData,
    "system": EvilSystem,
    "audio": lambda: EvilAudio(bytes(320)),
}


@pytest.mark.parametrize("kind", ["mailbox", "inline"])
@pytest.mark.parametrize("frame", MAKERS)
async def test_frames_that_cannot_be_shown_or_compared_pass(frame: str, kind: str) -> None:
    frames = [MAKERS[frame]() for _ in range(200)]
    report, raised = await run_between_recorders(KINDS[kind](), frames)
    assert raised is None
    assert report.state is RunState.ENDED
    assert (report.errors, report.slow) == ((), ())


@pytest.mark.parametrize("frame", MAKERS)
async def test_a_stage_that_is_stuck_with_a_frame_that_cannot_be_shown_is_passed_by(frame: str) -> None:
    class Hangs(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.Event().wait()

    task = PipelineTask(Hangs(), limits=LIMITS)
    await task.queue_frame(MAKERS[frame]())
    task.end()
    report = await task.run()
    assert [slow.holding.split()[0] for slow in report.slow] == [f"Evil{frame.capitalize()}"]


class Uncomparable:
    """A value as an array is one: its comparison is neither true nor false."""

    def __eq__(self, other: object) -> Any:
        return Unprintable()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "3 of 7"


@pytest.mark.parametrize("make", [Unprintable, Uncomparable, list, dict])
async def test_a_progress_that_cannot_be_compared_does_not_stop_the_look_at_it(
    make: Callable[[], object],
) -> None:
    class Hangs(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.Event().wait()

        def progress(self) -> object:
            return make()

    task = PipelineTask(Hangs(), limits=LIMITS)
    await task.queue_frame(TextFrame("a"))
    task.end()
    report = await task.run()
    assert report.state is RunState.ENDED
    assert [slow.stage for slow in report.slow] == ["Hangs"]


@pytest.mark.parametrize("kind", ["mailbox", "inline"])
@pytest.mark.parametrize("result", [Unprintable(), [Unprintable()], b"\0" * 9, "words"], ids=range(4))
async def test_a_result_that_cannot_be_shown_is_its_stages_error(result: Any, kind: str) -> None:
    class Pushes(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await self.push_frame(result)

    class Returns(InlineProcessor):
        def process(self, frame: Frame, direction: FrameDirection) -> Iterable[Frame]:
            return result  # type: ignore[no-any-return]

    stage = Pushes(name="culprit") if kind == "mailbox" else Returns(name="culprit")
    report, raised = await run_between_recorders(stage)
    assert raised is not None
    assert [told.stage for told in report.errors] == ["culprit"] * len(report.errors)
    assert "words" not in str(raised)


async def test_an_error_frame_that_is_no_text_is_told_all_the_same() -> None:
    class Tells(FrameProcessor):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await self.push_frame(ErrorFrame(Unprintable(), Unprintable()), UP)  # type: ignore[arg-type]

    task = PipelineTask(Tells())
    await task.queue_frame(TextFrame("a"))
    task.end()
    report = await task.run()
    assert report.state is RunState.ENDED
    assert [told.message for told in report.errors] == [
        "<no text: str() of Unprintable raised KeyboardInterrupt>"
    ]
    assert str(report)


@pytest.mark.parametrize("when", ["while it runs", "at the end"])
@pytest.mark.parametrize("method", ["seams", "device_statistics"])
async def test_a_device_stage_that_cannot_report_fails_and_the_report_is_made(method: str, when: str) -> None:
    stage = type("Odd", (DeviceStage,), {method: _refuse})(name="culprit")
    task = PipelineTask(stage)
    if when == "while it runs":
        task.subscribe(lambda *_: task.report and None)
    task.end()
    with pytest.raises(PipelineError, match="culprit failed: ValueError: evil") as caught:
        await task.run()
    assert task.report is not None
    assert caught.value.report is task.report
    assert task.report.state is RunState.FAILED
    assert "culprit: ValueError: evil" in str(task.report)


async def test_a_frame_that_breaks_the_run_itself_closes_it() -> None:
    class Broken(DataFrame):
        @property
        def interruptible(self) -> bool:  # type: ignore[override]
            raise ValueError("evil")

    class Slow(Recorder):
        async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
            await asyncio.sleep(0.15)

    report, raised = await run_between_recorders(Slow(), [Broken(), Broken()])
    assert raised is not None
    assert report.state is RunState.FAILED
