"""`voicepipe service`: run a voice program as a systemd service, of the user or of the system."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from voicepipe.children.interpreter import is_frozen
from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.parts.service_manager import Manager, ServiceError, user_name
from voicepipe.cli.parts.service_state import journal_command, state_of
from voicepipe.cli.parts.service_unit import MARK, Unit, wanted_by
from voicepipe.cli.terminal.screen import describe
from voicepipe.cli.terminal.wrapping import columns_of, complain, wrap
from voicepipe.text import printable

__all__ = ["command_line", "run"]

_SYSTEM_FOLDER = Path("/etc/systemd/system")
_LINGER = Path("/var/lib/systemd/linger")
_OWNER = "the folder must be yours; `ls -ld` shows its owner, and `sudo chown` changes it"
_DOES = {
    "install": "write the unit, start it now and with the system",
    "uninstall": "stop it, and delete the unit",
    "status": "say whether it runs, and if not, why",
    "logs": "show its log",
    "show": "print the unit that `install` writes",
}


@dataclass(frozen=True, slots=True)
class _Service:
    """One service, by its name."""

    name: str
    manager: Manager

    @property
    def path(self) -> Path:
        """The path of its unit. Raises: ServiceError: there is no home."""
        if self.manager.for_system:
            return _SYSTEM_FOLDER / f"{self.name}.service"
        return _config_folder() / "systemd" / "user" / f"{self.name}.service"

    @property
    def link(self) -> Path:
        """The path of the link that starts it with the system, or with the user's log-in."""
        target = wanted_by(for_system=self.manager.for_system)
        return self.path.parent / f"{target}.wants" / self.path.name


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
    if is_frozen() and options.action in ("install", "show") and not command:  # its executable is no Python
        parser.error(
            "this program is frozen, and has no `voicepipe echo`: give the command, "
            f"such as `-- {printable(sys.executable)}`"
        )
    service = _Service(options.name, Manager(for_system=options.system))
    try:
        unit = _unit(service, command)
        return _do(options.action, service, unit, follow=options.follow)
    except ValueError as error:
        parser.error(str(error))
    except PermissionError as error:
        hint = "only root can change a system service; try sudo" if options.system else _OWNER
        complain(program, f"{printable(error.filename)}: {error.strerror}: {hint}")
    except BrokenPipeError:
        raise
    except (ServiceError, OSError) as error:
        complain(program, describe(error))
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
    """Return its unit. Raises: ServiceError, ValueError."""
    user = ""
    if service.manager.for_system:
        user = os.environ.get("SUDO_USER") or user_name()
        if not user:
            raise ServiceError("this user has no name, which a system unit needs: call it by sudo")
    return Unit(service.name, _absolute(command), _folder(), user, _systemd_version())


def _folder() -> str:
    """Return this folder. Raises: ServiceError."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise ServiceError("this folder was deleted: go to the program's folder, and try again") from None


def _config_folder() -> Path:
    """Return the user's folder of settings. Raises: ServiceError."""
    config = os.environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(config):  # others are to be ignored, as systemd does
        return Path(config)
    home = os.environ.get("HOME") or _home_of_user()
    if not os.path.isabs(home):
        raise ServiceError("this user has no home for a unit: set HOME, or install with --system")
    return Path(home) / ".config"


def _home_of_user() -> str:
    import pwd  # which only Unix has

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""


def _absolute(command: Sequence[str]) -> tuple[str, ...]:
    """Return the command with its program's path. The python of a virtual environment must stay a link."""
    if not command:
        return (sys.executable, "-m", "voicepipe", "echo")
    name, *rest = command
    if name in ("python", "python3") and not is_frozen():
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
        with _ctrl_c_undoes():
            _install(service, unit)
    elif action == "uninstall":
        _uninstall(service, unit)
    elif action == "status":
        state = state_of(service.name, service.manager, installed=_is_there(service.path))
        _say(state.words)
        return 0 if state.runs else 1
    else:
        options = ["-f"] if follow else []
        return service.manager.show(journal_command(service.name, service.manager, 100, *options))
    return 0


