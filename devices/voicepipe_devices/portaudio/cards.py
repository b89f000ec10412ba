"""The sound cards of Linux's kernel, and names for their devices that stay when the numbers move.

A card has its number by the order of discovery, so it may be another after each start. Its id ("Device") is
its own, as long as there is no second card of that kind. Its socket ("usb-0000:00:14.0-1.2") does not depend
on what is plugged in elsewhere. Links of udev ("/dev/snd/by-id/...") lead to a card, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from voicepipe.devices.names import fold

__all__ = ["PROC", "Card", "SteadyName", "known_cards", "lines_of", "parse_steady_name", "steady_names_of"]

PROC = Path("/proc")
_CARD = re.compile(r"\s*(\d+) \[(.*?)\s*\]: \S+ - (.*)")
"""Matches lines as " 1 [Device         ]: USB-Audio - USB PnP Sound Device"."""
_SOCKET = re.compile(r"\bat (usb-\S+?),? ")
"""Matches the line behind: "C-Media USB PnP Sound Device at usb-0000:00:14.0-1, full speed"."""
_NUMBERS = re.compile(r"\(hw:(\d+),(\d+)\)")
_OURS = re.compile(r"card:\s*(?P<card>[^,]+)(?:,(?P<device>\d+))?")
_OF_ALSA = re.compile(r"\w+:card=(?P<card>[^,]+)(?:,dev=(?P<device>\d+))?(?:,.*)?")
"""Matches ALSA's names of a card's devices, as `arecord -L` lists them: "hw:CARD=Device,DEV=0"."""
_OF_ALSA_SHORT = re.compile(r"(?:plug)?hw:(?P<card>[^\W\d]\w*)(?:,(?P<device>\d+))?(?:,.*)?")
_OF_SOCKET = re.compile(r"(?P<socket>usb[-:][^,]*[-:.][^,]*\d)(?:,(?P<device>\d+))?")
_NODE = re.compile(r"/(?:control|pcm)C(\d+)(?:D(\d+)[cp])?$")


@dataclass(frozen=True, slots=True)
class Card:
    """A sound card of the kernel's."""

    number: int
    id: str
    """Its name for ALSA, such as "Device"."""
    name: str
    socket: str
    """The USB socket that it is plugged into; empty: it is not on USB, or the kernel does not say."""


@dataclass(frozen=True, slots=True)
class SteadyName:
    """A name of a device by its card's id or socket."""

    card: str
    """The folded id, as "card:device", or the folded socket."""
    device: int | None
    """The device of the card; None: its first one."""


def known_cards(proc: Path = PROC) -> dict[int, Card]:
    """Return the cards by their numbers; none where the kernel does not tell."""
    return {card.number: card for card in _cards(proc)}


def _cards(proc: Path) -> Iterator[Card]:
    lines = lines_of(proc / "asound" / "cards")
    for line, behind in pairwise([*lines, ""]):
        if match := _CARD.match(line):
            socket = _SOCKET.search(f"{behind} ")
            yield Card(int(match[1]), match[2], match[3].strip(), socket[1] if socket else "")


def steady_names_of(name: str, known: Mapping[int, Card]) -> tuple[str, ...]:
    """Return the steady names of a device whose name has "(hw:1,0)", that of its card first."""
    match = _NUMBERS.search(name)
    card = known.get(int(match[1])) if match else None
    if match is None or card is None:
        return ()
    device = "" if match[2] == "0" else f",{match[2]}"
    return tuple(f"{steady}{device}" for steady in (f"card:{card.id}", card.socket) if steady)


def parse_steady_name(wanted: str, known: Mapping[int, Card]) -> SteadyName | None:
    """Return the steady name that is asked for, in any of its forms; None: it is another kind of name."""
    if wanted.startswith("/dev/snd/"):
        return _parse_link(wanted, known)
    text = fold(wanted)
    for pattern in (_OURS, _OF_ALSA, _OF_ALSA_SHORT):
        if match := pattern.fullmatch(text):
            return SteadyName(f"card:{match['card'].strip()}", _number(match["device"]))
    if match := _OF_SOCKET.fullmatch(text):
        return SteadyName("usb-" + match["socket"][4:], _number(match["device"]))
    return None


def _parse_link(wanted: str, known: Mapping[int, Card]) -> SteadyName | None:
    """Follow a link such as "/dev/snd/by-id/usb-C-Media_USB_PnP_Sound_Device-00" to its card."""
    match = _NODE.search(os.path.realpath(wanted))
    card = known.get(int(match[1])) if match else None
    if match is None or card is None:
        return SteadyName(fold(wanted), None)
    return SteadyName(f"card:{fold(card.id)}", _number(match[2]))


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file; none where it is not there."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
