"""A processor by itself: frames in, frames out in both directions, and the rules of a run checked.

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
from voicepipe.testing.rules import Hooks, RuleError, broken_in_order, broken_in_report
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
"""What happens to a processor, in order: a frame arrives (downstream, or where its direction says so),
or a number of seconds passes. An EndFrame, a CancelFrame and an InterruptionFrame ask the task for it."""


class Frames(Sequence[Frame]):
    """Frames in the order in which they came."""

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
        """Those of a class."""
        return [frame for frame in self._frames if isinstance(frame, kind)]

    @property
    def audio(self) -> bytes:
        """The audio of all that have some, joined."""
        return b"".join(frame.data for frame in self.of(AudioFrame))

    def when(self, frame: Frame) -> float:
        """When that frame came, in seconds since the run began.

        Raises:
            ValueError: it is none of them.
        """
        for known, time in zip(self._frames, self._times, strict=True):
            if known is frame:
                return time
        raise ValueError(f"{frame!r} is not among these frames")


@dataclass(frozen=True, slots=True)
class Processed:
    """What a processor did. Life-cycle frames are the framework's, and are not among the frames."""

    down: Frames
    """What left it downstream."""
    up: Frames
    """What left it upstream."""
    report: RunReport


def run_processor(
    processor: Processor,
    frames: Script = (),
    *,
    input: AudioFormat | None = None,  # noqa: A002  # as PipelineTask
    output: AudioFormat | None = None,
    limits: Limits | None = None,
) -> Processed:
    """Run a processor (or a pipeline) over some frames in virtual time, to its end.

    When the script is done, the run is ended, unless the script or the processor did it.
    `input`, `output`, `limits`: as `PipelineTask`.

    Raises:
        PipelineError: an exception escaped the processor, as from `PipelineTask.run()`.
        RuleError: a rule of the run was broken, or something is left of it; names which, and what.
        VirtualClockError: the run would hang.
        TypeError, ValueError: the script holds something else.
        RuntimeError: in a running event loop: use `arun_processor` there.
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
    """The same in the running event loop, by its time. Raises the same."""
    return await Stand(processor, frames, input=input, output=output, limits=limits).run()


class Stand:
    """A test stand: a processor in a task of its own, between neighbours, fed by a script. For one run."""

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
        self._script = _checked(script)
        if behind is None and any(isinstance(item, tuple) and item[1] is _UP for item in self._script):
            behind = Neighbour()
        self._behind = behind
        self._processor = processor
        # A neighbour has a mailbox, where an interruption drops: what left the processor is seen before it.
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
        """Run it to its end, and look whether every rule was kept. Raises as `arun_processor`."""
        self._started = asyncio.Event()
        self._began_s = asyncio.get_running_loop().time()
        before = take_census()
        self.task.subscribe(self._leave)
        with Hooks(self._processor) as hooks:
            failure = await self._run_fed()
            await asyncio.sleep(0)  # the callbacks of tasks that are done
            self._check(hooks, [f"left behind: {line}" for line in _lines(take_census().since(before))])
        if failure is not None:
            raise failure
        return self._result()

    async def _run_fed(self) -> PipelineError | asyncio.CancelledError | None:
        feeding = asyncio.get_running_loop().create_task(self._feed(), name="run_processor:feeder")
        try:
            await self.task.run()
        except (PipelineError, asyncio.CancelledError) as error:
            return error  # is raised when everything was looked at
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])
        if not feeding.cancelled():
            feeding.result()
        return None

    async def _feed(self) -> None:
        await self._is_running()
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

    async def _is_running(self) -> None:
        """Return when it runs; as a rule some steps after StartFrame has gone all the way, and no later."""
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
            *hooks.broken(),
            *broken_in_order(self._left, report.state),
            *broken_in_report(report),
            *left,
        ]
        if broken:
            lines = "\n".join(f"  {line}" for line in broken)
            raise RuleError(f"{self._processor.name}, in a run that {_ended(report)}:\n{lines}")

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
    """What stands behind a processor: it may take its time over every frame.

    Args:
        takes_s: how long it holds each data and control frame, in seconds.
        mailbox: how many frames wait before a pusher does.
    """

    def __init__(self, takes_s: float = 0.0, *, mailbox: int = 32) -> None:
        super().__init__(name="neighbour", mailbox=mailbox)
        self._takes_s = check_seconds("takes_s", takes_s)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Wait, and pass on."""
        if self._takes_s and not frame.is_system:
            await asyncio.sleep(self._takes_s)
        await self.push_frame(frame, direction)


def refuse_running_loop(instead: str) -> None:
    """Raise RuntimeError where an event loop runs already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(f"an event loop runs here already: {instead}")


def _checked(script: Script) -> list[Frame | float | tuple[Frame, FrameDirection]]:
    items = list(script)
    for item in items:
        match item:
            case Frame() | (Frame(), FrameDirection()):
                pass
            case int() | float():
                check_seconds("a pause", item)
            case _:
                raise TypeError(f"a script holds frames, seconds, and (frame, direction), not {item!r}")
        frame = item[0] if isinstance(item, tuple) else item
        if isinstance(frame, StartFrame):
            raise ValueError("only the task sends a StartFrame: leave it out of the script")
    return items


def _ended(report: RunReport) -> str:
    state = "failed" if report.state is RunState.FAILED else f"was {report.state.value}"
    return f"{state} after {report.seconds:.3f} s"


def _lines(census: object) -> Iterator[str]:
    return iter(str(census).splitlines() if census else ())
