"""The rules of limits: who waits how long, who is named for it, and what had to be forced."""

from __future__ import annotations

from collections.abc import Iterator

from properties.simulation.cards import BLOCK_S
from properties.simulation.facts import Facts
from properties.simulation.scenario import HORIZON_S, WELL_BEHAVED
from voicepipe import RunState
from voicepipe.endpoints.microphone import MicrophoneInput
from voicepipe.endpoints.speaker import SpeakerOutput
from voicepipe.pipeline.mailbox import RELIEF
from voicepipe_devices.streams import FIRST_S

__all__ = ["RULES"]

SLACK_S = 0.3
"""For what takes a moment: a block of the device, a last word to a task that was cancelled."""
QUEUE_S = 1.0
"""What a speaker accepts."""
AT_ONCE_S = 3.5
"""What an end takes besides what is left to play, and to do."""
MOST_AT_ONCE = 12
"""Frames that a stage pushes in one go, or that several push: into a mailbox that is over its limit."""
TOLD_S = FIRST_S + 0.2
"""A device that is lost is told of by then: what a microphone has for its first block, and a block or two."""


def a_cancel_closes_in_time(run: Facts) -> Iterator[str]:
    """Measured from the request, with what the loop stood still taken off."""
    if run.cancelled_s is not None:
        most_s = SLACK_S if run.is_clean else run.spec.limits.cancel_s + SLACK_S
        yield from _late(run, "cancelled", run.cancelled_s, most_s)


def an_end_closes_in_time(run: Facts) -> Iterator[str]:
    """Within what is left to play and to do, and for each that stands still its limit."""
    if run.asked_s is None:
        return
    limits, stages = run.spec.limits, run.spec.stages
    frames = run.spec.feed.count + 2 * (HORIZON_S + run.spec.longer_s) / 0.02
    work_s = sum(stage.seconds * frames for stage in stages if stage.does == "slow")
    stuck = sum(stage.does.endswith(" in") or stage.does in ("hangs", "stubborn") for stage in stages)
    stall_s = max(limits.stall_s, *(stage.may_take_s or 0.0 for stage in stages), 0.0)
    patience_s = (stuck + len(run.faults)) * (stall_s + limits.close_s + SLACK_S)
    stands_s = sum(stage.manners.stands_s + 2.0 for stage in stages if stage.manners.stands_s)
    most_s = limits.start_s + QUEUE_S + limits.close_s + AT_ONCE_S + work_s + patience_s + stands_s
    yield from _late(run, "asked for the end", run.asked_s, most_s)


def an_end_has_its_time_and_no_more(run: Facts) -> Iterator[str]:
    """A late one is cancelled at its limit, and not before; in a clean run nothing ends later."""
    limit_s = run.spec.limits.drain_s
    if run.asked_s is None or run.running_s is None or run.spec.runs_out_s or not run.is_clean:
        return
    from_s = max(run.asked_s, run.running_s)
    if run.late_s is not None and run.late_s < from_s + limit_s - 1e-6:
        yield f"asked for the end at {from_s:.3f} s, cancelled at {run.late_s:.3f} s: it has {limit_s} s"
    took_s = run.returned_s - from_s - run.frozen_s(from_s, run.returned_s)
    if took_s > limit_s + run.spec.limits.cancel_s + SLACK_S:
        yield f"its end has {limit_s} s, and took {took_s:.3f} s"


def _late(run: Facts, what: str, at_s: float, most_s: float) -> Iterator[str]:
    from_s = max(at_s, run.began_s)
    took_s = run.returned_s - from_s - run.frozen_s(from_s, run.returned_s)
    if took_s > most_s:
        yield f"{what} at {from_s:.3f} s, returned {took_s:.3f} s later (at most {most_s:.3f})"


def names_who_stood_still(run: Facts) -> Iterator[str]:
    """Who is called slow, or abandoned, was; in a clean run nobody."""
    if run.is_clean and (run.report.slow or run.report.abandoned):
        yield f"nothing misbehaved, and these were given up: {run.report.slow} {run.report.abandoned}"
    hung = {
        stage.name
        for stage in run.spec.stages
        if run.count(stage, "hangs") or run.count(stage, "refuses to stop")
    }
    takes_time = {stage.name for stage in run.spec.stages if stage.does in ("slow in", "freezes")}
    devices = {p.name for p in run.run.processors if isinstance(p, (MicrophoneInput, SpeakerOutput))}
    may = hung | takes_time | (devices if run.faults else set())
    yield from (f"called slow, and was not: {slow}" for slow in run.report.slow if slow.stage not in may)
    for given_up in run.report.abandoned:
        who = given_up.name.split(":")[1]
        refused = hung or run.faults if who in ("open", "begin") else who in may
        if not refused:
            yield f"called abandoned, and did not refuse to stop: {given_up}"


