"""`voicepipe record` as a process: after Ctrl-C and after a kill the file is good up to the last second."""

from __future__ import annotations

import shlex
import signal
import sys
import time
import wave
from pathlib import Path

import pytest

from process.running import Program

pytestmark = pytest.mark.real_time


def recorder(path: Path) -> Program:
    command = [sys.executable, "-m", "voicepipe", "record", str(path), "--backend", "fake", "--rate", "16000"]
    return Program("record", shell=f"exec {shlex.join(command)}")


def seconds_in(path: Path) -> float:
    """As somebody else's reader has it, who believes the header."""
    with wave.open(str(path), "rb") as file:
        assert len(file.readframes(file.getnframes())) == 2 * file.getnframes()
        return file.getnframes() / file.getframerate()


def record_for(program: Program, path: Path, seconds: float) -> None:
    program.says("recording into")
    program.wait_until(lambda: path.stat().st_size > 2 * 16_000 * seconds)


def test_after_ctrl_c_all_of_it_is_there(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    with recorder(path) as program:
        record_for(program, path, 1.5)
        ended = program.send(signal.SIGINT).end()
    assert (ended.status, ended.err) == (0, "")
    assert seconds_in(path) == pytest.approx((path.stat().st_size - 44) / 32_000)
    assert seconds_in(path) >= 1.5


@pytest.mark.parametrize("seconds", [1.5, 2.5])
def test_after_a_kill_all_but_the_last_second_is_there(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "out.wav"
    with recorder(path) as program:
        record_for(program, path, seconds)
        began_s = time.monotonic()
        ended = program.send(signal.SIGKILL).end()
        late_s = time.monotonic() - began_s
    assert ended.status == -signal.SIGKILL
    assert seconds - 1.0 <= seconds_in(path) <= seconds + late_s + 0.5
