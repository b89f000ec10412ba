"""Log lines for systemd's journal, and as JSON."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voicepipe.service.log_formats import JournalFormatter, JsonFormatter, is_journal


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


def failed() -> logging.LogRecord:
    """What `logging` makes of an exception."""
    try:
        raise ValueError("no\nsuch thing")
    except ValueError:
        error = sys.exc_info()
    return logging.LogRecord("voicepipe.x", logging.ERROR, __file__, 1, "lost %s", ("a\u202emic",), error)


def test_as_json_a_record_is_one_object_in_one_line_of_plain_characters() -> None:
    line = JsonFormatter().format(failed())
    assert line.isascii()
    assert line.isprintable()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"]) == ("error", "voicepipe.x", "lost a\u202emic")
    assert said["exception"].endswith("ValueError: no\nsuch thing")
    assert said["time"].endswith("Z")
    assert datetime.fromisoformat(said["time"]).tzinfo == UTC
    assert "exception" not in json.loads(JsonFormatter().format(record(logging.INFO, "well")))


def test_json_in_the_journal_keeps_its_priority_and_stays_one_line() -> None:
    line = JournalFormatter(JsonFormatter()).format(failed())
    assert line.startswith('<3>{"time"')
    assert json.loads(line.removeprefix("<3>"))["level"] == "error"


@pytest.mark.heavy(after=1)
@pytest.mark.parametrize("asked", [["--log-format", "json"], []])
def test_a_program_s_log_is_json_on_request(asked: list[str], tmp_path: Path) -> None:
    program = [sys.executable, "-m", "voicepipe.echo", "--backend", "wav:nothing.wav", *asked]
    taken = tmp_path / "status"
    taken.write_text("a file")
    done = subprocess.run(
        [*program, "--status-socket", str(taken)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if "no status at" in line]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("{") == bool(asked)
    if asked:
        assert json.loads(lines[0])["level"] == "warning"


@pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: only Linux has the journal")
@pytest.mark.parametrize("kept", [True, False])
def test_a_program_whose_output_is_kept_does_not_fill_it_with_its_status(tmp_path: Path, kept: bool) -> None:
    program = (
        "import logging; from voicepipe.cli.terminal.screen import Screen, log_to\n"
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


@pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: only Linux has the journal")
def test_a_program_s_json_in_the_journal_keeps_its_priority(tmp_path: Path) -> None:
    program = (
        "import logging; from voicepipe.cli.terminal.screen import Screen, log_to\n"
        "log_to(Screen(), 'echo', debug=False, log_format='json')\n"
        "logging.getLogger('voicepipe').info('well')\n"
    )
    with (tmp_path / "journal").open("wb") as file:
        found = os.fstat(file.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        subprocess.run([sys.executable, "-c", program], stderr=file, env=environment, check=True, timeout=60)
    said = (tmp_path / "journal").read_text()
    assert said.startswith("<6>{")
    assert json.loads(said.removeprefix("<6>"))["message"] == "well"
