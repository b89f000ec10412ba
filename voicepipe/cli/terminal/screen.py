"""The screen of a program: lines that stay, and on a terminal a few under them that change."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

from voicepipe import errors
from voicepipe.cli.terminal.wrapping import columns_of, complain, cut, wrap
from voicepipe.errors import VoicepipeError
from voicepipe.runner.process_end import has_reader_gone, settle_output
from voicepipe.service.log_formats import JournalFormatter, JsonFormatter, is_journal
from voicepipe.text import LONGEST_ERROR, printable

__all__ = ["LogHandler", "Screen", "describe", "log_to", "run_on_screen"]


_COLOURS = {"green": "32", "yellow": "33", "cyan": "36", "red": "31"}
_OF_THE_SYSTEM = ("OSError", "FileNotFoundError", "IsADirectoryError", "PermissionError", "TimeoutError")
_CLASS_NAMES = re.compile(rf"\b(?:{'|'.join((*errors.__all__, *_OF_THE_SYSTEM))}): ")
_KEYS = 3
"""Cells that a status leaves free: a terminal shows ^C there."""
_NUMBERS = re.compile(r"\[Errno \d+\] ")


class Screen:
    """The place where a program prints. A reader that has gone away is no reason to stop.

    The terminal stays as it is, so that nothing must be restored, however the program ends: no cursor is
    hidden, no mode is set, no part of the screen is taken.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out  # None where it is closed
        self.is_live = bool(self._out and self._out.isatty()) and os.environ.get("TERM") != "dumb"
        """True for a terminal, where a line can change."""
        self._is_kept = _goes_to_the_journal(self._out)
        """True where a status would be kept, line by line, for months."""
        self._has_colours = self.is_live and not os.environ.get("NO_COLOR")
        self.failure: OSError | None = None
        """The last error of what could not be printed. A program goes on without its lines."""
        self._status = ""
        self._widths: list[int] = []
        """The width of each line that stands in the status, in cells."""

    @property
    def columns(self) -> int:
        """The width of the terminal now, in cells."""
        return max(1, shutil.get_terminal_size().columns)

    def paint(self, text: str, colour: str) -> str:
        """Return the text in green, yellow, cyan or red; unchanged without colours, or with NO_COLOR."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[m" if self._has_colours else text

    def say(self, line: str, indent: int = 2) -> None:
        """Print a line that stays. On a terminal it is wrapped, and what goes on is indented."""
        line = wrap(line, self.columns if self.is_live else None, indent)
        self._put(f"{self._erase()}{line}\n{self._status}")

    def status(self, *lines: str) -> None:
        """Show the lines that change; where none can, print the first of them."""
        if self._is_kept:
            return
        if not self.is_live:
            self._put(lines[0].rstrip() + "\n")
            return
        up = self._home()
        # A line as long as the terminal is wide would wrap, and stay; so would the ^C of Ctrl-C behind it.
        most = max(1, shutil.get_terminal_size().lines - 1)
        shown = [cut(line, self.columns - _KEYS) for line in lines[:most]]
        self._widths = [width for _, width in shown]
        # What stood there is erased behind each line, and not before: it would flicker.
        self._status = "\x1b[K\n".join(text for text, _ in shown)
        self._put(f"{up}{self._status}\x1b[J")

    def clear(self) -> None:
        """Take the status away."""
        if self._status:
            erase = self._erase()
            self._status, self._widths = "", []
            self._put(erase)

    def make_room(self) -> None:
        """Take the status away until the next one: somebody else is going to print a line here."""
        if self._status:
            self._put(self._erase())
            self._widths = []  # the next one begins behind what they print

    def _erase(self) -> str:
        return f"{self._home()}\x1b[J" if self.is_live else ""

    def _home(self) -> str:
        """Return the way to the beginning of the status. A terminal that became narrower has wrapped it."""
        rows = sum(1 + max(0, width - 1) // self.columns for width in self._widths) - 1
        return f"\r\x1b[{rows}A" if rows > 0 else "\r"

    def _put(self, text: str) -> None:
        if self._out is None:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except OSError as error:
            self.failure = error
        except ValueError:
            pass


def run_on_screen(
    program: str, work: Callable[[Screen], int], *, debug: bool, log_format: str = "text"
) -> int:
    """Run a program that shows something; return its exit status. Its log and errors go to stderr.

    Args:
        program: how it was called.
        work: the program, which returns its exit status.
        debug: log everything, and let errors be tracebacks.
        log_format: "text", or "json": an object in each line.
    """
    screen = Screen()
    log_to(screen, program, debug=debug, log_format=log_format)
    try:
        status = work(screen)
    except BrokenPipeError:
        raise
    except (VoicepipeError, OSError) as error:
        if debug:
            raise
        screen.clear()
        settle_output()  # where it was stdout that failed, that is said once
        complain(program, describe(error))
        return 1
    if screen.failure is None or has_reader_gone(screen.failure):
        return status
    settle_output()
    complain(program, describe(screen.failure))
    return status or 1


def describe(error: Exception) -> str:
    """Return an error as one line for a person."""
    if isinstance(error, FileExistsError):
        return f"{printable(error.filename)} already exists: choose another name or delete it"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{printable(error.filename)}: {error.strerror}"
    return printable(
        error.strerror if isinstance(error, OSError) and error.strerror else error, LONGEST_ERROR
    )


def log_to(screen: Screen, program: str, *, debug: bool, log_format: str = "text") -> None:
    """Send the log to stderr, one message for each event: warnings and errors, or all of it for debugging.

    As JSON, or in the journal, it can be sorted by priority, so it holds informative lines too.
    """
    journal, for_machines = _goes_to_the_journal(sys.stderr), log_format == "json"
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s" if debug else f"{program}: %(message)s"
    if journal:
        form = "%(name)s: %(message)s" if debug else "%(message)s"
    lines = JsonFormatter() if for_machines else (logging.Formatter if debug else _PlainFormatter)(form)
    handler = LogHandler(screen)
    handler.setFormatter(JournalFormatter(lines) if journal else lines)
    level = logging.INFO if journal or for_machines else logging.WARNING
    logging.basicConfig(level=logging.DEBUG if debug else level, handlers=[handler])


def _goes_to_the_journal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and is_journal(stream.fileno())
    except (OSError, ValueError):  # it has no descriptor, or is closed
        return False


class _PlainFormatter(logging.Formatter):
    """Lines for a person: the class of an error that speaks for itself is left out."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of one record."""
        return _NUMBERS.sub("", _CLASS_NAMES.sub("", super().format(record)))


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes to stderr, and not into the status line; on a terminal, no wider than that."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._screen.make_room()
        super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of one record. A traceback is not wrapped."""
        text = super().format(record)
        return text if record.exc_info else wrap(text, columns_of(self.stream))
