"""What a program said, without what a busy machine adds to it."""

from __future__ import annotations

import re

__all__ = ["without_countdown", "without_slow_steps"]


def without_countdown(err: str) -> str:
    """Return what it said on stderr, less the line that says how long it is still going to sound."""
    return re.sub(r"(?m)^.*stopping: \d+ s still to play(; Ctrl-C again to cut it)?\n", "", err)


def without_slow_steps(err: str) -> str:
    """What it said on stderr, less asyncio's debug lines of steps that took long, and matplotlib's of one."""
    err = re.sub(r"(?m)^Matplotlib is building the font cache; this may take a moment\.\n?", "", err)
    return re.sub(r"(?m)^.*Executing <.* took [\d.]+ seconds\n?", "", err)
