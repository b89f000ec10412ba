"""The blocks of several streams as one line of positions, with their ledger."""

from __future__ import annotations

from collections import Counter, deque

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import Block, InputStream
from voicepipe.report import DropReason, SeamReport

__all__ = ["Captured"]


class Captured:
    """Blocks of one stream after the other as one line of positions, and the books over all of them."""

    def __init__(self) -> None:
        self.format = AudioFormat()
        self.dropped: Counter[str] = Counter()
        """What was dropped after it was read, and what passed by while there was no device."""
        self.any_lost = False
        """There was a stream, and it was lost."""
        self._lost: deque[InputStream] = deque()
        """Streams that are lost, and may hold something that was captured."""
        self._over = SeamReport("", 0, 0, 0)
        """Of the streams that are read to their end."""
        self._stream: InputStream | None = None
        """The last one that was read."""
        self._gap = 0
        """Samples that passed by between the streams so far."""
        self._offset = 0
        """Where the position 0 of the present stream stands."""
        self._end, self._end_s = 0, 0.0
        """The end of the last block: its position, and its time."""

    def begin(self, stream: InputStream, now_s: float) -> None:
        """The first stream begins."""
        self._stream, self._end_s = stream, now_s

    def lose(self, stream: InputStream) -> None:
        """This stream is lost; what it captured can still be read."""
        stream.stop()
        self._lost.append(stream)
        self.any_lost = True

    def next_of_the_lost(self) -> Block | None:
        """The oldest block of the lost streams, or None."""
        while self._lost:
            stream = self._lost[0]
            block = stream.read()
            if block is not None:
                return self.place(block, stream)
            self._lost.popleft()
            self._over = _sum(self._over, stream.seam("", {}))
        return None

    def place(self, block: Block, stream: InputStream) -> Block:
        """The block with its position among those of all streams."""
        self.format = stream.info.format
        if stream is not self._stream:
            self._stream = stream
            self._begin_behind_a_gap(block)
        position = self._offset + block.position
        self._end = position + len(block.data) // self.format.sample_bytes
        self._end_s = block.captured_s + self.format.seconds(self._end - position)
        return block._replace(position=position)

    def _begin_behind_a_gap(self, block: Block) -> None:
        """The first block of a stream behind another. What it lost itself, before that block, is no gap."""
        passed = round((block.captured_s - self._end_s) * self.format.rate)
        gap = max(0, passed - block.position)
        self._offset = self._end + gap
        self._gap += gap
        self.dropped[DropReason.DEVICE_LOST] += gap

    def drop_rest(self, stream: InputStream | None, reason: str) -> None:
        """Book what was captured and nobody will read."""
        while (block := self.next_of_the_lost()) is not None:
            self.dropped[reason] += len(block.data) // self.format.sample_bytes
        while stream is not None and (block := stream.read()) is not None:
            self.dropped[reason] += len(block.data) // stream.info.format.sample_bytes

    def seam(self, name: str, stream: InputStream | None) -> SeamReport:
        """The ledger over all streams, `stream` the present one."""
        total = self._over
        for each in (*self._lost, stream):
            if each is not None:
                total = _sum(total, each.seam("", {}))
        dropped = Counter(total.dropped) + self.dropped
        given = total.given + self._gap - self.dropped.total()
        return SeamReport(name, total.taken + self._gap, given, total.held, dict(dropped))


def _sum(first: SeamReport, second: SeamReport) -> SeamReport:
    return SeamReport(
        second.name,
        first.taken + second.taken,
        first.given + second.given,
        first.held + second.held,
        dict(Counter(first.dropped) + Counter(second.dropped)),
    )
