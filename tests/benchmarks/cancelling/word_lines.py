"""The lines of the table that are about the words: what a recogniser makes of them."""

from __future__ import annotations

import numpy as np

from benchmarks.cancelling.goals import Goal, Line
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.rooms import RATE
from benchmarks.cancelling.scenes import Ints, Onset, Scene
from benchmarks.cancelling.subjects import OURS, SPEEX, speex
from benchmarks.cancelling.transcripts import Recogniser, Words, compared, model_folder
from benchmarks.cancelling.voice_lines import conversations
from voicepipe.errors import EngineError

__all__ = ["FAINT", "FAINT_DB", "with_faint_noise", "word_lines"]

BEFORE_S, AFTER_S = 0.2, 0.3
"""A collector gives a recogniser so much before and behind the words."""
NOTHING = Words(0, 0, 0, 0)
PROGRAMS = (("it stops", 0.35, 2.0), ("it goes on", None, 4.0))
"""What the program does when a user talks over it, after how long, and the points of error allowed."""
SPEEX_MOST = 4.0
"""The points that speex is allowed: it stands in where it was asked for."""
FAINT = "clean, faint noise"
"""The column of the recogniser's own doubt: the clean words, and a noise that nobody hears."""
FAINT_DB = -70.0


def word_lines(plan: Plan) -> list[Line]:
    """Count the words over a program that a recogniser gets wrong, against those of the clean words.

    Raises:
        MissingModelError, MissingSpeechError: what is needed is not there.
    """
    recogniser = Recogniser(model_folder())
    lines = []
    for does, stops_s, most in PROGRAMS:
        for echo_db in (-6.0, 0.0):
            total: dict[str, Words] = {}
            for scene in conversations(plan, echo_db, stops_s):
                for subject, words in _scene(plan, scene, recogniser).items():
                    total[subject] = total.get(subject, NOTHING) + words
            lines += _lines(f"{does}, echo {echo_db:g} dB", total, most)
    return lines


def with_faint_noise(clean: Ints) -> Ints:
    """Return clean audio with noise at `FAINT_DB`: the same noise each time."""
    noise = np.random.default_rng(0).normal(0, 32_768 * 10 ** (FAINT_DB / 20), len(clean))
    return np.clip(np.rint(clean + noise), -32_768, 32_767).astype(np.int16)


def _scene(plan: Plan, scene: Scene, recogniser: Recogniser) -> dict[str, Words]:
    clean, heard = scene.clean, _heard(plan, scene)
    total = dict.fromkeys(heard, NOTHING)
    for onset in scene.onsets:
        truth = recogniser.words(_cut(clean, onset))
        for subject, audio in heard.items():
            total[subject] += compared(truth, recogniser.words(_cut(audio, onset)))
    return total


def _heard(plan: Plan, scene: Scene) -> dict[str, Ints]:
    """Return the words of a scene, as each subject gives them."""
    heard = {FAINT: with_faint_noise(scene.clean)}
    heard |= {subject: each.words for subject, each in plan.play(scene).heard.items()}
    try:
        heard[SPEEX] = speex(scene.microphone(), scene.far).words
    except EngineError:
        pass  # its library is optional: without it there is no such column
    return heard


def _cut(audio: Ints, onset: Onset) -> Ints:
    return audio[max(0, onset.at - round(BEFORE_S * RATE)) : onset.end + round(AFTER_S * RATE)]


def _lines(name: str, total: dict[str, Words], most: float) -> list[Line]:
    errors: dict[str, float | None] = {subject: words.error_rate for subject, words in total.items()}
    first: dict[str, float | None] = {subject: words.first_kept for subject, words in total.items()}
    note = f"{total[OURS].utterances} utterances, {total[OURS].words} words"
    lines = [
        Line(f"word errors, {name}, points", errors, Goal(most, most=True, unit=" points"), OURS, note),
        Line(f"first word kept, {name}, %", first, Goal(94.0, unit=" %"), OURS, note),
    ]
    if SPEEX in total:
        goal = Goal(SPEEX_MOST, most=True, unit=" points")
        lines.append(Line(f"word errors, {name}, {SPEEX}, points", errors, goal, SPEEX, note))
    return lines
