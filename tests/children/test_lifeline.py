"""A child process goes within two seconds when its program is gone, whatever either of them is doing."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from children.hanging import PHASES, WAYS
from children.looking import children_of, is_alive, last_of, started, wait_for
from voicepipe.children.command import run_command
from voicepipe.children.launcher import Child, launch

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="allowed skip: looks into /proc"),
    pytest.mark.real_time,
]

LIMIT_S = 2.0
IDLE = "children.idle_child"
"""Says its process id, and waits for ever."""


@contextlib.contextmanager
def program_of(source: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that launches a child, and prints when it is there."""
    with started("-c", source, **environment) as program:
        try:
            yield program
        finally:
            program.kill()
            assert program.stdin is not None
            program.stdin.close()


LAUNCH = f"""
import os, signal, sys, threading, time
from voicepipe.children.launcher import launch
def launched():
    child = launch({IDLE!r})
    print(int(child.process.stdout.readline()), flush=True)
    return child
"""


@pytest.mark.parametrize("way", WAYS)
def test_killed_in_any_phase_no_sound_process_stays(way: str, tmp_path: Path) -> None:
    with started("-m", "children.hanging", way, str(tmp_path), *PHASES) as program:
        wait_for(lambda: all((tmp_path / phase).exists() for phase in PHASES))
        program.kill()
        reached = {path.name: int(path.read_text()) for path in tmp_path.iterdir()}
        assert sorted(reached) == sorted(PHASES), "all of them hang"
        assert last_of(reached.values(), LIMIT_S) < LIMIT_S


@pytest.mark.parametrize("delay_s", [0.0, 0.002, 0.005, 0.01, 0.02, 0.03])
def test_killed_while_the_child_starts_it_goes_too(delay_s: float) -> None:
    with program_of(LAUNCH + f"print(launch({IDLE!r}).process.pid, flush=True); time.sleep(60)") as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        time.sleep(delay_s)  # the moment of the kill is what is tested
        program.kill()
        last_of([pid], LIMIT_S)


ENDS = {
    "its main thread ends it": "os._exit(0)",
    "it crashes": "os.abort()",
    "SIGTERM by default": "os.kill(os.getpid(), signal.SIGTERM)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "it becomes another program": "os.execv(sys.executable, [sys.executable, '-c', 'input()'])",
    "an uncaught error": "raise ValueError",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("is_stopped", [False, True])
def test_however_the_program_ends_the_child_goes(end: str, is_stopped: bool) -> None:
    with program_of(LAUNCH + f"kept = launched(); input()\n{end}") as program:
        assert program.stdin is not None
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        if is_stopped:
            os.kill(pid, signal.SIGSTOP)
        program.stdin.write("\n")
        program.stdin.flush()
        last_of([pid], LIMIT_S)


def test_a_process_that_the_program_has_forked_does_not_keep_the_child() -> None:
    source = LAUNCH + "kept = launched()\nif not os.fork(): time.sleep(5); os._exit(0)\nos._exit(0)"
    with program_of(source) as program:
        assert program.stdout is not None
        last_of([int(program.stdout.readline())], LIMIT_S)


KEPT = "kept = []; launch_one = launched; launched = lambda: kept.append(launch_one())\n"
LIVES_ON = {
    "the thread that launched it has ended": (
        "thread = threading.Thread(target=launched); thread.start(); thread.join()"
    ),
    "a forked process has ended": "launched()\nif not os.fork(): os._exit(0)\nos.wait()",
    "a daemon launched it": "os.fork() and os._exit(0)\nos.setsid()\nos.fork() and os._exit(0)\nlaunched()",
    "another child has ended": "one = launch('children.none'); one.process.wait(); one.close(); launched()",
    "a child in a group of its own": "os.setpgid(0, 0); launched()",
}


@pytest.mark.parametrize("source", LIVES_ON.values(), ids=LIVES_ON.keys())
def test_while_the_program_lives_its_child_does(source: str) -> None:
    with program_of(LAUNCH + KEPT + source + "\nprint(os.getpid(), flush=True); time.sleep(60)") as program:
        assert program.stdout is not None
        pid, parent = int(program.stdout.readline()), int(program.stdout.readline())
        time.sleep(0.2)  # it would be gone by now: a kill takes milliseconds
        assert is_alive(pid)
        os.kill(parent, signal.SIGKILL)
        last_of([pid], LIMIT_S)


def test_a_program_that_is_stopped_keeps_its_child() -> None:
    with program_of(LAUNCH + "kept = launched(); time.sleep(60)") as program:
        assert program.stdout is not None
        pid = int(program.stdout.readline())
        os.kill(program.pid, signal.SIGSTOP)
        time.sleep(0.3)  # it would be gone by now: a kill takes milliseconds
        assert is_alive(pid)
        os.kill(program.pid, signal.SIGCONT)
        program.kill()
        last_of([pid], LIMIT_S)


def test_a_command_that_hangs_goes_with_the_program(tmp_path: Path) -> None:
    """As `pactl` does beside a server that hangs; also what a script has started."""
    script = tmp_path / "pactl"
    script.write_text("#!/bin/sh\nsleep 61 &\necho $! >begun.new\nmv begun.new begun\nwait\n")
    script.chmod(0o755)
    source = (
        f"from voicepipe.children.command import run_command as run\nimport os\nos.chdir({str(tmp_path)!r})\n"
    )
    with program_of(source + f"run([{str(script)!r}], limit_s=50, environment=os.environ)") as program:
        wait_for((tmp_path / "begun").exists)
        (shell,) = children_of(program.pid)
        program.kill()
        last_of([shell, int((tmp_path / "begun").read_text())], LIMIT_S)


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.003, 0.01])
def test_a_command_goes_or_never_begins_when_the_program_is_killed_meanwhile(
    delay_s: float, tmp_path: Path
) -> None:
    source = "import os\nfrom voicepipe.children.command import run_command as run\n"
    source += (
        f"open({str(tmp_path / 'soon')!r}, 'w')\nrun(['sleep', '65'], limit_s=50, environment=os.environ)"
    )
    with program_of(source) as program:
        wait_for((tmp_path / "soon").exists)
        wait_for(lambda: bool(children_of(program.pid)))
        time.sleep(delay_s)  # the moment of the kill is what is tested
        children = children_of(program.pid)
        program.kill()
        last_of(children, LIMIT_S)


