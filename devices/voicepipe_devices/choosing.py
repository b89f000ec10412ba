"""Which device a name means: exactly that name, or else the only one that contains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicepipe.errors import DeviceNotFoundError, printable

__all__ = ["Candidate", "choose"]

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """One device that could be meant."""

    name: str
    index: int
    host: str = ""
    """The host API it belongs to; may be named behind a comma."""
    preferred: bool = False
    """Its host API is the system's own: it wins among equal names."""


def choose(candidates: Sequence[Candidate], wanted: str, kind: str) -> Candidate:
    """The one that `wanted` names, in any case of letters: exactly, or else by a unique part.

    Args:
        candidates: the devices there are.
        wanted: a name, a part of one, or "name, host API".
        kind: what is looked for, for the error: "microphone".

    Raises:
        DeviceNotFoundError: none, or several; the near ones are named.
    """
    name = wanted.casefold().strip()
    exact = [c for c in candidates if name in (_folded(c.name), _folded(_full_name(c)))]
    matches = exact or [c for c in candidates if name in _folded(_full_name(c))]
    if len({c.name for c in matches}) == 1:
        return next((c for c in matches if c.preferred), matches[0])
    if matches:
        error = DeviceNotFoundError(
            f"{printable(repr(wanted))} could be any {kind} of {_listed(matches)}: give more of its name"
        )
        error.is_ambiguous = True
        raise error
    if not candidates:
        raise DeviceNotFoundError(
            f"there is no {kind} at all: plug one in, start the sound server, or end what uses it"
        )
    raise DeviceNotFoundError(
        f"there is no {kind} {printable(repr(wanted))}: there is {_listed(_nearest_first(candidates, name))}"
    )


def _folded(name: str) -> str:
    return name.casefold().strip()


def _full_name(candidate: Candidate) -> str:
    return f"{candidate.name}, {candidate.host}" if candidate.host else candidate.name


def _nearest_first(candidates: Sequence[Candidate], name: str) -> list[Candidate]:
    import difflib  # for an error only: a sound process must start soon

    def likeness(candidate: Candidate) -> float:
        return difflib.SequenceMatcher(None, name, _folded(candidate.name)).ratio()

    return sorted(candidates, key=likeness, reverse=True)


def _listed(candidates: Sequence[Candidate]) -> str:
    names = list(dict.fromkeys(printable(repr(c.name)) for c in candidates))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
