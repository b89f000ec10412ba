"""Names of devices, compared as people mean them.

Two spellings of a name are alike: accents composed or decomposed, letters of either case, any white space,
any kind of apostrophe, quotation mark and dash, with or without invisible marks. A card's number is left out
where nothing else tells: a device that was "USB Audio (hw:1,0)" may be "USB Audio (hw:2,0)" the next time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from voicepipe.text import printable

__all__ = ["Named", "bare_name", "device_on_card", "find_named", "fold", "is_number", "name_means"]

_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02b9\u02bc\u00b4\u0060\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    }
)
"""Characters that people type for another."""
_VARIANT = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""The selectors of a variant of the character before, such as a coloured one."""
_ALSA_NUMBER = re.compile(r"\s*\(hw:(\d+),(\d+)\)")
_WINDOWS_NUMBER = re.compile(r"\(\d+ ?- ")
"""As in "Microphone (2- USB Audio)": Windows numbers a device that was plugged into another socket."""


class Named(Protocol):
    """A device."""

    @property
    def name(self) -> str:
        """The name that the system gives it."""
        ...


D = TypeVar("D", bound=Named)


def fold(name: str) -> str:
    """Return the name in the one spelling that stands for all that are alike."""
    text = unicodedata.normalize("NFKC", name.translate(_ALIKE)).casefold()
    text = _VARIANT.sub("", unicodedata.normalize("NFKC", text))
    seen = (c for c in text if c.isspace() or unicodedata.category(c) not in ("Cf", "Cc"))
    return " ".join("".join(seen).split())


def bare_name(name: str) -> str:
    """Return the folded name without the number of a card."""
    return _WINDOWS_NUMBER.sub("(", _ALSA_NUMBER.sub("", fold(name))).strip()


def device_on_card(name: str) -> str:
    """Return the second number of "(hw:1,0)", which does not move; empty: there is none."""
    match = _ALSA_NUMBER.search(fold(name))
    return match[2] if match else ""


def is_number(name: str) -> bool:
    """Return True for a number, such as "3", which is no name."""
    return re.fullmatch(r"[-+#]?\d+", fold(name)) is not None


def name_means(name: str, wanted: str) -> bool:
    """Return True if the only device there is, of that name, is meant; an empty wish means any."""
    return not wanted or any(alike(name, wanted) for alike in _LIKENESSES)


def find_named(devices: Sequence[D], wanted: str) -> list[D]:
    """Return the devices that a name means: those that are nearest to it, or none.

    Exactly that name goes before another spelling of it, that before the name on another card, and that
    before a part of the name.
    """
    for alike in _LIKENESSES:
        if meant := [device for device in devices if alike(device.name, wanted)]:
            return meant
    return []


def _is_exact(name: str, wanted: str) -> bool:
    return name == wanted


def _is_spelled_alike(name: str, wanted: str) -> bool:
    """Compare with the name as it is printed, too: that is copied from the screen."""
    asked = fold(wanted)
    return asked != "" and asked in (fold(name), fold(printable(name)))


def _is_same_on_another_card(name: str, wanted: str) -> bool:
    """Compare the names, and the devices on the two cards."""
    return device_on_card(name) == device_on_card(wanted) and _is_same_but_for_numbers(name, wanted)


def _is_same_but_for_numbers(name: str, wanted: str) -> bool:
    asked = bare_name(wanted)
    return asked != "" and asked == bare_name(name)


def _is_part(name: str, wanted: str) -> bool:
    asked = fold(wanted)
    return asked != "" and (asked in fold(name) or asked in fold(printable(name)))


def _is_part_but_for_numbers(name: str, wanted: str) -> bool:
    asked = bare_name(wanted)
    return asked != "" and asked in bare_name(name)


_LIKENESSES: tuple[Callable[[str, str], bool], ...] = (
    _is_exact,
    _is_spelled_alike,
    _is_same_on_another_card,
    _is_same_but_for_numbers,
    _is_part,
    _is_part_but_for_numbers,
)
"""The nearest first."""
