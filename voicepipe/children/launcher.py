"""The launcher of child processes: each runs a module of ours, and goes when the program goes."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voicepipe.children.interpreter import NAMED_BY, Interpreter, Kind, find_interpreter, is_frozen
from voicepipe.children.lifeline import Lifeline
from voicepipe.children.start import MARK
from voicepipe.errors import LaunchError
from voicepipe.text import printable

__all__ = ["Child", "launch"]

_NOT_INHERITED = (MARK, "NOTIFY_SOCKET")
"""The second is for the service itself, not for what it starts."""
_BOOT = """\
# {module}
import sys
end = sys.argv.index("--")
path, sys.argv[1:] = sys.argv[1:end], sys.argv[end + 1:]
if sys.version_info[:2] == {version}:
    sys.path += [entry for entry in path if entry not in sys.path]
elif {needs_path}:
    sys.exit("%s is Python %d.%d, the program is of {version}: set {named_by} to a Python that has voicepipe"
        % (sys.executable, *sys.version_info[:2]))
from voicepipe.children.start import serve
serve()
"""
"""The program of a child that is a Python. Its own standard library comes first: a module of that name
beside ours, or beside the user's program, is not taken for it. It need not look for packages (-S)."""


@dataclass(frozen=True, slots=True)
class Child:
    """A child process that was launched."""

    process: subprocess.Popen[bytes]
    lifeline: Lifeline
    """For as long as the process: it is killed when this closes."""

    def kill(self, *, group: bool) -> None:
        """End it at once; with its group, where it may be another program than was expected."""
        if self.process.poll() is None:
            (os.killpg if group else os.kill)(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close its pipes and its lifeline. A second call does nothing."""
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            if file is not None:
                file.close()
        self.lifeline.close()


def launch(module: str, arguments: Sequence[str] = (), *, pass_fds: Iterable[int] = ()) -> Child:
    """Start a process that runs `main()` of this module, with pipes for stdin, stdout and stderr.

    It is in a session of its own, for Ctrl-C is the program's. It has the program's `sys.path` behind its own
    standard library, and may start no child itself. From any thread; it outlives the thread, and not the
    program. `sys.argv[1:]` are the arguments there.

    Raises:
        LaunchError: there is no Python that can run it, or it cannot be made; says what to do.
    """
    interpreter = find_interpreter()
    lifeline = Lifeline()
    try:
        process = subprocess.Popen(
            _command(interpreter, module, arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(interpreter, f"{os.getpid()} {lifeline.child_end} {module}"),
            start_new_session=True,
            bufsize=0,
            pass_fds=[*pass_fds, lifeline.child_end],
        )
    except OSError as error:
        lifeline.close()
        raise LaunchError(
            f"{printable(interpreter.path)} cannot be run as a child process: {printable(error)}"
        ) from error
    except BaseException:
        lifeline.close()
        raise
    lifeline.tie(process.pid)
    return Child(process, lifeline)


def _command(interpreter: Interpreter, module: str, arguments: Sequence[str]) -> list[str]:
    if interpreter.kind is Kind.FROZEN:
        return [interpreter.path, *arguments]
    is_ours = interpreter.kind is Kind.OURS
    code = _BOOT.format(
        module=module, version=tuple(sys.version_info[:2]), needs_path=is_ours, named_by=NAMED_BY
    )
    flags = _flags() if is_ours else ()
    return [interpreter.path, "-P", *flags, "-c", code, *_path(module), "--", *arguments]


def _flags() -> Iterator[str]:
    """Yield the flags for our own Python: those with which the program runs, and fewer searches."""
    yield "-S"
    if sys.flags.ignore_environment:
        yield "-E"
    if sys.dont_write_bytecode:
        yield "-B"


def _path(module: str) -> list[str]:
    """Return the folders of our packages, and the program's path as it is now. None of a frozen one."""
    if is_frozen():
        return []
    here = [_folder_of(__name__), _folder_of(module)]
    return [entry for entry in dict.fromkeys([*here, *map(_absolute, sys.path)]) if entry]


def _folder_of(module: str) -> str:
    """Return the folder, or the archive, in which the package of a module lies."""
    package = importlib.import_module(module.partition(".")[0])
    return str(Path(str(package.__file__)).parents[1])


def _absolute(entry: object) -> str:
    """Return the folder's whole path; "" where it has none: the current one may be deleted."""
    try:
        return os.path.abspath(entry) if isinstance(entry, str) else ""
    except OSError:
        return ""


def _environment(interpreter: Interpreter, orders: str) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_INHERITED}
    if interpreter.kind is Kind.OURS:
        environment.pop("PYTHONPATH", None)  # it is in the path, and would come before the standard library
    elif interpreter.kind is Kind.NAMED and is_frozen():
        _restore_libraries(environment)
    return {**environment, MARK: orders}


def _restore_libraries(environment: dict[str, str]) -> None:
    """Undo what PyInstaller's loader has set for the libraries in the frozen program."""
    for name in ("LD_LIBRARY_PATH", "LIBPATH", "DYLD_LIBRARY_PATH"):
        environment.pop(name, None)
        if (original := environment.pop(f"{name}_ORIG", None)) is not None:
            environment[name] = original
