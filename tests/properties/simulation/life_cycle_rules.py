"""The rules of the life cycle: states, hooks, life-cycle frames, errors."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from properties.simulation.facts import DOWN, Facts
from properties.simulation.journal import Entry
from voicepipe import CancelFrame, DataFrame, EndFrame, PipelineError, RunState, StartFrame

__all__ = ["RULES"]

_IN_ORDER = ("on_start", "on_running", "on_end", "cleanup")
_DURING_CLEANUP = (
    "cleanup",
    "cleanup done",
    "raises",
    "hangs",
    "refuses to stop",
    "swallows its cancellation",
)


def ends_in_a_final_state(run: Facts) -> Iterator[str]:
    """`run()` tells how it ended, and the report agrees."""
    error, state = run.run.error, run.state
    if not state.is_final or run.run.task.state is not state:
        yield f"the state is {run.run.task.state.value}, and the report's {state.value}"
    if not run.report.reason:
        yield "the report gives no reason"
    if error is not None and not isinstance(error, (PipelineError, asyncio.CancelledError)):
        yield f"run() raised {error!r}"
    outer = run.was_asked("outer", "cancel all")
    if isinstance(error, asyncio.CancelledError) and not outer:
        yield "run() raised CancelledError, and nobody had cancelled it"
    if (state is RunState.FAILED) != isinstance(error, PipelineError) and not outer:
        yield f"the state is {state.value}, and run() raised {error!r}"
    if run.was_asked("outer") and not isinstance(error, asyncio.CancelledError):
        yield f"it was cancelled from outside, and run() did not say so: {error!r}"
    failed = [
        stage.name
        for stage in run.spec.stages
        if stage.does not in ("reports", "fumbles") and run.count(stage, "raises")
    ]
    if failed and run.cancelled_s is None and state is not RunState.FAILED:
        yield f"{failed} raised, and the state is {state.value}"
    if state is RunState.FAILED and run.is_clean and not run.stood_still:
        yield f"it failed, and nothing had gone wrong: {error!r}"
    if state is RunState.CANCELLED and run.cancelled_s is None:
        yield "it was cancelled, and nobody had asked for that"


def says_what_failed(run: Facts) -> Iterator[str]:
    """No error is silent: a stage that raised is in the report, and no other."""
    if run.was_asked("cancel all"):
        return  # then everybody may fail
    named = {error.stage for error in run.report.errors}
    for stage in run.spec.stages:
        raised = run.count(stage, "raises")
        if raised and stage.name not in named:
            yield f"{stage.name} raised, and the report does not say so"
        slow = {each.stage for each in run.report.slow}
        late = run.stood_still or stage.name in slow or stage.does in ("slow in", "hangs in", "stubborn in")
        if stage.name in named and not (raised or late or stage.does == "tells"):
            yield f"the report says that {stage.name} failed: {run.report.errors}"


def hooks_come_in_order(run: Facts) -> Iterator[str]:
    """on_start, on_running, on_end; cleanup exactly once for every on_start, and nothing after it."""
    for stage in run.spec.stages:
        entries = run.of(stage)
        counts = Counter(entry.what for entry in entries)
        if counts["on_start"] != counts["cleanup"] or counts["on_start"] > 1:
            yield f"{stage.name}: {counts['on_start']} on_start, {counts['cleanup']} cleanup"
        twice = [h for h in ("on_running", "on_end", "on_cancel", "on_ending") if counts[h] > 1]
        if twice:
            yield f"{stage.name}: more than once {twice}"
        order = [entry.what for entry in entries if entry.what in _IN_ORDER]
        if order != sorted(order, key=_IN_ORDER.index):
            yield f"{stage.name}: hooks in the order {order}"
        late = [e.what for e in _from(entries, "cleanup") if e.what not in _DURING_CLEANUP]
        if late and not stage.does.startswith("stubborn"):
            yield f"{stage.name}: {late} after cleanup"


def _from(entries: list[Entry], what: str) -> list[Entry]:
    """The lines from the first of that kind on."""
    at = next((at for at, entry in enumerate(entries) if entry.what == what), len(entries))
    return entries[at:]


def stages_open_last_to_first(run: Facts) -> Iterator[str]:
    """Nobody is fed before it, and everybody behind it, can eat."""
    names = [stage.name for stage in run.spec.stages]
    opened = [entry.who for entry in run.lines if entry.what == "on_start" and entry.who in names]
    if opened != names[::-1][: len(opened)]:
        yield f"opened in the order {opened}"
    closed: set[str] = set(names)
    for entry in run.lines:
        if entry.what == "on_start done":
            closed.discard(entry.who)
        elif entry.what == "took" and entry.who in names and closed:
            yield f"{entry.who} was given {entry.frame} while {sorted(closed)} had not opened"
            return


def sources_begin_behind_start_frame(run: Facts) -> Iterator[str]:
    """Nothing is captured or made before StartFrame has gone all the way."""
    names = {stage.name for stage in run.spec.stages}
    for entry in run.lines:
        if entry.who == run.spec.name and isinstance(entry.frame, StartFrame):
            return
        if entry.what == "on_running" and entry.who in names:
            yield f"{entry.who} began before StartFrame was at the Sink"


def life_cycle_frames_are_the_frameworks(run: Facts) -> Iterator[str]:
    """No stage sees one; at the Sink StartFrame comes first, EndFrame last, each once."""
    for stage in run.spec.stages:
        for entry in run.of(stage):
            if entry.what == "took" and isinstance(entry.frame, (StartFrame, EndFrame, CancelFrame)):
                yield f"{stage.name} was given {entry.frame}"
    kinds = [type(frame) for frame in run.at_the_sink]
    if kinds and kinds[0] not in (StartFrame, CancelFrame):
        yield f"{run.at_the_sink[0]} left the Sink before StartFrame"
    for kind in (StartFrame, EndFrame, CancelFrame):
        if kinds.count(kind) > 1:
            yield f"{kinds.count(kind)} times {kind.__name__} at the Sink"
    if EndFrame in kinds:
        behind = [kind.__name__ for kind in kinds[kinds.index(EndFrame) + 1 :] if kind is not CancelFrame]
        if behind:
            yield f"{behind[0]} left the Sink after EndFrame"
    elif run.state is RunState.ENDED:
        yield "it ended, and no EndFrame reached the Sink"
    if run.state is RunState.CANCELLED and CancelFrame not in kinds:
        yield "it was cancelled, and the subscribers were not shown a CancelFrame"


def everybody_hears_of_the_end(run: Facts) -> Iterator[str]:
    """A run that was drained gave every stage its End, and no data after it."""
    passed_by = {slow.stage for slow in run.report.slow} | {error.stage for error in run.report.errors}
    # One whose task was cancelled from outside cleans up early, and fails behind that: if it gets there.
    passed_by |= {given_up.name.split(":")[1] for given_up in run.report.abandoned}
    drained = any(isinstance(frame, EndFrame) for frame in run.at_the_sink)
    for stage in run.spec.stages:
        entries = run.of(stage)
        if drained and not run.count(stage, "on_end") and stage.name not in passed_by:
            yield f"{stage.name} heard nothing of the End"
        if stage.does.startswith("stubborn"):
            continue  # it may end the on_end of the run before only now
        for entry in _from(entries, "on_end done"):
            if entry.what == "took" and isinstance(entry.frame, DataFrame) and entry.direction is DOWN:
                yield f"{stage.name} was given {entry.frame} after its End"


def everybody_hears_of_an_interruption(run: Facts) -> Iterator[str]:
    """One that was asked for in the middle of a plain run reaches every stage."""
    if not run.is_clean or run.running_s is None:
        return
    over_s = min(run.asked_s or run.returned_s, run.returned_s) - 0.1
    for at_s in run.run.interrupted:
        if not run.running_s + 0.1 < at_s < over_s - run.frozen_s(at_s, over_s):
            continue
        for stage in run.spec.stages:
            if not any(e.what == "on_interruption" and e.at_s >= at_s for e in run.of(stage)):
                yield f"{stage.name} heard nothing of the interruption at {at_s:.3f} s"


def refused_after_the_end(run: Facts) -> Iterator[str]:
    """What is queued after the end was asked for is not accepted."""
    for at_s in run.run.accepted_late_s[:1]:
        asked_s = min(run.run.asked_inside_s)
        yield f"the end was asked for at {asked_s:.3f} s, and a frame was accepted at {at_s:.3f} s"


def never_started_is_counted(run: Facts) -> Iterator[str]:
    """What was accepted before a start that never came is in the report."""
    if run.running_s is None and not run.was_asked("cancel all"):
        accepted = sum(
            at <= run.returned_s for at in (*run.run.accepted_s, *run.run.pinged_s, *run.run.told_s)
        )
        if run.report.never_started != accepted:
            yield f"{accepted} frames waited for the start, and {run.report.never_started} are counted"


def queues_answer(run: Facts) -> Iterator[str]:
    """`queue_frame` says yes or no, and raises nothing."""
    feeding = run.run.feeding
    if feeding is not None and feeding.done() and not feeding.cancelled() and feeding.exception() is not None:
        yield f"queue_frame raised {feeding.exception()!r}"


RULES = (
    ends_in_a_final_state,
    says_what_failed,
    hooks_come_in_order,
    stages_open_last_to_first,
    sources_begin_behind_start_frame,
    life_cycle_frames_are_the_frameworks,
    everybody_hears_of_the_end,
    everybody_hears_of_an_interruption,
    refused_after_the_end,
    never_started_is_counted,
    queues_answer,
)