def who_was_passed_by_had_its_time(run: Facts) -> Iterator[str]:
    """The limit of the run, or what the stage itself asks for."""
    asked = {stage.name: stage.may_take_s for stage in run.spec.stages}
    for slow in run.report.slow:
        limit_s = asked.get(slow.stage)
        limit_s = run.spec.limits.stall_s if limit_s is None else limit_s
        if not limit_s - 1e-6 <= slow.seconds <= limit_s + SLACK_S:
            yield f"{slow.stage} has {limit_s} s, and was passed by after {slow.seconds:.3f} s"


def who_was_passed_by_is_a_failure(run: Facts) -> Iterator[str]:
    """Unless the limits say otherwise, or somebody cancelled in time."""
    if run.report.slow and run.spec.limits.passed_by == "fail" and run.state is RunState.ENDED:
        yield f"it ended, and these were passed by: {run.report.slow}"


def names_who_refused_to_stop(run: Facts) -> Iterator[str]:
    """Whoever still refuses when the run is over is in the report."""
    named = {given_up.name.split(":")[1] for given_up in run.report.abandoned}
    for stage in run.spec.stages:
        refused = run.count(stage, "swallows its cancellation") and stage.seconds > HORIZON_S
        if refused and not named & {stage.name, "open", "begin"}:
            yield f"{stage.name} refused to stop, and the report does not say so: {run.report.abandoned}"


def mailboxes_are_bounded(run: Facts) -> Iterator[str]:
    """A mailbox holds what it may, and one frame more for each that pushes at the same time.

    Live audio is bounded by its own limit. Work on it waits for nobody, so what it makes of other kinds is
    bounded by a multiple.
    """
    # Each answer is pushed by a task of its own.
    answers = sum(run.made_by(stage) for stage in run.spec.stages if stage.manners.answers_s)
    for stage in run.spec.stages:
        waited = run.run.deepest.get(stage.name, 0)
        most = stage.mailbox * (RELIEF if run.mic else 1) + run.run.early + MOST_AT_ONCE + answers
        if waited > most:
            yield f"{waited} frames waited at {stage.name}, whose mailbox holds {stage.mailbox}"
        live_s, limit_s = run.run.longest_s.get(stage.name, 0.0), stage.manners.mailbox_s
        if live_s > max(limit_s, BLOCK_S) + 1e-6:
            yield f"{live_s:.3f} s of live audio waited at {stage.name}, which may hold {limit_s} s"


def nobody_is_cut_short(run: Facts) -> Iterator[str]:
    """Whoever needs less than the limit for its clean-up has the time, though the loop stands still in it."""
    for stage in run.spec.stages:
        brief = stage.does == "slow in" and stage.what == "cleanup" and stage.seconds <= 0.3
        if (
            brief
            and run.cancelled_s is None
            and run.count(stage, "cleanup") > run.count(stage, "cleanup done")
        ):
            yield f"{stage.name} needed {stage.seconds} s for its cleanup, and did not get them"


def needs_no_safety_net(run: Facts) -> Iterator[str]:
    """After a clean end nothing runs any more that has to be stopped."""
    if run.report.forced:
        yield f"had to be stopped: {run.report.forced}"


def a_dead_device_is_never_silent_news(run: Facts) -> Iterator[str]:
    """A device that is gone for long enough while the run goes on is told of."""
    ended_s = min((at for at in (run.asked_s, run.returned_s) if at is not None), default=0.0)
    if run.on_loss != "wait" or run.running_s is None or not _goes_on(run):
        return
    for at_s, fault in run.faults:
        if fault.what not in ("unplug", "vanish", "stall", "break_", "hang", "crash"):
            continue
        if at_s <= run.run.made_s and fault not in run.spec.events:
            continue  # done to its card in the run before, and mended since
        if fault.what == "crash" and at_s < run.running_s:
            continue  # of what was not open nothing crashes
        since_s = max(at_s, run.running_s + 0.05)
        mends = [at for at, event in run.faults if event.what == "mend" and at >= at_s]
        until_s = min(ended_s, *mends) if mends else ended_s
        by_s = run.lived_until(since_s, TOLD_S)
        if by_s < until_s and not any(loss.at_s <= by_s for loss in run.losses):
            yield f"{fault.whom} {fault.what} at {at_s:.3f} s, and nobody was told by {by_s:.3f} s"


def _goes_on(run: Facts) -> bool:
    """Nothing ends it, or holds up the news, but the program."""
    return not run.spec.runs_out_s and all(
        stage.does in (*WELL_BEHAVED, "swallows") and not stage.manners.stands_s for stage in run.spec.stages
    )


RULES = (
    a_cancel_closes_in_time,
    an_end_closes_in_time,
    an_end_has_its_time_and_no_more,
    names_who_stood_still,
    who_was_passed_by_had_its_time,
    who_was_passed_by_is_a_failure,
    names_who_refused_to_stop,
    mailboxes_are_bounded,
    nobody_is_cut_short,
    needs_no_safety_net,
    a_dead_device_is_never_silent_news,
)
