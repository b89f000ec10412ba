"""The queue of a speaker's device: the last second before it sounds, which can still be changed."""

from __future__ import annotations

from collections.abc import Sequence

from voicepipe.devices.port import OutputStream
from voicepipe.endpoints.mixer import mix
from voicepipe.endpoints.ramp import FULL, Ramp, fade
from voicepipe.endpoints.sentences import Sentence
from voicepipe.endpoints.source import Source
from voicepipe.report import DropReason

__all__ = ["DeviceQueue"]

FADE_S = 0.005
"""The time that a cut, a hold and the end of a hold take to fade."""


class DeviceQueue:
    """The audio of all sources that is with the present stream, and the positions over all streams.

    Positions count the samples handed to a device since the start, over all streams. A change (another
    source, a gain, a cut) writes anew what the device has not taken yet. Where a stream cannot do that, a
    change begins behind what is written, and a cut flushes.

    Args:
        stream: the first stream.
        sources: the sources; more may be added.
        most_s: the longest queue, in seconds.
    """

    def __init__(self, stream: OutputStream, sources: Sequence[Source], most_s: float) -> None:
        self.format = stream.info.format
        self._sources = sources
        self._fade = self.format.samples(FADE_S)
        self.most = self.format.samples(most_s)
        self._given = 0
        """The samples that earlier streams handed to their device."""
        self.end = 0
        """The position behind the last sample that was written."""
        self.volume = FULL
        self._flushed: dict[Source, str] = {}
        """The sources of which a flush took what was written, and why; others write theirs again."""
        self._flushes = False
        self.is_closed = False
        """True once nothing more is written."""
        self.adopt(stream)

    # -- the stream ----------------------------------------------------------------

    def adopt(self, stream: OutputStream) -> None:
        """Write to this stream from now on."""
        self.stream: OutputStream | None = stream
        rewrite = getattr(stream, "rewrite", None)
        self.can_rewrite = rewrite is not None and rewrite(stream.position, b"")

    def lose(self) -> None:
        """Let go of the stream; what the device had not taken is lost."""
        self.advance()
        self._given = self.end = self.position
        self._flushes, self._flushed = False, {}
        self.stream = None
        for source in self._sources:
            source.drop_written(DropReason.DEVICE_LOST, self.end)

    def leave(self) -> None:
        """Let go of the stream; what the device had not taken waits for the next one."""
        self.advance()
        position = self.position
        self._end_flush(position)
        self._given, self.stream = position, None

    @property
    def position(self) -> int:
        """The number of samples handed to a device so far."""
        return self._given + (0 if self.stream is None else self.stream.position)

    @property
    def queued(self) -> int:
        """The number of samples that wait for the device."""
        return 0 if self.stream is None else self.stream.queued

    @property
    def has_sounded(self) -> bool:
        """True if the device has taken everything that was written."""
        return self.position >= self.end

    @property
    def is_flushing(self) -> bool:
        """True while a flush waits for the device. Nothing is written meanwhile."""
        return self._flushes

    @property
    def reach(self) -> int:
        """The first position that can still be changed."""
        if not self.can_rewrite or self.stream is None:
            return self.end
        return min(self.end, self.position + self.stream.reach)

    def wait_of(self, source: Source) -> tuple[int, int]:
        """Return the samples that wait before the next one of a source, and those that could be left out.

        The rest of them is with the device already, as other sources reach farther.
        """
        position = self.position
        wait = self._begin_of(source) - position + source.waiting
        others = any(other.is_with_device for other in self._sources if other is not source)
        return wait, wait - (max(0, self.reach - position) if others else 0)

    def advance(self) -> None:
        """Note what has sounded, and what a flush has taken."""
        stream = self.stream
        if stream is None:
            return
        is_over = self._flushes and not stream.flushing
        position = self.position
        for source in self._sources:
            source.advance(position)
        if is_over:
            self._end_flush(position)

    def notify_before(self, positions: list[int]) -> None:
        """Request one wake-up call for when the device has come to the next of these positions."""
        now = self.position
        coming = [position for position in positions if position > now]
        if self.stream is not None and coming:
            self.stream.notify_at(max(0, self.end - min(coming)))

    # -- writing -------------------------------------------------------------------

    def feed(self) -> bool:
        """Write what is ready, as the device has room; return True if there was any."""
        stream = self.stream
        if stream is None or stream.error is not None or self._flushes or self.is_closed:
            return False
        begins = [self._begin_of(source) for source in self._sources if source.ready]
        return bool(begins) and self._write(min(begins))

    def _begin_of(self, source: Source) -> int:
        """Return the position of the next sample of a source: behind its last one, or as soon as possible."""
        return max(self.reach, min(source.end, self.end))

    def _write(self, at: int) -> bool:
        """Write what is ready for this position, in place of what was written for it or a later one."""
        if at < self.end:
            self._take_back(at)
            self._write_instead(at)
            return True
        samples = min(self._room(at), max(source.ready for source in self._sources))
        if samples and self.stream is not None:
            self.stream.write(self._mix(at, samples))
            self.end = at + samples
        return samples > 0

    def _take_back(self, at: int) -> None:
        for source in self._sources:
            source.take_back(at)

    def _write_instead(self, at: int) -> None:
        """Write for this position, after everything from there on was taken back."""
        if self.stream is None:
            return
        samples = min(self._room(at), max(source.ready for source in self._sources))
        self.stream.rewrite(at - self._given, self._mix(at, samples))
        self.end = at + samples

    def _room(self, at: int) -> int:
        return max(0, self.position + self.most - at)

    def _mix(self, at: int, samples: int) -> bytes | memoryview:
        return mix(self._sources, self.volume, at, samples, self.format.channels)

    def write_anew(self) -> None:
        """Write all that can still be changed once more, because a gain or a source has changed."""
        if self.can_rewrite and not self._flushes and not self.is_closed and self.reach < self.end:
            self._write(self.reach)

    # -- gains ---------------------------------------------------------------------

    def set_volume(self, gain: float, ramp_s: float) -> None:
        """Change the volume of everything, with a ramp."""
        self.volume = self._ramp(self.volume, gain, ramp_s)
        self.write_anew()

    def set_gain(self, source: Source, gain: float, ramp_s: float) -> None:
        """Change the gain of one source, with a ramp."""
        source.gain = self._ramp(source.gain, gain, ramp_s)
        if source.is_with_device:
            self.write_anew()

    def reset_gain(self, source: Source) -> None:
        """Give a source full gain behind what was written of it."""
        source.gain = Ramp(source.end, 0, source.gain.at(source.end), 1.0)

    def _ramp(self, before: Ramp, gain: float, ramp_s: float) -> Ramp:
        at = self.reach
        return Ramp(at, self.format.samples(ramp_s), before.at(at), gain)

    # -- cuts ----------------------------------------------------------------------

    def cut(self, source: Source, reason: str) -> None:
        """Fade a source out in the next block, and drop what waits of it."""
        source.drop_waiting(reason)
        if not source.is_with_device or self._flushes:
            return
        alone = not any(other.is_with_device for other in self._sources if other is not source)
        if self.can_rewrite and not alone:
            at = self.reach
            self._take_back(at)
            source.discard(source.split(self._fade, self._fade_out), reason)
            source.begin_fade()
            self._write_instead(at)
        else:
            self._flush({source: reason})

    def hold(self, source: Source) -> None:
        """Fade a source out in the next block, and keep what waits of it."""
        if not self.can_rewrite and source.is_with_device and not self._flushes:
            self._flush({})
        if not self.can_rewrite or not source.is_with_device or self._flushes:
            source.park(source.split(0))
            return
        at = self.reach
        self._take_back(at)
        source.repeat(self._fade, self._fade_out)
        self._write_instead(at)

    def release(self, source: Source, again: Sentence | None) -> None:
        """Let a source that was held go on, with this sentence from its beginning, if there is one."""
        source.release(again)
        source.put_back(source.split(self._fade, self._fade_in))
        self.feed()

    def drop_others(self, source: Source, kept: Sentence, reason: str) -> None:
        """Drop what waits of a source and belongs to another sentence."""
        at = source.first_of_others(kept)
        changes = at is not None and self.can_rewrite and not self._flushes
        begin = max(at or 0, self.reach)
        if changes:
            self._take_back(begin)
        source.drop_others(kept, reason)
        if changes and begin < self.end:
            self._write_instead(begin)

    def leave_out(self, source: Source, samples: int, reason: str) -> int:
        """Leave out at most so many live samples of a source, from what waits; return their number.

        It takes effect in the next block, where the stream can rewrite what it was given.
        """
        if self.stream is None or self._flushes or self.is_closed:
            return 0
        at, rewrites = self.reach, self.can_rewrite and self.reach < self.end
        if rewrites:
            self._take_back(at)
        left_out = source.leave_out(samples, self._fade, reason)
        if rewrites:
            self._write_instead(at)
        return left_out

    def flush(self) -> None:
        """Fade everything out in the next block, and write nothing more. For a cancel."""
        self.is_closed = True
        if self.stream is not None:
            self.stream.flush()
            self._flushes = True

    def _flush(self, dropped: dict[Source, str]) -> None:
        if self.stream is not None:
            self.stream.flush()
            self._flushes, self._flushed = True, dropped

    def _end_flush(self, position: int) -> None:
        self._flushes = False
        flushed, self._flushed = self._flushed, {}
        self.end = position
        for source in self._sources:
            if source in flushed:
                source.drop_written(flushed[source], position)
            source.take_back(position)
            if source.is_held:
                source.park(source.split(0))

    def _fade_out(self, data: memoryview) -> bytes:
        return fade(data, self.format.channels, 1.0, 0.0)

    def _fade_in(self, data: memoryview) -> bytes:
        return fade(data, self.format.channels, 0.0, 1.0)
