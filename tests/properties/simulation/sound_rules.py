"""The rules of frames and samples: order, books, and what is heard."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from properties.simulation.cards import BLOCK_S
from properties.simulation.echo_rules import may_hide, numbers_given
from properties.simulation.facts import DOWN, Facts, number_of
from properties.simulation.journal import Token
from voicepipe import (
    AudioFrame,
    DataFrame,
    DropReason,
    Frame,
    FrameDirection,
    InterruptionFrame,
    RunState,
    SeamReport,
)

__all__ = ["RULES"]

_ALLOWED = (DropReason.LATE, DropReason.DRIFT)
"""What a standstill, and two clocks, cost a run in which nothing goes wrong; `late_rules` say how much."""


def data_keeps_its_order(run: Facts) -> Iterator[str]:
    """Nobody is given a frame twice, nor, where the pipeline is a row, one behind a later one."""
    last: dict[tuple[str, str, FrameDirection], int] = {}
    seen: set[tuple[str, str, FrameDirection, int]] = set()
    takers = {run.spec.name, *(stage.name for stage in run.spec.stages)}
    for entry in run.lines:
        numbered = number_of(entry)
        if numbered is None or entry.direction is None or entry.who not in takers:
            continue
        if entry.what not in ("took", "surfaced"):
            continue
        maker, number = numbered
        key = (entry.who, maker, entry.direction)
        if (*key, number) in seen:
            yield f"{entry.who} was given {maker} {number} twice"
            return
        if run.is_a_row and number < last.get(key, 0):
            yield f"{entry.who} was given {maker} {number} behind {last[key]}"
            return
        seen.add((*key, number))
        last[key] = number


def books_balance(run: Facts) -> Iterator[str]:
    """At every seam: in == out + held + dropped, nothing negative, and nothing held any more."""
    for seam in run.report.seams:
        if not seam.balanced or seam.held or seam.given < 0 or _takes_negative(seam):
            yield f"not balanced: {seam}"


def _takes_negative(seam: SeamReport) -> bool:
    """Less than nothing was dropped; but for drift, where that stands for samples that were made."""
    return any(count < 0 and reason != DropReason.DRIFT for reason, count in seam.dropped.items())


def seams_join(run: Facts) -> Iterator[str]:
    """What one seam gave the next took, where nothing stands between them."""
    seams = {seam.name: seam for seam in run.report.seams}
    if run.spec.live is not None and run.spec.live.has_background:
        return  # a sound beside the voice has a seam of its own
    speaker, device = seams.get(run.speaker), seams.get(f"{run.speaker} device")
    if speaker is not None and device is not None and speaker.given != device.taken:
        yield f"the speaker's mailbox gave {speaker.given} samples, and its device took {device.taken}"
    if run.run.made or (run.spec.talk is not None and run.spec.talk.place == "stage"):
        return  # what was said passed by there too, or a canceller stands between
    first, mic = next(iter(run.spec.stages), None), seams.get(f"{run.mic} device")
    if first is None or mic is None or not isinstance(run.spec.shape[0], type(first)) or first.inline:
        return
    pushed = sum(
        entry.frame.num_samples
        for entry in run.of(first)
        if entry.what == "took" and isinstance(entry.frame, AudioFrame) and entry.direction is DOWN
    )
    taken = seams[first.name].taken
    # What a stage pushes when it is given up stands in its own books too.
    if not pushed <= taken or mic.given > taken or (run.is_clean and mic.given != taken):
        yield f"the microphone gave {mic.given} samples, {first.name} got {taken} and handled {pushed}"


def what_was_accepted_comes_out(run: Facts) -> Iterator[str]:
    """A plain run loses nothing: neither of what was queued, nor of what a stage made before its End."""
    if not run.is_plain:
        return
    allowed = (*_ALLOWED, DropReason.MUTED) if may_hide(run) else _ALLOWED
    lost = {reason: count for reason, count in run.report.dropped.items() if reason not in allowed}
    if any(lost.values()) or run.report.never_started:
        yield f"a plain end, and dropped: {run.report.dropped}; never started: {run.report.never_started}"
    fed = f"{run.spec.name}.feed"
    out = [frame for frame in run.at_the_sink if isinstance(frame, Token) and frame.maker == fed]
    accepted = [frame for frame in run.run.accepted if isinstance(frame, Token)]
    if (out if run.is_a_row else set(out)) != (accepted if run.is_a_row else set(accepted)):
        yield f"{len(accepted)} frames were accepted, and {len(out)} came out, or in another order"
    for stage in run.spec.stages:
        made, came = run.made_by(stage), run.tokens_out[stage.name]
        if came > made or (came < made and not run.report.dropped_frames):
            yield f"{stage.name} made {made} frames, {came} came out, and none is said to be dropped"


def what_was_accepted_is_heard(run: Facts) -> Iterator[str]:
    """The speaker plays what it was given in order, each sample once; in a plain run all of it."""
    if not run.speaker or run.spec.live is not None:
        return  # what is heard of a live path, `late_rules` say
    heard = run.run.heard
    if run.is_a_row and not run.was_interrupted and run.cancelled_s is None:
        back = next(((one, two) for one, two in pairwise(heard) if two <= one), None)
        if back is not None:
            yield f"the speaker played {back[1]} behind {back[0]}"
    if not run.is_plain:
        return
    if may_hide(run):
        wanted = numbers_given(run)
    elif run.mic:
        taken = next(seam.taken for seam in run.report.seams if seam.name == f"{run.mic} device")
        wanted = run.run.captured[:taken]
    else:
        frames = (frame for frame in run.run.accepted if isinstance(frame, AudioFrame))
        wanted = [sample for frame in frames for sample in memoryview(frame.data).cast("H")]
    late = run.report.dropped.get(DropReason.LATE, 0)
    if late and len(heard) + late == len(wanted) and heard[-1:] == wanted[-1:]:
        return  # where something was left out the two ends are faded: those numbers are of neither
    if heard != wanted:
        missing, extra = sorted(set(wanted) - set(heard))[:5], sorted(set(heard) - set(wanted))[:5]
        yield f"{len(heard)} of {len(wanted)} samples were heard: missing {missing}, extra {extra}"


def an_interruption_is_one(run: Facts) -> Iterator[str]:
    """What was asked for once is not asked for again by the stages that pass it on."""
    asked = len(run.run.interrupted) + sum(run.count(stage, "asks") for stage in run.spec.stages)
    seen = sum(isinstance(frame, InterruptionFrame) for frame in run.at_the_sink)
    if seen > asked:
        yield f"{asked} interruptions were asked for, and {seen} reached the Sink"


def an_interruption_is_heard(run: Facts) -> Iterator[str]:
    """What had been accepted by then is not played any more: two blocks later it is silent."""
    if run.spec.devices != "speaker" or not run.is_clean or run.running_s is None:
        return
    if any(stage.does == "holds" or stage.manners.interrupts for stage in run.spec.stages):
        return  # what a stage keeps, or has in hand as it interrupts, it may give out later
    for at_s in run.run.interrupted:
        if not run.running_s + 0.1 < at_s < (run.asked_s or run.returned_s):
            continue
        old = zip(run.run.accepted, run.run.accepted_s, strict=True)
        numbers = [_last_sample(frame) for frame, accepted_s in old if accepted_s < at_s]
        newest = max(numbers, default=0)
        by_s = run.lived_until(at_s, 2 * BLOCK_S + 0.02)
        # The next one, or a cancel, fades: those samples are no numbers any more.
        cuts = [cut_s for cut_s in (*run.run.interrupted, run.cancelled_s) if cut_s and cut_s > at_s]
        played = run.run.played_between(by_s, min(cuts, default=run.returned_s))
        late = next((sample for sample in played if sample <= newest), None)
        if late is not None:
            yield f"interrupted at {at_s:.3f} s, and {late} of what was old was played after {by_s:.3f} s"


def _last_sample(frame: Frame) -> int:
    assert isinstance(frame, AudioFrame)
    return memoryview(frame.data).cast("H")[-1]


def the_intake_closes_at_the_end(run: Facts) -> Iterator[str]:
    """What is captured after the end was asked for is not taken in."""
    if not run.mic or run.asked_s is None or not run.is_clean or run.spec.jitter_s:
        return
    from_s = max(run.asked_s, run.running_s or run.returned_s)
    most = run.run.captured_until(from_s + run.frozen_s(from_s, run.returned_s) + BLOCK_S + 0.001)
    taken = sum(seam.taken for seam in run.report.seams if seam.name == f"{run.mic} device")
    if taken > most:
        yield f"asked for the end at {from_s:.3f} s, and {taken} samples were taken in of {most} until then"


def what_is_said_to_be_heard_was_heard(run: Facts) -> Iterator[str]:
    """The speaker's books, and what its callback gave, are the same."""
    if not run.speaker or run.was_interrupted or run.cancelled_s is not None:
        return
    if run.spec.live is not None and run.spec.live.steady:
        return  # silence goes before it
    if run.mic and (len(run.run.captured) < run.run.captured_until(run.returned_s)):
        return  # zeros were captured: they cannot be told from silence
    given = sum(seam.given for seam in run.report.seams if seam.name == f"{run.speaker} device")
    if len(run.run.heard) != given:
        yield f"the speaker was given {len(run.run.heard)} samples, and its books say {given}"


def nothing_leaves_after_a_cancel(run: Facts) -> Iterator[str]:
    """No data is processed any more."""
    if run.state is RunState.CANCELLED:
        seen = False
        for entry in run.surfaced:
            seen = seen or type(entry.frame).__name__ == "CancelFrame"
            if seen and entry.direction is DOWN and isinstance(entry.frame, DataFrame):
                yield f"{entry.frame} left the Sink after the cancel"
                return


def devices_are_given_back(run: Facts) -> Iterator[str]:
    """When all is over no side of its card is open."""
    if run.run.card is not None:
        for side in (run.run.card.mic, run.run.card.speaker):
            if side.is_open:
                yield f"{side.name} is still open"


RULES = (
    data_keeps_its_order,
    books_balance,
    seams_join,
    what_was_accepted_comes_out,
    what_was_accepted_is_heard,
    an_interruption_is_one,
    an_interruption_is_heard,
    the_intake_closes_at_the_end,
    what_is_said_to_be_heard_was_heard,
    nothing_leaves_after_a_cancel,
    devices_are_given_back,
)
