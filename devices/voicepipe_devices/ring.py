"""The crossing of audio between the device's callback and the event loop.

One writer and one reader each, on either side of the crossing. There is no lock: a deque's
append and popleft are atomic, and every counter has one writer. The callback never waits,
never raises, and wakes the loop at most once for each time that the loop looks.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import Block

if TYPE_CHECKING:
    import asyncio

    from voicepipe.report import SeamReport

__all__ = ["RING_S", "CaptureRing", "Doorbell", "PlaybackRing", "QueuedSound"]

RING_S = 2.0
"""The longest time that a microphone's ring waits for the pipeline."""
RAMP_S = 0.005
"""The time that a flush takes to fade out."""


class Doorbell:
    """Calls a function in the loop's thread, once for however many rings before it is answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Callable[[], None]) -> None:
        self._loop = loop
        self._answer = answer
        self._rung = False

    def ring(self) -> None:
        """Ring. From any thread; never raises, never waits."""
        if self._rung:
            return
        self._rung = True
        try:
            self._loop.call_soon_threadsafe(self._open)
        except RuntimeError:
            pass  # the loop is closed: nobody is at home

    def _open(self) -> None:
        self._rung = False
        self._answer()


class CaptureRing:
    """From a microphone's callback to the loop. When it is full, the oldest block goes."""

    def __init__(self, format: AudioFormat, seconds: float, notify: Callable[[], None]) -> None:  # noqa: A002
        self.format = format
        self._limit = format.samples(seconds)
        self._notify = notify
        self._blocks: deque[Block] = deque()
        self._stored = self._lost = self._taken = 0
        self._open = True

    def store(self, data: bytes, captured_s: float) -> None:
        """Store a captured block; ignored once the intake is closed. For the callback."""
        if not self._open:
            return
        samples = len(data) // self.format.sample_bytes
        position = self._stored
        self._stored += samples  # before the loop can take it: `held` is never negative
        self._blocks.append(Block(data, position, captured_s))
        while self.held > self._limit:
            try:
                oldest = self._blocks.popleft()
            except IndexError:  # the loop took it just now
                break
            self._lost += len(oldest.data) // self.format.sample_bytes
        self._notify()

    def skip(self, samples: int) -> None:
        """Skip so many samples, which the device lost before it called; positions jump. For the callback."""
        if self._open:
            self._stored += samples
            self._lost += samples

    def close_intake(self) -> None:
        """Ignore what the callback brings from now on; what is here stays. For the loop."""
        self._open = False

    def take(self) -> Block | None:
        """Take the oldest block, or None. For the loop."""
        try:
            block = self._blocks.popleft()
        except IndexError:
            return None
        self._taken += len(block.data) // self.format.sample_bytes
        return block

    @property
    def held(self) -> int:
        """Samples that wait."""
        return self._stored - self._lost - self._taken

    def report(self, name: str, dropped: dict[str, int]) -> SeamReport:
        """Return the ledger as it stands; `dropped`: what the reader dropped after taking it."""
        # Not above: with it come all frames, and a sound process, which has a ring, must start soon.
        from voicepipe.report import DropReason, SeamReport

        # Each counter is read once: the callback may store meanwhile.
        overflow, stored = self._lost, self._stored
        lost = dict(dropped)
        if overflow:
            lost[DropReason.MIC_OVERFLOW] = lost.get(DropReason.MIC_OVERFLOW, 0) + overflow
        given = self._taken - sum(dropped.values())
        return SeamReport(name, stored, given, stored - overflow - self._taken, lost)


