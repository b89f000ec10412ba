"""Formats of the log for machines: with the priority for systemd's journal (`man sd-daemon`), and as JSON."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["JournalFormatter", "JsonFormatter", "is_journal"]


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Return True where a descriptor leads to the journal: JOURNAL_STREAM names its device and inode."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class JournalFormatter(logging.Formatter):
    """Puts `<4>` and the like before every line. The journal has the time and the program's name itself.

    Args:
        lines: makes the lines.
    """

    def __init__(self, lines: logging.Formatter | None = None) -> None:
        super().__init__()
        self._lines = lines or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of one record, with those of a traceback."""
        prefix = f"<{_priority(record.levelno)}>"
        return "\n".join(prefix + line for line in self._lines.format(record).splitlines() or [""])


class JsonFormatter(logging.Formatter):
    """One object a line: `time` (UTC), `level`, `logger`, `message`, and `exception` with its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record. Line breaks and all that is not ASCII are escaped."""
        time = datetime.fromtimestamp(record.created, UTC)
        said = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said)


def _priority(level: int) -> int:
    """Return the priority of syslog: 2 critical, 3 error, 4 warning, 6 information, 7 debugging."""
    for least, priority in ((50, 2), (40, 3), (30, 4), (20, 6)):
        if level >= least:
            return priority
    return 7
