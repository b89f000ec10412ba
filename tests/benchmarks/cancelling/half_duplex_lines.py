"""Half-duplex that hears what is louder than the echo, beside a mute, and beside no protection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median

import numpy as np

from benchmarks.cancelling.ears import BLOCK, NOTICED_S, Judged, Turn, hear, in_time, noticed
from benchmarks.cancelling.goals import Goal, Line
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.rooms import RATE
from benchmarks.cancelling.scenes import Ints, Scene, listening
from benchmarks.cancelling.subjects import BARE
from benchmarks.cancelling.voice_lines import conversations, mixed_rooms
from benchmarks.cancelling.voices import program
from voicepipe.canceller.cancelled_block import CancelledBlock
from voicepipe.canceller.half_duplex.half_duplex import HalfDuplex
from voicepipe.frames import InputAudioFrame
from voicepipe.speakers import Speakers
from voicepipe.speech.vad import VADProcessor

__all__ = ["half_duplex_lines"]

MUTE, LOUDER = "muted", "half-duplex"
Pass = Callable[[InputAudioFrame, CancelledBlock], Iterable[InputAudioFrame]]


def half_duplex_lines(plan: Plan) -> list[Line]:
    """Measure the program's own voice, and users who talk over a program that goes on."""
    lines = _own(plan, drive=0.0) + _own(plan, drive=4.0)
    for echo_db, least in ((-12.0, 90.0), (-6.0, 90.0), (0.0, 50.0), (6.0, None)):
        scenes = list(conversations(plan, echo_db, stops_s=None))
        lines += _noticed(f"noticed within {1_000 * NOTICED_S:g} ms, echo {echo_db:g} dB", scenes, least)
    return lines


def _own(plan: Plan, drive: float) -> list[Line]:
    scenes = [
        listening(
            each.name,
            program(60 * plan.minutes, plan.seed + n),
            [each],
            seed=n,
            echo_db=-6.0 * (n % 2),
            drive=drive,
        )
        for n, each in enumerate(mixed_rooms(plan, plan.rooms))
    ]
    found: dict[str, list[Judged]] = {}
    for scene in scenes:
        for subject, judged in _judged(scene).items():
            found.setdefault(subject, []).append(judged)
    turns = {subject: float(sum(len(each.turns) for each in rooms)) for subject, rooms in found.items()}
    share = {subject: 100 * max(each.speech for each in rooms) for subject, rooms in found.items()}
    name = f"own voice, {len(scenes)} rooms of {plan.minutes:g} min" + (f", drive {drive:g}" if drive else "")
    return [
        Line(f"{name}: turns", dict(turns), Goal(0, most=True), LOUDER),
        Line(f"{name}: let through, %", dict(share), Goal(0.5, most=True, unit=" %"), LOUDER, "worst room"),
    ]


def _noticed(name: str, scenes: list[Scene], least: float | None) -> list[Line]:
    delays: dict[str, list[float | None]] = {}
    for scene in scenes:
        for subject, judged in _judged(scene).items():
            delays.setdefault(subject, []).extend(noticed(judged, scene.onsets))
    soon: dict[str, float | None] = {subject: in_time(each) for subject, each in delays.items()}
    ever: dict[str, float | None] = {
        subject: 100 * sum(delay is not None for delay in each) / len(each)
        for subject, each in delays.items()
    }
    known = [delay for delay in delays[LOUDER] if delay is not None]
    note = f"{len(delays[LOUDER])} onsets, median {1_000 * median(known):.0f} ms" if known else ""
    goal = None if least is None else Goal(least, unit=" %")
    return [
        Line(f"{name}, %", soon, goal, LOUDER, note),
        Line(f"{name.replace(f' within {1_000 * NOTICED_S:g} ms', '')}: at all, %", ever, None, LOUDER),
    ]


def _judged(scene: Scene) -> dict[str, Judged]:
    mic = scene.microphone()
    speakers = Speakers()
    speakers.begin("loudspeaker", 0.0)
    half_duplex = HalfDuplex(RATE, 1, speakers)

    def louder(frame: InputAudioFrame, block: CancelledBlock) -> Iterable[InputAudioFrame]:
        half_duplex.hear(block)
        return half_duplex.let_out([frame])

    ways: dict[str, Pass] = {BARE: lambda frame, _: (frame,), MUTE: lambda *_: (), LOUDER: louder}
    return {subject: _judge(mic, scene, way) for subject, way in ways.items()}


def _judge(mic: Ints, scene: Scene, way: Pass) -> Judged:
    """Let silero hear what passes, when it passes."""
    vad, turns, passed = VADProcessor("silero"), list[Turn](), 0
    far = scene.far.astype(np.float32)
    for at in range(0, len(mic) - BLOCK + 1, BLOCK):
        now_s = (at + BLOCK) / RATE
        data = mic[at : at + BLOCK].tobytes()
        block = CancelledBlock(at, at / RATE, data, far[at : at + BLOCK], None, data)
        for frame in way(InputAudioFrame(data, RATE, 1, at, at / RATE), block):
            passed += any(frame.data)
            hear(vad, frame, now_s, turns)
    return Judged(tuple(turns), passed * BLOCK / len(mic))
