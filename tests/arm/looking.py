"""How trial.py looks at things: commands, the unit as systemd knows it, processes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["PATIENCE", "RUNTIME", "Unit", "check", "children", "priority", "processes", "run", "say", "until"]

RUNTIME = Path("/run/user/1000")
_PATIENCE = Path("/opt/trial/patience")
PATIENCE = int(_PATIENCE.read_text()) if _PATIENCE.exists() else 1
"""How many times as long as on a computer of today everything may take."""
LOOK_S = 0.2 if PATIENCE == 1 else 3.0
"""Between two looks: where a processor is emulated, to ask systemd takes a part of a second."""


def say(line: str) -> None:
    """To the console, a line by itself."""
    print(f"\r\n{line}", flush=True)


def check(what: str, held: bool, seen: object = "") -> None:
    """Tell of one thing."""
    say(f"CHECK {'ok' if held else 'failed'} {what}: {' '.join(str(seen).split())[:600]}")


def run(*command: str | Path, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
    """A command: its status, and what it said on both outputs."""
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit_s * PATIENCE,
        check=False,
    )


def until(held: Callable[[], bool], limit_s: float) -> bool:
    """Wait for it; whether it came to hold in time."""
    end_s = time.monotonic() + limit_s * PATIENCE
    while not held():
        if time.monotonic() > end_s:
            return False
        time.sleep(LOOK_S)
    return True


class Unit:
    """The service, as its manager knows it."""

    def __init__(self, *scope: str, name: str = "voicepipe") -> None:
        self._name = name
        self._manager: tuple[str, ...] = ("systemctl", *scope)
        if os.getuid() == 0 and scope == ("--user",):
            self._manager = ("runuser", "-u", "pi", "--", "env", f"XDG_RUNTIME_DIR={RUNTIME}", *self._manager)
        elif not scope:
            self._manager = ("sudo", *self._manager)

    def do(self, *action: str) -> subprocess.CompletedProcess[str]:
        """`do("stop")`, say."""
        return run(*self._manager, *action, self._name, limit_s=120)

    def show(self) -> dict[str, str]:
        """All properties at this moment."""
        lines = run(*self._manager, "show", self._name).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def __getitem__(self, name: str) -> str:
        """A property; empty where there is none."""
        return self.show().get(name, "")

    @property
    def works(self) -> bool:
        """It is active, and sound flows."""
        shown = self.show()
        status = shown.get("StatusText", "")
        return shown.get("ActiveState") == "active" and status.startswith("sound flows")

    @property
    def pid(self) -> int:
        """Of the program."""
        return int(self["MainPID"])

    @property
    def reconnections(self) -> int:
        """How often devices came back, as its status has it."""
        words = self["StatusText"].split()
        return int(words[-2]) if words[-1:] == ["reconnections"] else -1

    @property
    def told(self) -> str:
        """All that matters in a line."""
        names = ("ActiveState", "SubState", "Result", "NRestarts", "MainPID", "StatusText")
        shown = self.show()
        return ", ".join(f"{name}={shown.get(name)}" for name in names)


def children(pid: int) -> list[int]:
    """The processes that it started."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def priority(pid: int) -> str:
    """How a process is scheduled."""
    names = {os.SCHED_FIFO: "FIFO", os.SCHED_RR: "RR", os.SCHED_OTHER: "ordinary"}
    with suppress(OSError):
        policy = os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK
        return f"{names.get(policy, policy)} {os.sched_getparam(pid).sched_priority}"
    return "gone"


def processes() -> list[str]:
    """Those of the voice program."""
    found = run("pgrep", "-af", "voice/bin/python").stdout.splitlines()
    return [line for line in found if "pgrep" not in line]
