"""Runs one of the small programs as a process, waits for what it says, and sends it signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from process.withheld import Withheld
from support.program_output import without_slow_steps

__all__ = ["PATIENCE_S", "Ended", "Program", "ended"]

PROGRAMS = Path(__file__).with_name("programs.py")
ROOT = PROGRAMS.parents[2]
PATIENCE_S = 40.0
"""For what has no promised limit: a process that starts on a machine with other things to do."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    status: int
    """As `subprocess` has it: negative where a signal killed it."""
    seconds: float
    """From the last signal (or the start) to the end, less what the machine withheld from it meanwhile."""
    out: str
    err: str


class Program:
    """One program, from its start to its end; a context manager kills what is left of it.

    Args:
        name: a function in programs.py, or in another file.
        flags: for the interpreter.
        file: where the program is, beside programs.py.
        shell: runs the program in another way than `exec "$@"` does.
        stdout, stderr: a descriptor to write to; by default this reads what is said.
        environment: variables to set.
    """

    def __init__(
        self,
        name: str,
        *flags: str,
        file: str = "programs.py",
        shell: str = "",
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **environment: str,
    ) -> None:
        command = [sys.executable, *flags, str(PROGRAMS.with_name(file)), name]
        path = os.pathsep.join(map(str, (ROOT, ROOT / "devices", ROOT / "tests")))
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", shell, "sh", *command] if shell else command,
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "", **environment},
        )
        self.pid = self._process.pid
        self._count_from_now()
        self._said = {"out": "", "err": ""}
        self._news = threading.Condition()
        self._readers = [
            threading.Thread(target=self._read, args=(key, stream), name=f"{name}:{key}")
            for key, stream in (("out", self._process.stdout), ("err", self._process.stderr))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _read(self, key: str, stream: IO[bytes]) -> None:
        with stream:
            while block := os.read(stream.fileno(), 4096):
                with self._news:
                    self._said[key] += block.decode()
                    self._news.notify_all()

    @property
    def out(self) -> str:
        """What it has said on stdout so far."""
        return self._said["out"]

    def _has_ended(self) -> bool:
        """Return True when it has ended, and leave it in the system's tables, where its counts are."""
        return self._process.returncode is not None or bool(
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        )

    @property
    def is_alive(self) -> bool:
        """True until its process has ended."""
        return not self._has_ended()

    def says(self, text: str, *, times: int = 1, on: str = "out") -> Self:
        """Wait until it has said so, and so often."""
        with self._news:
            if not self._news.wait_for(lambda: self._said[on].count(text) >= times, PATIENCE_S):
                raise AssertionError(f"it never said {text!r} on {on}, but: {self._said}")
        return self

    def send(self, *numbers: signal.Signals) -> Self:
        """Send signals one after the other, each when the one before has reached the process."""
        for number in numbers:
            os.kill(self.pid, number)
            self.wait_until(lambda: not _pending(self.pid))
        self._count_from_now()
        return self

    def write(self, text: str) -> Self:
        """To its stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()
        self._count_from_now()
        return self

    def _count_from_now(self) -> None:
        self._since, self._withheld = time.monotonic(), Withheld(self.pid)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Look again and again; fails where it is never so."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self._said
            time.sleep(0.002)

    def end(self, *, never: str = "Traceback", takes_s: float = 0.0) -> Ended:
        """Wait for its end, which takes so long; it must not have said `never`."""
        deadline = time.monotonic() + PATIENCE_S + takes_s
        while not self._has_ended():
            assert time.monotonic() < deadline, f"it does not end; it said {self._said}"
            self._withheld.look()
            time.sleep(
                0.005
            )  # the end of a process is no event here, and what it waited for is looked up meanwhile
        self._withheld.look()
        seconds = time.monotonic() - self._since - self._withheld.seconds
        status = self._process.wait()
        for reader in self._readers:
            reader.join()
        out, err = self._said.values()
        assert never not in out + err, out + err
        return Ended(status, seconds, out, without_slow_steps(err))


def ended(name: str, *signals: signal.Signals, flags: tuple[str, ...] = (), until: str = "ready") -> Ended:
    """Run a program, send it signals when it has said that it is ready, and wait for its end."""
    with Program(name, *flags) as program:
        if signals:
            program.says(until).send(*signals)
        return program.end()


def _pending(pid: int) -> bool:
    """A signal was sent to the process, which lives, and has not reached it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [line.split()[1] for line in lines if line.startswith(("SigPnd", "ShdPnd"))]
    return any(int(mask, 16) for mask in masks) and state_of(pid) != "Z"


def state_of(pid: int) -> str:
    """The letter that Linux has for a process's state: T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
