"""A census now and then, for the log of a program that runs for months."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import fields
from typing import Self

from voicepipe.census.census import Census, take_census
from voicepipe.checks import check_number
from voicepipe.log import LONGEST_LINE, logger_of

__all__ = ["CensusMonitor"]

_BEFORE_THE_NAMES = 60
"""The characters of a line that are left for its beginning."""


class CensusMonitor:
    """Logs what has grown since the first census, as long as it is entered.

        async with CensusMonitor(every_s=300):
            await task.run()

    The first census is taken after one interval, when the program has settled. After that
    a line at INFO says how many of each kind there are, and one at WARNING names what is
    more than any census before had.

    Raises:
        TypeError, ValueError: the interval is no time.
    """

    def __init__(self, every_s: float = 300.0, logger: logging.Logger | None = None) -> None:
        self._every_s = check_number("every_s", every_s, at_least=0.01)
        self._log = logger or logger_of("voicepipe.census")
        self._most: Census | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="voicepipe:census monitor")
        return self

    async def __aexit__(self, *_: object) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            self.look()

    def look(self) -> None:
        """Take a census now, and log it."""
        now = take_census()
        counts = ", ".join(
            f"{count} {kind.replace('_', ' ')}" for kind, count in now.counts().items() if count
        )
        self._log.info("census: %s", counts or "nothing")
        most = now if self._most is None else self._most
        for kind, count in now.counts().items():
            if count > most.counts()[kind]:
                new = _side_by_side(getattr(now.since(most), kind)[:5])
                self._log.warning("census: %s grew to %d: %s", kind.replace("_", " "), count, new)
        self._most = _fullest(now, most)


def _side_by_side(names: Sequence[str]) -> str:
    """Join names for one line of a log. The more there are, the less of each is shown."""
    most = (LONGEST_LINE - _BEFORE_THE_NAMES) // max(1, len(names)) - len(", ")
    return ", ".join(name if len(name) <= most else f"{name[: most - 1]}…" for name in names)


def _fullest(now: Census, before: Census) -> Census:
    """Return kind by kind the longer list; the present one where they are equally long."""
    return Census(*(max(getattr(now, f.name), getattr(before, f.name), key=len) for f in fields(Census)))
