"""Loggers whose lines fit a screen, whatever a device, a driver or a stage has to say."""

from __future__ import annotations

import logging

__all__ = ["LONGEST_LINE", "fit", "logger_of"]

LONGEST_LINE = 400
"""The number of characters of a log line, without the time and the level in front of it."""


def logger_of(name: str) -> logging.Logger:
    """Return the logger of that name, which cuts its lines. A second call returns the same one."""
    logger = logging.getLogger(name)
    logger.addFilter(_CUT)
    return logger


def fit(line: str) -> str:
    """Return a line as it is, or cut to the longest one."""
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


class _Cut(logging.Filter):
    """A filter that lets every record pass, and cuts its text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the text of the record if it is too long."""
        line = record.getMessage()
        if len(line) > LONGEST_LINE:
            record.msg, record.args = fit(line), ()
        return True


_CUT = _Cut()
"""One for all loggers: a logger takes the same filter only once."""
