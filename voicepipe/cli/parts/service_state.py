"""The state of a service in words."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from voicepipe.cli.parts.service_manager import Manager, UnreachableError
from voicepipe.text import printable

__all__ = ["State", "journal_command", "state_of"]

_PROPERTIES = (
    "LoadState,ActiveState,SubState,Result,ExecMainStatus,StatusText,ActiveEnterTimestamp,"
    "InactiveEnterTimestamp,UnitFileState,NRestarts"
)
_RUNS = ("active", "reloading", "refreshing")
_RESULTS = {
    "timeout": "it did not start or stop in time",
    "watchdog": "it made no sign for too long",
    "signal": "a signal ended it",
    "core-dump": "it crashed",
    "oom-kill": "it took too much memory",
    "start-limit-hit": "it failed too often",
    "protocol": "it ended before it said that it was ready",
}


@dataclass(frozen=True, slots=True)
class State:
    """The state of a service."""

    words: str
    runs: bool = False


def state_of(name: str, manager: Manager, *, installed: bool) -> State:
    """Return the state of a service. Raises: ServiceError: systemctl answers, and fails."""
    install = f"`voicepipe service install{_options(name, manager)}`"
    try:
        shown = _properties(manager.call("show", "--property", _PROPERTIES, f"{name}.service"))
    except UnreachableError as error:
        known = "is installed, its state is not known" if installed else f"is not installed ({install})"
        return State(f"{name} {known}: {error}")
    load = shown.get("LoadState")
    if load == "masked":
        return State(f"{name} is masked: `systemctl {_scope(manager)}unmask {name}` allows it to run")
    if load == "not-found" and not installed and shown.get("ActiveState") not in _RUNS:
        return State(f"{name} is not installed; {install} does it")
    if load == "not-found" and not installed:
        stop = f"`systemctl {_scope(manager)}stop {name}` ends it"
        return State(f"{name} is running, and its unit is gone; {stop}", runs=True)
    if load not in ("loaded", None):
        return State(f"{name} is installed, but systemd cannot use its unit: write it again with {install}")
    return _state(name, manager, shown)


def journal_command(name: str, manager: Manager, lines: int, *options: str) -> list[str]:
    """Return the command for the last lines of a service's log."""
    # Not --user: it reads the user's own files alone, which a journal kept in memory has not.
    unit = "-u" if manager.for_system else "--user-unit"
    return ["journalctl", "--no-pager", "-n", str(lines), *options, unit, name]


def _state(name: str, manager: Manager, shown: dict[str, str]) -> State:
    active = shown.get("ActiveState", "unknown")
    start = f"`systemctl {_scope(manager)}start {name}` starts it"
    if active in _RUNS:
        since = f" since {shown['ActiveEnterTimestamp']}" if "ActiveEnterTimestamp" in shown else ""
        told = f": {printable(shown['StatusText'])}" if "StatusText" in shown else ""
        return State(f"{name} is running{since}{told}{_at_start(shown, manager)}", runs=True)
    if active == "activating" and shown.get("SubState") != "auto-restart":
        return State(f"{name} is starting: it is ready when sound flows", runs=True)
    if active == "deactivating":
        return State(f"{name} is stopping: it plays what is left")
    if active == "failed" or shown.get("SubState") == "auto-restart":
        again = "is started again after a failure" if active == "activating" else "has failed"
        cure = "" if active == "activating" else f"; {start} again"
        return State(f"{name} {again}: {_reason(shown)}{_last_line(name, manager)}{cure}")
    return State(f"{name} is installed, and not running; {start}{_at_start(shown, manager)}")


def _reason(shown: dict[str, str]) -> str:
    result, status = shown.get("Result", ""), shown.get("ExecMainStatus", "0")
    if result == "exit-code":
        return f"it ended with status {status}"
    return _RESULTS.get(result, result or "nobody knows why")


def _last_line(name: str, manager: Manager) -> str:
    """Return the last line of its log, where it can be read."""
    try:
        done = subprocess.run(
            journal_command(name, manager, 1, "-q", "-o", "cat", "-t", name),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=manager.environment(),
        )
    except OSError:
        return ""
    lines = done.stdout.split("\n") if done.returncode == 0 else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f'; last line of its log: "{printable(last)}"' if last else ""


def _at_start(shown: dict[str, str], manager: Manager) -> str:
    if shown.get("UnitFileState") != "disabled":
        return ""
    return "; it does not start by itself" + (" with the system" if manager.for_system else "")


def _properties(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.strip() for key, _, value in pairs if value.strip()}


def _scope(manager: Manager) -> str:
    return "" if manager.for_system else "--user "


def _options(name: str, manager: Manager) -> str:
    system = " --system" if manager.for_system else ""
    return system + (f" --name {name}" if name != "voicepipe" else "")
