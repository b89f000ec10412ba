"""The lines of the table that are about the echo alone: rooms, clipping, a change of path."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.cancelling.goals import Goal, Line
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.reduction import reduction_db
from benchmarks.cancelling.scenes import Scene, listening
from benchmarks.cancelling.subjects import OURS, Taken
from benchmarks.cancelling.voices import program

__all__ = ["WORDS", "clipping_lines", "figures_of", "path_lines", "room_lines"]

WORDS = "its words"
"""The column of the product's other output."""
LATER_S = 3.0
"""At least so much is heard of what is measured later."""
AFTER_S = 2.0
"""The time that a canceller has after a change of the path."""


def room_lines(plan: Plan) -> list[Line]:
    """Measure the echo that is left in rooms, over time."""
    lines = []
    for reverberation_s, first, later, from_s in ((0.3, 24.0, 30.0, 2.0), (0.6, 20.0, 30.0, 12.0)):
        seconds = max(plan.seconds, from_s + LATER_S)
        scenes = [
            listening(room.name, program(seconds, plan.seed + n), [room], seed=n)
            for n, room in enumerate(plan.rooms_of(reverberation_s))
        ]
        taken = [plan.play(scene) for scene in scenes]
        name = f"reverberation {reverberation_s:g} s"
        lines += [
            figures_of(f"{name}, seconds 1 to 2", scenes, taken, first, 1.0, 2.0),
            figures_of(f"{name}, from second {from_s:g}", scenes, taken, later, from_s),
        ]
    return lines


def clipping_lines(plan: Plan) -> list[Line]:
    """Measure it where the loudspeaker clips."""
    lines = []
    for drive, least in ((4.0, 25.0), (8.0, 20.0)):
        scenes = [
            listening(room.name, program(plan.seconds, plan.seed + n), [room], seed=n, drive=drive)
            for n, room in enumerate(plan.rooms_of(0.3))
        ]
        taken = [plan.play(scene) for scene in scenes]
        lines.append(figures_of(f"soft clipping, drive {drive:g}", scenes, taken, least, 2.0))
    return lines


def path_lines(plan: Plan) -> list[Line]:
    """Measure it after the loudspeaker or the microphone has been moved."""
    change_s = plan.seconds / 2
    before, after = plan.rooms_of(0.3), plan.rooms_of(0.3, 2 * plan.rooms)[plan.rooms :]
    scenes = [
        listening(one.name, program(plan.seconds, plan.seed + n), pair, seed=n, changed_s=[change_s])
        for n, (one, *pair) in enumerate((a, a, b) for a, b in zip(before, after, strict=True))
    ]
    taken = [plan.play(scene) for scene in scenes]
    from_s = change_s + AFTER_S
    return [figures_of(f"{AFTER_S:g} s after a change of path", scenes, taken, 20.0, from_s, from_s + 1)]


def figures_of(
    name: str,
    scenes: Sequence[Scene],
    taken: Sequence[Taken],
    least: float,
    from_s: float,
    to_s: float | None = None,
) -> Line:
    """Return the median of the rooms; the note names the worst."""
    figures: dict[str, list[float]] = {}
    for each in taken:
        for subject, heard in each.heard.items():
            figures.setdefault(subject, []).append(reduction_db(each.mic, heard.ear, from_s, to_s))
        figures.setdefault(WORDS, []).append(reduction_db(each.mic, each.heard[OURS].words, from_s, to_s))
    ours = figures[OURS]
    worst = min(range(len(ours)), key=ours.__getitem__)
    note = f"lowest {ours[worst]:.1f}: {scenes[worst].name}"
    middle: dict[str, float | None] = {subject: median(values) for subject, values in figures.items()}
    return Line(f"{name}, dB", middle, Goal(least, unit=" dB"), OURS, note)
