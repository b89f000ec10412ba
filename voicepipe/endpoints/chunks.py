"""Audio that waits in a speaker's queue, and how some of what is live is left out of it."""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple

from voicepipe.endpoints.sentences import Sentence
from voicepipe.report import DropReason

__all__ = ["Change", "Chunk", "crossfade", "cut_chunk", "leave_out"]

LOOK_AT = 7
"""One value of so many is enough to tell where it is quiet: odd, so that each of two channels counts."""


class Change(NamedTuple):
    """Samples that were left out of the sound, or made."""

    samples: int
    """Samples left out; negative: made."""
    reason: str


class Chunk(NamedTuple):
    """Audio that waits, in the speaker's format."""

    data: memoryview
    sentence: Sentence | None = None
    live: bool = False
    """A device has just captured it: it is worth little when it is late."""
    change: Change | None = None
    """The change before its first sample."""


def cut_chunk(chunk: Chunk, size: int) -> tuple[Chunk, Chunk]:
    """Return the first bytes of a chunk, and the rest; a change stays before its sample."""
    return chunk._replace(data=chunk.data[:size]), chunk._replace(data=chunk.data[size:], change=None)


def leave_out(
    queue: deque[Chunk], samples: int, fade: int, size: int
) -> tuple[deque[Chunk], Counter[Sentence | None]]:
    """Leave samples out of the longest live part of a queue, in one piece, where it is quietest.

    Args:
        queue: what waits.
        samples: the samples to leave out: fewer of them, or none, where there are not as many.
        fade: the samples over which the two ends are faded into each other.
        size: bytes of a sample.

    Returns:
        What waits then, and the samples that were left out of each sentence.
    """
    first, last = _longest_live_part(queue)
    chunks = list(queue)
    part = chunks[first:last]
    room = sum(len(chunk.data) for chunk in part) // size - fade
    count = min(samples, room)
    if 2 * count < samples:  # so little is not worth a joint: it is left out of what comes
        return queue, Counter()
    at = _quietest(b"".join(chunk.data for chunk in part), count * size, fade * size, room * size)
    before, behind = _cut(part, at)
    gone, behind = _cut(behind, count * size)
    _, behind = _cut(behind, fade * size)
    joint = _joint(part, at, count * size, fade * size)
    told = sum(chunk.change.samples for chunk in gone if chunk.change is not None)
    joint = joint._replace(change=Change(count + told, DropReason.LATE))
    kept = [*before, joint, *behind]
    left_out: Counter[Sentence | None] = Counter()
    for chunk in gone:
        left_out[chunk.sentence] += len(chunk.data) // size
    return deque([*chunks[:first], *kept, *chunks[last:]]), left_out


def _longest_live_part(queue: Iterable[Chunk]) -> tuple[int, int]:
    """Return where the longest row of live chunks begins, and the place behind it."""
    best, best_size, begin, size, at = (0, 0), 0, 0, 0, 0
    for at, chunk in enumerate(queue, 1):
        begin, size = (begin, size + len(chunk.data)) if chunk.live else (at, 0)
        if size > best_size:
            best, best_size = (begin, at), size
    return best


def _cut(chunks: list[Chunk], size: int) -> tuple[list[Chunk], list[Chunk]]:
    """Return the first bytes of a row of chunks, and the rest."""
    front: list[Chunk] = []
    for index, chunk in enumerate(chunks):
        if len(chunk.data) > size:
            first, rest = cut_chunk(chunk, size)
            return [*front, first] if size else front, [rest if size else chunk, *chunks[index + 1 :]]
        size -= len(chunk.data)
        front.append(chunk)
    return front, []


def _quietest(data: bytes, count: int, fade: int, room: int) -> int:
    """Return where to leave out `count` bytes, so that the two ends that meet are as soft as can be."""
    values = memoryview(data).cast("h")

    def loud(at: int) -> int:
        return sum(map(abs, values[at // 2 : (at + fade) // 2 : LOOK_AT].tolist()))

    places = range(0, room - count + 1, max(fade, 2))
    return min(places, key=lambda at: loud(at) + loud(at + count))


def _joint(part: list[Chunk], at: int, count: int, fade: int) -> Chunk:
    """Return the chunk that leads from the sound at `at` to that which is `count` bytes behind."""
    _, rest = _cut(part, at)
    first, _ = _cut(rest, fade)
    last, _ = _cut(_cut(rest, count)[1], fade)
    data = crossfade(b"".join(c.data for c in first), b"".join(c.data for c in last))
    return Chunk(memoryview(data), last[0].sentence, live=True)


def crossfade(first: bytes | memoryview, last: bytes | memoryview) -> bytes:
    """Return two sounds of equal length faded into each other."""
    ends = memoryview(first).cast("B").cast("h"), memoryview(last).cast("B").cast("h")
    steps = max(1, len(ends[0]))
    mixed = (a + (b - a) * n // steps for n, (a, b) in enumerate(zip(*ends, strict=True)))
    return array("h", mixed).tobytes()
