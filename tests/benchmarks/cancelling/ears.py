"""What a voice detector makes of audio: turns, frames, and the moment at which a user is noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.cancelling.rooms import RATE
from benchmarks.cancelling.scenes import Onset
from benchmarks.cancelling.subjects import Heard
from voicepipe.frames import (
    FrameDirection,
    InputAudioFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from voicepipe.speech.stretch import Judgement
from voicepipe.speech.vad import VADProcessor

__all__ = ["BLOCK", "NOTICED_S", "Judged", "Turn", "hear", "in_time", "judged", "noticed"]

NOTICED_S = 0.3
BLOCK = RATE // 50
SPEECH = 0.5
"""A window with such a score may begin a turn."""
EARLY_S = 0.1
"""A turn that begins so long before the user speaks is not the user's."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that a detector found, in seconds."""

    said_s: float
    """The time at which it was told."""
    ended_s: float | None = None
    """The time at which its end was told; None: never."""


@dataclass(frozen=True, slots=True)
class Judged:
    """All that a detector found."""

    turns: tuple[Turn, ...]
    speech: float
    """The share of its windows that it took for speech."""


def judged(heard: Heard, engine: str) -> Judged:
    """Let a detector of that name hear the ear."""
    windows: list[Judgement] = []
    vad = VADProcessor(engine, observe=windows.append)
    turns: list[Turn] = []
    for at in range(0, len(heard.ear), BLOCK):
        frame = InputAudioFrame(heard.ear[at : at + BLOCK].tobytes(), RATE, 1, at)
        hear(vad, frame, (at + BLOCK) / RATE + heard.late_s, turns)
    scores = np.array([window.score >= SPEECH for window in windows])
    return Judged(tuple(turns), float(scores.mean()) if len(scores) else 0.0)


def hear(vad: VADProcessor, frame: InputAudioFrame, now_s: float, turns: list[Turn]) -> None:
    """Let a detector hear a frame at that time, and note the turns that it tells."""
    for fact in vad.process(frame, FrameDirection.DOWNSTREAM):
        if isinstance(fact, UserStartedSpeakingFrame):
            turns.append(Turn(now_s))
        elif isinstance(fact, UserStoppedSpeakingFrame) and turns:
            turns[-1] = Turn(turns[-1].said_s, now_s)


def noticed(judged: Judged, onsets: Sequence[Onset]) -> list[float | None]:
    """Return how long after each onset a turn was told, in seconds; None where none was in time.

    A turn that the echo began, and that lasts when the user begins, hides the user: that is None, too.
    """
    found: list[float | None] = []
    for onset in onsets:
        begin_s, end_s = onset.at / RATE, onset.end / RATE
        hidden = any(
            turn.said_s < begin_s - EARLY_S and (turn.ended_s is None or turn.ended_s > begin_s + EARLY_S)
            for turn in judged.turns
        )
        after = [t.said_s - begin_s for t in judged.turns if begin_s - EARLY_S <= t.said_s <= end_s + 0.5]
        found.append(None if hidden or not after else after[0])
    return found


def in_time(delays: Sequence[float | None]) -> float:
    """Return the share of the onsets that were noticed soon enough, in percent."""
    return 100 * sum(delay is not None and delay <= NOTICED_S for delay in delays) / len(delays)
