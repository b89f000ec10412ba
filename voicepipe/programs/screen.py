"""What a program prints: lines that stay, and on a terminal one status line under them that changes."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

from voicepipe.errors import VoicepipeError, printable

__all__ = ["LogHandler", "Screen", "log_to", "run_on_screen"]


class Screen:
    """Where a program prints. A reader that has gone away is no reason to stop."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        self.is_live = self._out.isatty() and os.environ.get("TERM") != "dumb"
        """It is a terminal, where a line can change."""
        self._status = ""

    def say(self, line: str) -> None:
        """A line that stays."""
        self._put(f"{self._erase()}{line}\n{self._status}")

    def status(self, line: str) -> None:
        """The line that changes; a line like others where none can."""
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


def run_on_screen(program: str, work: Callable[[Screen], int], *, debug: bool) -> int:
    """Run a program that shows something, and whose log and errors go to stderr; returns its exit status.

    Args:
        program: how it was called.
        work: the program; returns its exit status.
        debug: log everything, and let errors be tracebacks.
    """
    screen = Screen()
    log_to(screen, program, debug=debug)
    try:
        return work(screen)
    except (VoicepipeError, OSError) as error:
        if debug:
            raise
        screen.clear()
        print(f"{program}: {_told(error)}", file=sys.stderr)
        return 1


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{printable(error.filename)}: {error.strerror}"
    return printable(error)


def log_to(screen: Screen, program: str, *, debug: bool) -> None:
    """Send the log to stderr, a line for each event; warnings and errors only, unless debugging."""
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s" if debug else f"{program}: %(message)s"
    level = logging.DEBUG if debug else logging.WARNING
    logging.basicConfig(level=level, format=form, handlers=[LogHandler(screen)])


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, and not into the status line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._screen.make_room()
        super().emit(record)
