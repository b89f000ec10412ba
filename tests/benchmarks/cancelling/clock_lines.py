"""The lines of the table that need two clocks, and so a card: drift, untold losses, queued speech."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, takewhile

from benchmarks.busy import busy
from benchmarks.cancelling.ears import judged
from benchmarks.cancelling.echo_lines import figures_of
from benchmarks.cancelling.goals import Goal, Line
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.real import real
from benchmarks.cancelling.reduction import reduction_db
from benchmarks.cancelling.rooms import RATE
from benchmarks.cancelling.scenes import Scene, listening
from benchmarks.cancelling.simulated import START, Air, simulated
from benchmarks.cancelling.subjects import OURS, Play, Taken
from benchmarks.cancelling.voices import program
from voicepipe.testing import Losses

__all__ = ["busy_lines", "drift_lines", "loss_lines", "queue_lines"]

PPM = 150.0
QUEUED_S = 60.0
BUSY, LOOPS = "nice 5", 2
"""The other programs: their priority, and how many."""
EVERY_S, LOST_S = 3.25, 0.02
"""One loss for each such time: 90 in 5 minutes."""
AGAIN_S, AGAIN_DB = 1.0, 25.0
"""So soon after a loss the echo must be so much less again."""


def drift_lines(plan: Plan) -> list[Line]:
    """Measure the echo where the two clocks drift apart."""
    lines = []
    for mic_ppm, speaker_ppm in ((PPM, 0.0), (-PPM, 0.0), (0.0, PPM), (PPM / 2, -PPM / 2)):
        air = Air(mic_ppm=mic_ppm, speaker_ppm=speaker_ppm)
        lines += _as_in_rooms(
            plan, simulated(air), f"microphone {mic_ppm:+g} ppm, speaker {speaker_ppm:+g} ppm"
        )
    return lines


def queue_lines(plan: Plan) -> list[Line]:
    """Measure the echo where a minute of speech is queued at once."""
    return _as_in_rooms(plan, simulated(Air(ahead_s=QUEUED_S)), f"{QUEUED_S:g} s queued", QUEUED_S)


def loss_lines(plan: Plan) -> list[Line]:
    """Measure the echo where a card loses samples, and does not own up to it."""
    lines = []
    far = program(30 * plan.minutes, plan.seed)
    for side in ("mic", "speaker"):
        losses = Losses(LOST_S, every_s=EVERY_S, side=side, seed=plan.seed)
        scene = listening(side, far, plan.rooms_of(0.3, 1), seed=plan.seed)
        taken = simulated(Air(losses=losses))(scene)
        lines += _losses(taken, _places(losses, scene, side), "microphone" if side == "mic" else side)
    return lines


def busy_lines(plan: Plan) -> list[Line]:
    """Measure the echo through real PortAudio: alone, and while two other programs never rest.

    Raises:
        CannotRunError: there can be no virtual card here.
    """
    quiet = _as_in_rooms(plan, real, "alone")
    with busy(BUSY, LOOPS):
        return [*quiet, *_as_in_rooms(plan, real, f"beside {LOOPS} busy programs, {BUSY}")]


def _as_in_rooms(plan: Plan, play: Play, name: str, seconds: float = 0.0) -> list[Line]:
    scenes = [
        listening(room.name, program(max(seconds, plan.seconds), plan.seed + n), [room], seed=n)
        for n, room in enumerate(plan.rooms_of(0.3))
    ]
    taken = [play(scene) for scene in scenes]
    found = {
        subject: [judged(each.heard[subject], "silero").turns for each in taken] for subject in taken[0].heard
    }
    turns: dict[str, float | None] = {
        subject: float(sum(map(len, rooms))) for subject, rooms in found.items()
    }
    when = [
        f"{scene.name} at {turn.said_s:.1f} s"
        for scene, room in zip(scenes, found[OURS], strict=True)
        for turn in room
    ]
    note = "; ".join([*when, *_told(scenes, taken)])
    return [
        figures_of(f"{name}, seconds 1 to 2", scenes, taken, 24.0, 1.0, 2.0),
        figures_of(f"{name}, from second 2", scenes, taken, 30.0, 2.0),
        Line(f"{name}, own voice: turns", turns, Goal(0, most=True), OURS, note),
    ]


def _told(scenes: Sequence[Scene], taken: Sequence[Taken]) -> Iterator[str]:
    """Yield what each run says of the echo, without figures."""
    for scene, each in zip(scenes, taken, strict=True):
        yield f"{scene.name}: {each.told.partition(',')[0]}"


def _places(losses: Losses, scene: Scene, side: str) -> list[float]:
    """Return when each loss comes, in seconds of the scene's samples."""
    times = takewhile(lambda at_s: at_s < scene.seconds - AGAIN_S - 0.5, losses.times())
    lost_s = losses.seconds if side == "mic" else 0.0
    return [at_s - START / RATE - n * lost_s for n, at_s in enumerate(times)]


def _losses(taken: Taken, places: Sequence[float], side: str) -> list[Line]:
    name = f"{len(places)} losses of the {side}"
    again: dict[str, float | None] = {}
    turns: dict[str, float | None] = {}
    lowest: dict[str, float | None] = {}
    for subject, heard in taken.heard.items():
        reduced = [
            reduction_db(taken.mic, heard.ear, begin + AGAIN_S, max(begin + AGAIN_S + 0.5, end))
            for begin, end in pairwise([*places, len(taken.mic) / RATE])
        ]
        again[subject] = 100 * sum(each >= AGAIN_DB for each in reduced) / len(reduced) if reduced else None
        lowest[subject] = min(reduced, default=None)
        turns[subject] = float(len(judged(heard, "silero").turns))
    return [
        Line(f"{name}: false interruptions", turns, Goal(0, most=True), OURS, taken.told),
        Line(f"{name}: {AGAIN_DB:g} dB again in {AGAIN_S:g} s, %", again, Goal(100, unit=" %"), OURS),
        Line(f"{name}: lowest from then on, dB", lowest, None, OURS),
    ]
