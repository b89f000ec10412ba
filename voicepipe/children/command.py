"""A program of the system's, run to its end: it may hang, as `pactl` does beside a server that hangs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from voicepipe.children.lifeline import Lifeline

__all__ = ["run_command"]

_GATE = 'read -r go && exec "$@" </dev/null'
"""A shell's line: the program begins when it is tied to ours, and never when ours is gone by then."""


def run_command(
    command: Sequence[str], *, limit_s: float, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program without input, and return its status and output. It goes when this program goes.

    The status is 127 where there is no such program, as in a shell.

    Raises:
        OSError: nothing can be run.
        TimeoutError: it does not end; it is killed.
    """
    lifeline = Lifeline()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _GATE, "sh", *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
            pass_fds=[lifeline.child_end],
        )
        lifeline.tie(process.pid)
        with process:
            return _wait(process, limit_s)
    finally:
        lifeline.close()


def _wait(process: subprocess.Popen[str], limit_s: float) -> subprocess.CompletedProcess[str]:
    try:
        out, err = process.communicate("go\n", timeout=limit_s)
    except BaseException as error:  # Ctrl-C too
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        if isinstance(error, subprocess.TimeoutExpired):
            raise TimeoutError(f"no answer within {limit_s:g} s") from None
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
