"""The lines of the table that are about the words: what a recogniser makes of them."""

from __future__ import annotations

from benchmarks.cancelling.goals import Goal, Line
from benchmarks.cancelling.plan import Plan
from benchmarks.cancelling.rooms import RATE
from benchmarks.cancelling.scenes import Ints, Onset, Scene
from benchmarks.cancelling.subjects import OURS
from benchmarks.cancelling.transcripts import Recogniser, Words, compared, model_folder
from benchmarks.cancelling.voice_lines import conversations

__all__ = ["word_lines"]

BEFORE_S, AFTER_S = 0.2, 0.3
"""A collector gives a recogniser so much before and behind the words."""
NOTHING = Words(0, 0, 0, 0)
PROGRAMS = (("it stops", 0.35, 2.0), ("it goes on", None, 4.0))
"""What the program does when a user talks over it, after how long, and the points of error allowed."""


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


def _scene(plan: Plan, scene: Scene, recogniser: Recogniser) -> dict[str, Words]:
    taken, clean, total = plan.play(scene), scene.clean, dict[str, Words]()
    for onset in scene.onsets:
        truth = recogniser.words(_cut(clean, onset))
        for subject, heard in taken.heard.items():
            found = compared(truth, recogniser.words(_cut(heard.words, onset)))
            total[subject] = total.get(subject, NOTHING) + found
    return total


def _cut(audio: Ints, onset: Onset) -> Ints:
    return audio[max(0, onset.at - round(BEFORE_S * RATE)) : onset.end + round(AFTER_S * RATE)]


def _lines(name: str, total: dict[str, Words], most: float) -> list[Line]:
    errors: dict[str, float | None] = {subject: words.error_rate for subject, words in total.items()}
    first: dict[str, float | None] = {subject: words.first_kept for subject, words in total.items()}
    note = f"{total[OURS].utterances} utterances, {total[OURS].words} words"
    return [
        Line(f"word errors, {name}, points", errors, Goal(most, most=True, unit=" points"), OURS, note),
        Line(f"first word kept, {name}, %", first, Goal(94.0, unit=" %"), OURS, note),
    ]
