"""The output of an engine's process on stderr, as a few lines of the log."""

from __future__ import annotations

import os
import time

from voicepipe.log import logger_of
from voicepipe.text import printable

__all__ = ["LogLines"]

_MOST_BYTES = 1 << 14
_LONGEST_LINE = 4_096
_MOST_LINES = 10
"""Logged in a second; the others are counted."""
_log = logger_of("voicepipe.engines")


class LogLines:
    """Logs lines, escaped; of a flood the first of each second. In one thread."""

    def __init__(self, name: str) -> None:
        self.last = ""
        """The last whole line that is not empty."""
        self._name = name
        self._rest = b""
        self._second = 0.0
        self._logged = self._left_out = 0

    def read_all(self, descriptor: int) -> None:
        """Read until the end. All of it is taken at once: the engine never waits for its log."""
        while data := os.read(descriptor, _MOST_BYTES):
            self.take(data, time.monotonic())
        self.take(b"\n", time.monotonic() + 1)

    def take(self, data: bytes, now_s: float) -> None:
        """Take some of it, in pieces of any size."""
        *lines, rest = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = rest[-_LONGEST_LINE:]
        if now_s - self._second >= 1.0:
            self._begin_second(now_s)
        for line in lines:
            if line.strip():
                self._log(printable(line.decode(errors="replace")))

    def _begin_second(self, now_s: float) -> None:
        if self._left_out:
            _log.info("%s: and %d more lines", self._name, self._left_out)
        self._second, self._logged, self._left_out = now_s, 0, 0

    def _log(self, line: str) -> None:
        self.last = line
        if self._logged < _MOST_LINES:
            self._logged += 1
            _log.info("%s: %s", self._name, line)
        else:
            self._left_out += 1
