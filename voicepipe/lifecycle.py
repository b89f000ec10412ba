"""The life cycle of a run, as a table.

    created -> opening -> running -> draining -> closing -> ended | cancelled | failed

Requests only escalate: nothing < end < cancel. A request may come before its time (End
before the start, say); the task remembers it and the table is entered when it is due.
"""

from __future__ import annotations

import enum

__all__ = ["Event", "Request", "RunState"]


class RunState(enum.Enum):
    """The state of a run."""

    __hash__ = object.__hash__  # a member is one object; Enum would hash its name, in Python

    CREATED = "created"
    """`run()` has not been called."""
    OPENING = "opening"
    """Stages open, from the last to the first; then StartFrame travels."""
    RUNNING = "running"
    """Capture is on, frames flow."""
    DRAINING = "draining"
    """EndFrame is on its way; what was accepted is heard to its end."""
    CLOSING = "closing"
    """Stages clean up."""
    ENDED = "ended"
    """Everything accepted went through."""
    CANCELLED = "cancelled"
    """Stopped at once; what was queued is counted as dropped."""
    FAILED = "failed"
    """A stage failed; `run()` raised PipelineError."""

    @property
    def is_final(self) -> bool:
        """The run is over, and nothing of it is left."""
        return self in (RunState.ENDED, RunState.CANCELLED, RunState.FAILED)


class Event(enum.Enum):
    """An event that moves a run on."""

    __hash__ = object.__hash__

    RUN = "run"
    STARTED = "started"
    END = "end"
    STOP = "stop"
    """Nothing more is to be heard: it was drained, cancelled, or never started."""
    ENDED = "closed after the end"
    CANCELLED = "closed after a cancel"
    FAILED = "closed after a failure"


class Request(enum.IntEnum):
    """A request to a run; the harsher wins."""

    NONE = 0
    END = 1
    CANCEL = 2


_S, _E = RunState, Event
TRANSITIONS: dict[tuple[RunState, Event], RunState] = {
    (_S.CREATED, _E.RUN): _S.OPENING,
    (_S.OPENING, _E.STARTED): _S.RUNNING,
    (_S.OPENING, _E.STOP): _S.CLOSING,
    (_S.RUNNING, _E.END): _S.DRAINING,
    (_S.RUNNING, _E.STOP): _S.CLOSING,
    (_S.DRAINING, _E.STOP): _S.CLOSING,
    (_S.CLOSING, _E.ENDED): _S.ENDED,
    (_S.CLOSING, _E.CANCELLED): _S.CANCELLED,
    (_S.CLOSING, _E.FAILED): _S.FAILED,
}
