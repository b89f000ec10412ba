"""`voicepipe config`: the settings in force, and where each comes from."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from voicepipe.cli.parts.options import Parser, settings_parser
from voicepipe.cli.parts.settings import Setting, SettingsError, config_path, in_force, unknown_variables

__all__ = ["command_line", "run"]


def command_line(program: str) -> Parser:
    """Its command line."""
    parser = Parser(
        program,
        "Shows the settings in force, and where each comes from. A flag goes before a variable "
        f"(VOICEPIPE_MIC), that before the file ({config_path()}), that before the default. For every "
        "program they count, but record and latency take of them only the devices.",
        "0 shown, 1 a setting is wrong, 2 wrong usage",
    )
    parser.take("--json")
    return parser


def run(arguments: Sequence[str], program: str) -> int:
    """Run the program with these arguments; returns its exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    given = command_line(program).parse_args(arguments)
    try:
        settings = in_force(settings_parser())
    except SettingsError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps({name: asdict(setting) for name, setting in settings.items()}, indent=1))
    else:
        print("\n".join(_table(settings)))
    for line in unknown_variables(settings):
        print(f"{program}: {line}", file=sys.stderr)
    return 0


def _table(settings: Mapping[str, Setting]) -> list[str]:
    rows = [(name, _shown(setting.value), setting.source) for name, setting in sorted(settings.items())]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows]


def _shown(value: object) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=True)
