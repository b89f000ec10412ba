"""The warning that live sound has grown late: the stage before which it stands, and the cure."""

from __future__ import annotations

from typing import NamedTuple

from voicepipe.census.stack import where
from voicepipe.endpoints.delay import Growth
from voicepipe.frames import AudioFrame
from voicepipe.pipeline.place import stages_before
from voicepipe.pipeline.processor import Processor
from voicepipe.pipeline.seat import StageSeat
from voicepipe.pipeline.task_seat import TaskSeat

__all__ = ["ADVISED_S", "Standing", "describe_growth", "find_standing"]

ADVISED_S = 0.2
"""The advised `mailbox_s` of a stage that live sound passes on its way to a speaker, in seconds."""
LEAST_S = 0.05
"""Less that stands before a stage does not explain a delay."""


class Standing(NamedTuple):
    """Live audio that stands before a stage."""

    label: str
    seconds: float
    where: str
    """The line of code at which the stage stands."""
    mailbox_s: float
    """The limit of the stage."""


def find_standing(stage: Processor) -> Standing | None:
    """Return the stage before this one at which most live audio stands; None if little stands at any."""
    before = stages_before(stage._seat) if isinstance(stage._seat, StageSeat) else []
    standing = [_look(seat) for seat in before if isinstance(seat, TaskSeat)]
    most = max(standing, key=lambda each: each.seconds, default=None)
    return most if most is not None and most.seconds >= LEAST_S else None


def _look(seat: TaskSeat) -> Standing:
    live = [frame for frame in seat.box.data if isinstance(frame, AudioFrame) and frame.live]
    seconds = sum(frame.duration_s for frame in live)
    return Standing(seat.label, seconds, where(seat.work.task), seat.mailbox_s)


def describe_growth(label: str, growth: Growth, standing: Standing | None) -> str:
    """Return the warning of a speaker, in one line."""
    now, least, before = (round(1e3 * s) for s in (growth.now_s, growth.least_s, growth.before_s))
    said = f"{label}: live sound takes {now} ms from the microphone to the speaker, and took {least} ms. "
    if growth.before_s < (growth.now_s - growth.least_s) / 2:
        return f"{said}It waits behind sound that is never left out, such as a voice in the same speaker"
    if standing is None:
        return (
            f"{said}{before} ms of them pass before it comes to the speaker, and it waits for no stage: "
            "a stage keeps sound back, or another microphone has a longer latency"
        )
    limit = f"; with mailbox_s={ADVISED_S:g} it drops the oldest sooner, and the delay stays short"
    return (
        f"{said}{standing.label} is too slow for it: {1e3 * standing.seconds:.0f} ms wait while it stands at "
        f"{standing.where}. To mend it, make it faster, or do slow work in a task (self.create_task)"
        + (limit if standing.mailbox_s > ADVISED_S else "")
    )
