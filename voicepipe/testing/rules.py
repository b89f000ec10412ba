"""The rules of a run, as checks of the frames that left the pipeline, of the report, and of the hooks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from voicepipe.frames import CancelFrame, EndFrame, Frame, FrameDirection, StartFrame
from voicepipe.lifecycle import RunState
from voicepipe.pipeline.pipeline import stages_of
from voicepipe.pipeline.processor import Processor
from voicepipe.report import DropReason, RunReport

__all__ = ["Hooks", "RuleError", "expect", "find_order_faults", "find_report_faults"]

_DOWN = FrameDirection.DOWNSTREAM


class RuleError(AssertionError):
    """A broken rule: a promise of voicepipe, or a requirement on a stage or a back end."""


def expect(condition: object, message: str) -> None:
    """Raise RuleError unless the condition holds."""
    if not condition:
        raise RuleError(message)


def find_order_faults(left: Sequence[tuple[Frame, FrameDirection]], state: RunState) -> Iterator[str]:
    """Yield the faults in the order of the frames that left the pipeline."""
    down = [frame for frame, direction in left if direction is _DOWN and not isinstance(frame, CancelFrame)]
    if down and not isinstance(down[0], StartFrame):
        yield f"{down[0]!r} left before StartFrame"
    starts = sum(isinstance(frame, StartFrame) for frame in down)
    ends = [at for at, frame in enumerate(down) if isinstance(frame, EndFrame)]
    if starts > 1:
        yield f"StartFrame must leave once, not {starts} times"
    if len(ends) > 1 or (not ends and state is RunState.ENDED):
        yield f"EndFrame must leave once, not {len(ends)} times"
    if ends and ends[0] < len(down) - 1:
        yield f"{down[ends[0] + 1]!r} left after EndFrame"


def find_report_faults(report: RunReport) -> Iterator[str]:
    """Yield the facts of a report that a run of well-behaved stages never has."""
    for seam in report.seams:
        if not seam.balanced or seam.held:
            yield f"the counts of a seam do not balance: {seam}"
    yield from (f"{name} was still running after the end" for name in report.forced)
    yield from (str(slow) for slow in report.slow)
    yield from (f"{task.name} refused to stop at {task.where}" for task in report.abandoned)
    if report.state is RunState.ENDED and not report.slow:
        for seam in report.seams:
            late = seam.dropped_frames.get(DropReason.SHUTDOWN, 0)
            if late:
                yield f"{seam.name} pushed {late} frames after EndFrame: push held frames in on_end()"


@dataclass(slots=True)
class _Counts:
    label: str
    has_cleanup: bool
    opened: int = 0
    cleaned: int = 0


class Hooks:
    """A block that counts how often each stage is opened and cleaned up."""

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
                on_start=_count_calls(stage.on_start, counts, "opened"),
                cleanup=_count_calls(stage.cleanup, counts, "cleaned"),
            )
        return self

    def __exit__(self, *_: object) -> None:
        for stage, own in zip(self._stages, self._own, strict=True):
            del stage.on_start, stage.cleanup
            vars(stage).update(own)

    def find_faults(self) -> Iterator[str]:
        """Yield the stages whose counts of openings and clean-ups differ."""
        for counts in self._counts:
            if counts.has_cleanup and counts.opened != counts.cleaned:
                yield (
                    f"cleanup() of {counts.label} was called {counts.cleaned} times "
                    f"for {counts.opened} openings"
                )


def _count_calls(
    hook: Callable[..., Coroutine[Any, Any, None]], counts: _Counts, what: str
) -> Callable[..., Coroutine[Any, Any, None]]:
    async def count_and_call(*arguments: Any) -> None:
        setattr(counts, what, getattr(counts, what) + 1)
        await hook(*arguments)

    return count_and_call
