"""The choice of a device by its name: the one of exactly that name, or else the only one that contains it.

The same device may be there in several host APIs, with the same name in each. Then the one whose host API
comes first in `HOST_APIS` is meant, unless another is named behind a comma: "USB Mic, JACK".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicepipe.errors import DeviceNotFoundError
from voicepipe.text import printable

__all__ = ["HOST_APIS", "Candidate", "choose"]

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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One device that could be meant."""

    name: str
    index: int
    host: str = ""
    """The host API it belongs to, as PortAudio calls it; it, or a part of it, may be named behind a comma."""

    @property
    def rank(self) -> int:
        """The lowest wins among equal names."""
        return HOST_APIS.index(self.host) if self.host in HOST_APIS else len(HOST_APIS)


def choose(candidates: Sequence[Candidate], wanted: str, kind: str) -> Candidate:
    """Choose the one that `wanted` names, in any case of letters: exactly, or else by a unique part.

    Args:
        candidates: the devices there are.
        wanted: a name or a part of one; with a comma and a host API behind it, only that one's.
        kind: what is looked for, for the error: "microphone".

    Raises:
        DeviceNotFoundError: none, or several; the near ones are named.
    """
    name = _fold(wanted)
    matches = _match(candidates, name) or _match_with_host(candidates, name)
    if len({c.name for c in matches}) == 1:
        return min(matches, key=lambda candidate: candidate.rank)
    if matches:
        error = DeviceNotFoundError(
            f"{printable(repr(wanted))} could be any {kind} of {_list(matches)}: give more of its name"
        )
        error.is_ambiguous = True
        raise error
    if not candidates:
        raise DeviceNotFoundError(
            f"there is no {kind} at all: plug one in, start the sound server, or end what uses it"
        )
    raise DeviceNotFoundError(
        f"there is no {kind} {printable(repr(wanted))}: there is {_list(_nearest_first(candidates, name))}"
    )


def _match(candidates: Sequence[Candidate], name: str) -> list[Candidate]:
    """Return those with exactly that name, or else those with a name that contains it."""
    exact = [c for c in candidates if _fold(c.name) == name]
    return exact or [c for c in candidates if name in _fold(c.name)]


def _match_with_host(candidates: Sequence[Candidate], wanted: str) -> list[Candidate]:
    """Return those that "name, host API" names."""
    name, comma, host = wanted.rpartition(",")
    if not comma or not host.strip():
        return []
    return _match([c for c in candidates if host.strip() in _fold(c.host)], name.strip())


def _fold(name: str) -> str:
    return name.casefold().strip()


def _nearest_first(candidates: Sequence[Candidate], name: str) -> list[Candidate]:
    import difflib  # for an error only: a sound process must start soon

    def likeness(candidate: Candidate) -> float:
        return difflib.SequenceMatcher(None, name, _fold(candidate.name)).ratio()

    return sorted(candidates, key=likeness, reverse=True)


def _list(candidates: Sequence[Candidate]) -> str:
    names = list(dict.fromkeys(printable(repr(c.name)) for c in candidates))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
