"""Ctrl-C at random moments of every command: no traceback, whatever is being imported or done."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.bare import bare
from support.counts import TIMES

pytestmark = [
    pytest.mark.real_time,
    pytest.mark.skipif(sys.platform == "win32", reason="allowed skip: there Ctrl-C is an event of a console"),
]
SAMPLE = Path(__file__).parents[2] / "voicepipe" / "data" / "speech.wav"
COMMANDS = {
    "echo": ("-m", "voicepipe.echo", "--backend", "fake"),
    "devices": ("-m", "voicepipe", "devices", "--backend", "fake"),
    "doctor": ("-m", "voicepipe", "doctor", "--backend", "fake"),
    "vad": ("-m", "voicepipe", "vad", str(SAMPLE)),
}
TRIES = 3 * TIMES
OUR_FRAME = re.compile(r'File ".*[/\\]voicepipe[/\\](?!__init__)')
"""Python's own start, which ends with the import of the package, is not ours to mend."""


@pytest.mark.heavy
@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_at_any_moment_shows_no_traceback(command: str) -> None:
    moments = random.Random(command)
    for number in range(TRIES):
        delay_s = moments.uniform(0.02, 1.0)
        status, err = interrupt(COMMANDS[command], delay_s, times=1 + number % 2)
        assert not OUR_FRAME.search(err), f"after {delay_s:.3f} s: {err}"
        assert status in (0, 1, 130, -signal.SIGINT)


def interrupt(words: Sequence[str], delay_s: float, times: int) -> tuple[int, str]:
    """Start a command, and send SIGINT to its processes after so long, as a terminal does."""
    with subprocess.Popen(
        [sys.executable, *words],
        env=bare(VOICEPIPE_CONFIG=os.devnull),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        time.sleep(delay_s)
        for _ in range(times):
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGINT)
            time.sleep(0.02)
        _, err = program.communicate(timeout=30)
    return program.returncode, err