def test_a_command_that_is_not_there_has_a_shells_status() -> None:
    assert run_command(["/nowhere/pactl"], limit_s=10, environment=os.environ).returncode == 127


def test_a_command_that_does_not_end_is_killed_at_its_limit() -> None:
    began_s = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.2 s"):
        run_command(["sh", "-c", "sleep 62 & wait"], limit_s=0.2, environment=os.environ)
    assert time.monotonic() - began_s < 2
    assert not children_of(os.getpid())


@pytest.mark.parametrize(
    ("command", "expected"), [("echo a; exit 3", (3, "a\n")), ("printf '\\377'", (0, "�"))]
)
def test_a_command_that_ends_gives_its_status_and_output(command: str, expected: tuple[int, str]) -> None:
    done = run_command(["sh", "-c", command], limit_s=10, environment=os.environ)
    assert (done.returncode, done.stdout) == expected


def test_a_child_inherits_no_descriptor_and_is_in_a_session_of_its_own(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        child = launched()
    open_there = {path.name: os.readlink(path) for path in Path(f"/proc/{child.process.pid}/fd").iterdir()}
    assert os.getsid(child.process.pid) == child.process.pid
    child.kill(group=False)
    child.process.wait()
    child.close()
    pipes = [target for target in open_there.values() if target.startswith("pipe:")]
    others = sorted(set(open_there.values()) - set(pipes))
    assert len(pipes) == 4, "stdin, stdout, stderr, lifeline"
    assert others == ["anon_inode:[pidfd]"]


def launched() -> Child:
    child = launch(IDLE)
    assert child.process.stdout is not None
    assert int(child.process.stdout.readline()) == child.process.pid
    return child


def test_a_lifeline_that_is_closed_ends_the_child() -> None:
    child = launched()
    child.close()
    assert child.process.wait(LIMIT_S) == -signal.SIGKILL


def test_launching_from_many_threads_at_once_ties_each_child_to_its_own_lifeline() -> None:
    children: list[Child] = []
    threads = [threading.Thread(target=lambda: children.append(launched())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    children[0].close()
    children[0].process.wait(LIMIT_S)
    assert [is_alive(child.process.pid) for child in children] == [False, True, True, True]
    for child in children[1:]:
        child.close()
        child.process.wait(LIMIT_S)
