"""The lines of the table that are about the ear: the program's own voice, and users who talk over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import numpy as np

from benchmarks.cancelling.ears import NOTICED_S, Judged, in_time, judged, noticed
from benchmarks.cancelling.goals import Goal, Line
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.rooms import RATE, Room, room
from benchmarks.cancelling.scenes import Scene, conversation, listening
from benchmarks.cancelling.subjects import BARE, OURS, Heard
from benchmarks.cancelling.voices import program, utterances

__all__ = ["CLEAN", "conversations", "jump_lines", "mixed_rooms", "noticed_lines", "own_voice_lines"]

CLEAN = "clean words"
"""The column of the user alone: no canceller can do better."""
ENGINES = ("webrtc", "silero")
JUMP_S = 0.2
ROOM_S = (0.3, 0.6)
"""The reverberation of every other room."""


def own_voice_lines(plan: Plan) -> list[Line]:
    """Count what of the program's own speech is taken for a user's."""
    scenes = [
        listening(
            each.name, program(60 * plan.minutes, plan.seed + n), [each], seed=n, echo_db=-6.0 * (n % 2)
        )
        for n, each in enumerate(mixed_rooms(plan, plan.rooms))
    ]
    return _own(scenes, plan, f"own voice, {len(scenes)} rooms of {plan.minutes:g} min", turns=0)


def jump_lines(plan: Plan) -> list[Line]:
    """Count the same where the way to the loudspeaker becomes longer at once."""
    scenes = []
    for n, each in enumerate(mixed_rooms(plan, plan.rooms)):
        far = program(3 * plan.seconds, plan.seed + n)
        scene = listening(each.name, far, [each, each], seed=n, changed_s=[1.5 * plan.seconds])
        later = np.concatenate([np.zeros(round(JUMP_S * RATE)), scene.ways[1]])
        scenes.append(replace(scene, ways=(scene.ways[0], later)))
    return _own(scenes, plan, f"delay jump of {1_000 * JUMP_S:g} ms", turns=len(scenes))


def noticed_lines(plan: Plan) -> list[Line]:
    """Count the users over the program that silero notices in time."""
    lines = []
    for echo_db, least in ((-6.0, 95.0), (0.0, 60.0)):
        delays: dict[str, list[float | None]] = {}
        for scene in conversations(plan, echo_db, stops_s=0.35):
            clean = scene.clean
            taken = {CLEAN: Heard(clean, clean, 0.0), **plan.play(scene).heard}
            for subject, heard in taken.items():
                delays.setdefault(subject, []).extend(noticed(judged(heard, "silero"), scene.onsets))
        lines += _noticed(f"noticed within {1_000 * NOTICED_S:g} ms, echo {echo_db:g} dB", delays, least)
    return lines


def conversations(plan: Plan, echo_db: float, stops_s: float | None) -> Iterator[Scene]:
    """Yield scenes with all utterances of the user, in rooms enough.

    Raises:
        MissingSpeechError: there are none.
    """
    words = utterances(plan.speech)
    count = -(-plan.utterances // len(words))
    for n, each in enumerate(mixed_rooms(plan, count)):
        seed = plan.seed + 100 + n
        far = program(5.5 * len(words), seed)
        said = [words[at] for at in np.random.default_rng(seed).permutation(len(words))]
        yield conversation(each.name, far, each, said, echo_db=echo_db, seed=seed, stops_s=stops_s)


def mixed_rooms(plan: Plan, count: int) -> Iterator[Room]:
    """Yield so many rooms; their reverberation differs."""
    for n in range(count):
        yield room(plan.seed + n, ROOM_S[n // 2 % 2])


def _own(scenes: list[Scene], plan: Plan, name: str, turns: int) -> list[Line]:
    found: dict[tuple[str, str], list[Judged]] = {}
    for scene in scenes:
        for subject, heard in plan.play(scene).heard.items():
            for engine in ENGINES:
                found.setdefault((engine, subject), []).append(judged(heard, engine))
    lines = []
    for engine in ENGINES:
        of = {subject: rooms for (by, subject), rooms in found.items() if by == engine}
        total = {subject: float(sum(len(each.turns) for each in rooms)) for subject, rooms in of.items()}
        share = {subject: 100 * max(each.speech for each in rooms) for subject, rooms in of.items()}
        when = [
            f"{scene.name} at {turn.said_s:.1f} s"
            for scene, each in zip(scenes, of[OURS], strict=True)
            for turn in each.turns
        ]
        lines.append(Line(f"{name}, {engine}: turns", dict(total), Goal(turns, most=True), OURS, _few(when)))
        if not turns:
            goal = Goal(0.5, most=True, unit=" %")
            lines.append(Line(f"{name}, {engine}: frames, %", dict(share), goal, OURS, "of the worst room"))
    return lines


def _noticed(name: str, delays: dict[str, list[float | None]], least: float) -> list[Line]:
    soon: dict[str, float | None] = {subject: in_time(each) for subject, each in delays.items()}
    middle: dict[str, float | None] = {}
    for subject, each in delays.items():
        known = [delay for delay in each if delay is not None]
        middle[subject] = 1_000 * median(known) if known else None
    never = sum(delay is None for delay in delays[OURS])
    note = f"{len(delays[BARE])} onsets, {never} never noticed"
    return [
        Line(f"{name}, %", soon, Goal(least, unit=" %"), OURS, note),
        Line(f"{name}: median, ms", middle, None, OURS),
    ]


def _few(names: list[str]) -> str:
    return "; ".join(names[:4]) + ("" if len(names) <= 4 else f"; {len(names) - 4} more")
