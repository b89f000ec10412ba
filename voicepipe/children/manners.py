"""The manners of a child process that serves: signals are not for it, and its pipes are its own."""

from __future__ import annotations

import os
import signal

__all__ = ["ignore_signals", "take_pipes"]


def ignore_signals() -> None:
    """Leave every decision to the program, which closes our stdin."""
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, signal.SIG_IGN)


def take_pipes() -> tuple[int, int]:
    """Take stdin and stdout for us alone: a library that prints must not speak in our name.

    Returns the descriptors for requests and for answers. What is printed goes to stderr.
    """
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers
