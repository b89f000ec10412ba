"""The report of a run, as `PipelineTask.run()` returns it: its end, its ledgers, its devices."""

from __future__ import annotations

import enum
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from voicepipe.lifecycle import RunState

__all__ = [
    "Abandoned",
    "DeviceKind",
    "DeviceState",
    "DeviceStatistics",
    "DropReason",
    "EchoState",
    "LEAST_ERLE_DB",
    "Protection",
    "RunReport",
    "SeamReport",
    "SlowStage",
    "StageError",
    "Turn",
    "TurnCounts",
    "sum_of_counts",
]


DeviceKind = Literal["microphone", "speaker"]
Protection = Literal["cancelling", "half-duplex", "headphones"]
"""The protection from the program's own sound; "headphones": none, as it does not reach the microphone."""

LEAST_ERLE_DB = 10.0
"""A canceller that reduces the echo by less is of no use: voice detection takes the rest for the user."""
_PROTECTIONS: dict[Protection, str] = {
    "cancelling": "echo cancelling: you can talk over it",
    "half-duplex": "half-duplex: it hears you only if you are louder than it",
    "headphones": "headphones: without them it hears itself",
}


def sum_of_counts(*counts: Mapping[str, int]) -> dict[str, int]:
    """Return the sums by reason, without 0. One may be negative, where a steady speaker made samples."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return {reason: count for reason, count in total.items() if count}


class DropReason(enum.StrEnum):
    """The reasons for a drop: the keys of `dropped` and `dropped_frames`. Each is its own text."""

    MIC_OVERFLOW = "mic_overflow"
    """The pipeline took longer than the microphone's ring could wait."""
    OVERFLOW = "overflow"
    """A stage held more live audio than its mailbox or its queue may: the stage was too slow for it."""
    MUTED = "muted"
    """A speaker of the run sounded meanwhile."""
    INTERRUPTED = "interrupted"
    """An interruption took it."""
    CANCELLED = "cancelled"
    """The run was cancelled."""
    SHUTDOWN = "shutdown"
    """The End came before it, or its stage did not let go of it while the pipeline drained."""
    DEVICE_LOST = "device_lost"
    """The device was away or being opened again, or had it when it was lost."""
    PROCESSOR_ERROR = "processor_error"
    """A stage raised while it held it."""
    NEVER_STARTED = "never_started"
    """The run never began."""
    DRIFT = "drift"
    """A steady speaker played a little faster, to keep to the microphone's clock."""
    LATE = "late"
    """Live sound that waited before the speaker for longer than it needed to, as after a standstill."""
    UPSTREAM_OVERFLOW = "upstream_overflow"
    """More than a mailbox's worth of upstream data waited at a stage: the oldest went."""
    COALESCED = "coalesced"
    """Too many system frames of one kind waited at a stage: the oldest went."""

    def __repr__(self) -> str:
        return repr(self.value)  # so that a printed `dropped` reads as it is written


@dataclass(frozen=True, slots=True)
class SeamReport:
    """One seam at one moment, in that seam's own samples."""

    name: str
    taken: int
    """Samples that came in."""
    given: int
    """Samples that went out: handled by the stage, or heard."""
    held: int
    """Samples inside at that moment."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Samples dropped, by reason."""
    dropped_frames: dict[str, int] = field(default_factory=dict)
    """Frames dropped, by reason: those without audio too."""

    @property
    def balanced(self) -> bool:
        """in == out + held + dropped."""
        return self.taken == self.given + self.held + sum(self.dropped.values())

    def __str__(self) -> str:
        lost = ", ".join(f"{n} {reason}" for reason, n in self.dropped.items()) or "none"
        return f"{self.name}: {self.taken} in, {self.given} out, {self.held} held, dropped: {lost}"


