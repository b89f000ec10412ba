"""What a program prints: lines that stay, and on a terminal a few under them that change."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

from voicepipe.errors import VoicepipeError
from voicepipe.service.log_formats import JournalFormatter, JsonFormatter, is_journal
from voicepipe.text import printable

__all__ = ["LogHandler", "Screen", "log_to", "run_on_screen", "told"]


_COLOURS = {"green": "32", "yellow": "33", "cyan": "36", "red": "31"}
_PAINT = re.compile(r"(\x1b\[\d*m)")


class Screen:
    """Where a program prints. A reader that has gone away is no reason to stop.

    The terminal stays as it is, so that nothing must be restored, however the program ends: no cursor is
    hidden, no mode is set, no part of the screen is taken.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out  # None where it is closed
        self.is_live = bool(self._out and self._out.isatty()) and os.environ.get("TERM") != "dumb"
        """It is a terminal, where a line can change."""
        self._is_kept = _goes_to_the_journal(self._out)
        """A status would be kept, line by line, for months."""
        self._has_colours = self.is_live and not os.environ.get("NO_COLOR")
        self._status = ""
        self._widths: list[int] = []
        """Of each line that stands in the status, in cells."""

    @property
    def columns(self) -> int:
        """How wide the terminal is now, in cells."""
        return max(1, shutil.get_terminal_size().columns)

    def paint(self, text: str, colour: str) -> str:
        """The text in green, yellow, cyan or red, where there are colours and nobody has set NO_COLOR."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[m" if self._has_colours else text

    def say(self, line: str) -> None:
        """A line that stays."""
        self._put(f"{self._erase()}{line}\n{self._status}")

    def status(self, *lines: str) -> None:
        """The lines that change; where none can, the first of them is a line like others."""
        if self._is_kept:
            return
        if not self.is_live:
            self._put(lines[0].rstrip() + "\n")
            return
        up = self._home()
        # A line as long as the terminal is wide would wrap, and stay; so would one too many.
        most = max(1, shutil.get_terminal_size().lines - 1)
        cut = [_cut(line, self.columns - 1) for line in lines[:most]]
        self._widths = [width for _, width in cut]
        # What stood there is erased behind each line, and not before: it would flicker.
        self._status = "\x1b[K\n".join(text for text, _ in cut)
        self._put(f"{up}{self._status}\x1b[J")

    def clear(self) -> None:
        """Take the status away."""
        if self._status:
            erase = self._erase()
            self._status, self._widths = "", []
            self._put(erase)

    def make_room(self) -> None:
        """Somebody else is going to print a line on this terminal."""
        if self._status:
            self._put(self._erase())
            self._widths = []  # the next one begins behind what they print

    def _erase(self) -> str:
        return f"{self._home()}\x1b[J" if self.is_live else ""

    def _home(self) -> str:
        """To where the status begins. A terminal that became narrower has wrapped its lines."""
        rows = sum(1 + max(0, width - 1) // self.columns for width in self._widths) - 1
        return f"\r\x1b[{rows}A" if rows > 0 else "\r"

    def _put(self, text: str) -> None:
        if self._out is None:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            pass


def run_on_screen(
    program: str, work: Callable[[Screen], int], *, debug: bool, log_format: str = "text"
) -> int:
    """Run a program that shows something, and whose log and errors go to stderr; returns its exit status.

    Args:
        program: how it was called.
        work: the program; returns its exit status.
        debug: log everything, and let errors be tracebacks.
        log_format: "text", or "json": an object in each line.
    """
    screen = Screen()
    log_to(screen, program, debug=debug, log_format=log_format)
    try:
        return work(screen)
    except BrokenPipeError:
        raise
    except (VoicepipeError, OSError) as error:
        if debug:
            raise
        screen.clear()
        print(f"{program}: {told(error)}", file=sys.stderr)
        return 1


def told(error: Exception) -> str:
    """What it is, in a line for a person."""
    if isinstance(error, FileExistsError):
        return f"{printable(error.filename)} is there already: give another name, or remove it first"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{printable(error.filename)}: {error.strerror}"
    return printable(error.strerror if isinstance(error, OSError) and error.strerror else error)


def log_to(screen: Screen, program: str, *, debug: bool, log_format: str = "text") -> None:
    """Send the log to stderr, a line for each event; warnings and errors only, unless debugging.

    As JSON, or where it goes to the journal, it can be sorted by priority: nothing is kept back.
    """
    journal, for_machines = _goes_to_the_journal(sys.stderr), log_format == "json"
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s" if debug else f"{program}: %(message)s"
    if journal:
        form = "%(name)s: %(message)s" if debug else "%(message)s"
    lines = JsonFormatter() if for_machines else logging.Formatter(form)
    handler = LogHandler(screen)
    handler.setFormatter(JournalFormatter(lines) if journal else lines)
    level = logging.INFO if journal or for_machines else logging.WARNING
    logging.basicConfig(level=logging.DEBUG if debug else level, handlers=[handler])


def _goes_to_the_journal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and is_journal(stream.fileno())
    except (OSError, ValueError):  # it has no descriptor, or is closed
        return False


def _cut(line: str, most: int) -> tuple[str, int]:
    """As much of the line as fits into so many cells, paint aside; and how many cells that is."""
    parts: list[str] = []
    width = 0
    for part in _PAINT.split(line):
        if _PAINT.fullmatch(part):
            parts.append(part)
        else:
            parts.append(part[: most - width])
            width += len(parts[-1])
    return "".join(parts), width


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, and not into the status line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        self._screen.make_room()
        super().emit(record)
