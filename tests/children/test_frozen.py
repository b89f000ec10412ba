"""A frozen program, simulated: `sys.executable` is the program itself, as PyInstaller and others leave it.

The programs that are really frozen are built by tests/long/frozen.py.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from children.looking import PATH as IMPORTS
from children.looking import children_of, is_alive, last_of, run_python, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: looks into /proc"),
    pytest.mark.real_time,
]

APP = """
import os, sys
with open({starts!r}, "a") as file:
    file.write(f"{{os.getpid()}}\\n")
{begin}
import voicepipe as vp
from voicepipe_devices.sound_process.backend import OutsideBackend
sound = OutsideBackend("support.blocking_drivers:well", "library", shares_air=False)
pipeline = vp.Pipeline([vp.MicrophoneInput(sound), vp.SpeakerOutput(sound)])
task = vp.PipelineTask(pipeline)
task.subscribe(lambda frame, _: print("heard", flush=True) if isinstance(frame, vp.InputAudioFrame) else None)
vp.PipelineRunner().main(task)
"""
FROZEN = "sys.frozen = True; sys.executable = {program!r}\n"
LIED = "sys.executable = sys._base_executable = {program!r}\n"
"""The program is called python, and is not frozen: nothing tells it from a Python."""
SUPPORT = "import voicepipe; voicepipe.freeze_support()\n"


class App:
    """A program that a script starts, as a frozen one is started, and the processes that it became."""

    def __init__(self, folder: Path, begin: str, script: str = 'exec {python} {app} "$@"') -> None:
        self._starts = folder / "starts"
        self.program, app = folder / "python", folder / "app.py"
        values = {"program": str(self.program), "python": sys.executable, "app": str(app)}
        app.write_text(APP.format(starts=str(self._starts), begin=begin.format(**values)))
        self.program.write_text(f"#!/bin/sh\n{script.format(**values)}\n")
        self.program.chmod(0o755)

    @property
    def starts(self) -> list[int]:
        """The ids of the processes in which the user's program began."""
        return [int(line) for line in self._starts.read_text().split()] if self._starts.exists() else []

    def hanging(self, pid: int) -> list[int]:
        """Wait until the program is started as its own child, and sleeps there: the child, and its child."""
        wait_for(lambda: bool(self.starts))
        wait_for(lambda: any(map(children_of, children_of(pid))))
        (child,) = children_of(pid)
        return [child, *children_of(child)]

    @contextlib.contextmanager
    def run(self, **environment: str) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [self.program],
            env={**os.environ, "PYTHONPATH": IMPORTS, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def test_a_frozen_program_that_says_nothing_is_not_started_again(tmp_path: Path) -> None:
    app = App(tmp_path, FROZEN)
    with app.run() as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "the sound process cannot be made: this program is frozen" in err
    assert app.starts == [process.pid]


def test_a_frozen_program_with_freeze_support_serves_its_own_sound(tmp_path: Path) -> None:
    """Each child runs as far as that call, and then nothing of the program."""
    app = App(tmp_path, FROZEN + SUPPORT)
    with app.run() as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "heard\n"
        children = children_of(process.pid)
        assert app.starts == [process.pid, *sorted(children)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0
    assert not any(map(is_alive, children))
    assert len(app.starts) == 3


@pytest.mark.parametrize("delay_s", [0.05, 0.15, 0.3, 0.6])
@pytest.mark.parametrize("script", ['exec {python} {app} "$@"', '{python} {app} "$@"; exit $?'])
def test_a_frozen_program_that_is_killed_leaves_no_process(
    tmp_path: Path, delay_s: float, script: str
) -> None:
    app = App(tmp_path, FROZEN + SUPPORT, script)
    with app.run():
        wait_for(lambda: bool(app.starts))
        time.sleep(delay_s)  # the moment of the kill is what is tested
        os.kill(app.starts[0], signal.SIGKILL)
        time.sleep(0.1)  # a start that was under way at the kill is in the list by now
        last_of(app.starts, 2.0)
        seen = len(app.starts)
        time.sleep(0.3)  # a chain would have gone on by now
        assert len(app.starts) == seen <= 3


@pytest.mark.parametrize("script", ['exec {python} {app} "$@"', '{python} {app} "$@"; exit $?'])
def test_a_program_that_passes_for_a_python_starts_no_chain(tmp_path: Path, script: str) -> None:
    """Nothing tells it from one beforehand. It is started once as a child, and that child starts none."""
    app = App(tmp_path, LIED, script)
    with app.run() as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "a child process of voicepipe starts no other" in err
    time.sleep(0.3)  # a chain would have gone on by now
    assert len(app.starts) <= 3, "itself, and a child for each stream"
    assert not any(map(is_alive, app.starts))


@pytest.mark.heavy
def test_a_program_that_passes_for_a_python_and_never_ends_is_killed_within_the_start_limit(
    tmp_path: Path,
) -> None:
    script = '[ -e {app}.begun ] && sleep 63; touch {app}.begun; exec {python} {app} "$@"'
    app = App(tmp_path, LIED, script)
    with app.run() as process:
        started = app.hanging(process.pid)
        began_s = time.monotonic()
        _, err = process.communicate(timeout=20)
    assert time.monotonic() - began_s < 7
    assert "no answer within 4.5 s" in err
    last_of(started, 1.0)


def test_a_program_that_passes_for_a_python_is_killed_with_its_group_when_the_first_is_killed(
    tmp_path: Path,
) -> None:
    script = '[ -e {app}.begun ] && sleep 64; touch {app}.begun; exec {python} {app} "$@"'
    app = App(tmp_path, LIED, script)
    with app.run() as process:
        started = app.hanging(process.pid)
        time.sleep(0.2)  # until the program waits for an answer
        process.kill()
        last_of(started, 2.0)


def test_a_program_that_is_named_as_its_own_python_starts_no_chain(tmp_path: Path) -> None:
    app = App(tmp_path, FROZEN)
    with app.run(VOICEPIPE_PYTHON=str(app.program)) as process:
        _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "a child process of voicepipe starts no other" in err
    assert len(app.starts) <= 3


OPENED = """
import sys
{begin}
import voicepipe as vp
for name in ("portaudio", None, "portaudio:outside"):
    try:
        print(type(vp.open_backend(name)).__name__)
    except vp.BackendMissingError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("begin", "says"),
    [
        ("sys.frozen = True", "this program is frozen, and does not begin with voicepipe.freeze_support()"),
        (
            "sys.executable = sys._base_executable = 0; sys.exec_prefix = sys.base_exec_prefix = '/nowhere'",
            "Python is embedded in another program here",
        ),
    ],
)
def test_sound_runs_inside_the_program_where_no_process_can_be_made_and_that_is_told_once(
    begin: str, says: str
) -> None:
    done = run_python("-c", OPENED.format(begin=begin), VOICEPIPE_BACKEND="")
    default, again, outside = done.stdout.splitlines()
    assert (default, again) == ("InsideBackend", "InsideBackend")
    assert outside.startswith(f"sound gets no process of its own: {says}")
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "sound runs inside this program, where a sound server that dies can take it along: "
    )
    assert says in line


@pytest.mark.parametrize("begin", ["", "sys.frozen = True\n" + SUPPORT, "sys.executable = None"])
def test_sound_has_a_process_where_one_can_be_made(begin: str) -> None:
    done = run_python("-c", OPENED.format(begin=begin), VOICEPIPE_BACKEND="")
    assert done.stdout.splitlines() == ["OutsideBackend"] * 3
    assert done.stderr == ""
