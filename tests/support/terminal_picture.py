"""Draws what a running program shows on a terminal, as an SVG: the picture in the README.

    python tests/support/terminal_picture.py examples/pictures/echo.svg

It runs `voicepipe echo --backend fake:room` in tmux, waits for a moment in which it hears speech, and takes
what tmux holds of the screen, colours and all.
"""

from __future__ import annotations

import html
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

COLUMNS, LINES = 88, 14
CELL, ROW, MARGIN = 8.4, 19, 14
"""Of a cell and a row, in pixels, at a font size of 14."""
PROMPT = "$ "
COLOURS = {"31": "#f07178", "32": "#a6da95", "33": "#eed49f", "36": "#8bd5ca"}
GROUND, INK = "#1e2030", "#cad3f5"
LIMIT_S = 30.0


class Terminal:
    """A terminal of a size, in which commands are typed; a context manager ends it."""

    def __init__(self, columns: int, lines: int) -> None:
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), f"PS1={PROMPT!r} sh")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def keys(self, *keys: str) -> None:
        """Type them; "Enter" and "C-c" are keys."""
        self._tmux("send-keys", *keys)

    def shown(self) -> str:
        """What is on the screen, with its colours."""
        return self._tmux("capture-pane", "-e", "-p")

    def wait_for(self, pattern: str) -> str:
        """Returns what is on the screen when it matches. Raises: TimeoutError."""
        until_s = time.monotonic() + LIMIT_S
        while not re.search(pattern, shown := self.shown(), re.DOTALL):
            if time.monotonic() > until_s:
                raise TimeoutError(f"{pattern!r} did not come: {shown}")
            time.sleep(0.02)
        return shown

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", f"voicepipe-{id(self)}", "-f", "/dev/null", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def svg(screen: str, columns: int) -> str:
    """A screen as a picture; what is not painted is drawn in one colour."""
    lines = screen.rstrip("\n").split("\n")
    width, height = round(columns * CELL + 2 * MARGIN), len(lines) * ROW + 2 * MARGIN
    rows = "\n".join(row for number, line in enumerate(lines) for row in _row(line, MARGIN + number * ROW))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">\n'
        f'<rect width="100%" height="100%" rx="8" fill="{GROUND}"/>\n'
        f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" fill="{INK}">\n'
        f"{rows}\n</g>\n</svg>\n"
    )


def _row(line: str, top: int) -> Iterator[str]:
    """A text for each stretch of one colour, as wide as its cells whatever the font is."""
    colour, column = "", 0
    for part in re.split(r"\x1b\[([\d;]*)m", line):
        if re.fullmatch(r"[\d;]*", part) and part in ("", "0", "39", *COLOURS):
            colour = COLOURS.get(part, "")
            continue
        text = part.rstrip() if not colour else part
        if text:
            fill = f' fill="{colour}"' if colour else ""
            place = f'x="{MARGIN + column * CELL:.1f}" y="{top + 14}" textLength="{len(text) * CELL:.1f}"'
            yield f'<text {place}{fill} xml:space="preserve">{html.escape(text)}</text>'
        column += len(part)


def main() -> None:
    """Draw it."""
    path = Path(sys.argv[1])
    with Terminal(COLUMNS, LINES) as terminal:
        terminal.keys(f"alias voicepipe={shlex.quote(f'{sys.executable} -m voicepipe')}; clear", "Enter")
        terminal.wait_for(rf"^{re.escape(PROMPT.strip())}\s*$")
        terminal.keys("voicepipe echo --backend fake:room", "Enter")
        screen = terminal.wait_for(r"#{12}.*score 1.*speech.*utterances: 2, the last.*interrupted")
        terminal.keys("C-c")
        terminal.keys("C-c")
    path.write_text(svg(screen, COLUMNS), encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
