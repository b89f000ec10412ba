"""A log that repeats itself at most once a second, and says how often it held its tongue."""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["LimitedLog"]


class LimitedLog:
    """At most one line a second for each key; the next line counts what was left out."""

    _most_keys = 256

    def __init__(self, logger: logging.Logger, clock: Callable[[], float], every_s: float = 1.0) -> None:
        self._logger = logger
        self._clock = clock
        self._every_s = every_s
        self._last: dict[str, tuple[float, int]] = {}

    def warning(self, key: str, message: str, *args: object) -> None:
        """Log a warning, unless this key had one within the last second."""
        now = self._clock()
        when, held_back = self._last.get(key, (now - self._every_s, 0))
        if now - when < self._every_s:
            self._last[key] = (when, held_back + 1)
            return
        if len(self._last) >= self._most_keys:
            self._last.clear()
        self._last[key] = (now, 0)
        if held_back:
            message, args = message + " (and %d more like it)", (*args, held_back)
        self._logger.warning(message, *args)
