"""One source of sound of a speaker, such as the voice: its queue, what is with the device, and its ledger."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from voicepipe.endpoints.chunks import Change, Chunk, cut_chunk, leave_out
from voicepipe.endpoints.played_change import PlayedChange
from voicepipe.endpoints.ramp import FULL
from voicepipe.endpoints.sentences import Sentence

__all__ = ["Source"]


class Piece(NamedTuple):
    """Audio that was written for a position of the speaker's stream and has not sounded."""

    at: int
    chunk: Chunk

    @property
    def data(self) -> memoryview:
        """The audio."""
        return self.chunk.data

    @property
    def sentence(self) -> Sentence | None:
        """The sentence it belongs to."""
        return self.chunk.sentence


class Source:
    """A queue of audio. What was written for the device can be taken back until it has sounded.

    Every sample taken is in `queue`, in `parked`, in a piece, or was given or dropped.

    Args:
        name: its name.
        sample_bytes: bytes of a sample.
        tell: takes each change of the sound, as soon as the device has got there.
    """

    def __init__(self, name: str, sample_bytes: int, tell: Callable[[PlayedChange], None]) -> None:
        self.name = name
        self._tell = tell
        self._size = sample_bytes
        self._queue: deque[Chunk] = deque()
        self._parked: deque[Chunk] = deque()
        """The chunks that wait until the end of a hold."""
        self._pieces: deque[Piece] = deque()
        self.ready = 0
        """Samples in the queue: those that may be written now."""
        self._parked_samples = 0
        self._with_device = 0
        self.end = 0
        """The position behind the last sample that was written."""
        self.sounded_to = 0
        """The position behind the last sample that has sounded."""
        self.is_held = False
        """True during a hold: what comes is parked."""
        self._is_fading = False
        self.is_gathering = False
        """True while the source waits, after silence, until enough of it has come: what comes is parked."""
        self.gain = FULL
        self.taken = self.given = 0
        self.dropped: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """Samples that have not sounded."""
        return self.ready + self._parked_samples + self._with_device

    @property
    def waiting(self) -> int:
        """Samples that are not with the device."""
        return self.ready + self._parked_samples

    @property
    def first(self) -> int | None:
        """The position of the first sample that is with the device; None: there is none."""
        return self._pieces[0].at if self._pieces else None

    @property
    def is_with_device(self) -> bool:
        """True while something that was written has not sounded."""
        return bool(self._pieces)

    # -- in --------------------------------------------------------------------

    def put(
        self,
        data: bytes | memoryview,
        sentence: Sentence | None = None,
        *,
        live: bool = False,
        change: Change | None = None,
    ) -> None:
        """Take audio to be played behind what waits."""
        if not data:
            return
        samples = len(data) // self._size
        self.taken += samples
        if sentence is not None:
            sentence.taken += samples
        self._end_fade()
        parked = self.is_held or self._is_fading or self.is_gathering
        self._append(Chunk(memoryview(data), sentence, live, change), parked=parked)

    def refuse(self, samples: int, reason: str) -> None:
        """Count audio that is dropped at the entry."""
        self.taken += samples
        self.dropped[reason] += samples

    def _append(self, chunk: Chunk, *, parked: bool = False) -> None:
        (self._parked if parked else self._queue).append(chunk)
        self._count(len(chunk.data) // self._size, parked=parked)

    def _count(self, samples: int, *, parked: bool) -> None:
        if parked:
            self._parked_samples += samples
        else:
            self.ready += samples

    # -- to the device, and back -------------------------------------------------

    def write(self, at: int, samples: int) -> bytes | memoryview:
        """Return at most so many samples of the queue, and note that they are written for this position."""
        parts: list[memoryview] = []
        left = min(samples, self.ready)
        while left:
            chunk = self._queue.popleft()
            count = len(chunk.data) // self._size
            if count > left:
                chunk, rest = cut_chunk(chunk, left * self._size)
                self._queue.appendleft(rest)
                count = left
            self._pieces.append(Piece(at, chunk))
            parts.append(chunk.data)
            at, left = at + count, left - count
            self.ready -= count
            self._with_device += count
        self.end = at if parts else self.end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take_back(self, at: int) -> None:
        """Put what was written for this position or a later one back to the front of the queue."""
        while self._pieces and self._piece_end(self._pieces[-1]) > at:
            piece = self._pieces.pop()
            kept, back = max(0, at - piece.at) * self._size, piece.chunk
            if kept:
                front, back = cut_chunk(piece.chunk, kept)
                self._pieces.append(Piece(piece.at, front))
            samples = len(back.data) // self._size
            self._queue.appendleft(back)
            self._with_device -= samples
            self.ready += samples
        self.end = min(self.end, at)

    def advance(self, position: int) -> None:
        """Note that everything before this position has sounded."""
        pieces, size = self._pieces, self._size
        while pieces and pieces[0].at < position:
            piece = pieces.popleft()
            count = len(piece.data) // size
            heard = min(count, position - piece.at)
            self.given += heard
            self._with_device -= heard
            self.sounded_to = piece.at + heard
            if piece.chunk.change is not None:
                self._tell(PlayedChange(piece.at, *piece.chunk.change))
            if piece.sentence is not None:
                piece.sentence.note_sounded(piece.at, piece.data[: heard * size], heard)
            if heard < count:
                pieces.appendleft(Piece(position, cut_chunk(piece.chunk, heard * size)[1]))
        self._end_fade()

    def _piece_end(self, piece: Piece) -> int:
        return piece.at + len(piece.data) // self._size

    # -- the fade of a cut ---------------------------------------------------------

    @property
    def is_fading(self) -> bool:
        """True until the fade of a cut has sounded. What comes meanwhile is parked."""
        self._end_fade()
        return self._is_fading

    def begin_fade(self) -> None:
        """Park what comes until all that waits now has sounded."""
        self._is_fading = True

    def _end_fade(self) -> None:
        if self._is_fading and not (self._pieces or self._queue):
            self._is_fading = False
            self._unpark_if_free()

    # -- the start after silence -----------------------------------------------------

    def gather(self) -> None:
        """Park what comes until `begin`."""
        self.is_gathering = True

    def begin(self) -> None:
        """Let what has come be written, unless there is another reason to wait."""
        self.is_gathering = False
        self._unpark_if_free()

    def _unpark_if_free(self) -> None:
        if not (self.is_held or self._is_fading or self.is_gathering):
            self._unpark()

    def _unpark(self) -> None:
        while self._parked:
            self._append(self._parked.popleft())
        self._parked_samples = 0

    # -- hold, and drop ------------------------------------------------------------

    def split(self, samples: int, shape: Callable[[memoryview], bytes] = bytes) -> deque[Chunk]:
        """Keep so many samples in the queue, shaped as a fade; return the chunks behind them."""
        front: deque[Chunk] = deque()
        left = min(samples, self.ready)
        while left:
            chunk = self._queue.popleft()
            if len(chunk.data) > left * self._size:
                chunk, behind = cut_chunk(chunk, left * self._size)
                self._queue.appendleft(behind)
            front.append(chunk)
            left -= len(chunk.data) // self._size
        rest, self._queue = self._queue, _shape(front, shape) if front else front
        self.ready = sum(len(chunk.data) for chunk in self._queue) // self._size
        return rest

    def repeat(self, samples: int, shape: Callable[[memoryview], bytes]) -> None:
        """Park the queue, and leave so many of its first samples in it once more, shaped as a fade.

        What is said twice is taken twice.
        """
        front, left = bytearray(), samples
        for chunk in self._queue:
            front += chunk.data[: left * self._size]
            left = samples - len(front) // self._size
            if left <= 0:
                break
        self.park(self.split(0))
        if front:
            self.taken += len(front) // self._size
            self._append(Chunk(memoryview(shape(memoryview(bytes(front))))))

    def park(self, chunks: deque[Chunk]) -> None:
        """Keep chunks that `split` has returned, and what comes from now on, until `release`."""
        self.is_held = True
        for chunk in reversed(chunks):
            self._parked.appendleft(chunk)
            self._count(len(chunk.data) // self._size, parked=True)

    def release(self, again: Sentence | None = None) -> None:
        """End the hold. A sentence that was cut begins again: what is said twice is taken twice."""
        self.is_held = self.is_gathering = False
        if again is not None:
            for data in again.say_again():
                self.taken += len(data) // self._size
                self._append(Chunk(data, again))
        self._unpark()

    def put_back(self, chunks: deque[Chunk]) -> None:
        """Put chunks that `split` has returned back behind what it kept."""
        for chunk in chunks:
            self._append(chunk)

    def discard(self, chunks: deque[Chunk], reason: str) -> None:
        """Count chunks that `split` has returned as dropped."""
        self.dropped[reason] += sum(len(chunk.data) for chunk in chunks) // self._size

    def drop_waiting(self, reason: str) -> None:
        """Drop what is not with the device, and count it."""
        self.dropped[reason] += self.waiting
        self._queue.clear()
        self._parked.clear()
        self.ready = self._parked_samples = 0
        self.is_held = self._is_fading = self.is_gathering = False

    def drop_written(self, reason: str, at: int) -> None:
        """Drop what is with the device, because that has let go of it, and count it."""
        self.dropped[reason] += self._with_device
        self._pieces.clear()
        self._with_device = 0
        self.end = at

    def drop_others(self, kept: Sentence, reason: str) -> int:
        """Drop the chunks that wait and are not of this sentence; return the number of samples."""
        before = self.waiting
        self._queue = deque(chunk for chunk in self._queue if chunk.sentence is kept)
        self._parked = deque(chunk for chunk in self._parked if chunk.sentence is kept)
        self.ready = sum(len(chunk.data) for chunk in self._queue) // self._size
        self._parked_samples = sum(len(chunk.data) for chunk in self._parked) // self._size
        gone = before - self.waiting
        self.dropped[reason] += gone
        return gone

    def leave_out(self, samples: int, fade: int, reason: str) -> int:
        """Leave at most so many samples of live audio out of the queue, in one piece; return their number."""
        queue, gone = leave_out(self._queue, samples, fade, self._size)
        left_out = sum(gone.values())
        if left_out:
            self._queue = queue
            self.ready -= left_out
            self.dropped[reason] += left_out
            for sentence, count in gone.items():
                if sentence is not None:
                    sentence.taken -= count
        return left_out

    def turns(self) -> Iterator[int]:
        """Yield the positions at which the sentences that are with the device end and begin."""
        sentence = None
        for piece in self._pieces:
            if piece.sentence is not sentence:
                yield piece.at
                yield piece.at + 1
            sentence = piece.sentence

    def first_of_others(self, kept: Sentence) -> int | None:
        """Return the position of the first sample with the device that is of another sentence."""
        return next((piece.at for piece in self._pieces if piece.sentence is not kept), None)


def _shape(chunks: deque[Chunk], shape: Callable[[memoryview], bytes]) -> deque[Chunk]:
    """Return the chunks with their audio shaped as a whole."""
    data = memoryview(shape(memoryview(b"".join(chunk.data for chunk in chunks))))
    made: deque[Chunk] = deque()
    at = 0
    for chunk in chunks:
        made.append(chunk._replace(data=data[at : at + len(chunk.data)]))
        at += len(chunk.data)
    return made