@dataclass(frozen=True, slots=True)
class EchoState:
    """The echo of a run's speakers at one microphone, and the protection from it. Decibels are of power."""

    protection: Protection
    """The protection at present."""
    reason: str = ""
    """The reason for it, where it is not the usual one; safe to print."""
    erle_db: float | None = None
    """The echo return loss enhancement at the ear: by how much the canceller reduces the echo. Over the last
    3 s in which the program sounded and nobody talked over it. None: none yet."""
    words_erle_db: float | None = None
    """The same of the audio that is kept and recognised."""
    delay_s: float | None = None
    """From the sound at the speaker to its echo at the microphone, in seconds; None: not known."""
    strength_db: float | None = None
    """The level of the echo at the microphone against what the speaker was handed; None: not known."""

    @property
    def announcement(self) -> str:
        """The line at the start of a program: the protection, and its reason where there is one."""
        return _PROTECTIONS[self.protection] + (f" ({self.reason})" if self.reason else "")

    @property
    def is_low(self) -> bool:
        """True if the canceller reduces the echo by too little."""
        return self.erle_db is not None and self.erle_db < LEAST_ERLE_DB

    @property
    def advice(self) -> str:
        """The cure of a low reduction; empty: it is not low."""
        if not self.is_low:
            return ""
        return "turn the speaker down, move it away from the microphone, or use headphones"

    @property
    def figures(self) -> str:
        """The protection and its figures, in a few words for a status line."""
        if self.protection == "headphones":
            return "headphones"
        said = "echo cancelling" if self.protection == "cancelling" else "half-duplex"
        if self.erle_db is not None:
            reduced = f"echo reduced by {self.erle_db:.0f} dB"
            said = reduced if self.protection == "cancelling" else f"{said}, {reduced}"
        return said if self.delay_s is None else f"{said}, {1e3 * self.delay_s:.0f} ms late"

    @property
    def details(self) -> str:
        """The protection, its reason, and all figures that are known."""
        words, strength = self.words_erle_db, self.strength_db
        parts = [
            self.protection + (f" ({self.reason})" if self.reason else ""),
            "" if self.erle_db is None else f"reduced by {self.erle_db:.0f} dB for voice detection",
            "" if words is None else f"by {words:.0f} dB in the words",
            "" if strength is None else f"strength {strength:.0f} dB",
            "" if self.delay_s is None else f"delay {1e3 * self.delay_s:.0f} ms",
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A microphone or a speaker, as its stage knows it."""

    kind: DeviceKind
    device: str
    """The name of the device; safe to print."""
    callbacks: int | None = None
    """The device's signs of life, over all streams there were; None: its back end does not count them."""
    lost_s: float | None = None
    """For how long it has been lost, in seconds; None: it is not."""
    absent: str = ""
    """The reason why it cannot be had, where the last search found one: it is not plugged in, say."""
    absences: int = 0
    """Searches that found that out."""
    reconnections: int = 0
    """The number of times that it came back."""
    taken: int | None = None
    """Blocks that the pipeline took from a microphone; None: of a speaker."""
    level_db: float | None = None
    """The level of the last block, in dB below full scale; None: of a speaker, or nothing came yet."""
    delay_s: float | None = None
    """The delay of live audio from the microphone to a speaker, in seconds; None: it plays none now."""
    echo: EchoState | None = None
    """The echo at a microphone; None: of a speaker, or no speaker of the run shares its air."""


@dataclass(frozen=True, slots=True)
class DeviceStatistics:
    """One device of a run at one moment, over all streams there were. `dataclasses.asdict` makes it JSON.

    From `device_statistics()` of a `MicrophoneInput` or a `SpeakerOutput` while it runs, and for all of
    them from `report.devices`. Samples are those of the run, whatever the device's own rate is.
    """

    stage: str
    """The stage it belongs to."""
    kind: DeviceKind
    """Its kind: "microphone" or "speaker"."""
    device: str
    """The name under which it was opened; safe to print."""
    lost: bool
    """True while it is away."""
    rate: int
    """Samples a second of the run."""
    channels: int
    blocks: int
    """Callbacks; of a file, the pieces that were read or written."""
    samples: int
    """Samples that the microphone brought, or that were handed to the speaker; silence in between is none."""
    overflow: int
    """Samples that the microphone lost: in the device, or because the pipeline took too long."""
    underflow: int
    """The number of times that the speaker said that it had run dry: a gap was heard."""
    late: int
    """Callbacks that came more than a block and the device's latency after the one before: time enough
    for its buffer to run dry, whether it said so or not. At least two blocks."""
    longest_wait_s: float
    """The longest time between two callbacks, in seconds."""
    reconnections: int
    """The number of times that it was lost, and came back."""
    fill_s: float
    """Audio that waits, in seconds: captured, for the pipeline; or written, for the speaker."""
    latency_s: float
    """Between its callback and the air, in seconds, as the device reports it, our conversion included:
    the input latency of a microphone, the output latency of a speaker."""
    delay_s: float | None = None
    """From the air at the microphone to the air at the speaker, in seconds, of live audio that the speaker
    plays now; in the report of a run that has ended, of the last that it played. None: of a microphone, of a
    file, or no live audio came for 2 s."""
    longest_delay_s: float | None = None
    """The longest such delay; None: no live audio was played."""
    gaps: int = 0
    """The number of times that the speaker's voice ran dry while it spoke, and went on soon after."""
    gaps_s: float = 0.0
    """The silence of all these gaps together, in seconds."""
    echo: EchoState | None = None
    """The echo at a microphone; None: of a speaker, or no speaker of the run shares its air."""
    stamps: str = ""
    """The worth of the device's time stamps, by which echo and delay are found. "good"; "missing", "absurd"
    or "early": then the callbacks are timed instead; "unsteady": then the middle one of a second counts.
    Empty: nobody judges them."""

    @property
    def delay(self) -> str:
        """The delay, in a few words; empty: there is none."""
        if self.delay_s is None or self.longest_delay_s is None:
            return ""
        return f"delay {1e3 * self.delay_s:.0f} ms, at most {1e3 * self.longest_delay_s:.0f} ms"

    @property
    def troubles(self) -> str:
        """The troubles there were, in a few words; empty: none."""
        counts = {
            "lost samples": self.overflow,
            "underflow": self.underflow,
            "late": self.late,
            "reconnected": self.reconnections,
        }
        said = [f"{what} {count}" for what, count in counts.items() if count]
        return ", ".join([*said, *([f"gaps {self.gaps} ({1e3 * self.gaps_s:.0f} ms)"] if self.gaps else [])])

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.device}: {self.blocks} blocks, {self.samples} samples, "
            f"latency {1e3 * self.latency_s:.0f} ms, fill {1e3 * self.fill_s:.0f} ms, "
            f"longest wait {1e3 * self.longest_wait_s:.0f} ms; {self.troubles or 'no trouble'}"
            + ("; lost" if self.lost else "")
        )


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
    """The time that it had stood still when it was noticed."""
    where: str
    """The line of code it stood at."""
    holding: str
    """The frame it held."""

    @property
    def advice(self) -> str:
        """A line about it without the stage's name, and with the cure where it is meant to take so long."""
        cure = "set its may_take_s if it may take longer"
        return f"it stood still for {self.seconds:.1f} s ({cure}) at {self.where}, holding {self.holding}"

    def __str__(self) -> str:
        return f"{self.stage} stood still for {self.seconds:.1f} s at {self.where}, holding {self.holding}"


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Code of a stage or a driver that refused to stop. It may still run."""

    name: str
    """The name of its task."""
    where: str
    """The line of code it stands at."""


TURN_BOUNDS_S = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""The bounds by which turns are counted, in seconds."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The time from the end of the user's speech to the first sound of the program's answer."""

    ended_s: float
    """The end of the user's speech, on the run's clock: when its last sound was captured."""
    seconds: float
    """The time until the answer began to sound."""
    parts: dict[str, float] = field(default_factory=dict)
    """The seconds of each part. "silence": until the end of the speech was certain, without "judge": the
    time that the verdict on the pause took. Then the labels of the stages that worked on the answer.
    "other": nobody was seen at work."""

    def __str__(self) -> str:
        return f"first sound after {self.seconds:.2f} s ({_describe_parts(self.parts)})"


