"""Where options come from: flags, then variables, then one file, then the programs' own defaults.

    ~/.config/voicepipe/config.toml       VOICEPIPE_MIC=ReSpeaker       --mic ReSpeaker
    mic = "ReSpeaker"

All three have the same names. VOICEPIPE_CONFIG names another file.
"""

from __future__ import annotations

import argparse
import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicepipe.errors import VoicepipeError
from voicepipe.text import printable, shown

__all__ = ["DEFAULT", "Setting", "SettingsError", "apply", "config_path", "in_force", "unknown_variables"]

DEFAULT = "default"
_SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False}
_SWITCHES["off"] = False


class SettingsError(VoicepipeError):
    """A setting is wrong; says which, where it stands, and what would be right."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One option's value."""

    value: Any
    source: str
    """The variable's name, the file's path, or `default`."""


def apply(parser: argparse.ArgumentParser, flags: Iterable[str], every: argparse.ArgumentParser) -> None:
    """Make what file and variables say the defaults of a program's parser.

    Args:
        parser: the program's.
        flags: those of its options for which that counts.
        every: has every option that is a setting.

    Raises:
        SettingsError: something that is said is wrong.
    """
    found, options = in_force(every), _options(every)
    names = [name for name in map(_name, flags) if found[name].source != DEFAULT]
    parser.set_defaults(**{options[name].dest: found[name].value for name in names})


def in_force(every: argparse.ArgumentParser) -> dict[str, Setting]:
    """Every option that is a setting, with its value and where that comes from.

    Raises:
        SettingsError: something that is said is wrong.
    """
    options = _options(every)
    path = config_path()
    found = {name: Setting(option.default, DEFAULT) for name, option in options.items()}
    for name, value in _file(path, options).items():
        found[name] = Setting(_checked(options[name], value, f"{printable(path)}: {name}"), str(path))
    for name, option in options.items():
        variable = _variable(name)
        text = os.environ.get(variable)
        if text:
            found[name] = Setting(_checked(option, _switch(option, text), variable), variable)
    return found


def config_path() -> Path:
    """Where the file is, or would be."""
    named = os.environ.get("VOICEPIPE_CONFIG")
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(named) if named else Path(home) / "voicepipe" / "config.toml"


def unknown_variables(names: Iterable[str]) -> list[str]:
    """A line for each variable that looks like a setting and is none."""
    known = [_variable(name) for name in names]
    ours = [name for name in sorted(os.environ) if name.startswith("VOICEPIPE_") and name not in known]
    near = {name: difflib.get_close_matches(name, known, 1, 0.85) for name in ours}
    return [f"{printable(name)} is no setting: {right[0]} is" for name, right in near.items() if right]


def _options(every: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """The options by name."""
    options = {_name(action.option_strings[0]): action for action in every._actions}
    return {name: action for name, action in options.items() if name != "h"}


def _name(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _variable(name: str) -> str:
    return f"VOICEPIPE_{name.upper()}"


def _file(path: Path, options: Mapping[str, argparse.Action]) -> dict[str, Any]:
    """What the file says, by option."""
    try:
        said = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        if os.environ.get("VOICEPIPE_CONFIG"):
            raise SettingsError(f"{printable(path)}, which VOICEPIPE_CONFIG names, is not there") from None
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{printable(path)} cannot be read: {printable(error)}") from None
    named = {name.replace("-", "_"): value for name, value in said.items()}
    for name in named:
        if name not in options:
            raise SettingsError(
                f"{printable(path)}: there is no setting {shown(name)}{_instead(name, options)}"
            )
    return named


def _instead(name: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), list(known), 1)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(sorted(known))}"


def _switch(option: argparse.Action, text: str) -> object:
    """A variable is text; that of a switch means yes or no."""
    return _SWITCHES.get(text.strip().lower(), text) if option.nargs == 0 else text


def _checked(option: argparse.Action, value: object, where: str) -> object:
    """The value as the flag would give it. Raises: SettingsError."""
    if option.nargs == 0:
        if not isinstance(value, bool):
            raise SettingsError(f"{where}: {shown(value)} is neither true nor false")
        return value
    numbers_too = isinstance(value, int | float) and not isinstance(value, bool) and callable(option.type)
    if not isinstance(value, str) and not numbers_too:
        raise SettingsError(f"{where}: {shown(value)} is no {'text or number' if option.type else 'text'}")
    text = str(value)
    if option.choices is not None and text not in option.choices:
        raise SettingsError(f"{where}: {shown(text)} is not known{_instead(text, option.choices)}")
    try:
        return option.type(text) if callable(option.type) else text
    except argparse.ArgumentTypeError as error:
        raise SettingsError(f"{where}: {printable(error)}") from None
