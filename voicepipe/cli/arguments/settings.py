"""The settings as options: flags, then variables, then one file, then the programs' own defaults.

    ~/.config/voicepipe/config.toml       VOICEPIPE_MIC=ReSpeaker       --mic ReSpeaker
    mic = "ReSpeaker"

All three have the same names. `voicepipe.settings` reads the file.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from voicepipe.cli.arguments.device_name import ADVICE, device_name
from voicepipe.settings.sources import (
    SettingsError,
    config_path,
    file_values,
    suggest,
    switch_of,
    variable_of,
)
from voicepipe.text import printable, quote

__all__ = ["DEFAULT", "Setting", "apply", "check", "in_force", "meanings", "unknown_variables"]

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of one option."""

    value: Any
    source: str
    """The name of the variable, the path of the file, or `default`."""


def apply(parser: argparse.ArgumentParser, flags: Iterable[str], every: argparse.ArgumentParser) -> None:
    """Make the values of file and variables the defaults of a program's parser.

    Args:
        parser: the program's.
        flags: the options of it that are settings.
        every: a parser with every option that is a setting.

    Raises:
        SettingsError: a value or a name is wrong.
    """
    found, options = in_force(every), _options(every)
    names = [name for name in map(_name, flags) if found[name].source != DEFAULT]
    parser.set_defaults(**{options[name].dest: found[name].value for name in names})


def in_force(every: argparse.ArgumentParser) -> dict[str, Setting]:
    """Return every setting with its value and its source.

    Raises:
        SettingsError: a value or a name is wrong.
    """
    options = _options(every)
    path = config_path()
    found = {name: Setting(option.default, DEFAULT) for name, option in options.items()}
    for name, value in file_values(path, options).items():
        found[name] = Setting(_check(options[name], value, f"{printable(path)}: {name}"), str(path))
    for name, option in options.items():
        variable = variable_of(name)
        text = os.environ.get(variable)
        if text:
            found[name] = Setting(_check(option, _switch(option, text), variable), variable)
    return found


def meanings(every: argparse.ArgumentParser) -> dict[str, str]:
    """Return a sentence about every setting: its help."""
    options = _options(every)
    return {
        name: (option.help or "").replace("%(default)s", str(option.default))
        for name, option in options.items()
    }


def check(every: argparse.ArgumentParser, name: str, text: str | None) -> object:
    """Return a text as the value of a setting, for the file; None stays None.

    Raises:
        SettingsError: no setting has that name, or its values are others.
    """
    options = _options(every)
    if name not in options:
        raise SettingsError(f"unknown setting {quote(name)}{suggest(name, options)}")
    if text is None:
        return None
    value = _check(options[name], _switch(options[name], text), name)
    return value if isinstance(value, bool | int | float) else text


def unknown_variables(names: Iterable[str]) -> list[str]:
    """Return a line for each variable that looks like a setting."""
    known = [variable_of(name) for name in names]
    ours = [name for name in sorted(os.environ) if name.startswith("VOICEPIPE_") and name not in known]
    near = {name: difflib.get_close_matches(name, known, 1, 0.85) for name in ours}
    return [
        f"{printable(name)} is not a setting; did you mean {right[0]}?"
        for name, right in near.items()
        if right
    ]


def _options(every: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the options by name."""
    options = {_name(action.option_strings[0]): action for action in every._actions}
    return {name: action for name, action in options.items() if name != "h"}


def _name(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _switch(option: argparse.Action, text: str) -> object:
    """Return the text of a variable as the value of an option: for a switch it means yes or no."""
    meant = switch_of(text) if option.nargs == 0 else None
    return text if meant is None else meant


def _check(option: argparse.Action, value: object, where: str) -> object:
    """Return the value as the flag gives it. Raises: SettingsError."""
    if option.nargs == 0:
        if not isinstance(value, bool):
            raise SettingsError(f"{where}: {quote(value)} is not true or false")
        return value
    if not isinstance(value, str) and option.type is device_name:
        raise SettingsError(f"{where}: {quote(value)} is not text; {ADVICE}")
    numbers_too = isinstance(value, int | float) and not isinstance(value, bool) and callable(option.type)
    if not isinstance(value, str) and not numbers_too:
        raise SettingsError(f"{where}: {quote(value)} is not {'text or a number' if option.type else 'text'}")
    text = str(value)
    if option.choices is not None and text not in option.choices:
        raise SettingsError(f"{where}: unknown value {quote(text)}{suggest(text, option.choices)}")
    try:
        return option.type(text) if callable(option.type) else text
    except argparse.ArgumentTypeError as error:
        raise SettingsError(f"{where}: {printable(error)}") from None
