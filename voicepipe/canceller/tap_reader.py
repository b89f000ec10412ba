"""The blocks of a run's taps, each read once."""

from __future__ import annotations

from collections.abc import Iterator

from voicepipe.speakers import Speakers, SpeakerTap, Tapped

__all__ = ["TapReader"]


class TapReader:
    """Reads what the speakers of a run play, block by block, for one reader.

    A speaker that closes takes its tap out of the run's. What it played last is still read.

    Args:
        speakers: the run's.
    """

    def __init__(self, speakers: Speakers) -> None:
        self._speakers = speakers
        self._read: dict[SpeakerTap, int] = {}
        """The number of the last block that was read of each tap. A run has few."""

    def read(self) -> Iterator[tuple[SpeakerTap, Tapped]]:
        """Yield the blocks that came since the last call, each with its tap."""
        for tap in self._speakers.taps:
            self._read.setdefault(tap, -1)
        for tap, last in self._read.items():
            for block in tap.read(last):
                self._read[tap] = block.number
                yield tap, block
