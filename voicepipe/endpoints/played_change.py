"""A change of the sound that a speaker has played: some of it was left out, or made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PlayedChange"]


@dataclass(frozen=True, slots=True)
class PlayedChange:
    """A place in what a speaker has played where samples of the voice were left out, or made."""

    position: int
    """The place, in samples handed to the device, as the positions of the speaker's facts count them."""
    samples: int
    """Samples left out just before it; negative: made from there on."""
    reason: str
    """A `DropReason`: `late` or `drift`."""
