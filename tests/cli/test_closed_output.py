"""Every command whose reader has gone away, as `| head` does, or whose output fills the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.bare import bare
from support.program_output import without_slow_steps

SAMPLE = Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav"
on_unix = pytest.mark.skipif(not Path("/dev/full").exists(), reason="allowed skip: /dev/full is of Linux")

PRINTING = {
    "the list of commands": "--help",
    "help": "vad --help",
    "completion": "completion fish",
    "settings": "config --json",
    "the unit of a service": "service show",
    "version": "--version",
    "help of a command": "help play",
    "segments": f"vad {SAMPLE}",
    "devices": "devices --backend fake",
    "level": f"level --backend wav:{SAMPLE}",
    "echo": f"echo --backend wav:{SAMPLE} --seconds 1",
    "latency": "latency --backend fake --count 1 --listen 0.01 --json",
}

MIXED = [(name, bool(n % 3)) for n, name in enumerate(PRINTING)]
"""Each command, most of them with a buffer, as a pipe has."""


def run_into(command: str, output: int, *, buffered: bool) -> tuple[int, str]:
    """Run a command whose stdout is that; return its status and what it said on stderr."""
    words = [sys.executable, *["-u"] * (not buffered), "-m", "voicepipe", *command.split()]
    done = subprocess.run(
        words,
        stdout=output,
        stderr=subprocess.PIPE,
        env=bare(VOICEPIPE_CONFIG=os.devnull),
        text=True,
        timeout=60,
        check=False,
    )
    os.close(output)
    return done.returncode, without_slow_steps(done.stderr)


def closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@on_unix
@pytest.mark.parametrize(("name", "buffered"), MIXED)
@pytest.mark.heavy(after=2)
def test_a_reader_that_has_gone_away_is_no_word_on_stderr(name: str, buffered: bool) -> None:
    status, said = run_into(PRINTING[name], closed_pipe(), buffered=buffered)
    assert said == ""
    assert status == 0 or name == "latency"  # which heard nothing


@on_unix
@pytest.mark.parametrize(("name", "buffered"), MIXED)
@pytest.mark.heavy(after=2)
def test_a_full_disk_is_one_line_and_status_1(name: str, buffered: bool) -> None:
    status, said = run_into(PRINTING[name], os.open("/dev/full", os.O_WRONLY), buffered=buffered)
    assert status == 1
    assert said.startswith("voicepipe")
    assert said.endswith(": No space left on device\n")
    assert said.count("\n") == 1


@on_unix
def test_wrong_usage_that_nobody_reads_is_status_2_all_the_same() -> None:
    words = [sys.executable, "-m", "voicepipe", "sing"]
    output = closed_pipe()
    assert (
        subprocess.run(
            words, stdout=output, stderr=output, env=bare(VOICEPIPE_CONFIG=os.devnull), check=False
        ).returncode
        == 2
    )
    os.close(output)


@pytest.mark.parametrize(("code", "status", "said"), [("3", 3, ""), ("None", 0, ""), ("'no'", 1, "no\n")])
def test_a_program_that_exits_keeps_its_status(code: str, status: int, said: str) -> None:
    script = f"import sys; from voicepipe.cli import end_with; end_with(lambda: sys.exit({code}))"
    words = [sys.executable, "-c", script]
    done = subprocess.run(
        words, env=bare(VOICEPIPE_CONFIG=os.devnull), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (status, said)
