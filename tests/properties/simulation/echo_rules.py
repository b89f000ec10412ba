"""The rules of a canceller: what goes in comes out, at its place, and the reference is what sounded then."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from properties.simulation.cards import RATE
from properties.simulation.facts import Facts
from properties.simulation.talk import UNTOLD
from voicepipe import DropReason
from voicepipe.canceller.reference.alignment import LEAD_S

__all__ = [
    "NEAR_S",
    "RULES",
    "hidden_in",
    "is_disturbed",
    "may_hide",
    "numbers_given",
    "sounds_long",
    "taken_in",
]

NEAR_S = 0.003
"""Of a reference: a sample is a millisecond here."""
LEARNS_S = 0.3
"""What sounds so soon after a silence may still be left out."""
FULL_SCALE = 32_768
BEFORE_S, BEHIND_S = 0.3, 1.0
"""So long before a sound, and behind it, half-duplex may take its echo for heard."""
GATE_S = 0.9
"""For so much sound its gate learns, and is shut."""
WINDOWS_S = 9.0
"""An engine that does not fail is not judged sooner."""


def what_is_cancelled_comes_out(run: Facts) -> Iterator[str]:
    """Its words are the microphone's samples in order, none twice; after a plain end all of them."""
    if run.run.cancelled is None:
        return
    given = [sample for frame in run.run.cancelled.frames for sample in memoryview(frame.data).cast("H")]
    sounds = [sample for sample in given if sample]
    captured = run.run.captured[: len(sounds)]
    is_whole = DropReason.MIC_OVERFLOW not in run.report.dropped and not hidden_in(run)
    back = next(((one, two) for one, two in pairwise(sounds) if two <= one), None)
    if back is not None:
        yield f"the canceller gave {back[1]} behind {back[0]}"
    elif not run.faults and is_whole and sounds != captured:
        yield f"the canceller gave {sorted(set(sounds) ^ set(captured))[:5]} otherwise than it took them"
    is_complete = run.is_plain and run.spec.live is None and not hidden_in(run)
    if is_complete and len(given) != taken_in(run):
        yield f"the canceller was given {taken_in(run)} samples, and gave {len(given)}"


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
    if run.run.cancelled is None or run.run.card is None or is_disturbed(run):
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
    if cancelled is None or card is None or is_disturbed(run) or run.spec.jitter_s or run.was_interrupted:
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
            missing += not value and sounds_long(run, captured_s + LEAD_S)
    if missing > LEARNS_S * RATE:
        yield f"something sounded during {missing} samples whose reference was silent"


def an_engine_that_failed_is_left_alone(run: Facts) -> Iterator[str]:
    """It is not asked again, as nobody knows in which state it is."""
    cancelled = run.run.cancelled
    if cancelled is not None and cancelled.failures > 1:
        yield f"an engine was asked again after it had failed: {cancelled.failures} times"


def half_duplex_hides_what_may_be_an_echo(run: Facts) -> Iterator[str]:
    """It hides nothing else, and counts it; without a failure it comes after three windows at the soonest."""
    cancelled, card = run.run.cancelled, run.run.card
    hidden = hidden_in(run)
    if cancelled is None or card is None or is_disturbed(run):
        return
    given = set(numbers_given(run))
    captured, last = run.run.captured, max(given, default=0)
    taken = captured[: taken_in(run)] if run.is_plain else [number for number in captured if number <= last]
    missing = [number for number in taken if number not in given]
    for number in missing:
        at_ms = round(1e3 * card.captured_at[number])
        near = range(at_ms - round(1e3 * BEHIND_S), at_ms + round(1e3 * BEFORE_S))
        if card.sounding_ms.isdisjoint(near):
            yield f"{number} was hidden, and nothing had sounded"
            break
    if (missing or hidden) and not may_hide(run):
        yield f"{len(missing)} samples are missing, {hidden} hidden, though it never is half-duplex"
    elif missing and not cancelled.failures and run.returned_s - run.began_s < WINDOWS_S:
        yield f"{len(missing)} samples are missing, and no engine had failed"
    if run.is_plain and len(missing) != hidden:
        yield f"{len(missing)} samples are missing, and {hidden} are said to be hidden"


def half_duplex_lets_no_echo_through(run: Facts) -> Iterator[str]:
    """Where it takes the place of an engine that failed, nothing that may be an echo is given at first."""
    cancelled, card = run.run.cancelled, run.run.card
    if cancelled is None or card is None or not may_hide(run) or is_disturbed(run):
        return
    if cancelled.fails_from not in card.captured_at:
        return
    from_s = card.captured_at[cancelled.fails_from]
    for number in numbers_given(run):
        at_s = card.captured_at.get(number, 0.0)
        if from_s <= at_s < from_s + GATE_S and round(1e3 * at_s) in card.sounding_ms:
            yield f"{number} was given, though its engine had failed with {cancelled.fails_from}"
            return


def numbers_given(run: Facts) -> list[int]:
    """Return what came out of the canceller, without silence."""
    assert run.run.cancelled is not None
    frames = run.run.cancelled.frames
    return [sample for frame in frames for sample in memoryview(frame.data).cast("H") if sample]


def taken_in(run: Facts) -> int:
    """Return the samples that the microphone took in."""
    return next(seam.taken for seam in run.report.seams if seam.name == f"{run.mic} device")


def may_hide(run: Facts) -> bool:
    """Return True if half-duplex may take the place of its canceller."""
    return run.run.cancelled is not None and run.spec.talk is not None and run.spec.talk.may_fall_back


def hidden_in(run: Facts) -> int:
    """Return the samples that half-duplex is said to have hidden in a run with a canceller."""
    if run.run.cancelled is None:
        return 0
    return run.report.dropped.get(DropReason.MUTED, 0)


def sounds_long(run: Facts, at_s: float) -> bool:
    """Return True if something sounds then, and did so a while before."""
    assert run.run.card is not None
    times = run.run.card.sounding_ms
    return all(round(1e3 * (at_s - back_s)) in times for back_s in (0.0, LEARNS_S / 2, LEARNS_S))


def is_disturbed(run: Facts) -> bool:
    """Return True if a device fails, or does something untold, or the loop stands still."""
    untold = any(event.what in UNTOLD for event in run.spec.events)
    return bool(run.faults) or untold or run.frozen_s(run.began_s, run.returned_s) > 0


RULES = (
    what_is_cancelled_comes_out,
    the_ear_is_as_long_as_the_words,
    samples_keep_their_places,
    the_reference_is_what_sounded,
    an_engine_that_failed_is_left_alone,
    half_duplex_hides_what_may_be_an_echo,
    half_duplex_lets_no_echo_through,
)
