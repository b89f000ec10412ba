"""A child's lifeline: a pipe of which the program holds the one end, and the child the other.

Nobody ever writes to it. When the program is gone, in whatever way, its end is closed; then the child goes:

* On Linux the system kills it, without its help: it may hang in a library, hold the GIL, be stopped, or be
  another program than was expected. PR_SET_PDEATHSIG would not do: it kills the child when the thread ends
  that made it.
* Elsewhere, and where a fork has left the program's end to another process, a thread of the child sees it.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from contextlib import suppress
from typing import IO

__all__ = ["Lifeline", "hold"]


class Lifeline:
    """The program's end, and until `tie` the child's end too."""

    def __init__(self) -> None:
        self.child_end, end = os.pipe()
        """The descriptor that the child inherits."""
        self._end: IO[bytes] = os.fdopen(end, "wb", buffering=0)
        self._is_tied = False

    def tie(self, pid: int) -> None:
        """Have the system kill this process and its group when our end closes. Once.

        The group: the program that was started may be a script which starts another.
        """
        _kill_at_its_end(self.child_end, -pid)
        self._is_tied = True
        os.close(self.child_end)

    def close(self) -> None:
        """Close our end, which kills what is tied to it. A second call does nothing."""
        self._end.close()
        if not self._is_tied:
            self._is_tied = True
            os.close(self.child_end)


def hold(child_end: int, program: int) -> None:
    """Bind this process to the program with that id. In the child, as its first act."""
    os.set_inheritable(child_end, False)
    _kill_at_its_end(child_end, os.getpid())
    threading.Thread(target=_watch, args=(child_end, program), name="lifeline", daemon=True).start()


def _kill_at_its_end(child_end: int, pid: int) -> None:
    """Have the system kill a process, or the group -pid, when the other end closes.

    Linux alone can say by which signal.
    """
    if sys.platform != "linux":
        return
    import fcntl

    with suppress(OSError):  # it has ended already; or a sandbox forbids it: then the thread is there
        fcntl.fcntl(child_end, fcntl.F_SETOWN, pid)
        fcntl.fcntl(child_end, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(child_end, fcntl.F_SETFL, fcntl.fcntl(child_end, fcntl.F_GETFL) | os.O_ASYNC)


def _watch(child_end: int, program: int) -> None:
    """Wait until the other end is closed, or the program has ended, and end this process."""
    watched = [child_end]
    with suppress(OSError, AttributeError):  # no such call, or the program is in another name space
        watched.append(os.pidfd_open(program))
    poll = select.poll()
    for descriptor in watched:
        poll.register(descriptor, select.POLLIN)
    poll.poll()
    os._exit(0)
