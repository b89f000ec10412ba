"""The places of settings: variables, then one file.

    ~/.config/voicepipe/config.toml       VOICEPIPE_MIC=ReSpeaker
    mic = "ReSpeaker"

Both have the same names. VOICEPIPE_CONFIG names another file.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from voicepipe.errors import VoicepipeError
from voicepipe.settings.text import text_of
from voicepipe.text import printable, quote

__all__ = ["SettingsError", "config_path", "file_values", "suggest", "switch_of", "variable_of"]

_SWITCHES = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False}
_SWITCHES["off"] = False


class SettingsError(VoicepipeError):
    """A setting is wrong; the message names it, its place and the values to choose from."""


def config_path() -> Path:
    """Return the path of the file, which may not exist."""
    named = os.environ.get("VOICEPIPE_CONFIG")
    home = os.environ.get("XDG_CONFIG_HOME") or _home() / ".config"
    return Path(named) if named else Path(home) / "voicepipe" / "config.toml"


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user whom the system does not know, as in some containers
        return Path("/")


def variable_of(name: str) -> str:
    """Return the name of the variable for a setting."""
    return f"VOICEPIPE_{name.upper()}"


def file_values(path: Path, known: Collection[str]) -> dict[str, Any]:
    """Return the values in the file by name; without a file there are none.

    Raises:
        SettingsError: the file cannot be read, or has a name that is not known.
    """
    import tomllib  # which a program without a file does not need

    try:
        said = tomllib.loads(text_of(path.read_bytes()))
    except FileNotFoundError:
        if os.environ.get("VOICEPIPE_CONFIG"):
            raise SettingsError(f"{printable(path)}, which VOICEPIPE_CONFIG names, does not exist") from None
        return {}
    except OSError as error:
        raise SettingsError(
            f"{printable(path)} cannot be read: {error.strerror or printable(error)}"
        ) from None
    except ValueError as error:  # TOMLDecodeError is one
        raise SettingsError(f"{printable(path)} cannot be read: {printable(error)}") from None
    named = {name.replace("-", "_"): value for name, value in said.items()}
    for name in named:
        if name not in known:
            raise SettingsError(f"{printable(path)}: unknown setting {quote(name)}{suggest(name, known)}")
    return named


def suggest(name: object, known: Iterable[str]) -> str:
    """Return the end of a complaint: the nearest known name, or all of them."""
    import difflib  # only after a mistake

    near = difflib.get_close_matches(str(name), list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else f"; choose {', '.join(sorted(known))}"


def switch_of(text: str) -> bool | None:
    """Return the meaning of a switch's text: yes or no; None: it means neither."""
    return _SWITCHES.get(text.strip().lower())
