"""The figures of pipecat-ai stand beside those of the same run, and the processors can be kept busy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import pipecat
from benchmarks.busy import NICE, busy
from benchmarks.figures import Spread
from benchmarks.table import Table

_THEIRS = {"version": "9", "python": "3.99", "making": 2.0, "hop": 10.0, "life": 2.0}
_OURS = [
    Table("making", "", ("frame", "voicepipe", "ratio"), (("as a microphone makes it", 1.5, None),)),
    Table(
        "hops_mailbox", "", ("stages", "by hand", "data"), (("1", 0.0, 0.0), ("slope", 0.0, Spread(4, 3, 5)))
    ),
    Table("lifecycle", "", ("stages", "ms"), (("mailbox, ended", 0.2), ("inline, ended", 0.1))),
]


def _interpreter(folder: Path, found: str, status: int = 0) -> str:
    """A command that answers as the script of pipecat's side does."""
    (folder / "found").write_text(found, encoding="utf-8")
    command = folder / "python"
    command.write_text(f"#!/bin/sh\ncat {folder}/found\nexit {status}\n", encoding="utf-8")
    command.chmod(0o755)
    return str(command)


def test_each_figure_stands_beside_ours_of_the_same_run(tmp_path: Path) -> None:
    table = pipecat.measure(_interpreter(tmp_path, json.dumps(_THEIRS)), 1, _OURS, quick=True)
    assert table.title.startswith("voicepipe beside pipecat-ai 9 on Python 3.99")
    assert table.columns == ("what", "mailbox", "ratio", "inline", "ratio, inline", "pipecat-ai")
    assert table.rows == (
        ("a frame of audio is made, µs", 1.5, 0.75, None, None, 2.0),
        ("one more stage, one frame at a time, µs", 4, 0.4, None, None, 10.0),
        ("a life of five stages, ms", 0.2, 0.1, 0.1, 0.05, 2.0),
    )


def test_a_section_that_was_left_out_leaves_a_gap(tmp_path: Path) -> None:
    table = pipecat.measure(_interpreter(tmp_path, json.dumps(_THEIRS)), 1, [], quick=True)
    assert [row[1:5] for row in table.rows] == [(None,) * 4] * 3


def test_an_interpreter_that_fails_is_an_error_with_its_status(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"could not be measured with .*python: it ended with status 3"):
        pipecat.measure(_interpreter(tmp_path, "", status=3), 1, [], quick=True)


@pytest.mark.parametrize("priority", [None, *NICE])
def test_every_processor_has_a_loop_meanwhile_and_none_later(priority: str | None) -> None:
    with busy(priority) as loops:
        assert len(loops) == (0 if priority is None else os.cpu_count())
        assert all(loop.poll() is None for loop in loops)
    assert all(loop.poll() is not None for loop in loops)
