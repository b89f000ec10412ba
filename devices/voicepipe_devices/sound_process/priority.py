"""The priority of a sound process: real-time where granted, and an end to a library that spins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["LONGEST_SPIN_US", "limit_spinning", "take_priority", "take_real_time", "without_real_time"]

LONGEST_SPIN_US = 200_000
"""A real-time thread never needs so long without a wait."""
_PRIORITY = 10


def take_priority() -> str:
    """Take real-time priority where the system grants it, so that busy programs cannot make sound stutter.

    For the threads too that libraries make from now on. Returns which it is.
    """
    if take_real_time():
        return "real-time"
    with suppress(OSError, AttributeError):
        os.nice(-_PRIORITY)
        return "raised"
    return "ordinary"


def take_real_time() -> bool:
    """Take it for this thread and those that it makes from now on; return whether it is granted."""
    with suppress(OSError, AttributeError):
        if os.sched_getscheduler(0) not in (os.SCHED_FIFO, os.SCHED_RR):  # JACK's threads have its own
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        return True
    return False


@contextmanager
def without_real_time() -> Iterator[None]:
    """Make ordinary threads meanwhile.

    A priority that was inherited stays: it might not be granted again.
    """
    with suppress(OSError, AttributeError):
        if os.sched_getparam(0).sched_priority == _PRIORITY:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        take_real_time()


def limit_spinning() -> None:
    """Limit a library that spins, as PortAudio does when PipeWire dies, so that it does not keep a core.

    The kernel ends a real-time thread that never waits. Not before the start: loading takes its time.
    """
    with suppress(OSError, ImportError, AttributeError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # that end is no news to a debugger
        resource.setrlimit(resource.RLIMIT_RTTIME, (LONGEST_SPIN_US, 2 * LONGEST_SPIN_US))
