"""The crossing of audio between the device's callback and the event loop.

One writer and one reader each, on either side of the crossing. There is no lock: a deque's
append and popleft are atomic, and every counter has one writer. The callback never waits,
never raises, and wakes the loop at most once for each time that the loop looks.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

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

    def rewrite(self, position: int, data: bytes | memoryview) -> bool:
        """Replace what waits from there on; return False while a flush waits."""
        ...

    def notify_at(self, queued: int) -> None:
        """Call once, when so few wait, or fewer."""
        ...


class Rewrite(NamedTuple):
    """A replacement of what waits. It takes effect in the device's next request for a block."""

    position: int
    """The position, among the samples handed to the device, at which `data` begins."""
    data: memoryview
    came: int
    """The samples that writes had brought before it: those that it may replace."""
    overrun: int
    """The value of the ring's `overrun` that its writer knew."""


class PlaybackRing:
    """From the loop to a speaker's callback, which always gets its block: zeros where there is nothing."""

    def __init__(self, format: AudioFormat, notify: Callable[[], None]) -> None:  # noqa: A002
        self.format = format
        self._notify = notify
        self._notify_at = -1
        self._chunks: deque[memoryview] = deque()
        self._front: deque[memoryview] = deque()
        """Chunks that go before `_chunks`: begun, or put back by a rewrite. The callback's."""
        self._off = 0
        """Samples that the callback has taken off `_chunks`."""
        self._head = 0
        """The sample of those written at which the queue begins; behind what was played and dropped where
        a flush has taken what is not off the queue yet, or has not come in. The callback's."""
        self._flushes: deque[int] = deque()
        """Of those that wait: the sample of those written before which each takes everything."""
        self._flushes_asked = 0
        self.flushes_done = 0
        """Flushes that have taken effect. The callback's."""
        self._rewrites: deque[Rewrite] = deque()
        self._came = 0
        """Samples that writes brought. The loop's."""
        self._written = 0
        """Samples that came in, and what rewrites have made of them. The loop's."""
        self.overrun = 0
        """Samples that the device had taken beyond the end of rewrites that came too late. The callback's."""
        self.played = 0
        """Samples handed to the device. The callback's."""
        self.dropped = 0
        """Samples that a flush or a loss took. The callback's."""

    # -- the loop's side -------------------------------------------------------

    def write(self, data: bytes | memoryview) -> None:
        """Queue whole samples."""
        view = memoryview(data).cast("B")
        if view.nbytes:
            self._written += view.nbytes // self.format.sample_bytes
            self._came += view.nbytes // self.format.sample_bytes
            self._chunks.append(view)

    @property
    def written(self) -> int:
        """Samples that came in, and what rewrites have made of them."""
        return self._written + self.overrun

    def flush(self, until: int | None = None) -> None:
        """Fade out within the next block and forget the rest of what was written until now.

        Args:
            until: or of the first so many samples, where some of them are still to come in.
        """
        self._flushes_asked += 1
        self._flushes.append(self.written if until is None else until)

    def rewrite(
        self,
        position: int,
        data: bytes | memoryview,
        *,
        came: int | None = None,
        overrun: int | None = None,
    ) -> bool:
        """Replace what waits from `position` on by `data`; return False while a flush waits.

        Args:
            position: a position among the samples handed to the device. What the device has taken of
                `data` by then is left out.
            data: whole samples, shorter or longer than what they replace.
            came: the samples that writes brought before it, where some of them are still to come in.
            overrun: the `overrun` that the writer knows, where that is elsewhere.
        """
        if self.flushing:
            return False
        view = memoryview(data).cast("B")
        if came is None:  # else some may still be to come in, and the writer has looked at its own end
            came, position = self._came, min(position, self.written - self.dropped)
        overrun = self.overrun if overrun is None else overrun
        self._rewrites.append(Rewrite(position, view, came, overrun))
        end = position + view.nbytes // self.format.sample_bytes
        self._written = end + self.dropped - overrun + self._came - came
        return True

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
        self._front.clear()
        self._flushes.clear()
        self._rewrites.clear()
        self.dropped = self.written - self.played
        self._head = self.written
        self.flushes_done = self._flushes_asked
        return self.dropped - before

    # -- the callback's side -----------------------------------------------------

    def pull(self, samples: int) -> bytes:
        """Return the next samples for the device, zeros behind them where there are too few."""
        size = self.format.sample_bytes
        while self._rewrites and self._replace(self._rewrites[0]):
            self._rewrites.popleft()
        fades = self._flushes and not self._rewrites
        parts: list[bytes | memoryview] = [self._fade(samples)] if fades else []
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
            if chunk.nbytes > wanted:
                self._front.appendleft(chunk[wanted:])
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
        if self._front:
            return self._front.popleft()
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        self._off += chunk.nbytes // self.format.sample_bytes
        return chunk

    def _replace(self, rewrite: Rewrite) -> bool:
        """Carry out a rewrite; return False if something that it keeps or replaces is still to come in."""
        size = self.format.sample_bytes
        waiting: list[memoryview] = []
        while (chunk := self._oldest()) is not None:
            waiting.append(chunk)
        if self._off < rewrite.came:
            self._front.extend(waiting)
            return False
        audio = memoryview(b"".join(waiting))
        later = audio.nbytes - (self._off - rewrite.came) * size
        gone = (self.played + self.dropped - self._head) * size
        late = max(0, self.played - rewrite.position)
        kept = audio[gone : min(later, gone + max(0, rewrite.position - self.played) * size)]
        parts = (kept, rewrite.data[late * size :], audio[later:])
        self._front.extend(part for part in parts if part.nbytes)
        self._head = self.played + self.dropped
        self.overrun = rewrite.overrun + max(0, late - rewrite.data.nbytes // size)
        return True

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
        rest = self._take()  # let go of what was dropped
        if rest is not None:
            self._front.appendleft(rest)
        self.flushes_done += done
        self._notify()
        return faded


def _fade_out(data: bytes, channels: int) -> bytes:
    audio = array("h", data)
    samples = len(audio) // channels
    faded = (int(value * (1 - at // channels / samples)) for at, value in enumerate(audio))
    return array("h", faded).tobytes()
