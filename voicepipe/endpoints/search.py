"""The search for an absent device: the waits between the attempts, and the findings of the attempts."""

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
"""The waits in seconds before the first attempts to open the device again."""
WAIT_S = 3.0
"""The wait in seconds before each later attempt."""
ABSENT = (BackendMissingError, DeviceBusyError, DeviceNotFoundError, DevicePermissionError)
"""Errors that give the reason why the device is absent. A restart of the program would not help."""


class Search:
    """One attempt after another, with the waits between them. One owner; in the loop's thread."""

    def __init__(self) -> None:
        self._waits: Iterator[float] = iter(())
        self.absent = ""
        """The reason why the device is absent, from the last attempt; empty if it gave none."""
        self.absences = 0
        """The number of attempts that gave such a reason."""
        self.pauses = False
        """True during the wait between two attempts."""

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
        """Note the error of an attempt."""
        is_absent = isinstance(error, ABSENT)
        self.absent = printable(error) if is_absent else ""
        self.absences += is_absent

    def succeed(self) -> None:
        """Note that the device was opened."""
        self.absent = ""