def _install(service: _Service, unit: Unit) -> None:
    """Write the unit and start it; where that fails, all is as it was. Raises: ServiceError, OSError."""
    _check_ours(service.path)
    before = service.path.read_text(encoding="utf-8") if service.path.exists() else None
    try:
        with ExitStack() as undo:
            _write_and_start(service, unit, before, undo)
            undo.pop_all()
    except ServiceError as error:
        stays = "nothing was installed" if before is None else "the service stays as it was"
        raise ServiceError(f"{error}; {stays}") from None
    _say(f"written: {service.path}")
    _say(f"{service.name} starts, now and with the system; `voicepipe service status` shows its state")
    if not service.manager.for_system and not (_LINGER / user_name()).exists():
        _say("it stops when you log out; to let it run on, type `sudo loginctl enable-linger $USER`")


def _write_and_start(service: _Service, unit: Unit, before: str | None, undo: ExitStack) -> None:
    """Take the steps, each with what takes it back. Raises: ServiceError, OSError."""
    for folder in _missing_folders(service.path.parent):
        folder.mkdir(mode=0o700)
        undo.callback(_remove_empty, folder)
    undo.callback(_call_quietly, service.manager, "daemon-reload")
    undo.callback(_put_back, service.path, before)
    _write(service.path, unit.text)
    service.manager.call("daemon-reload")
    if before is None:
        undo.callback(_forget, service)
    service.manager.call("enable", service.name)
    service.manager.call("restart", "--no-block", service.name)


def _uninstall(service: _Service, unit: Unit) -> None:
    """Stop the service and delete the unit, though nobody may answer. Raises: ServiceError, OSError."""
    if not _is_there(service.path) and not service.link.is_symlink():
        raise ServiceError(f"{service.path} does not exist: nothing was installed")
    _check_ours(service.path)
    untold = _call_quietly(service.manager, "disable", "--now", service.name)
    _remove(service.link)
    _remove_empty(service.link.parent)
    _remove(service.path)
    _call_quietly(service.manager, "daemon-reload")
    _say(f"removed: {service.path}")
    if untold:
        _say(f"systemd was not told, so a service that runs may run on: {untold}")
    if not _remove_empty(unit.recordings):
        _say(f"recordings are kept: {unit.recordings}")
    else:
        _remove_empty(unit.recordings.parent)
    if service.manager.for_system:
        _remove_empty(Path("/var/cache") / service.name)


@contextmanager
def _ctrl_c_undoes() -> Iterator[None]:
    """Let Ctrl-C be an exception for a while, and not the end of the process at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _forget(service: _Service) -> None:
    """Stop the service and take away its link, as before an installation that failed."""
    _call_quietly(service.manager, "disable", "--now", service.name)
    _remove(service.link)
    _remove_empty(service.link.parent)


def _call_quietly(manager: Manager, *arguments: str) -> str:
    """Call systemctl; return its complaint, or ""."""
    try:
        manager.call(*arguments)
    except ServiceError as error:
        return str(error)
    return ""


def _remove_empty(folder: Path) -> bool:
    """Remove a folder where nothing is in it; return True where it is gone, or never existed."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _missing_folders(folder: Path) -> list[Path]:
    """Return the folders to make for this one, the outermost first."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    return missing[::-1]


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises: OSError."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    except BaseException:
        _remove(new)
        raise


def _put_back(path: Path, before: str | None) -> None:
    if before is None:
        _remove(path)
    else:
        _write(path, before)


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _check_ours(path: Path) -> None:
    if not _is_there(path):
        return
    if path.is_symlink() and os.path.realpath(path) == os.devnull:
        raise ServiceError(f"{path} is masked: `systemctl unmask` it, or choose another --name")
    if not path.is_file() or not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise ServiceError(f"{path} was not written by voicepipe: choose another --name")


def _say(line: str) -> None:
    print(wrap(line, columns_of(sys.stdout)))
