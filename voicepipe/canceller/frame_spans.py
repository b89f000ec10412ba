"""Frames in, frames out: the audio of frames comes out some samples later, in frames again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from voicepipe.audio.channels import set_channels
from voicepipe.audio.format import SAMPLE_BYTES, AudioFormat
from voicepipe.frames import InputAudioFrame

__all__ = ["FrameSpans", "Span"]


class Span(NamedTuple):
    """The audio of one frame, by its place among all samples that were put in."""

    begin: int
    end: int
    frame: InputAudioFrame

    def position(self, at: int) -> int:
        """Return the position of a sample in the microphone's stream."""
        return self.frame.position + at - self.begin

    def captured_s(self, at: int) -> float | None:
        """Return the time of a sample."""
        frame = self.frame
        return None if frame.captured_s is None else frame.captured_s + (at - self.begin) / frame.rate


class FrameSpans:
    """The frames whose audio has not left yet, and what was made of it so far.

    What is made comes in blocks that know nothing of frames. What is given out has the position, the time
    and the origin of the frames that came in. No frame reaches over a gap.

    Args:
        audio: the format of the frames.
        delay: the samples that come out before the first one.
    """

    def __init__(self, audio: AudioFormat, delay: int) -> None:
        self.taken = self.given = 0
        """The samples that came in, and that went out."""
        self._format, self._delay = audio, delay
        self._size = audio.sample_bytes
        self._spans: deque[Span] = deque()
        """The audio that has not left yet."""
        self._made: list[tuple[bytes, bytes | None]] = []
        """Words and ear of the blocks that have not left yet."""
        self._early = delay
        """The samples that still come out before the first one."""

    @property
    def is_empty(self) -> bool:
        """True if all audio has left."""
        return not self._spans

    def put(self, frame: InputAudioFrame) -> None:
        """Take the next frame."""
        if frame.num_samples:
            end = self.taken + frame.num_samples
            self._spans.append(Span(self.taken, end, frame))
            self.taken = end

    def span_of(self, at: int) -> Span:
        """Return the span that holds a sample; the last one, where silence was put in behind it."""
        for span in self._spans:
            if at < span.end:
                return span
        return self._spans[-1]

    def keep(self, words: bytes, ear: bytes | None) -> None:
        """Keep what was made of a block, but for what lies before the first sample."""
        if self._early:
            early = min(self._early, len(words) // self._size)
            self._early -= early
            words = words[early * self._size :]
            ear = None if ear is None else ear[early * SAMPLE_BYTES :]
        self._made.append((words, ear))

    def give(self, until: int) -> list[InputAudioFrame]:
        """Return frames of all that is done up to that sample, with true positions."""
        if until <= self.given:
            return []
        words, ears = b"".join([words for words, _ in self._made]), self._join_ears()
        frames = [self._make_frame(begin, end, words, ears) for begin, end in self._pieces(until)]
        self._keep_rest(words, ears, until - self.given)
        self.given = until
        while self._spans and self._spans[0].end <= until:
            self._spans.popleft()
        return frames

    def begin_anew(self) -> None:
        """Forget what is inside."""
        self._spans.clear()
        self._made.clear()
        self.given = self.taken
        self._early = self._delay

    def _make_frame(self, begin: int, end: int, words: bytes, ears: bytes | None) -> InputAudioFrame:
        """Return the frame of a stretch; words and ears begin at the first sample that was not given yet."""
        span, first, last = self.span_of(begin), begin - self.given, end - self.given
        return InputAudioFrame(
            words[first * self._size : last * self._size],
            self._format.rate,
            self._format.channels,
            span.position(begin),
            span.captured_s(begin),
            live=span.frame.live,
            origin=span.frame.origin,
            ear=None if ears is None else ears[first * SAMPLE_BYTES : last * SAMPLE_BYTES],
        )

    def _keep_rest(self, words: bytes, ears: bytes | None, given: int) -> None:
        self._made.clear()
        rest = words[given * self._size :]
        if rest:
            self._made.append((rest, None if ears is None else ears[given * SAMPLE_BYTES :]))

    def _join_ears(self) -> bytes | None:
        """Return the ear of all that is done; where only a part has one, the words serve for the rest."""
        if all(ear is None for _, ear in self._made):
            return None
        channels = self._format.channels
        return b"".join(
            [set_channels(words, channels, 1) if ear is None else ear for words, ear in self._made]
        )

    def _pieces(self, until: int) -> Iterator[tuple[int, int]]:
        """Yield the stretches without a gap, up to that sample."""
        begin, before = self.given, None
        for span in self._spans:
            if span.begin >= until:
                break
            if before is not None and not _goes_on(before, span):
                yield begin, span.begin
                begin = span.begin
            before = span
        yield begin, until


def _goes_on(before: Span, span: Span) -> bool:
    first, second = before.frame, span.frame
    return (
        second.position == first.position + first.num_samples
        and second.origin == first.origin
        and second.live == first.live
    )
