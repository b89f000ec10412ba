"""Log lines for systemd's journal."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from voicepipe.journal import JournalFormatter, is_journal


def record(level: int, message: str) -> logging.LogRecord:
    return logging.LogRecord("voicepipe", level, __file__, 1, message, (), None)


@pytest.mark.parametrize(
    ("level", "prefix"),
    [
        (logging.DEBUG, "<7>"),
        (logging.INFO, "<6>"),
        (logging.WARNING, "<4>"),
        (logging.ERROR, "<3>"),
        (logging.CRITICAL, "<2>"),
    ],
)
def test_every_line_has_its_priority(level: int, prefix: str) -> None:
    assert JournalFormatter().format(record(level, "one\ntwo")) == f"{prefix}one\n{prefix}two"
    assert JournalFormatter().format(record(level, "")) == prefix


def test_the_journal_is_known_by_its_device_and_inode(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("wb") as file:
        found = os.fstat(file.fileno())
        stream = f"{found.st_dev}:{found.st_ino}"
        assert is_journal(file.fileno(), {"JOURNAL_STREAM": stream})
        assert not is_journal(file.fileno(), {"JOURNAL_STREAM": "1:1"})
        assert not is_journal(file.fileno(), {})
    assert not is_journal(10_000, {"JOURNAL_STREAM": stream})


@pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: only Linux has the journal")
@pytest.mark.parametrize("kept", [True, False])
def test_a_program_whose_output_is_kept_does_not_fill_it_with_its_status(tmp_path: Path, kept: bool) -> None:
    program = (
        "import logging; from voicepipe.programs.screen import Screen, log_to\n"
        "screen = Screen(); log_to(screen, 'echo', debug=False)\n"
        "screen.status('level'); logging.getLogger('voicepipe').warning('lost')\n"
    )
    with (tmp_path / "journal").open("wb") as file:
        found = os.fstat(file.fileno())
        stream = f"{found.st_dev}:{found.st_ino}" if kept else "1:1"
        environment = {**os.environ, "JOURNAL_STREAM": stream}
        command = [sys.executable, "-c", program]
        subprocess.run(command, stdout=file, stderr=file, env=environment, check=True, timeout=60)
    said = (tmp_path / "journal").read_text()
    assert said == ("<4>lost\n" if kept else "level\necho: lost\n")
