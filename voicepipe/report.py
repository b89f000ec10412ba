"""What `PipelineTask.run()` returns: how a run ended, and what it cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from voicepipe.ledger import SeamReport
from voicepipe.lifecycle import RunState
from voicepipe.statistics import DeviceStatistics

__all__ = ["Abandoned", "RunReport", "SlowStage", "StageError"]


@dataclass(frozen=True, slots=True)
class StageError:
    """An exception that escaped a stage, or an ErrorFrame that reached the task."""

    stage: str
    """The stage's label, where it is known."""
    message: str
    """One line."""
    exception: BaseException | None = None


@dataclass(frozen=True, slots=True)
class SlowStage:
    """A stage that made no progress for longer than its limit."""

    stage: str
    seconds: float
    """How long it stood still when it was noticed."""
    where: str
    """The line of code it stood at."""
    holding: str
    """The frame it held."""

    def __str__(self) -> str:
        return f"{self.stage} stood still for {self.seconds:.1f} s at {self.where}, holding {self.holding}"


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Code of a stage or a driver that refused to stop. It may still run."""

    name: str
    """The name of its task."""
    where: str
    """The line of code it stands at."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """How a run ended. `print(report)` gives a line for a person, and one for each oddity."""

    run_id: str
    state: RunState
    reason: str
    """Who or what ended it."""
    seconds: float
    """From `run()` to its end, by the run's clock."""
    seams: tuple[SeamReport, ...] = ()
    """The ledger of every seam, from the microphone to the speaker."""
    devices: tuple[DeviceStatistics, ...] = ()
    """How each device was doing, from the microphone to the speaker."""
    discarded: dict[str, int] = field(default_factory=dict)
    """Data frames that reached an outer end and had no subscriber, by direction."""
    never_started: int = 0
    """Frames that were queued before `run()` and never sent."""
    errors: tuple[StageError, ...] = ()
    """The first hundred; those that did not end the run included."""
    slow: tuple[SlowStage, ...] = ()
    """Who made no progress while the run drained, and was passed by."""
    forced: tuple[str, ...] = ()
    """What a safety net had to stop after a clean end. Empty, or it is a bug."""
    abandoned: tuple[Abandoned, ...] = ()
    """What refused to stop. Empty unless a stage or a driver is broken."""

    @property
    def dropped(self) -> dict[str, int]:
        """Samples dropped, by reason, over all seams."""
        return dict(sum((Counter(seam.dropped) for seam in self.seams), Counter[str]()))

    @property
    def dropped_frames(self) -> dict[str, int]:
        """Frames dropped, by reason, over all seams; those without audio too."""
        total = sum((Counter(seam.dropped_frames) for seam in self.seams), Counter[str]())
        if self.never_started:
            total["never_started"] += self.never_started
        return dict(total)

    def __str__(self) -> str:
        lines = [
            f"run {self.run_id} {self.state.value} after {self.seconds:.1f} s: {self.reason or 'no reason'}"
        ]
        lines += [f"  dropped {count} samples: {reason}" for reason, count in self.dropped.items()]
        lines += [f"  {device}" for device in self.devices if device.troubles or device.lost]
        lines += [f"  error in {e.stage or 'the run'}: {e.message}" for e in self.errors]
        lines += [f"  {slow}" for slow in self.slow]
        lines += [f"  had to be stopped: {name}" for name in self.forced]
        lines += [f"  refused to stop: {a.name} at {a.where}" for a in self.abandoned]
        return "\n".join(lines)
