"""The captured blocks of several streams, with continuous positions and one ledger."""

from __future__ import annotations

from collections import Counter, deque

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import Block, InputStream
from voicepipe.report import DropReason, SeamReport, sum_of_counts

__all__ = ["Captured"]


class Captured:
    """The captured blocks of one stream after another, with continuous positions and one ledger."""

    def __init__(self) -> None:
        self.format = AudioFormat()
        self.dropped: Counter[str] = Counter()
        """Samples dropped after they were read, and samples missed while there was no device."""
        self.silence = 0
        """Samples of silence that were pushed in place of captured ones."""
        self.any_lost = False
        """True once a stream was lost."""
        self._lost: deque[InputStream] = deque()
        """Lost streams that may still hold captured blocks."""
        self._over = SeamReport("", 0, 0, 0)
        """The counts of the streams that were read to their end."""
        self._stream: InputStream | None = None
        """The stream that was read last."""
        self._gap = 0
        """The samples missed between the streams so far."""
        self._offset = 0
        """The overall position of the present stream's first sample."""
        self._end, self._end_s = 0, 0.0
        """The position and the time of the end of the last block."""

    def begin(self, stream: InputStream, now_s: float) -> None:
        """Begin with the first stream."""
        self._stream, self._end_s = stream, now_s

    def lose(self, stream: InputStream) -> None:
        """Stop a stream that is lost. Its captured blocks can still be read."""
        stream.stop()
        self._lost.append(stream)
        self.any_lost = True

    @property
    def has_lost_streams(self) -> bool:
        """True while a lost stream may hold captured blocks."""
        return bool(self._lost)

    def next_lost_block(self) -> Block | None:
        """Return the oldest block of the lost streams; None if there is none."""
        while self._lost:
            stream = self._lost[0]
            block = stream.read()
            if block is not None:
                return self.place(block, stream)
            self._lost.popleft()
            self._over = _sum(self._over, stream.seam("", {}))
        return None

    def place(self, block: Block, stream: InputStream) -> Block:
        """Return the block with its position among the blocks of all streams."""
        self.format = stream.info.format
        if stream is not self._stream:
            self._stream = stream
            self._begin_behind_a_gap(block)
        position = self._offset + block.position
        self._end = position + len(block.data) // self.format.sample_bytes
        self._end_s = block.captured_s + self.format.seconds(self._end - position)
        return block._replace(position=position)

    def _begin_behind_a_gap(self, block: Block) -> None:
        """Place the first block of a new stream after the gap.

        Blocks that the new stream itself lost before that block are not part of the gap.
        """
        passed = round((block.captured_s - self._end_s) * self.format.rate)
        gap = max(0, passed - block.position)
        self._offset = self._end + gap
        self._gap += gap
        self.dropped[DropReason.DEVICE_LOST] += gap

    def drop(self, block: Block, reason: str) -> None:
        """Count a block that was read, and cannot be pushed, as dropped."""
        self.dropped[reason] += len(block.data) // self.format.sample_bytes

    def drop_rest(self, stream: InputStream | None, reason: str) -> None:
        """Count the captured samples that will not be read as dropped."""
        while (block := self.next_lost_block()) is not None:
            self.dropped[reason] += len(block.data) // self.format.sample_bytes
        while stream is not None and (block := stream.read()) is not None:
            self.dropped[reason] += len(block.data) // stream.info.format.sample_bytes

    def seam(
        self, name: str, stream: InputStream | None, *, heard: bool = False, held: int = 0
    ) -> SeamReport:
        """Return the ledger over all streams.

        Args:
            name: the name of the seam.
            stream: the present stream.
            heard: without the silence that was pushed in place of audio.
            held: samples that were read, and neither pushed nor dropped yet.
        """
        total = self._over
        for each in (*self._lost, stream):
            if each is not None:
                total = _sum(total, each.seam("", {}))
        dropped = sum_of_counts(total.dropped, self.dropped)
        made = self._gap + (0 if heard else self.silence)
        given = total.given + made - self.dropped.total() - held
        return SeamReport(name, total.taken + made, given, total.held + held, dropped)


def _sum(first: SeamReport, second: SeamReport) -> SeamReport:
    return SeamReport(
        second.name,
        first.taken + second.taken,
        first.given + second.given,
        first.held + second.held,
        sum_of_counts(first.dropped, second.dropped),
    )
