"""The echo program, in a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stages_for_tests import DOWN
from voicepipe import InputAudioFrame, OutputAudioFrame, TextFrame
from voicepipe.echo import Echo, main
from voicepipe.tune import tune

ROOT = Path(__file__).parent.parent


def echo(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-m", "voicepipe.echo", *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'devices'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_tune_comes_back_whole_and_nothing_is_left() -> None:
    with echo("--seconds", "0.6") as program:
        out, err = program.communicate(timeout=30)
    assert (program.returncode, err) == (0, "")
    assert "simulated card" in out
    heard, said = re.findall(r"(?:heard|said) (\d\.\d\d) s", out)
    assert 0.5 <= float(heard) == float(said) <= 1.0
    assert "every sample the same; dropped samples: none" in out
    assert "nothing is left running" in out


def test_ctrl_c_ends_it_and_everything_heard_was_said() -> None:
    with echo("--seconds", "30") as program:
        wait_for_sound(program)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
    assert (program.returncode, err) == (0, "")
    assert "ended: SIGINT" in out
    assert "every sample the same; dropped samples: none" in out
    assert "nothing is left running" in out


def test_ctrl_c_again_and_again_shows_no_traceback() -> None:
    with echo("--seconds", "30") as program:
        wait_for_sound(program)
        while program.poll() is None:
            program.send_signal(signal.SIGINT)
            time.sleep(0.002)
        assert program.stderr is not None
        assert "Traceback" not in program.stderr.read()
    # Ended by the first, stopped by the second, or on its way out already: what a shell calls 130.
    assert program.returncode in (0, 130, -signal.SIGINT)


def wait_for_sound(program: subprocess.Popen[str]) -> None:
    assert program.stdout is not None
    while "dB" not in program.stdout.readline():
        pass


@pytest.mark.parametrize("bad", ["nan", "-1", "soon", "inf", ""])
def test_a_time_that_is_none_is_a_usage_error_in_one_line(
    bad: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--seconds={bad}"])
    assert caught.value.code == 2
    assert "no time in seconds: 10 or 2.5 would be right" in capsys.readouterr().err


def test_a_closed_stdout_is_no_error() -> None:
    with echo("--seconds", "0.5") as program:
        assert program.stdout is not None
        program.stdout.close()
        program.wait(timeout=30)
        assert program.stderr is not None
        assert program.stderr.read() == ""
    assert program.returncode == 0


def test_echo_says_what_was_heard_and_passes_everything_else() -> None:
    heard = InputAudioFrame(b"\1\0" * 160, position=320, captured_s=1.5)
    (said,) = Echo().process(heard, DOWN)
    assert isinstance(said, OutputAudioFrame)
    assert (said.data, said.position, said.captured_s) == (heard.data, 320, 1.5)
    other = TextFrame("x")
    assert list(Echo().process(other, DOWN)) == [other]


def test_a_tune_is_loud_enough_to_hear_and_soft_enough_not_to_clip() -> None:
    audio = tune(repeats=2)
    assert audio.dtype == "int16"
    assert len(audio) == 2 * 4 * (5600 + 1600)
    assert 9_000 < int(np.abs(audio).max()) < 10_000