@dataclass(frozen=True, slots=True)
class TurnCounts:
    """The counts of all turns of a run, also of those that a report has no longer."""

    count: int = 0
    seconds: float = 0.0
    """The sum of their times."""
    up_to: dict[float, int] = field(default_factory=dict)
    """For some bounds in seconds, the number of turns that took no longer."""


def _describe_parts(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in parts.items())


def _describe_turns(turns: tuple[Turn, ...], count: int) -> str:
    """Return a line about turns: their number, their times, and their parts on average."""
    times = sorted(turn.seconds for turn in turns)
    names = dict.fromkeys(name for turn in turns for name in turn.parts)
    means = {name: sum(turn.parts.get(name, 0.0) for turn in turns) / len(turns) for name in names}
    return (
        f"{count} turn{'s' if count != 1 else ''}: first sound after {_quantile(times, 0.5):.2f} s (median), "
        f"{_quantile(times, 0.95):.2f} s (p95); on average {_describe_parts(means)}"
    )


def _quantile(ordered: list[float], share: float) -> float:
    """Return the least value that so great a share of them does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class RunReport:
    """The report of a run. `print(report)` gives a line for a person, and one for each oddity."""

    run_id: str
    state: RunState
    reason: str
    """The cause of its end."""
    seconds: float
    """From `run()` to its end, by the run's clock."""
    seams: tuple[SeamReport, ...] = ()
    """The ledger of every seam, from the microphone to the speaker."""
    devices: tuple[DeviceStatistics, ...] = ()
    """The figures of each device, from the microphone to the speaker."""
    discarded: dict[str, int] = field(default_factory=dict)
    """Data frames that reached an outer end and had no subscriber, by direction."""
    never_started: int = 0
    """Frames that were queued before `run()` and never sent."""
    errors: tuple[StageError, ...] = ()
    """The first hundred; those that did not end the run included."""
    slow: tuple[SlowStage, ...] = ()
    """The stages that made no progress while the run drained, and were passed by. The run then failed,
    unless its limits have `passed_by="report"`. Also the stages that blocked the event loop."""
    forced: tuple[str, ...] = ()
    """The names of what a safety net had to stop after a clean end. Empty, or it is a bug."""
    abandoned: tuple[Abandoned, ...] = ()
    """The code that refused to stop. Empty unless a stage or a driver is broken."""
    turns: tuple[Turn, ...] = ()
    """The last 1,000 turns of the conversation that the program answered."""
    turn_counts: TurnCounts = field(default_factory=TurnCounts)
    """The counts of all its turns."""
    ended_late: bool = False
    """True if the end took longer than the limit `drain_s`, and the run was cancelled for that."""

    @property
    def dropped(self) -> dict[str, int]:
        """Samples dropped, by reason, over all seams."""
        return sum_of_counts(*(seam.dropped for seam in self.seams))

    @property
    def dropped_frames(self) -> dict[str, int]:
        """Frames dropped, by reason, over all seams; those without audio too."""
        never_started: dict[str, int] = {DropReason.NEVER_STARTED: self.never_started}
        return sum_of_counts(*(seam.dropped_frames for seam in self.seams), never_started)

    def __str__(self) -> str:
        lines = [
            f"run {self.run_id} {self.state.value} after {self.seconds:.1f} s: {self.reason or 'no reason'}"
        ]
        lines += [f"  dropped {count} samples: {reason}" for reason, count in self.dropped.items()]
        if self.turns:
            lines.append(f"  {_describe_turns(self.turns, self.turn_counts.count)}")
        lines += [f"  {device}" for device in self.devices if device.troubles or device.lost]
        lines += [f"  {device.stage}: {device.delay}" for device in self.devices if device.delay]
        lines += [f"  error in {e.stage or 'the run'}: {e.message}" for e in self.errors]
        lines += [f"  {slow}" for slow in self.slow]
        lines += [f"  had to be stopped: {name}" for name in self.forced]
        lines += [f"  refused to stop: {a.name} at {a.where}" for a in self.abandoned]
        return "\n".join(lines)
