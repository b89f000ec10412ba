"""The Python that runs a child: ours, one that the user names, the frozen program itself, or none."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from voicepipe.children.start import MARK, has_freeze_support, is_child
from voicepipe.errors import LaunchError
from voicepipe.text import quote

__all__ = ["NAMED_BY", "Interpreter", "Kind", "find_interpreter", "is_frozen"]

NAMED_BY = "VOICEPIPE_PYTHON"
"""The environment variable by which a user names a Python that has voicepipe."""
_PYTHON = re.compile(
    r"\.?(python|pypy|graalpy)w?(\d+(\.\d+)?)?[a-z]{0,2}(-dbg|-debug|-intel64|-wrapped)?(\.exe)?",
    re.IGNORECASE,
)
_ADVICE = f"or set {NAMED_BY} to the path of a Python in which voicepipe is installed"


class Kind(Enum):
    """The origin of an interpreter."""

    OURS = "that of this program"
    NAMED = "named by the user"
    FROZEN = "the frozen program, which has called `freeze_support`"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A program that can run a child."""

    path: str
    kind: Kind


def is_frozen() -> bool:
    """Return True in a program made by PyInstaller, cx_Freeze, py2exe, or Nuitka's standalone mode."""
    return bool(getattr(sys, "frozen", False) or getattr(_about_nuitka(), "standalone", False))


def _about_nuitka() -> object:
    """Return what Nuitka tells about the program that it has compiled; None elsewhere."""
    return getattr(sys.modules.get("__main__"), "__compiled__", None)


def find_interpreter() -> Interpreter:
    """Find what can run a child. Never the user's program, unless that has called `freeze_support`.

    Raises:
        LaunchError: there is none; says what to do.
    """
    if is_child():
        raise LaunchError(
            f"a child process of voicepipe starts no other ({MARK} is set); if this is your program, "
            f"{NAMED_BY} or sys.executable names it in place of a Python"
        )
    if named := os.environ.get(NAMED_BY):
        return Interpreter(_check_named(named), Kind.NAMED)
    if is_frozen():
        return Interpreter(_frozen_program(), Kind.FROZEN)
    for path in _candidates():
        if isinstance(path, str) and _is_python(path):
            return Interpreter(path, Kind.OURS)
    raise LaunchError(
        "Python is embedded in another program here, and no Python is found beside it "
        f"(sys.executable is {quote(sys.executable)}): set sys.executable, {_ADVICE}"
    )


def _check_named(path: str) -> str:
    if os.path.isabs(path) and _is_program(path):
        return path
    raise LaunchError(
        f"{NAMED_BY} is {quote(path)}, which is no program with its whole path; "
        "name a Python in which voicepipe is installed, such as /opt/venv/bin/python"
    )


def _frozen_program() -> str:
    if not has_freeze_support():
        raise LaunchError(
            "this program is frozen, and does not begin with voicepipe.freeze_support(): "
            f"add that as its first statement, {_ADVICE}"
        )
    # Nuitka's sys.executable is a Python that is not there.
    compiled = getattr(_about_nuitka(), "process_exe", None)
    for path in (compiled, sys.executable, getattr(sys, "_base_executable", None)):
        if isinstance(path, str) and _is_program(path):
            return path
    raise LaunchError(
        f"the frozen program's file is not found (sys.executable is {quote(sys.executable)}): "
        f"set sys.executable, {_ADVICE}"
    )


def _candidates() -> Iterator[object]:
    """Yield the paths where a Python may be: of an embedded one, beside its standard library."""
    yield sys.executable
    yield getattr(sys, "_base_executable", None)
    major, minor = sys.version_info[:2]
    for prefix in dict.fromkeys((sys.exec_prefix, sys.base_exec_prefix)):
        if sys.platform == "win32":
            yield str(Path(prefix, "python.exe"))
        else:
            yield from (str(Path(prefix, "bin", f"python{name}")) for name in (f"{major}.{minor}", major))


def _is_python(path: str) -> bool:
    """Return True for a program whose name is Python's. It is not run to find out: it may be anything."""
    return _is_program(path) and _PYTHON.fullmatch(Path(path).name) is not None


def _is_program(path: str) -> bool:
    return os.path.isabs(path) and os.path.isfile(path) and os.access(path, os.X_OK)
