"""What a program prints: lines that stay, and on a terminal one status line under them that changes."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from typing import TextIO

from voicepipe.journal import JournalFormatter, is_journal

__all__ = ["LogHandler", "Screen", "log_to"]


class Screen:
    """Where a program prints. A reader that has gone away is no reason to stop."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self.is_live = self._out.isatty() and os.environ.get("TERM") != "dumb"
        """It is a terminal, where a line can change."""
        self._is_kept = _goes_to_the_journal(self._out)
        """A status would be kept, line by line, for months."""
        self._status = ""

    def say(self, line: str) -> None:
        """A line that stays."""
        self._put(f"{self._erase()}{line}\n{self._status}")

    def status(self, line: str) -> None:
        """The line that changes; a line like others where none can."""
        if self._is_kept:
            return
        if not self.is_live:
            self._put(line.rstrip() + "\n")
            return
        # A line as long as the terminal is wide would wrap, and stay.
        self._status = line[: shutil.get_terminal_size().columns - 1]
        self._put(self._erase() + self._status)

    def clear(self) -> None:
        """Take the status line away."""
        if self._status:
            self._status = ""
            self._put(self._erase())

    def make_room(self) -> None:
        """Somebody else is going to print a line on this terminal."""
        if self._status:
            self._put(self._erase())

    def _erase(self) -> str:
        return "\r\x1b[K" if self.is_live else ""

    def _put(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            pass


def log_to(screen: Screen, program: str, *, debug: bool) -> None:
    """Send the log to stderr, a line for each event; warnings and errors only, unless debugging."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s" if debug else f"{program}: %(message)s"
    handler = LogHandler(screen)
    handler.setFormatter(logging.Formatter(form))
    level = logging.DEBUG if debug else logging.WARNING
    if _goes_to_the_journal(sys.stderr):  # where it can be sorted by priority: nothing is kept back
        handler.setFormatter(JournalFormatter("%(name)s: %(message)s" if debug else None))
        level = logging.DEBUG if debug else logging.INFO
    logging.basicConfig(level=level, handlers=[handler])


def _goes_to_the_journal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and is_journal(stream.fileno())
    except (OSError, ValueError):  # it has no descriptor, or is closed
        return False


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, and not into the status line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._screen.make_room()
        super().emit(record)
