"""Every state with every event: what the table has, and that there is nothing else."""

from __future__ import annotations

import itertools

import pytest

from voicepipe import LifecycleError, lifecycle
from voicepipe.lifecycle import TRANSITIONS, Event, Request, RunState
from voicepipe.run.transitions import next_state

S, E = RunState, Event
FINAL = {S.ENDED, S.CANCELLED, S.FAILED}
LEGAL = {
    (S.CREATED, E.RUN): S.OPENING,
    (S.OPENING, E.STARTED): S.RUNNING,
    (S.OPENING, E.STOP): S.CLOSING,
    (S.RUNNING, E.END): S.DRAINING,
    (S.RUNNING, E.STOP): S.CLOSING,
    (S.DRAINING, E.STOP): S.CLOSING,
    (S.CLOSING, E.ENDED): S.ENDED,
    (S.CLOSING, E.CANCELLED): S.CANCELLED,
    (S.CLOSING, E.FAILED): S.FAILED,
}
PAIRS = list(itertools.product(RunState, Event))


def arrows() -> list[set[RunState]]:
    """The line of arrows in the module's docstring, stop by stop."""
    (line,) = [line for line in (lifecycle.__doc__ or "").splitlines() if "->" in line]
    return [{RunState(name.strip()) for name in stop.split("|")} for stop in line.split("->")]


def name_of(value: RunState | Event) -> str:
    return value.name


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=name_of)
def test_a_legal_pair_leads_on_and_any_other_is_refused_by_name(state: RunState, event: Event) -> None:
    if (state, event) in LEGAL:
        assert next_state(state, event) is LEGAL[state, event]
        return
    with pytest.raises(LifecycleError) as refused:
        next_state(state, event)
    legal = ", ".join(e.value for s, e in LEGAL if s is state) or "none"
    assert str(refused.value) == (
        f"a run that is {state.value} cannot take the event {event.value!r}; allowed: {legal}"
    )


@pytest.mark.parametrize("state", [S.ENDED, S.CANCELLED, S.FAILED], ids=name_of)
def test_a_final_state_takes_nothing(state: RunState) -> None:
    for event in Event:
        with pytest.raises(LifecycleError, match="allowed: none"):
            next_state(state, event)


def test_the_arrows_name_every_state_once() -> None:
    stops = arrows()
    assert sorted(itertools.chain(*stops), key=name_of) == sorted(RunState, key=name_of)
    assert stops[-1] == FINAL
    assert all(len(stop) == 1 for stop in stops[:-1])


def test_every_arrow_is_a_transition() -> None:
    ways = {(state, to) for (state, _), to in TRANSITIONS.items()}
    for here, there in itertools.pairwise(arrows()):
        assert {(state, to) for state in here for to in there} <= ways


def test_a_run_only_ever_moves_on_along_the_arrows() -> None:
    place = {state: number for number, stop in enumerate(arrows()) for state in stop}
    assert all(place[to] > place[state] for (state, _), to in TRANSITIONS.items())


def test_every_state_is_reached_and_every_one_leads_to_a_final_one() -> None:
    reached = {S.CREATED, *TRANSITIONS.values()}
    assert reached == set(RunState)
    for state in RunState:
        ahead = {state}
        for _ in RunState:
            ahead |= {to for (s, _), to in TRANSITIONS.items() if s in ahead}
        assert ahead & FINAL


def test_the_final_states_are_those_that_nothing_leads_from() -> None:
    assert (
        {state for state in RunState if state.is_final}
        == FINAL
        == set(RunState) - {s for s, _ in TRANSITIONS}
    )


def test_a_refusal_is_a_runtime_error_and_changes_nothing() -> None:
    before = dict(TRANSITIONS)
    with pytest.raises(RuntimeError):
        next_state(S.ENDED, E.RUN)
    assert before == TRANSITIONS


def test_requests_only_escalate() -> None:
    assert sorted(Request) == [Request.NONE, Request.END, Request.CANCEL]
    assert max(Request.END, Request.CANCEL) is Request.CANCEL
