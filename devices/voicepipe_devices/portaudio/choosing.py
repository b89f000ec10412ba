"""The choice of a device by its name: the one of exactly that name, or else the only one that is like it.

`voicepipe.devices.names` tells which names are alike. A device of a card can also be named by what stays when
numbers move: the card's id ("card:Device") or its socket ("usb-0000:00:14.0-1").

The same device may be there in several host APIs, with the same name in each. Then the one whose host API
comes first in `HOST_APIS` is meant, unless another is named behind a comma: "USB Mic, JACK".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from voicepipe.devices.names import bare_name, device_on_card, find_named, fold, is_number
from voicepipe.errors import DeviceNotFoundError
from voicepipe.text import printable
from voicepipe_devices.portaudio.cards import Card, SteadyName, parse_steady_name

__all__ = ["HOST_APIS", "Candidate", "choose", "describe_namesakes", "find_meant"]

HOST_APIS = (
    "ALSA",
    "PulseAudio",
    "JACK Audio Connection Kit",
    "OSS",
    "Core Audio",
    "Windows WASAPI",
    "ASIO",
    "Windows WDM-KS",
    "Windows DirectSound",
    "MME",
)
"""PortAudio's, the preferred first: of Windows' those that add the least latency."""
_MOST_NAMED = 8
_MME, _MME_LONGEST = "MME", 31
"""Windows cuts the names of this host API to so many characters."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One device that could be meant."""

    name: str
    index: int
    host: str = ""
    """The host API it belongs to, as PortAudio calls it; it, or a part of it, may be named behind a comma."""
    steady: tuple[str, ...] = ()
    """The names by its card that stay when numbers move."""

    @property
    def rank(self) -> int:
        """The lowest wins among equal names."""
        return HOST_APIS.index(self.host) if self.host in HOST_APIS else len(HOST_APIS)

    @property
    def is_cut(self) -> bool:
        """True where the system may have cut the name."""
        return self.host == _MME and len(self.name) >= _MME_LONGEST - 1

    def __str__(self) -> str:
        others = " or ".join(map(printable, self.steady))
        return printable(repr(self.name)) + (f" ({others})" if others else "")


def choose(
    candidates: Sequence[Candidate],
    wanted: str,
    kind: str,
    *,
    unlisted: Sequence[Candidate] = (),
    cards: Mapping[int, Card] | None = None,
) -> Candidate:
    """Choose the device that `wanted` names: exactly, or else the only one that is like it.

    Args:
        candidates: the devices there are.
        wanted: a name, a part of one, or a steady name. With a comma and a host API behind it, only that
            one's devices count.
        kind: what is looked for, for the error: "microphone".
        unlisted: devices that are there, but cannot be opened now. None of another card is taken instead.
        cards: the kernel's cards, by their numbers.

    Raises:
        DeviceNotFoundError: none, or several; the near ones are named.
    """
    if not candidates:
        raise DeviceNotFoundError(
            f"there is no {kind} at all: plug one in, start the sound server, or end what uses it"
        )
    matches = find_meant((*candidates, *unlisted), wanted, cards or {})
    listed = [candidate for candidate in matches if candidate in candidates]
    if matches and not listed:
        raise DeviceNotFoundError(f"the {kind} {matches[0]} is there, but cannot be opened: end what uses it")
    if len(_distinct_names(listed)) == 1:
        return min(listed, key=lambda candidate: (candidate.rank, candidate.is_cut))
    raise _refusal(candidates, listed, wanted, kind)


def find_meant(candidates: Sequence[Candidate], wanted: str, cards: Mapping[int, Card]) -> list[Candidate]:
    """Return the devices that a name may mean: those of exactly that name, or else those nearest to it."""
    if exact := [c for c in candidates if fold(c.name) == fold(wanted)]:
        return find_named(exact, wanted)
    if is_number(wanted):
        return []
    steady = parse_steady_name(wanted, cards)
    of_card = _find_steady(candidates, steady) if steady else []
    return of_card or find_named(candidates, wanted) or _find_otherwise(candidates, wanted)


