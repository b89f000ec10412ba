"""No line of the log is longer than a screen."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

from voicepipe.log import LONGEST_LINE, fit, logger_of

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for folder in ("devices", "voicepipe") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_long_line_is_cut_at_every_level(level: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "voicepipe.tests"):
        getattr(logger_of("voicepipe.tests"), level)("%s: %d", "word " * 1000, 3)
    (record,) = caplog.records
    assert len(record.getMessage()) == LONGEST_LINE
    assert record.getMessage().endswith("…")


@pytest.mark.parametrize("length", [0, 1, LONGEST_LINE])
def test_a_line_that_fits_stays(length: int, caplog: pytest.LogCaptureFixture) -> None:
    logger_of("voicepipe.tests").warning("%s", "x" * length)
    assert caplog.messages == ["x" * length]
    assert fit("x" * length) == "x" * length


def test_a_logger_that_is_asked_for_twice_cuts_once() -> None:
    assert logger_of("voicepipe.tests") is logger_of("voicepipe.tests")
    assert len(logger_of("voicepipe.tests").filters) == 1


def test_every_logger_is_one_that_cuts_its_lines() -> None:
    others = [path.relative_to(ROOT).as_posix() for path in FILES if _makes_a_logger(path)]
    assert others == ["voicepipe/log.py"]


def _makes_a_logger(path: Path) -> bool:
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return any(isinstance(n, ast.Attribute) and ast.unparse(n) == "logging.getLogger" for n in nodes)
