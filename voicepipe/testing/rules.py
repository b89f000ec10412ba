"""The rules of a run, as checks of what left the pipeline, of the report, and of the hooks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from voicepipe.frames import CancelFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.lifecycle import RunState
from voicepipe.pipeline.pipeline import stages_of
from voicepipe.pipeline.processor import Processor
from voicepipe.report import DropReason, RunReport

__all__ = ["Hooks", "RuleError", "broken_in_order", "broken_in_report", "expect"]

_DOWN = FrameDirection.DOWNSTREAM


class RuleError(AssertionError):
    """Something that voicepipe promises, or asks of a stage or of a back end, did not hold."""


def expect(condition: object, message: str) -> None:
    """Raise RuleError unless the condition holds."""
    if not condition:
        raise RuleError(message)


def broken_in_order(left: Sequence[tuple[Frame, FrameDirection]], state: RunState) -> Iterator[str]:
    """What is wrong with the order in which frames left the pipeline at its ends."""
    down = [frame for frame, direction in left if direction is _DOWN and not isinstance(frame, CancelFrame)]
    if down and not isinstance(down[0], StartFrame):
        yield f"{down[0]!r} left before StartFrame"
    starts = sum(isinstance(frame, StartFrame) for frame in down)
    ends = [at for at, frame in enumerate(down) if isinstance(frame, EndFrame)]
    if starts > 1:
        yield f"StartFrame left {starts} times"
    if len(ends) > 1 or (not ends and state is RunState.ENDED):
        yield f"EndFrame left {len(ends)} times: once would be right"
    if ends and ends[0] < len(down) - 1:
        yield f"{down[ends[0] + 1]!r} left after EndFrame"


def broken_in_report(report: RunReport) -> Iterator[str]:
    """What a report tells that no run of well-behaved stages has."""
    for seam in report.seams:
        if not seam.balanced or seam.held:
            yield f"the books of a seam are not closed: {seam}"
    yield from (f"{name} was still running after the End" for name in report.forced)
    yield from (str(slow) for slow in report.slow)
    yield from (f"{task.name} refused to stop at {task.where}" for task in report.abandoned)
    if report.state is RunState.ENDED and not report.slow:
        for seam in report.seams:
            late = seam.dropped_frames.get(DropReason.SHUTDOWN, 0)
            if late:
                yield f"{seam.name} pushed {late} frames after its End: give out what it holds in on_end()"


@dataclass(slots=True)
class _Counts:
    label: str
    has_cleanup: bool
    opened: int = 0
    cleaned: int = 0


class Hooks:
    """Counts, while the block lasts, how often each stage is opened and cleaned up."""

    def __init__(self, processor: Processor) -> None:
        self._stages = list(stages_of(processor))
        self._counts = [_Counts(s.name, type(s).cleanup is not Processor.cleanup) for s in self._stages]
        self._own: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        # On the object, not on its class, which may have other objects in other runs.
        for stage, counts in zip(self._stages, self._counts, strict=True):
            self._own.append(
                {name: hook for name, hook in vars(stage).items() if name in ("on_start", "cleanup")}
            )
            vars(stage).update(
                on_start=_counted(stage.on_start, counts, "opened"),
                cleanup=_counted(stage.cleanup, counts, "cleaned"),
            )
        return self

    def __exit__(self, *_: object) -> None:
        for stage, own in zip(self._stages, self._own, strict=True):
            del stage.on_start, stage.cleanup
            vars(stage).update(own)

    def broken(self) -> Iterator[str]:
        """Where they do not match."""
        for counts in self._counts:
            if counts.has_cleanup and counts.opened != counts.cleaned:
                yield (
                    f"cleanup() of {counts.label} was called {counts.cleaned} times "
                    f"for {counts.opened} openings"
                )


def _counted(
    hook: Callable[..., Coroutine[Any, Any, None]], counts: _Counts, what: str
) -> Callable[..., Coroutine[Any, Any, None]]:
    async def counted(*arguments: Any) -> None:
        setattr(counts, what, getattr(counts, what) + 1)
        await hook(*arguments)

    return counted
