"""Lines that are broken at words, as wide as a terminal is."""

from __future__ import annotations

import re
import shutil
import sys
import unicodedata
from typing import TextIO

__all__ = ["cells", "columns_of", "complain", "cut", "wrap"]

PAINT = re.compile(r"(\x1b\[\d*m)")
_SPACES = re.compile(r"( +)")
_NARROW = 2
"""A terminal must be so many times as wide as the indent."""


def wrap(text: str, columns: int | None, indent: int = 2) -> str:
    """Return the text with no line longer than `columns`, broken at spaces.

    A word that is longer than a line, such as a path, stays whole. Paint takes no room.

    Args:
        columns: cells of a line; None: lines may be of any length.
        indent: cells before each line that goes on with another.
    """
    if columns is None:
        return text
    indent = indent if indent * _NARROW <= columns else 2
    return "\n".join(_wrap_line(line, columns, indent) for line in text.split("\n"))


def _wrap_line(line: str, columns: int, indent: int) -> str:
    """Break one line. What stands between two words is kept where the line is not broken there."""
    if cells(line) <= columns:
        return line
    lines: list[str] = []
    row = gap = ""
    for part in _SPACES.split(line):
        if not part or part.isspace():
            gap += part
        elif row.strip() and cells(row) + len(gap) + cells(part) > columns:
            lines.append(row)
            row, gap = " " * indent + part, ""
        else:
            row, gap = row + gap + part, ""
    return "\n".join([*lines, row])


def cells(text: str) -> int:
    """Return how many cells of a terminal the text takes; paint takes none."""
    plain = PAINT.sub("", text)
    return len(plain) if plain.isascii() else sum(map(_cells_of, plain))


def _cells_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(line: str, most: int) -> tuple[str, int]:
    """Return the part of a line that fits into so many cells, with all its paint; and its width."""
    parts: list[str] = []
    width = 0
    for part in PAINT.split(line):
        if PAINT.fullmatch(part):
            parts.append(part)
            continue
        for character in part:
            if width + _cells_of(character) > most:
                break
            parts.append(character)
            width += _cells_of(character)
    return "".join(parts), width


def columns_of(stream: TextIO | None) -> int | None:
    """Return how wide the terminal behind a stream is, in cells; None where there is none."""
    try:
        if stream is None or not stream.isatty():
            return None
    except ValueError:  # it is closed
        return None
    return max(1, shutil.get_terminal_size().columns)


def complain(program: str, message: object) -> None:
    """Print one message of a program on stderr, wrapped where that is a terminal. Nobody may be there."""
    try:
        print(wrap(f"{program}: {message}", columns_of(sys.stderr)), file=sys.stderr)
    except OSError:
        pass  # nothing is left to say it on, and the exit status says it too
