"""Log lines as systemd's journal takes them: with their priority (`man sd-daemon`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

__all__ = ["JournalFormatter", "is_journal"]


def is_journal(descriptor: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written there goes to the journal: JOURNAL_STREAM names its device and inode."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class JournalFormatter(logging.Formatter):
    """Puts `<4>` and the like before every line. The journal has the time and the program's name itself."""

    def format(self, record: logging.LogRecord) -> str:
        """The lines of one record, a traceback's too."""
        prefix = f"<{_priority(record.levelno)}>"
        return "\n".join(prefix + line for line in super().format(record).splitlines() or [""])


def _priority(level: int) -> int:
    """As in syslog: 2 critical, 3 error, 4 warning, 6 information, 7 debugging."""
    for least, priority in ((50, 2), (40, 3), (30, 4), (20, 6)):
        if level >= least:
            return priority
    return 7
