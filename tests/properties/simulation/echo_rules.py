"""The rules of a canceller: what goes in comes out, at its place, and the reference is what sounded then."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from properties.simulation.cards import RATE
from properties.simulation.facts import Facts
from properties.simulation.talk import UNTOLD
from voicepipe import DropReason
from voicepipe.canceller.reference.alignment import LEAD_S

__all__ = ["RULES"]

NEAR_S = 0.003
"""Of a reference: a sample is a millisecond here."""
LEARNS_S = 0.3
"""What sounds so soon after a silence may still be left out."""
FULL_SCALE = 32_768


def what_is_cancelled_comes_out(run: Facts) -> Iterator[str]:
    """Its words are the microphone's samples in order, none twice; after a plain end all of them."""
    if run.run.cancelled is None or not run.run.captured:
        return  # a run that was cancelled before its start has the frames of the run before
    given = [sample for frame in run.run.cancelled.frames for sample in memoryview(frame.data).cast("H")]
    sounds = [sample for sample in given if sample]
    captured = run.run.captured[: len(sounds)]
    back = next(((one, two) for one, two in pairwise(sounds) if two <= one), None)
    if back is not None:
        yield f"the canceller gave {back[1]} behind {back[0]}"
    elif not run.faults and DropReason.MIC_OVERFLOW not in run.report.dropped and sounds != captured:
        yield f"the canceller gave {sorted(set(sounds) ^ set(captured))[:5]} otherwise than it took them"
    if run.is_plain and run.spec.live is None:
        taken = next(seam.taken for seam in run.report.seams if seam.name == f"{run.mic} device")
        if len(given) != taken:
            yield f"the canceller was given {taken} samples, and gave {len(given)}"


def the_ear_is_as_long_as_the_words(run: Facts) -> Iterator[str]:
    """It has a sample for each. (Their values differ: the ear is held down where no user can be in it.)"""
    if run.run.cancelled is None:
        return
    for frame in run.run.cancelled.frames:
        if frame.ear is not None and len(frame.ear) != len(frame.data):
            lengths = f"{len(frame.ear)} bytes, and the words {len(frame.data)}"
            yield f"at position {frame.position} the ear has {lengths}"
            return


def samples_keep_their_places(run: Facts) -> Iterator[str]:
    """A sample that comes out of the canceller has the position, and the time, that it had before."""
    if run.run.cancelled is None or run.run.card is None or _is_disturbed(run):
        return
    for before, frame in pairwise(run.run.cancelled.frames):
        numbers = memoryview(before.data).cast("H")[-1], memoryview(frame.data).cast("H")[0]
        gap = frame.position - before.position - before.num_samples
        if all(numbers) and gap != numbers[1] - numbers[0] - 1:
            yield f"behind {numbers[0]} comes {numbers[1]} at {frame.position}, after {before.position}"
            return
    stamps = run.run.card.captured_at
    for frame in run.run.cancelled.frames:
        first = memoryview(frame.data).cast("H")[0]
        at_s = stamps.get(first)
        if at_s is not None and frame.captured_s is not None and abs(frame.captured_s - at_s) > 0.0015:
            yield f"{first} was captured at {at_s:.4f} s, and is said to be of {frame.captured_s:.4f} s"
            return


def the_reference_is_what_sounded(run: Facts) -> Iterator[str]:
    """What the engine is given beside a block of the microphone sounded while that was captured."""
    card, cancelled = run.run.card, run.run.cancelled
    if cancelled is None or card is None or _is_disturbed(run) or run.spec.jitter_s or run.was_interrupted:
        return  # an interruption fades: those samples are no numbers
    missing = 0
    for mic, far in cancelled.asked:
        for number, value in zip(mic.tolist(), (far * FULL_SCALE).round().astype(int).tolist(), strict=True):
            captured_s, sounds_s = card.captured_at.get(number), card.sounded_at.get(value)
            if captured_s is None or (value and sounds_s is None):
                continue
            if value and sounds_s is not None and abs(sounds_s - captured_s - LEAD_S) > NEAR_S:
                yield (
                    f"{number} was captured at {captured_s:.4f} s, and {value}, which sounded at "
                    f"{sounds_s:.4f} s, was given as its reference"
                )
                return
            missing += not value and _sounds_long(run, captured_s + LEAD_S)
    if missing > LEARNS_S * RATE:
        yield f"something sounded during {missing} samples whose reference was silent"


def _sounds_long(run: Facts, at_s: float) -> bool:
    """Return True if something sounds then, and did so a while before."""
    assert run.run.card is not None
    times = run.run.card.sounding_ms
    return all(round(1e3 * (at_s - back_s)) in times for back_s in (0.0, LEARNS_S / 2, LEARNS_S))


def _is_disturbed(run: Facts) -> bool:
    """Return True if a device fails, or does something untold, or the loop stands still."""
    untold = any(event.what in UNTOLD for event in run.spec.events)
    return bool(run.faults) or untold or run.frozen_s(run.began_s, run.returned_s) > 0


RULES = (
    what_is_cancelled_comes_out,
    the_ear_is_as_long_as_the_words,
    samples_keep_their_places,
    the_reference_is_what_sounded,
)
