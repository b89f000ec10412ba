"""The parameters of a run: its audio formats, its clock, its time limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from voicepipe.audio.format import AudioFormat
from voicepipe.checks import check_seconds
from voicepipe.settings.sound import SoundSettings
from voicepipe.speakers import Speakers
from voicepipe.text import quote

__all__ = ["Limits", "StartParams"]

PassedBy = Literal["fail", "report"]


@dataclass(frozen=True, slots=True)
class StartParams:
    """The parameters that every stage gets when it opens."""

    input: AudioFormat = field(default_factory=AudioFormat)
    """The format of the audio that microphones deliver."""
    output: AudioFormat = field(default_factory=AudioFormat)
    """The format of the audio that speakers expect."""
    clock: Callable[[], float] = field(default=lambda: 0.0, repr=False)
    """The run's clock in seconds. It is the clock of the event loop."""
    run_id: str = ""
    """The name of the run in logs and task names."""
    speakers: Speakers = field(default_factory=Speakers, repr=False)
    """The record of what the run's speakers play: is the program speaking, does anything sound?"""
    patient: bool = False
    """True if the run waits for a device that is absent at the start. Otherwise the start fails."""
    settings: SoundSettings = field(default_factory=SoundSettings, repr=False, kw_only=True)
    """The user's settings, if a back end of the pipeline carries them: see `open_backend`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The time limits of a run, in seconds. Zero is allowed and means no waiting.

    Raises:
        TypeError, ValueError: a time is not a finite number, or is negative; or `passed_by` is neither
            "fail" nor "report".
    """

    start_s: float = 5.0
    """The time from `run()` until every stage is open and capture has begun."""
    stall_s: float = 5.0
    """The time for which one stage may make no progress while the pipeline drains. A stage with
    `may_take_s` has that time instead."""
    drain_s: float = 310.0
    """The time from an end until EndFrame has passed the whole pipeline. Then the run is cancelled. It is the
    five minutes that a speaker queues, and ten seconds. It holds for every kind of end, Ctrl-C included."""
    cancel_s: float = 2.0
    """The time from a cancel until everything is closed. Stages have half of it to stop."""
    close_s: float = 1.0
    """The time for the clean-up of all stages, side by side, after they have ended."""
    passed_by: PassedBy = "fail"
    """The outcome after a stage has used up `stall_s`, and EndFrame has passed it by.

    "fail": `run()` raises PipelineError when everything is closed. "report": `run()` returns its
    report, which names the stage in `slow`."""

    def __post_init__(self) -> None:
        for name in ("start_s", "stall_s", "drain_s", "cancel_s", "close_s"):
            check_seconds(name, getattr(self, name))
        if self.passed_by not in ("fail", "report"):
            raise ValueError(f"passed_by must be 'fail' or 'report', not {quote(self.passed_by)}")