def _find_steady(candidates: Sequence[Candidate], wanted: SteadyName) -> list[Candidate]:
    """Return the device that a steady name means; without the device's number, the first one of its card."""
    of_card: dict[int, Candidate] = {}
    for candidate in candidates:
        for name in candidate.steady:
            each = parse_steady_name(name, {})
            if each is not None and each.card == wanted.card:
                of_card[each.device or 0] = candidate
    if wanted.device is not None:
        return [of_card[wanted.device]] if wanted.device in of_card else []
    return [of_card[min(of_card)]] if of_card else []


def _find_otherwise(candidates: Sequence[Candidate], wanted: str) -> list[Candidate]:
    """Return those that "name, host API" names; or else those of whose names only the beginning is there."""
    name, comma, host = fold(wanted).rpartition(",")
    if comma and host.strip():
        of_host = [c for c in candidates if host.strip() in fold(c.host)]
        meant = (find_named(of_host, name) or _find_cut(of_host, name)) if name.strip() else of_host
        if meant:
            return meant
    return _find_cut(candidates, wanted)


def _find_cut(candidates: Sequence[Candidate], wanted: str) -> list[Candidate]:
    return [c for c in candidates if c.is_cut and fold(wanted).startswith(fold(c.name))]


def _distinct_names(candidates: Sequence[Candidate]) -> set[str]:
    """Return the names without those that are the cut beginning of another."""
    names = {fold(candidate.name) for candidate in candidates}
    cut = {fold(candidate.name) for candidate in candidates if candidate.is_cut}
    return {n for n in names if not (n in cut and any(o != n and o.startswith(n) for o in names))}


def describe_namesakes(candidates: Sequence[Candidate], chosen: Candidate, wanted: str, kind: str) -> str:
    """Return which device was chosen of several of one name; empty: there is no other."""
    same = [c for c in candidates if c.host == chosen.host and _is_namesake(c.name, chosen.name)]
    if len(same) < 2 or (parse_steady_name(wanted, {}) and fold(wanted) != fold(chosen.name)):
        return ""
    of_that_name = f"of {len(same)} {kind}s of that name"
    if chosen.steady:  # two cards of one kind have their ids by the order of discovery
        return f'one {of_that_name}: give "{printable(chosen.steady[-1])}" to have this one for certain'
    return f"the first {of_that_name}: rename one in the system's settings to tell them apart"


def _is_namesake(name: str, other: str) -> bool:
    return bare_name(name) == bare_name(other) and device_on_card(name) == device_on_card(other)


# -- refusals ------------------------------------------------------------------------


def _refusal(
    candidates: Sequence[Candidate], meant: Sequence[Candidate], wanted: str, kind: str
) -> DeviceNotFoundError:
    named = printable(repr(wanted))
    there = f"there is {_list(_nearest_first(candidates, wanted))}"
    if meant:
        error = DeviceNotFoundError(
            f"{named} could be any {kind} of {_list(meant)}: give more of its name{_or_steady(meant)}"
        )
        error.is_ambiguous = True
        return error
    if not fold(wanted):
        return DeviceNotFoundError(f"{named} is no name of a {kind}: {there}")
    if is_number(wanted):
        return DeviceNotFoundError(
            f"{named} is a number, and numbers move when devices come and go: name the {kind}: {there}"
        )
    return DeviceNotFoundError(f"there is no {kind} {named}: {there}")


def _or_steady(candidates: Sequence[Candidate]) -> str:
    return ", or the name in brackets" if any(candidate.steady for candidate in candidates) else ""


def _nearest_first(candidates: Sequence[Candidate], wanted: str) -> list[Candidate]:
    import difflib  # for an error only: a sound process must start soon

    def likeness(candidate: Candidate) -> float:
        return difflib.SequenceMatcher(None, fold(wanted), fold(candidate.name)).ratio()

    return sorted(candidates, key=likeness, reverse=True)


def _list(candidates: Sequence[Candidate]) -> str:
    names = list(dict.fromkeys(map(str, candidates)))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
