"""The tap of a speaker: the record of what all its streams played, for any number of readers."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from voicepipe.devices.optional import take_heard
from voicepipe.devices.port import OutputStream
from voicepipe.speakers import KEPT_S, Tapped

__all__ = ["StreamsTap"]


class StreamsTap:
    """The record of what one speaker's streams played, 4 s of it. It is a `SpeakerTap`.

    It fetches from a stream when somebody reads: nobody wakes up for it. In the loop's thread.
    """

    def __init__(self) -> None:
        self._blocks: deque[Tapped] = deque()
        self._kept_s = 0.0
        self._next = 0
        """The number of the next block."""
        self._stream: OutputStream | None = None
        self._streams = -1
        """The number of the present stream, or of the last one."""

    def follow(self, stream: OutputStream) -> None:
        """Record another stream from now on."""
        self.leave()
        self._stream = stream
        self._streams += 1

    def leave(self) -> None:
        """Fetch what the present stream still has, and forget it."""
        self._fetch()
        self._stream = None

    def read(self, after: int) -> Sequence[Tapped]:
        """Return the blocks behind the block of that number, oldest first; -1: all that is kept."""
        self._fetch()
        blocks = self._blocks
        if not blocks:
            return ()
        return list(islice(blocks, max(0, after + 1 - blocks[0].number), None))

    def _fetch(self) -> None:
        stream = self._stream
        if stream is None:
            return
        for sounded in take_heard(stream):
            audio = stream.info.format
            block = Tapped(self._next, self._streams, audio.rate, audio.channels, sounded)
            self._next += 1
            self._blocks.append(block)
            self._kept_s += _length_s(block)
            while self._kept_s - (oldest_s := _length_s(self._blocks[0])) >= KEPT_S:
                self._kept_s -= oldest_s
                self._blocks.popleft()


def _length_s(block: Tapped) -> float:
    return len(block.sounded.data) / (2 * block.channels * block.rate)