class QueuedSound(Protocol):
    """The loop's side of a `PlaybackRing`, which may be in another process."""

    @property
    def played(self) -> int:
        """Samples handed to the device."""
        ...

    @property
    def dropped(self) -> int:
        """Samples that flushes took."""
        ...

    @property
    def queued(self) -> int:
        """Samples that wait."""
        ...

    @property
    def flushing(self) -> bool:
        """A flush has not taken effect yet."""
        ...

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole samples."""
        ...

    def flush(self) -> None:
        """Fade out, and forget the rest."""
        ...

    def notify_at(self, queued: int) -> None:
        """Call once, when so few wait, or fewer."""
        ...


class PlaybackRing:
    """From the loop to a speaker's callback, which always gets its block: zeros where there is nothing."""

    def __init__(self, format: AudioFormat, notify: Callable[[], None]) -> None:  # noqa: A002
        self.format = format
        self._notify = notify
        self._notify_at = -1
        self._chunks: deque[memoryview] = deque()
        self._rest: memoryview | None = None
        self._head = 0
        """The sample of those written at which the queue begins; behind what was played and dropped where
        a flush has taken what is not off the queue yet, or has not come in. The callback's."""
        self._flushes: deque[int] = deque()
        """Of those that wait: the sample of those written before which each takes everything."""
        self._flushes_asked = 0
        self.flushes_done = 0
        """Flushes that have taken effect. The callback's."""
        self.written = 0
        """Samples that came in. The loop's."""
        self.played = 0
        """Samples handed to the device. The callback's."""
        self.dropped = 0
        """Samples that a flush or a loss took. The callback's."""

    # -- the loop's side -------------------------------------------------------

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole samples."""
        view = memoryview(data).cast("B")
        if view.nbytes:
            self.written += view.nbytes // self.format.sample_bytes
            self._chunks.append(view)

    def flush(self, until: int | None = None) -> None:
        """Fade out within the next block and forget the rest of what was written until now.

        Args:
            until: or of the first so many samples, where some of them are still to come in.
        """
        self._flushes_asked += 1
        self._flushes.append(self.written if until is None else until)

    def notify_at(self, queued: int) -> None:
        """Call `notify` once, when so few samples wait, or fewer."""
        self._notify_at = queued
        if self.queued <= queued:
            self._notify_at = -1
            self._notify()

    @property
    def flushing(self) -> bool:
        """A flush has been asked for that the callback has not seen."""
        return self._flushes_asked != self.flushes_done

    @property
    def queued(self) -> int:
        """Samples that wait to be handed to the device."""
        return self.written - self.played - self.dropped

    def discard(self) -> int:
        """Forget everything. Only when no callback can come any more. Returns the samples dropped."""
        before = self.dropped
        self._chunks.clear()
        self._rest = None
        self._flushes.clear()
        self.dropped = self.written - self.played
        self._head = self.written
        self.flushes_done = self._flushes_asked
        return self.dropped - before

    # -- the callback's side -----------------------------------------------------

    def pull(self, samples: int) -> bytes:
        """Return the next samples for the device, zeros behind them where there are too few."""
        size = self.format.sample_bytes
        parts: list[bytes | memoryview] = [self._fade(samples)] if self._flushes else []
        wanted = samples * size - sum(len(part) for part in parts)
        parts += self._next(wanted)
        data = b"".join(parts)[: samples * size]
        if self.queued <= self._notify_at:
            self._notify_at = -1
            self._notify()
        return data + bytes(samples * size - len(data))

    def _next(self, wanted: int) -> list[bytes | memoryview]:
        """Take up to so many bytes from the queue, counted as played."""
        parts: list[bytes | memoryview] = []
        while wanted > 0:
            chunk = self._take()
            if chunk is None:
                break
            part = chunk[:wanted]
            self._rest = chunk[wanted:] if chunk.nbytes > wanted else None
            wanted -= part.nbytes
            self.played += part.nbytes // self.format.sample_bytes
            self._head += part.nbytes // self.format.sample_bytes
            parts.append(part)
        return parts

    def _take(self) -> memoryview | None:
        """Take the oldest chunk, without what flushes have taken of it."""
        size = self.format.sample_bytes
        while (chunk := self._oldest()) is not None:
            taken = (self.played + self.dropped - self._head) * size
            if taken <= 0:
                return chunk
            self._head += min(taken, chunk.nbytes) // size
            if chunk.nbytes > taken:
                return chunk[taken:]
        return None

    def _oldest(self) -> memoryview | None:
        rest, self._rest = self._rest, None
        if rest is not None:
            return rest
        return self._chunks.popleft() if self._chunks else None

    def _fade(self, most: int) -> bytes:
        """Fade the next 5 ms, or `most` samples, to nothing; the rest up to the flush is dropped."""
        until = self._flushes[0]
        ramp = min(most, self.format.samples(RAMP_S), max(0, until - self.played - self.dropped))
        faded = _fade_out(b"".join(self._next(ramp * self.format.sample_bytes)), self.format.channels)
        done = 0
        while self._flushes:
            until = max(until, self._flushes.popleft())
            done += 1
        self.dropped += max(0, until - self.played - self.dropped)
        self._rest = self._take()  # let go of what was dropped
        self.flushes_done += done
        self._notify()
        return faded


def _fade_out(data: bytes, channels: int) -> bytes:
    audio = array("h", data)
    samples = len(audio) // channels
    faded = (int(value * (1 - at // channels / samples)) for at, value in enumerate(audio))
    return array("h", faded).tobytes()
