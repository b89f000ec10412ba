"""`voicepipe config`: show the settings in force, and change those in the file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from voicepipe.cli.arguments.options import Parser, settings_parser
from voicepipe.cli.arguments.settings import (
    DEFAULT,
    Setting,
    check,
    in_force,
    meanings,
    unknown_variables,
)
from voicepipe.cli.arguments.settings_file import change
from voicepipe.cli.terminal.wrapping import columns_of, complain, wrap
from voicepipe.settings.sources import SettingsError, config_path, variable_of
from voicepipe.text import printable

__all__ = ["command_line", "run"]


def command_line(program: str) -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        program,
        "Shows the settings in force, with the source and the meaning of each; `set` and `unset` change the "
        "file. A flag (--mic) goes before a variable (VOICEPIPE_MIC), that before the file "
        f"({config_path()}), that before the default. All programs use them; record and latency use only "
        "the devices.",
        "0 done, 1 a setting is wrong, 2 wrong usage",
        usage=f"{program} [--json]\n       {program} set NAME VALUE\n       {program} unset NAME",
    )
    parser.add_argument("action", nargs="?", choices=("set", "unset"), metavar="ACTION", help="set, or unset")
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of a setting, such as mic")
    parser.add_argument("value", nargs="?", metavar="VALUE", help="the value, such as usb")
    parser.take("--json")
    return parser


def run(arguments: Sequence[str], program: str) -> int:
    """Run the command with these arguments; return its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    parser = command_line(program)
    given = parser.parse_args(arguments)
    wanted = {None: 0, "set": 2, "unset": 1}[given.action]
    if sum(word is not None for word in (given.name, given.value)) != wanted:
        parser.error("give `set NAME VALUE` or `unset NAME`")
    try:
        if given.action is None:
            return _show(program, as_json=given.json)
        return _change(program, given.name, given.value)
    except SettingsError as error:
        complain(program, error)
        return 1


def _change(program: str, name: str, text: str | None) -> int:
    """Set a name in the file, or delete it where the text is None. Raises: SettingsError."""
    name = name.replace("-", "_")
    try:
        value = check(settings_parser(), name, text)
    except SettingsError as error:
        complain(program, error)
        return 2
    path = config_path()
    changed = change(path, name, value)
    if text is None:
        print(_wrap(f"{name} deleted in {path}" if changed else f"{name} is not set in {path}"))
    else:
        print(_wrap(f"{name} = {json.dumps(value, ensure_ascii=False)} in {path}"))
    if os.environ.get(variable_of(name)):
        complain(program, f"{variable_of(name)} is set, and goes before the file")
    return 0


def _show(program: str, *, as_json: bool) -> int:
    """Print every setting. Raises: SettingsError."""
    every = settings_parser()
    settings, meaning = in_force(every), meanings(every)
    if as_json:
        found = {name: {**asdict(each), "meaning": meaning[name]} for name, each in settings.items()}
        print(json.dumps(found, indent=1))
    else:
        for line in _lines(settings, meaning):
            print(_wrap(line, 6))
    for line in unknown_variables(settings):
        complain(program, line)
    return 0


def _lines(settings: Mapping[str, Setting], meaning: Mapping[str, str]) -> Iterator[str]:
    path = config_path()
    yield f"file: {printable(path)}{'' if path.exists() else ' (does not exist)'}"
    for name, each in sorted(settings.items()):
        source = "file" if each.source == str(path) else each.source
        value = "(not set)" if each.value is None else json.dumps(each.value, ensure_ascii=True)
        where = "" if source == DEFAULT else f"  [{source}]"
        yield f"{name} = {value}{where}"
        yield f"    {meaning[name]}"


def _wrap(line: str, indent: int = 2) -> str:
    return wrap(line, columns_of(sys.stdout), indent)
