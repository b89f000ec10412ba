"""What the rules ask about a run that was played."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property

from properties.simulation.journal import Entry, Token
from properties.simulation.play import Played, PlayedRun
from properties.simulation.scenario import Event, RunSpec, StageSpec, has_branches
from voicepipe import (
    AudioFrame,
    CancelFrame,
    DeviceLostFrame,
    DropReason,
    Frame,
    FrameDirection,
    MicrophoneInput,
    RunReport,
    RunState,
    SpeakerOutput,
    StartFrame,
)
from voicepipe.endpoints.kept_device import OnLoss

__all__ = ["DOWN", "Facts"]

DOWN = FrameDirection.DOWNSTREAM
TROUBLE_S = 1.0
"""A loop that stands still for so long may cost audio: a ring runs over, a device counts as lost."""


class Facts:
    """One run: its specification, its report, and the lines of the journal that are about it."""

    def __init__(self, run: PlayedRun, played: Played) -> None:
        assert run.began_s is not None
        assert run.returned_s is not None
        self.run = run
        self.spec: RunSpec = run.spec
        self.report: RunReport = run.report
        self.state: RunState = run.report.state
        self.began_s, self.returned_s = run.began_s, run.returned_s
        self._played = played

    # -- the journal ---------------------------------------------------------------

    @cached_property
    def lines(self) -> list[Entry]:
        """While it lasted; of other runs too."""
        return self.run.lines(self._played.journal)

    @cached_property
    def _by_stage(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.lines:
            found[entry.who].append(entry)
        return found

    def of(self, stage: StageSpec) -> list[Entry]:
        """The lines of one stage."""
        return self._by_stage[stage.name]

    def count(self, stage: StageSpec, what: str) -> int:
        """How often it did so."""
        return sum(entry.what == what for entry in self.of(stage))

    @cached_property
    def surfaced(self) -> list[Entry]:
        """What left the pipeline at its ends."""
        return [entry for entry in self._by_stage[self.spec.name] if entry.what == "surfaced"]

    @cached_property
    def at_the_sink(self) -> list[Frame]:
        """What left it downstream."""
        return [e.frame for e in self.surfaced if e.direction is DOWN and e.frame is not None]

    @cached_property
    def losses(self) -> list[Entry]:
        """The devices that were told to be lost."""
        return [entry for entry in self.surfaced if isinstance(entry.frame, DeviceLostFrame)]

    @cached_property
    def running_s(self) -> float | None:
        """Since when it runs; None where it never did."""
        return next((e.at_s for e in self.surfaced if isinstance(e.frame, StartFrame)), None)

    # -- what went wrong -------------------------------------------------------------

    @cached_property
    def _same_card(self) -> list[PlayedRun]:
        """The runs, one after the other, with these processors and this card."""
        return [other for other in self._played.runs if other.processors is self.run.processors]

    @cached_property
    def on_loss(self) -> OnLoss:
        """What its devices do when they are lost: those of the first run with its processors."""
        return self._same_card[0].spec.on_loss

    @cached_property
    def faults(self) -> list[tuple[float, Event]]:
        """What was done to its card, and when; by the events of another run too."""
        return [
            (other.made_s + event.at_s, event)
            for other in self._same_card
            for event in other.spec.events
            if event.whom
        ]

    @cached_property
    def is_clean(self) -> bool:
        """Nothing misbehaves, and no device fails."""
        return all(other.spec.is_clean for other in self._same_card)

    @cached_property
    def is_plain(self) -> bool:
        """Besides, nobody cancelled or interrupted, and the audio was not too fast for loop and stages."""
        return (
            self.is_clean
            and self.running_s is not None
            and self.state is RunState.ENDED
            and self.cancelled_s is None
            and not self.was_interrupted
            and self.frozen_s(self.began_s, self.returned_s) < TROUBLE_S
            and DropReason.OVERFLOW not in self.report.dropped  # the rules of live audio say where it may be
        )

    @cached_property
    def was_interrupted(self) -> bool:
        """On request, by the program or a stage."""
        return any(event.what == "interrupt" for event in self.spec.events) or any(
            stage.what == "InterruptionFrame" or stage.manners.interrupts for stage in self.spec.stages
        )

    @cached_property
    def cancelled_s(self) -> float | None:
        """When the first cancel came, by whatever way; None where none came while it lasted."""
        harsh = ("cancel", "outer", "CancelFrame", "cancel all")
        times = [at for at, what in self.run.asked if what in harsh and at <= self.returned_s]
        times += [
            entry.at_s
            for stage in self.spec.stages
            if stage.what == "CancelFrame"
            for entry in self.of(stage)
            if entry.what == "asks"
        ]
        if self.late_s is not None:
            times.append(self.late_s)
        return min(times, default=None)

    @cached_property
    def late_s(self) -> float | None:
        """When its end had taken so long that it was cancelled; None where it had not."""
        cancels = [entry.at_s for entry in self.surfaced if isinstance(entry.frame, CancelFrame)]
        return min(cancels, default=None) if self.report.ended_late else None

    @cached_property
    def asked_s(self) -> float | None:
        """When the program first asked for its end; None where it did not while it lasted."""
        return min((at for at, _ in self.run.asked if at <= self.returned_s), default=None)

    def was_asked(self, *whats: str) -> bool:
        """Whether it was asked so."""
        return any(what in whats for _, what in self.run.asked)

    def frozen_s(self, from_s: float, to_s: float) -> float:
        """How long the loop stood still between two times."""
        return sum(max(0.0, min(end, to_s) - max(begin, from_s)) for begin, end in self._played.frozen)

    def lived_until(self, from_s: float, seconds: float) -> float:
        """When the loop has not stood still for so long since then."""
        until_s = from_s + seconds
        while (more := from_s + seconds + self.frozen_s(from_s, until_s)) > until_s + 1e-6:
            until_s = more
        return until_s

    @cached_property
    def stood_still(self) -> bool:
        """The loop did, for so long that a start may have been too late."""
        return self.frozen_s(self.began_s, self.returned_s) > self.spec.limits.start_s / 2

    # -- what it consists of -----------------------------------------------------------

    @cached_property
    def is_a_row(self) -> bool:
        """Nothing is parallel in it."""
        return not has_branches(self.spec.shape)

    @cached_property
    def mic(self) -> str:
        """The name of its microphone's stage; empty where it has none."""
        return next((p.name for p in self.run.processors if isinstance(p, MicrophoneInput)), "")

    @cached_property
    def speaker(self) -> str:
        """The name of its speaker's stage; empty where it has none."""
        return next((p.name for p in self.run.processors if isinstance(p, SpeakerOutput)), "")

    def made_by(self, stage: StageSpec) -> int:
        """How many frames of its own a stage has pushed."""
        return sum(
            entry.what == "gave" and isinstance(entry.frame, Token) and entry.frame.maker == stage.name
            for entry in self.of(stage)
        )

    @cached_property
    def tokens_out(self) -> Counter[str]:
        """How many frames of each maker have left the pipeline."""
        return Counter(e.frame.maker for e in self.surfaced if isinstance(e.frame, Token))


def number_of(entry: Entry) -> tuple[str, int] | None:
    """Which frame it is, of whose: for those that have numbers."""
    frame = entry.frame
    if isinstance(frame, Token):
        return f"{type(frame).__name__} of {frame.maker}", frame.number
    if isinstance(frame, AudioFrame) and frame.num_samples and frame.captured_s is not None:
        return type(frame).__name__, frame.position
    return None
