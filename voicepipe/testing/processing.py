"""A test run of one processor: frames in, frames out in both directions, and the rules of a run.

out = run_processor(Assistant(), [TranscriptionFrame("hello"), 60.0, InterruptionFrame()])
assert [frame.text for frame in out.down.of(TextFrame)] == ["you", "said", "hello"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from voicepipe.audio.format import AudioFormat
from voicepipe.census.census import take_census
from voicepipe.checks import check_seconds
from voicepipe.errors import PipelineError
from voicepipe.frames import AudioFrame, CancelFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.lifecycle import RunState
from voicepipe.params import Limits
from voicepipe.pipeline.pipeline import Pipeline
from voicepipe.pipeline.processor import FrameProcessor, Processor
from voicepipe.report import RunReport
from voicepipe.run.task import PipelineTask
from voicepipe.stages.tap import Tap
from voicepipe.testing.leftovers import nothing_left
from voicepipe.testing.rules import Hooks, RuleError, find_order_faults, find_report_faults
from voicepipe.testing.virtual import run_virtual

__all__ = [
    "Frames",
    "Neighbour",
    "Processed",
    "Script",
    "Stand",
    "arun_processor",
    "refuse_running_loop",
    "run_processor",
]

F = TypeVar("F", bound=Frame)
_DOWN, _UP = FrameDirection.DOWNSTREAM, FrameDirection.UPSTREAM
_USUAL_STEPS = 10
_OF_THE_FRAMEWORK = (StartFrame, EndFrame, CancelFrame)

Script = Iterable[Frame | float | tuple[Frame, FrameDirection]]
"""The events of a test run, in order. A frame arrives, downstream unless a direction is given with it;
a number is a pause in seconds. An EndFrame, CancelFrame or InterruptionFrame is a request to the task."""


class Frames(Sequence[Frame]):
    """A sequence of frames, in the order in which they came."""

    def __init__(self, frames: Iterable[Frame] = (), times: Iterable[float] = ()) -> None:
        self._frames = tuple(frames)
        self._times = tuple(times)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Frame, ...]: ...
    def __getitem__(self, index: int | slice) -> Frame | tuple[Frame, ...]:
        return self._frames[index]

    def __len__(self) -> int:
        return len(self._frames)

    def __repr__(self) -> str:
        return f"Frames({list(self._frames)!r})"

    def of(self, kind: type[F]) -> list[F]:
        """Return the frames of a class."""
        return [frame for frame in self._frames if isinstance(frame, kind)]

    @property
    def audio(self) -> bytes:
        """The joined audio of all audio frames."""
        return b"".join(frame.data for frame in self.of(AudioFrame))

    def when(self, frame: Frame) -> float:
        """Return the time at which the frame came, in seconds since the run began.

        Raises:
            ValueError: `frame` is not one of these frames.
        """
        for known, time in zip(self._frames, self._times, strict=True):
            if known is frame:
                return time
        raise ValueError(f"{frame!r} is not among these frames")


@dataclass(frozen=True, slots=True)
class Processed:
    """The result of a test run. It does not contain the life-cycle frames of the framework."""

    down: Frames
    """The frames that left the processor downstream."""
    up: Frames
    """The frames that left the processor upstream."""
    report: RunReport


def run_processor(
    processor: Processor,
    frames: Script = (),
    *,
    input: AudioFormat | None = None,  # noqa: A002  # as PipelineTask
    output: AudioFormat | None = None,
    limits: Limits | None = None,
) -> Processed:
    """Run a processor (or a pipeline) with a script of frames in virtual time, until it ends.

    The run is ended after the script, unless the script or the processor ended it before.

    Args:
        processor: the processor or pipeline to test.
        frames: the script: frames, pauses in seconds, and `(frame, direction)` pairs.
        input, output, limits: as for `PipelineTask`.

    Raises:
        PipelineError: an exception escaped the processor, as from `PipelineTask.run()`.
        RuleError: a rule of the run was broken, or something is left open; the message names it.
        VirtualClockError: the run would hang.
        TypeError, ValueError: the script contains something else.
        RuntimeError: an event loop is running; use `arun_processor` there.
    """
    refuse_running_loop("await arun_processor(...) instead")
    stand = Stand(processor, frames, input=input, output=output, limits=limits)
    with nothing_left():
        return run_virtual(stand.run())


async def arun_processor(
    processor: Processor,
    frames: Script = (),
    *,
    input: AudioFormat | None = None,  # noqa: A002
    output: AudioFormat | None = None,
    limits: Limits | None = None,
) -> Processed:
    """Do the same as `run_processor` in the running event loop, on its clock. Raises the same errors."""
    return await Stand(processor, frames, input=input, output=output, limits=limits).run()


class Stand:
    """A test stand for one run: a processor between neighbours, fed by a script."""

    def __init__(
        self,
        processor: Processor,
        script: Script = (),
        *,
        before: Iterable[Processor] = (),
        behind: FrameProcessor | None = None,
        input: AudioFormat | None = None,  # noqa: A002
        output: AudioFormat | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._script = _check_script(script)
        if behind is None and any(isinstance(item, tuple) and item[1] is _UP for item in self._script):
            behind = Neighbour()
        self._behind = behind
        self._processor = processor
        # An interruption drops frames in the neighbour's mailbox, so frames are recorded in front of it.
        tail = [Tap(self._see_down), behind] if behind is not None else []
        self.task = PipelineTask(
            Pipeline([*before, processor, *tail]), input=input, output=output, limits=limits
        )
        self._seen: list[tuple[Frame, FrameDirection, float]] = []
        self._left: list[tuple[Frame, FrameDirection]] = []

    def _see_down(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is _DOWN:
            self._see(frame, direction)

    def _see(self, frame: Frame, direction: FrameDirection) -> None:
        if not isinstance(frame, _OF_THE_FRAMEWORK):
            self._seen.append((frame, direction, asyncio.get_running_loop().time()))

    def _leave(self, frame: Frame, direction: FrameDirection) -> None:
        self._left.append((frame, direction))
        if isinstance(frame, StartFrame):
            self._started.set()
        if direction is _UP or self._behind is None:
            self._see(frame, direction)

    async def run(self) -> Processed:
        """Run the processor until it ends, and check every rule. Raises as `arun_processor`."""
        self._started = asyncio.Event()
        self._began_s = asyncio.get_running_loop().time()
        before = take_census()
        self.task.subscribe(self._leave)
        with Hooks(self._processor) as hooks:
            failure = await self._run_with_script()
            await asyncio.sleep(0)  # the callbacks of tasks that are done
            self._check(hooks, [f"left behind: {line}" for line in _lines(take_census().since(before))])
        if failure is not None:
            raise failure
        return self._result()

    async def _run_with_script(self) -> PipelineError | asyncio.CancelledError | None:
        feeding = asyncio.get_running_loop().create_task(self._feed(), name="run_processor:feeder")
        try:
            await self.task.run()
        except (PipelineError, asyncio.CancelledError) as error:
            return error  # raised after all checks
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
        if not feeding.cancelled():
            feeding.result()
        return None

    async def _feed(self) -> None:
        await self._wait_until_running()
        try:
            for item in self._script:
                if isinstance(item, Frame):
                    await self.task.queue_frame(item)
                elif isinstance(item, tuple):
                    await self._send(*item)
                else:
                    await asyncio.sleep(item)
        finally:
            self.task.end("the script is done")

    async def _wait_until_running(self) -> None:
        """Wait until the run is running, usually a few steps after StartFrame has reached the Sink."""
        await self._started.wait()
        steps = 0
        while self.task.state is RunState.OPENING:
            steps += 1
            await asyncio.sleep(0 if steps < _USUAL_STEPS else 0.001)

    async def _send(self, frame: Frame, direction: FrameDirection) -> None:
        if direction is _DOWN or self._behind is None:
            await self.task.queue_frame(frame)
        else:
            await self._behind.push_frame(frame, _UP)

    def _check(self, hooks: Hooks, left: list[str]) -> None:
        report = self.task.report
        assert report is not None
        broken = [
            *hooks.find_faults(),
            *find_order_faults(self._left, report.state),
            *find_report_faults(report),
            *left,
        ]
        if broken:
            lines = "\n".join(f"  {line}" for line in broken)
            raise RuleError(f"{self._processor.name}, in a run that {_describe_end(report)}:\n{lines}")

    def _result(self) -> Processed:
        down, up = (
            Frames(
                [frame for frame, way, _ in self._seen if way is direction],
                [time - self._began_s for _, way, time in self._seen if way is direction],
            )
            for direction in (_DOWN, _UP)
        )
        report = self.task.report
        assert report is not None
        return Processed(down, up, report)


class Neighbour(FrameProcessor):
    """A stage behind the processor, which may be slow.

    Args:
        takes_s: the time for which it holds each data and control frame, in seconds.
        mailbox: the number of waiting frames above which a pusher waits.
    """

    def __init__(self, takes_s: float = 0.0, *, mailbox: int = 32) -> None:
        super().__init__(name="neighbour", mailbox=mailbox)
        self._takes_s = check_seconds("takes_s", takes_s)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Wait, and pass the frame on."""
        if self._takes_s and not frame.is_system:
            await asyncio.sleep(self._takes_s)
        await self.push_frame(frame, direction)


def refuse_running_loop(instead: str) -> None:
    """Raise RuntimeError if an event loop is running.

    Args:
        instead: the advice for the message.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"an event loop is already running here: {instead}")


def _check_script(script: Script) -> list[Frame | float | tuple[Frame, FrameDirection]]:
    items = list(script)
    for item in items:
        match item:
            case Frame() | (Frame(), FrameDirection()):
                pass
            case int() | float():
                check_seconds("a pause", item)
            case _:
                raise TypeError(
                    f"a script must consist of frames, seconds and (frame, direction) pairs, not {item!r}"
                )
        frame = item[0] if isinstance(item, tuple) else item
        if isinstance(frame, StartFrame):
            raise ValueError("only the task sends a StartFrame: leave it out of the script")
    return items


def _describe_end(report: RunReport) -> str:
    state = "failed" if report.state is RunState.FAILED else f"was {report.state.value}"
    return f"{state} after {report.seconds:.3f} s"


def _lines(census: object) -> Iterator[str]:
    return iter(str(census).splitlines() if census else ())
