"""The time for which a machine gave a program no processor. No limit of its own can hold for so long."""

from __future__ import annotations

from pathlib import Path

__all__ = ["Withheld"]


class Withheld:
    """The wait of a process and its children for a processor, from now on, in seconds, by the system's count.

    Of each the main thread: it decides how long an end takes. On a machine with nothing else to do that is
    some milliseconds. Where the system does not count it, it is 0.
    """

    def __init__(self, pid: int) -> None:
        self._pids = [pid, *_children(pid)]
        self._before = self._latest = self._waits()

    def look(self) -> None:
        """Read the counts, as those of a process are gone with it."""
        self._latest = self._latest | self._waits()

    @property
    def seconds(self) -> float:
        """The wait until the last look."""
        return sum(self._latest[pid] - before for pid, before in self._before.items()) / 1e9

    def _waits(self) -> dict[int, int]:
        found = {pid: _wait_ns(pid) for pid in self._pids}
        return {pid: wait for pid, wait in found.items() if wait is not None}


def _wait_ns(pid: int) -> int | None:
    """Return the nanoseconds for which a process was ready to run and did not; None if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except (OSError, IndexError):
        return None


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
