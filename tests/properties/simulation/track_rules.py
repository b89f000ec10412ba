"""The rules of a recording: its files are whole, and its tracks hold what was heard, at one clock."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from properties.simulation.cards import RATE
from properties.simulation.echo_rules import NEAR_S, hidden_in, is_disturbed, sounds_long, taken_in
from properties.simulation.facts import Facts
from voicepipe import DropReason

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["RULES"]

MIC, WORDS, SPEAKER = 0, 2, 4
"""The tracks that are looked at."""
MISSING_S = 0.05
"""Of the speaker's sound, at its edges."""


def a_recording_is_whole(run: Facts) -> Iterator[str]:
    """Its files are closed, whole and private, both or none; a run that took audio in has them."""
    recording = run.run.recording
    if recording is None:
        return
    yield from recording.faults
    if run.run.tracks is not None and run.run.tracks.exists() and not len(recording.rows):
        yield "files without a sample are left"
    if run.is_plain and taken_in(run) and not len(recording.rows):
        yield "nothing is recorded of a run that ended"
    if any(label.begin_s > label.end_s for label in recording.labels):
        yield f"a label ends before it begins: {recording.labels}"


def the_tracks_hold_what_was_heard(run: Facts) -> Iterator[str]:
    """The microphone's numbers are those captured, in order, and the words stand beside their own."""
    recording = run.run.recording
    if recording is None or not len(recording.rows):
        return
    mic, words = recording.rows[:, MIC], recording.rows[:, WORDS]
    numbers = mic[mic > 0].tolist()
    back = next(((one, two) for one, two in pairwise(numbers) if two <= one), None)
    if back is not None:
        yield f"the track of the microphone has {back[1]} behind {back[0]}"
    is_whole = not run.faults and DropReason.MIC_OVERFLOW not in run.report.dropped
    if is_whole and numbers != run.run.captured[: len(numbers)]:
        yield f"the track of the microphone begins with {numbers[:3]} and ends with {numbers[-3:]}"
    other = words[(words > 0) & (words != mic)]
    if len(other):
        yield f"{len(other)} words stand beside other numbers of the microphone: {other[:5].tolist()}"
    if run.is_plain:
        yield from _all_is_there(run, mic, words)


def _all_is_there(run: Facts, mic: npt.NDArray[np.uint16], words: npt.NDArray[np.uint16]) -> Iterator[str]:
    """Nothing that a plain run took in, or gave, is missing."""
    taken = taken_in(run)
    given = sum(frame.num_samples for frame in run.run.cancelled.frames) if run.run.cancelled else 0
    if len(mic) < taken:
        yield f"{taken} samples were taken in, and {len(mic)} are recorded"
    if not hidden_in(run) and given and int((words > 0).sum()) != int((mic > 0).sum()):
        yield f"of {int((mic > 0).sum())} recorded samples {int((words > 0).sum())} are among the words"


def the_tracks_have_one_clock(run: Facts) -> Iterator[str]:
    """Row by row the microphone counts on, and the speaker's number is the one that sounded then."""
    recording, card = run.run.recording, run.run.card
    if recording is None or card is None or is_disturbed(run) or not len(recording.rows):
        return
    if DropReason.MIC_OVERFLOW in run.report.dropped:
        return
    mic, speaker = recording.rows[:, MIC].tolist(), recording.rows[:, SPEAKER].tolist()
    offsets = {number - row for row, number in enumerate(mic) if number}
    if len(offsets) > 1:
        yield f"the microphone's numbers stand at {len(offsets)} distances from their rows"
    if any(label.text.startswith("lost") for label in recording.labels):
        yield "something is said to be lost, and nothing was"
    if run.spec.jitter_s or run.was_interrupted:
        return
    missing = 0
    for number, value in zip(mic, speaker, strict=True):
        captured_s, sounded_s = card.captured_at.get(number), card.sounded_at.get(value)
        if captured_s is None:
            continue
        if sounded_s is None:
            missing += not value and sounds_long(run, captured_s)
        elif abs(sounded_s - captured_s) > NEAR_S:
            yield (
                f"beside {number}, captured at {captured_s:.4f} s, stands {value}, "
                f"which sounded at {sounded_s:.4f} s"
            )
            return
    if missing > MISSING_S * RATE:
        yield f"something sounded during {missing} samples beside which no speaker is recorded"


def a_recording_tells_of_a_failure(run: Facts) -> Iterator[str]:
    """An engine that failed has a label."""
    recording, cancelled = run.run.recording, run.run.cancelled
    if recording is None or cancelled is None or not cancelled.failures or not len(recording.rows):
        return
    if not any("failed" in label.text for label in recording.labels):
        yield f"the engine failed, and the labels are {[label.text for label in recording.labels]}"


RULES = (
    a_recording_is_whole,
    the_tracks_hold_what_was_heard,
    the_tracks_have_one_clock,
    a_recording_tells_of_a_failure,
)
