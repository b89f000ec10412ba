"""`voicepipe service`: run a voice program as a systemd service, of the user or of the system."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.parts.service_unit import MARK, Unit
from voicepipe.cli.terminal.wrapping import columns_of, complain, wrap
from voicepipe.errors import VoicepipeError
from voicepipe.text import printable

__all__ = ["command_line", "run"]

_SYSTEM_FOLDER = Path("/etc/systemd/system")
_LINGER = Path("/var/lib/systemd/linger")
_DOES = {
    "install": "write the unit, start it now and with the system",
    "uninstall": "stop it, and delete the unit",
    "status": "show its state",
    "logs": "show its log",
    "show": "print the unit that `install` writes",
}


class ServiceError(VoicepipeError):
    """An action failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class _Service:
    """One service, by its name."""

    name: str
    for_system: bool

    @property
    def path(self) -> Path:
        """The path of its unit."""
        if self.for_system:
            return _SYSTEM_FOLDER / f"{self.name}.service"
        config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return Path(config) / "systemd" / "user" / f"{self.name}.service"

    def systemctl(self, *arguments: str) -> None:
        """Call systemctl. Raises: ServiceError."""
        command = ["systemctl", *self.scope, *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise ServiceError("systemctl not found: services need systemd") from None
        if done.returncode:
            said = printable(" ".join(done.stderr.split())) or f"status {done.returncode}"
            raise ServiceError(f"`{' '.join(command)}` failed: {said}")

    @property
    def scope(self) -> tuple[str, ...]:
        """The option that names its manager."""
        return () if self.for_system else ("--user",)


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    given = list(arguments)
    ours, command = (
        (given[: given.index("--")], given[given.index("--") + 1 :]) if "--" in given else (given, [])
    )
    parser = command_line(program)
    options = parser.parse_args(ours)
    if command and options.action not in ("install", "show"):
        parser.error(f"`{options.action}` takes no command")
    service = _Service(options.name, options.system)
    try:
        unit = _unit(service, command)
    except ValueError as error:
        parser.error(str(error))
    try:
        return _do(options.action, service, unit, follow=options.follow)
    except PermissionError as error:
        hint = ": only root can change a system service; try sudo" if options.system else ""
        complain(program, f"{printable(error)}{hint}")
    except (ServiceError, OSError) as error:
        complain(program, printable(error))
    return 1


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    actions = "; ".join(f"{action}: {what}" for action, what in _DOES.items())
    parser = Parser(
        program,
        "Runs a voice program as a systemd service that is started again after a failure: "
        "any program that uses PipelineRunner.",
        "0 done, 1 failed, 2 wrong usage",
        usage=f"{program} ACTION [--system]\n       [--name NAME] [-f] [-- COMMAND ...]",
        epilog="COMMAND: such as `-- python -m my_assistant`, started in this folder; "
        "default: `voicepipe echo`. exit status: 0 done, 1 failed, 2 wrong usage",
    )
    parser.add_argument("action", choices=list(_DOES), metavar="ACTION", help=actions)
    parser.take("--system", help="a service of the system, not of the user; needs root")
    parser.take("--name", help="name of the service; default: voicepipe")
    parser.add_argument("-f", "--follow", action="store_true", help="with logs: wait for more")
    return parser


def _unit(service: _Service, command: Sequence[str]) -> Unit:
    user = (os.environ.get("SUDO_USER") or getpass.getuser()) if service.for_system else ""
    return Unit(service.name, _absolute(command), os.getcwd(), user, _systemd_version())


def _absolute(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command with its program's path. The python of a virtual environment must stay a link."""
    if not command:
        return (sys.executable, "-m", "voicepipe", "echo")
    name, *rest = command
    if name in ("python", "python3"):
        return (sys.executable, *rest)
    found = shutil.which(name)
    if found is None:
        raise ValueError(f"program {printable(repr(name))} not found; give its path")
    return (os.path.abspath(found), *rest)


def _systemd_version() -> int:
    try:
        said = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 252
    match = re.match(r"systemd (\d+)", said)
    return int(match[1]) if match else 252


def _do(action: str, service: _Service, unit: Unit, *, follow: bool) -> int:
    if action == "show":
        print(unit.text, end="")
    elif action == "install":
        _install(service, unit)
    elif action == "uninstall":
        _uninstall(service, unit)
    elif action == "status":
        return _show(["systemctl", *service.scope, "--no-pager", "status", service.name])
    else:
        journal = ["journalctl", "--no-pager", "-n", "100", *(["-f"] if follow else [])]
        # Not --user: it reads the user's own files alone, which a journal kept in memory has not.
        return _show([*journal, "-u" if service.for_system else "--user-unit", service.name])
    return 0


def _install(service: _Service, unit: Unit) -> None:
    _check_ours(service.path)
    service.path.parent.mkdir(parents=True, exist_ok=True)
    service.path.write_text(unit.text, encoding="utf-8")
    _say(f"written: {service.path}")
    service.systemctl("daemon-reload")
    service.systemctl("enable", service.name)
    service.systemctl("restart", "--no-block", service.name)
    _say(f"{service.name} starts, now and with the system; `voicepipe service status` shows its state")
    if not service.for_system and not (_LINGER / getpass.getuser()).exists():
        _say("it stops when you log out; to let it run on, type `sudo loginctl enable-linger $USER`")


def _uninstall(service: _Service, unit: Unit) -> None:
    if not service.path.exists():
        raise ServiceError(f"{service.path} does not exist: nothing was installed")
    _check_ours(service.path)
    service.systemctl("disable", "--now", service.name)
    service.path.unlink()
    service.systemctl("daemon-reload")
    _say(f"removed: {service.path}")
    if not _remove_empty(unit.recordings):
        _say(f"recordings are kept: {unit.recordings}")
    else:
        _remove_empty(unit.recordings.parent)
    if service.for_system:
        _remove_empty(Path("/var/cache") / service.name)


def _remove_empty(folder: Path) -> bool:
    """Remove a folder where nothing is in it; return True where it is gone, or never existed."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _check_ours(path: Path) -> None:
    if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise ServiceError(f"{path} was not written by voicepipe: choose another --name")


def _say(line: str) -> None:
    print(wrap(line, columns_of(sys.stdout)))


def _show(command: Sequence[str]) -> int:
    try:
        return 1 if subprocess.run(command, check=False).returncode else 0
    except FileNotFoundError:
        raise ServiceError(f"{command[0]} not found: services need systemd") from None
