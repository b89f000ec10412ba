"""`voicepipe completion`: let a shell complete the commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib import import_module

from voicepipe.cli.arguments.options import Parser
from voicepipe.cli.arguments.plugins import describe_plugins, plugin_parser
from voicepipe.cli.terminal.wrapping import complain
from voicepipe.text import printable

__all__ = ["command_line", "run"]

_SHELLS = ("bash", "zsh", "fish")
_FILES = ("FILE", "FILE.wav", "FILE.png", "PATH")
"""Placeholders for a file's name."""


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Prints the script with which a shell completes the commands and options of voicepipe. bash: "
        f'eval "$({program} bash)" in ~/.bashrc; zsh: {program} zsh > "${{fpath[1]}}/_voicepipe"; '
        f"fish: {program} fish > ~/.config/fish/completions/voicepipe.fish.",
        "0 printed, 1 failed, 2 wrong usage",
    )
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))
    return parser


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    shell = command_line(program).parse_args(arguments).shell
    try:
        import shtab
    except ImportError as error:
        complain(
            program,
            f"the package shtab is not installed ({printable(error)}): "
            "python -m pip install shtab, or this project with its extra [completion]",
        )
        return 1
    parser = _all_commands()
    for action in _actions(parser):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, shell))
    return 0


def _all_commands() -> argparse.ArgumentParser:
    from voicepipe.cli import COMMANDS

    parser = argparse.ArgumentParser("voicepipe")
    parser.add_argument("--version", action="store_true", help="the version")
    commands = parser.add_subparsers(parser_class=_parser_of)  # type: ignore[call-overload]  # it calls it
    for name, what in {**COMMANDS, **describe_plugins(COMMANDS)}.items():
        commands.add_parser(name, help=what)
    return parser


def _parser_of(*, prog: str, **_: object) -> argparse.ArgumentParser:
    """Return the parser of "voicepipe NAME"."""
    from voicepipe.cli import COMMANDS

    name = prog.split()[-1]
    if name not in COMMANDS:
        return plugin_parser(name, prog) or argparse.ArgumentParser(prog)
    parser: Parser = import_module(f"voicepipe.cli.commands.{name}").command_line(prog)
    return parser


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the actions of all commands."""
    actions = parser._actions
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            actions = actions + [a for command in action.choices.values() for a in _actions(command)]
    return actions
