"""The next state of a run, by the table of its life cycle."""

from __future__ import annotations

from voicepipe.errors import LifecycleError
from voicepipe.lifecycle import TRANSITIONS, Event, RunState

__all__ = ["next_state"]


def next_state(state: RunState, event: Event) -> RunState:
    """The state that follows.

    Raises:
        LifecycleError: the table has no such transition.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        legal = ", ".join(e.value for s, e in TRANSITIONS if s is state) or "nothing more"
        raise LifecycleError(
            f"a run that is {state.value} cannot take {event.value!r}: legal is {legal}"
        ) from None
