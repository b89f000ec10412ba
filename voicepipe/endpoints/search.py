"""The search for a device that cannot be had: when to try again, and what the attempts found out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain, repeat

from voicepipe.errors import (
    BackendMissingError,
    DeviceBusyError,
    DeviceError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from voicepipe.text import printable

__all__ = ["ABSENT", "FIRST_WAITS_S", "WAIT_S", "Search"]

FIRST_WAITS_S = (0.5, 1.0, 2.0)
"""Before the first attempts to open it again."""
WAIT_S = 3.0
"""Before each later one."""
ABSENT = (BackendMissingError, DeviceBusyError, DeviceNotFoundError, DevicePermissionError)
"""Errors that say why it cannot be had: to start the program again would not help."""


class Search:
    """Attempts, one behind the other, and their waits. One owner; in the loop's thread."""

    def __init__(self) -> None:
        self._waits: Iterator[float] = iter(())
        self.absent = ""
        """Why it cannot be had, where the last attempt found out."""
        self.absences = 0
        """Attempts that found that out."""
        self.pauses = False
        """Between two attempts."""

    def begin(self) -> None:
        """Begin with the shortest wait."""
        self._waits = chain(FIRST_WAITS_S, repeat(WAIT_S))

    async def pause(self) -> None:
        """Wait until the next attempt is due."""
        self.pauses = True
        try:
            await asyncio.sleep(next(self._waits))
        finally:
            self.pauses = False

    def note(self, error: DeviceError) -> None:
        """Note what an attempt found out."""
        is_absent = isinstance(error, ABSENT)
        self.absent = printable(error) if is_absent else ""
        self.absences += is_absent

    def succeed(self) -> None:
        """Note that it is there."""
        self.absent = ""
