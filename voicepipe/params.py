"""What a run is started with: its audio formats, its clock, its time limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from voicepipe.air import Air
from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_seconds

__all__ = ["Limits", "StartParams"]


@dataclass(frozen=True, slots=True)
class StartParams:
    """What every stage is told when it opens."""

    input: AudioFormat = field(default_factory=AudioFormat)
    """What microphones deliver into the pipeline."""
    output: AudioFormat = field(default_factory=AudioFormat)
    """What speakers expect from it."""
    clock: Callable[[], float] = field(default=lambda: 0.0, repr=False)
    """The run's clock in seconds: the event loop's."""
    run_id: str = ""
    """Names the run in logs and task names."""
    air: Air = field(default_factory=Air, repr=False)
    """Where its speakers say when they sound, for its microphones."""
    patient: bool = False
    """A device that is known to be absent is waited for; else the start fails."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a run waits for others, in seconds. Zero is legal: no patience at all.

    Raises:
        TypeError, ValueError: a field is no finite number, or is negative.
    """

    start_s: float = 5.0
    """From `run()` until every stage is open and capturing."""
    stall_s: float = 10.0
    """While the pipeline drains: how long one stage may make no progress."""
    cancel_s: float = 2.0
    """From a cancel until everything is closed; half of it for stages to stop."""
    close_s: float = 1.0
    """For the clean-up of the stages after they have ended, side by side."""

    def __post_init__(self) -> None:
        for name in ("start_s", "stall_s", "cancel_s", "close_s"):
            check_seconds(name, getattr(self, name))
