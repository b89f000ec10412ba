"""The rules of live audio, of what passes by, and of interruptions: who loses what, what is heard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

from properties.simulation.cards import BLOCK_S, RATE
from properties.simulation.facts import DOWN, Facts
from properties.simulation.journal import Answer, Entry, Token
from properties.simulation.scenario import StageSpec, has_branches
from voicepipe import AudioFrame, DropReason, RunState, SystemFrame

__all__ = ["RULES"]

RING_S = 2.0
"""What the ring of a microphone holds."""
SLACK_S = 3 * BLOCK_S
"""For the block in hand, one on its way, and jitter."""


def a_live_microphone_waits_for_nobody(run: Facts) -> Iterator[str]:
    """Its ring loses nothing, unless the loop stood still for longer than it holds."""
    seam = next((seam for seam in run.report.seams if seam.name == f"{run.mic} device"), None)
    lost = 0 if seam is None else seam.dropped.get(DropReason.MIC_OVERFLOW, 0)
    if lost <= sum(event.seconds * RATE for _, event in run.faults if event.what == "xrun"):
        return
    if run.frozen_s(run.began_s, run.returned_s) < RING_S - SLACK_S:
        yield f"the microphone waited: {seam}"


def who_loses_live_audio_stood(run: Facts) -> Iterator[str]:
    """A mailbox runs over only where its stage itself was busy, or waited, for as long as it may hold."""
    seams = {seam.name: seam for seam in run.report.seams}
    frozen_s = run.frozen_s(run.began_s, run.returned_s)
    for stage in run.spec.stages:
        seam = seams.get(stage.name)
        lost = 0 if seam is None else seam.dropped.get(DropReason.OVERFLOW, 0)
        if not lost:
            continue
        if not run.mic:
            yield f"{stage.name} lost {lost} samples, and no microphone is there"
        elif _busy_s(run, stage) + frozen_s < stage.manners.mailbox_s - SLACK_S and not _met_a_burst(
            run, stage
        ):
            yield f"{stage.name} lost {lost} samples, was busy for {_busy_s(run, stage):.3f} s: {stage}"


def _met_a_burst(run: Facts, stage: StageSpec) -> bool:
    """It had something to do just as a stage in front of it gave out all that had waited there."""
    front = run.spec.stages[: run.spec.stages.index(stage)]
    return _busy_s(run, stage) > 0 and any(_busy_s(run, other) > 1.0 for other in front)


def _busy_s(run: Facts, stage: StageSpec) -> float:
    """How long it had something in hand, all in all."""
    total_s, depth, since_s = 0.0, 0, 0.0
    for entry in run.of(stage):
        if entry.what == "took" and depth and isinstance(entry.frame, SystemFrame):
            depth += 1  # while a push waits
        elif entry.what == "took":
            total_s += entry.at_s - since_s if depth else 0.0  # the one before was cut
            since_s, depth = entry.at_s, 1
        elif entry.what == "done" and depth:
            depth -= 1
            total_s += 0.0 if depth else entry.at_s - since_s
    return total_s + (run.returned_s - since_s if depth else 0.0)


def live_audio_is_fresh(run: Facts) -> Iterator[str]:
    """The oldest goes first: what the first stage takes is never older than its mailbox holds."""
    stage = next((stage for stage in run.spec.stages if not stage.inline and _takes_audio(stage)), None)
    if stage is None or not run.mic or run.faults or has_branches(run.spec.shape) or run.spec.drift_ppm:
        return
    if any(other.does in ("holds", "swallows") for other in run.spec.stages):
        return
    until_s = min(run.asked_s or run.returned_s, run.returned_s)
    if run.spec.runs_out_s or run.spec.again or run.frozen_s(run.began_s, run.returned_s):
        return
    in_hand_s = max((b.at_s - a.at_s for a, b in pairwise(run.of(stage)) if a.what == "took"), default=0.0)
    for before, entry in pairwise(run.of(stage)):
        frame = entry.frame
        if entry.what != "took" or not isinstance(frame, AudioFrame) or frame.captured_s is None:
            continue
        age_s = entry.at_s - frame.captured_s
        if entry.at_s < until_s and age_s > stage.manners.mailbox_s + SLACK_S + run.spec.jitter_s:
            yield f"{stage.name} took audio of {age_s:.3f} s before, behind {before} ({in_hand_s:.3f} s)"
            return


def _takes_audio(stage: StageSpec) -> bool:
    takes = stage.manners.classes
    return takes is None or any(kind.__name__ in ("InputAudioFrame", "DataFrame") for kind in takes)


def the_users_speech_is_kept(run: Facts) -> Iterator[str]:
    """An interruption drops no sample of what the microphone brought."""
    if not run.mic:
        return
    names = {stage.name for stage in run.spec.stages}
    for seam in run.report.seams:
        if seam.name in names and seam.dropped.get(DropReason.INTERRUPTED):
            yield f"an interruption dropped the user's speech: {seam}"


def nothing_stale_is_heard(run: Facts) -> Iterator[str]:
    """What was begun before an interruption, and pushed after it, comes to nobody."""
    for stage in run.spec.stages:
        for token, line in _answers(run, stage):
            if _interruptions(run, stage, token.begun - run.run.first_line, line):
                taken = next((e for e in run.lines[line + 1 :] if e.frame is token and _arrives(e)), None)
                if taken is not None:
                    yield f"{taken.who} {taken.what} {token}, which was begun before an interruption"
                    return


def what_is_begun_after_an_interruption_is_heard(run: Facts) -> Iterator[str]:
    """An answer that no interruption met comes out of a run in which nothing goes wrong."""
    if not run.is_clean or run.state is not RunState.ENDED or run.cancelled_s is not None:
        return
    out = {id(entry.frame) for entry in run.surfaced}
    for stage in run.spec.stages:
        ended = _line_of(run, stage, "on_end done")
        for token, line in _answers(run, stage):
            met = _interruptions(run, stage, token.begun - run.run.first_line, len(run.lines))
            if not met and line < ended and id(token) not in out and _nobody_ran_over(run):
                yield f"{stage.name} gave {token}, which no interruption met, and it did not come out"
                return


def _nobody_ran_over(run: Facts) -> bool:
    return not any(seam.dropped_frames.get(DropReason.OVERFLOW) for seam in run.report.seams)


def who_interrupts_is_not_cut(run: Facts) -> Iterator[str]:
    """Its push returns, when the interruption was carried out, and it goes on."""
    if not run.is_clean or run.state is not RunState.ENDED or run.cancelled_s is not None:
        return
    for stage in run.spec.stages:
        asks, goes_on = run.count(stage, "asks"), run.count(stage, "interrupted")
        if stage.manners.interrupts and asks > goes_on:
            yield f"{stage.name} asked for an interruption, and was cut by it"
        lines = [e.what for e in run.of(stage) if e.what in ("asks", "interrupted", "on_interruption")]
        for first, second in pairwise(lines):
            early = (first, second) == ("asks", "interrupted")
            if early and not _is_void(run, stage):
                yield f"{stage.name} went on before the interruption that it had asked for"


def _is_void(run: Facts, stage: StageSpec) -> bool:
    """It asked while the run still opened, or was asked to end: then an interruption may come to nothing."""
    asks_s = next(entry.at_s for entry in run.of(stage) if entry.what == "asks")
    open_s = max(e.at_s for e in run.lines if e.what == "on_running done")
    return asks_s <= open_s or (run.asked_s is not None and run.asked_s <= asks_s + BLOCK_S)


@lru_cache(maxsize=1)
def _given(run: Facts) -> dict[str, list[tuple[Answer, int]]]:
    """What each stage gave that an interruption drops, with its line."""
    found: dict[str, list[tuple[Answer, int]]] = defaultdict(list)
    for line, entry in enumerate(run.lines):
        frame = entry.frame
        if entry.what == "gave" and isinstance(frame, Answer) and frame.maker == entry.who:
            found[entry.who].append((frame, line))
    return found


def _answers(run: Facts, stage: StageSpec) -> list[tuple[Answer, int]]:
    return _given(run).get(stage.name, [])


@lru_cache(maxsize=1)
def _interrupted(run: Facts) -> dict[str, list[int]]:
    """The lines on which each stage was told of an interruption."""
    found: dict[str, list[int]] = defaultdict(list)
    for line, entry in enumerate(run.lines):
        if entry.what == "on_interruption":
            found[entry.who].append(line)
    return found


def _interruptions(run: Facts, stage: StageSpec, from_line: int, to_line: int) -> bool:
    """The stage was told of an interruption between two lines."""
    return any(from_line <= line < to_line for line in _interrupted(run).get(stage.name, ()))


def _line_of(run: Facts, stage: StageSpec, what: str) -> int:
    found = (n for n, e in enumerate(run.lines) if e.who == stage.name and e.what == what)
    return next(found, len(run.lines))


def _arrives(entry: Entry) -> bool:
    return entry.what in ("took", "surfaced")


def what_passes_by_comes_at_once(run: Facts) -> Iterator[str]:
    """Behind a stage that does not take it an inline stage has it in the same instant."""
    if not run.is_a_row:
        return
    stages = run.spec.stages
    for front, passed, behind in zip(stages, stages[1:], stages[2:], strict=False):
        if front.inline or passed.inline or not behind.inline or passed.manners.classes is None:
            continue
        given = {
            id(e.frame): e.at_s
            for e in run.of(front)
            if e.what == "gave" and e.direction is DOWN and isinstance(e.frame, (Token, AudioFrame))
        }
        for entry in run.of(behind):
            at_s = given.get(id(entry.frame))
            if at_s is None or entry.what != "took" or isinstance(entry.frame, passed.manners.classes):
                continue
            if entry.at_s != at_s:
                yield f"{entry.frame} passed by {passed.name} at {at_s:.4f} s, and came at {entry.at_s:.4f} s"
                return


RULES = (
    a_live_microphone_waits_for_nobody,
    who_loses_live_audio_stood,
    live_audio_is_fresh,
    the_users_speech_is_kept,
    nothing_stale_is_heard,
    what_is_begun_after_an_interruption_is_heard,
    who_interrupts_is_not_cut,
    what_passes_by_comes_at_once,
)
