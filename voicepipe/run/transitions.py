"""The state transitions of a run, by the table of its life cycle."""

from __future__ import annotations

from voicepipe.errors import LifecycleError
from voicepipe.lifecycle import TRANSITIONS, Event, RunState

__all__ = ["next_state"]


def next_state(state: RunState, event: Event) -> RunState:
    """Return the state that follows `state` after `event`.

    Raises:
        LifecycleError: the table has no such transition.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        legal = ", ".join(e.value for s, e in TRANSITIONS if s is state) or "none"
        raise LifecycleError(
            f"a run that is {state.value} cannot take the event {event.value!r}; allowed: {legal}"
        ) from None
