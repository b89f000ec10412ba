"""Commands that other packages add, by entry points of the group `voicepipe.commands`.

    [project.entry-points."voicepipe.commands"]
    sing = "my_package.singing:run"

`run(arguments, program)` returns the exit status. `voicepipe --help` describes the command by the first line
of its docstring, or of its module's. A function `command_line(program)` in the module, which returns an
`argparse` parser, makes its options known to the shell's completion.

Built-in names win. A broken package costs its own command only.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import EntryPoint, entry_points

from voicepipe.cli.terminal.wrapping import complain
from voicepipe.text import printable

__all__ = ["GROUP", "describe_plugins", "plugin_names", "plugin_parser", "run_plugin"]

GROUP = "voicepipe.commands"

Run = Callable[[Sequence[str], str], object]


def plugin_names(built_in: Collection[str]) -> list[str]:
    """Return the names of the commands of other packages. Nothing of those is imported."""
    return list(_find(built_in))


def describe_plugins(built_in: Collection[str]) -> dict[str, str]:
    """Import the commands of other packages; return a line about each. A broken one is named on stderr."""
    loaded = {name: _load(point) for name, point in _find(built_in).items()}
    return {name: _describe(run) for name, run in loaded.items() if run is not None}


def plugin_parser(name: str, program: str) -> argparse.ArgumentParser | None:
    """Return the parser of a command; None where its package is broken. Without its own it has no options."""
    point = _find()[name]
    run = _load(point)
    if run is None:
        return None
    make = getattr(inspect.getmodule(run), "command_line", None)
    try:
        parser = make(program) if callable(make) else None
    except Exception as error:  # a foreign package may raise anything
        _complain(point, error)
        return None
    return parser if isinstance(parser, argparse.ArgumentParser) else argparse.ArgumentParser(program)


def run_plugin(name: str, arguments: Sequence[str], program: str) -> int:
    """Run a command of another package; return its exit status. What it raises becomes one line.

    Raises:
        SystemExit: the command raised it, as argparse does.
    """
    point = _find()[name]
    run = _load(point)
    if run is None:
        return 1
    try:
        status = run(list(arguments), program)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except Exception as error:  # a foreign package may raise anything
        if "--debug" in arguments:
            raise
        _complain(point, error)
        return 1
    if isinstance(status, int):
        return int(status)
    _complain(point, TypeError(f"it returned {status!r} in place of an exit status"))
    return 1


def _find(built_in: Collection[str] = ()) -> dict[str, EntryPoint]:
    """Return the entry points by name: the first of two packages wins, a built-in command always."""
    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, _package(point)))
    found: dict[str, EntryPoint] = {}
    for point in points:
        if point.name not in built_in and point.name.isprintable() and point.name.strip("- "):
            found.setdefault(point.name, point)
    return found


def _load(point: EntryPoint) -> Run | None:
    """Import a command; return None where that fails, and name its package on stderr."""
    try:
        run = point.load()
    except (Exception, SystemExit) as error:  # a foreign package may raise anything
        _complain(point, error)
        return None
    if not callable(run):
        _complain(point, TypeError(f"{point.value} is not a function"))
        return None
    loaded: Run = run
    return loaded


def _describe(run: Run) -> str:
    module = inspect.getmodule(run)
    text = inspect.getdoc(run) or (inspect.getdoc(module) if module is not None else "") or ""
    return printable(text.strip().partition("\n")[0]) or "(no description)"


def _complain(point: EntryPoint, error: BaseException) -> None:
    why = printable(f"{type(error).__name__}: {error}")
    complain("voicepipe", f"command {point.name} of the package {_package(point)} is broken: {why}")
    sys.stderr.flush()


def _package(point: EntryPoint) -> str:
    return printable(point.dist.name) if point.dist is not None else printable(point.module)
