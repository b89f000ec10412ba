"""The settings of a program's sound. `open_backend()` without a name reads them.

The back end then carries them, and the stages over it take from them what the program's code does not say.
So a test that names its back end, or makes one, is the same for every user.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from voicepipe.settings.sources import SettingsError, config_path, file_values, switch_of, variable_of
from voicepipe.text import printable, quote

__all__ = ["CONTRADICTIONS", "KNOWN", "SoundSettings", "read_sound_settings"]

_T = TypeVar("_T")

KNOWN = (
    *("backend", "live", "mic", "mic_channel", "gain_db", "speaker", "rate", "block", "latency", "seconds"),
    *("cancel", "headphones", "mute", "steady", "vad", "preset", "start", "stop", "min", "max", "gate"),
    *("status_socket", "metrics", "log_format", "debug", "report"),
)
"""The names of all settings. The programs of the command `voicepipe` take the others, too."""
CONTRADICTIONS = (
    ("headphones", "cancel", "headphones leave no echo to cancel"),
    ("headphones", "mute", "with headphones it listens all the time"),
    ("cancel", "mute", "a canceller listens while it speaks"),
)
"""The settings that cannot both be true, with the reason."""


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """The settings in force; None: not set."""

    backend: str | None = None
    mic: str | None = None
    mic_channel: int | None = None
    gain_db: float | None = None
    speaker: str | None = None
    latency: str | float | None = None
    cancel: bool | None = None
    headphones: bool | None = None
    mute: bool | None = None
    vad: str | None = None
    preset: str | None = None
    sources: dict[str, str] = field(default_factory=dict)
    """The place of each setting: the name of a variable, or the path of the file."""

    def check(self, use: Callable[[], _T], *names: str) -> _T:
        """Use some of the settings, and return the result.

        Raises:
            SettingsError: they are wrong; it names their places.
        """
        try:
            return use()
        except (TypeError, ValueError) as error:
            places = [f"{self.sources[name]}: {name}" for name in names if name in self.sources]
            if not places:
                raise
            raise SettingsError(f"{' and '.join(places)}: {printable(error)}") from None


def read_sound_settings() -> SoundSettings:
    """Return the settings in force: variables go before the file.

    Raises:
        SettingsError: the file cannot be read, a name in it is unknown, or a value is of a wrong kind.
    """
    path = config_path()
    found: dict[str, tuple[object, str]] = {
        name: (value, printable(path)) for name, value in file_values(path, KNOWN).items()
    }
    for each in fields(SoundSettings):
        if text := os.environ.get(variable_of(each.name)):
            found[each.name] = (_value_of(each.name, text), variable_of(each.name))
    ours = {name: found[name] for name in _KINDS if name in found}
    values: dict[str, Any] = {name: _check_kind(name, *each) for name, each in ours.items()}
    _settle_headphones(values)
    return SoundSettings(**values, sources={name: place for name, (_, place) in ours.items()})


def _settle_headphones(values: dict[str, Any]) -> None:
    """Give headphones their meaning: neither a canceller nor a mute. Raises: SettingsError."""
    for one, other, why in CONTRADICTIONS:
        if values.get(one) and values.get(other):
            raise SettingsError(
                f"the settings {one} and {other} contradict each other: {why}; unset one of them"
            )
    if values.get("headphones"):
        values |= {"cancel": False, "mute": False}


_SWITCHES = ("cancel", "headphones", "mute")
_NUMBERS = ("mic_channel", "gain_db", "latency")
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "backend": ((str,), "text"),
    "mic": ((str,), "text; give a name, as `voicepipe devices` lists them"),
    "mic_channel": ((int,), "a channel; give 1 to 32"),
    "gain_db": ((int, float), "a gain in decibels; give -60 to 60, such as 20"),
    "speaker": ((str,), "text; give a name, as `voicepipe devices` lists them"),
    "latency": ((str, int, float), "a latency; give low, high, or seconds up to 10, such as 0.05"),
    "cancel": ((bool,), "true or false"),
    "headphones": ((bool,), "true or false"),
    "mute": ((bool,), "true or false"),
    "vad": ((str,), "text"),
    "preset": ((str,), "text"),
}


def _value_of(name: str, text: str) -> object:
    """Return the text of a variable, or of a file, as the value it means."""
    if name in _SWITCHES:
        meant = switch_of(text)
        return text if meant is None else meant
    if name in _NUMBERS:
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                pass
    return text


def _check_kind(name: str, value: object, place: str) -> object:
    """Return the value, which has the kind of its setting. Raises: SettingsError."""
    kinds, wanted = _KINDS[name]
    if isinstance(value, str) and name in _NUMBERS:  # the file may have it as text
        value = _value_of(name, value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise SettingsError(f"{place}: {name}: {quote(value)} is not {wanted}")
    return value
