"""The port's streams over files: what is read of one, and written to one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from voicepipe.audio.channel_mixer import ChannelMixer
from voicepipe.audio.convert import Converter, mixes
from voicepipe.audio.files.sound_file import SoundReader
from voicepipe.audio.files.wav_file import WavWriter
from voicepipe.census.census import register_stream, unregister_stream
from voicepipe.devices.callback_counts import CallbackCounts
from voicepipe.devices.port import Block, StreamInfo, StreamRequest
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.log import logger_of
from voicepipe.report import SeamReport
from voicepipe.speakers import Sounded
from voicepipe.text import printable
from voicepipe_devices.ring import Doorbell, PlaybackRing
from voicepipe_devices.tap import SoundedRecord
from voicepipe_devices.wav.pace import AtOnce, Clock, Pace

__all__ = ["FileInput", "FileOutput", "file_name"]

_log = logger_of("voicepipe")
_ENDLESS = 1 << 62
"""Samples of a file whose header does not say how many there are."""


def file_name(path: str) -> str:
    """Return the name of a file as a device."""
    return printable(os.path.basename(path))


class _Blocks:
    """A file's audio in the format that was asked for, block by block."""

    def __init__(self, reader: SoundReader, path: str, request: StreamRequest) -> None:
        self._reader = reader
        self._path = path
        self.mixer = None
        if mixes(reader.format, request.format, request.channel):
            self.mixer = ChannelMixer(reader.format, f'the microphone "{file_name(path)}"')
        self._converter = Converter(
            reader.format, request.format, quality="HQ", channel=request.channel, mixer=self.mixer
        )
        self._size = request.block * request.format.sample_bytes
        self._piece = -(-request.block * reader.format.rate // request.format.rate)
        self._ready = b""
        self._ended = False
        self._left = _ENDLESS if reader.num_samples is None else reader.num_samples
        """Samples of the file that were not read yet."""
        self._told = 0
        """Remarks on the file that are in the log."""
        self._tell_remarks()
        self.error: DeviceError | None = None

    @property
    def is_over(self) -> bool:
        """True where there is no further block."""
        self._fill()
        return not self._ready

    @property
    def rest(self) -> int:
        """Samples to come, in the format that was asked for, give or take one."""
        source, target = self._converter.source, self._converter.target
        unread = self._left * target.rate // source.rate
        return unread + self._converter.held + len(self._ready) // target.sample_bytes

    def take(self) -> bytes:
        """Take the next block; the last one may be shorter."""
        self._fill()
        block, self._ready = self._ready[: self._size], self._ready[self._size :]
        return block

    def close(self) -> None:
        """Read nothing more."""
        self._ended = True
        self._reader.close()

    def _fill(self) -> None:
        while len(self._ready) < self._size and not self._ended:
            data = self._read()
            if data:
                self._ready += self._converter.convert(data)
            else:
                self._ready += self._converter.flush()
                self._ended = True
                self._tell_remarks()  # some show only where the file ends

    def _tell_remarks(self) -> None:
        new = self._reader.remarks[self._told :]
        self._told += len(new)
        for remark in new:
            _log.warning("%s: %s", printable(self._path), remark)

    def _read(self) -> bytes:
        try:
            data = self._reader.read(self._piece)
        except OSError as error:
            self.error = _loss_error(error, self._path, "read")
            data = b""
        self._left = max(0, self._left - len(data) // self._reader.format.sample_bytes) if data else 0
        return data


class _Stream:
    """A stream of either direction. All of it is for the loop's thread."""

    def __init__(self, path: str, request: StreamRequest, wake: Callable[[], None]) -> None:
        self.info = StreamInfo(file_name(path), request.format, request.block, 0.0)
        self.is_closed = False
        self.error: DeviceError | None = None
        self._count = 0
        self._path = path
        self._wake = wake
        self._bell = Doorbell(asyncio.get_running_loop(), self._answer)
        register_stream(self)

    def __str__(self) -> str:
        return f"{type(self).__name__} of {self.info.device}"

    callbacks = None
    """A file gives no signs of life."""

    @property
    def stamps(self) -> Stamps:
        """A file gives no time stamps: it keeps time, or has none."""
        return ""

    @property
    def counts(self) -> CallbackCounts:
        """A file makes no callbacks, and none is late: the pieces that were read or written."""
        return CallbackCounts(self._count)

    def _answer(self) -> None:
        if not self.is_closed:
            self._wake()


class FileInput(_Stream):
    """A microphone that hears a file. A slow pipeline loses nothing: the rest waits in the file."""

    def __init__(
        self, reader: SoundReader, path: str, request: StreamRequest, wake: Callable[[], None], *, paced: bool
    ) -> None:
        super().__init__(path, request, wake)
        self._blocks = _Blocks(reader, path, request)
        self._pace: Pace = Clock(_block_s(self.info), self._tick) if paced else AtOnce(self._bell.ring)
        self._position = 0
        self._began_s: float | None = None
        self._stopped = False

    @property
    def channel_fault(self) -> str:
        """A sentence on what spoils the mix of the file's channels; empty: nothing."""
        mixer = self._blocks.mixer
        return "" if mixer is None else mixer.fault

    @property
    def exhausted(self) -> bool:
        """The file has ended, and everything was read."""
        began = self._began_s is not None and not self.is_closed
        return began and self._is_over() and self.error is None

    async def start(self) -> None:
        """Begin at the beginning of the file, now."""
        if self._began_s is None and not self._stopped:
            self._began_s = asyncio.get_running_loop().time()
            self._pace.start()
            self._bell.ring()

    def read(self) -> Block | None:
        """Read the next block. Unpaced: the next there is, and now and then none, with a wake-up call."""
        if self._began_s is None or self.is_closed or self._is_over() or not self._pace.more():
            return None
        data, position = self._blocks.take(), self._position
        self._position += len(data) // self.info.format.sample_bytes
        self._count += 1
        return Block(data, position, self._began_s + self.info.format.seconds(position))

    def _is_over(self) -> bool:
        over = self._blocks.is_over
        self.error = self._blocks.error
        return over

    def _tick(self) -> bool:
        self._answer()
        return not self._is_over()

    def stop(self) -> None:
        """Close the intake. At once: what was not read was not captured. Paced: what was due can be read."""
        self._stopped = True
        self._pace.stop()

    async def finish(self) -> None:
        """Close the intake; all that was captured is here."""
        self.stop()

    def seam(self, name: str, dropped: dict[str, int]) -> SeamReport:
        """Return the ledger. Nothing is ever lost here; the file waits."""
        held = min(self._pace.waiting * self.info.block, self._blocks.rest)
        given = self._position - sum(dropped.values())
        return SeamReport(name, self._position + held, given, held, dict(dropped))

    async def close(self) -> None:
        """Close the file."""
        if not self.is_closed:  # nothing here waits, so a second call has nothing to wait for
            self.is_closed = True
            self.stop()
            self._blocks.close()
            unregister_stream(self)


class FileOutput(_Stream):
    """A speaker that is a file. Zeros are not written: the file has what was played, and nothing else."""

    def __init__(
        self, writer: WavWriter, path: str, request: StreamRequest, wake: Callable[[], None], *, paced: bool
    ) -> None:
        super().__init__(path, request, wake)
        self._writer = writer
        self._ring = PlaybackRing(request.format, self._bell.ring)
        self._clock = Clock(_block_s(self.info), self._tick) if paced else None
        self._record = SoundedRecord(request.format) if request.tap else None
        self._made_s = asyncio.get_running_loop().time()
        self._news = asyncio.Event()

    @property
    def position(self) -> int:
        """Samples that are in the file."""
        return self._writer.num_samples

    @property
    def asked_s(self) -> None:
        """A file has no clock."""

    @property
    def queued(self) -> int:
        """Samples that wait for their time, or that the disk did not take."""
        # Not the ring's own: what it gave out and the disk did not take was not heard.
        return self._ring.written - self.position - self.dropped

    @property
    def dropped(self) -> int:
        """Samples that flushes took."""
        return self._ring.dropped

    @property
    def flushing(self) -> bool:
        """A flush waits for the next block."""
        return self._ring.flushing

    async def start(self) -> None:
        """Let its clock begin, where it is paced."""
        if self._clock is not None and not self.is_closed:
            self._clock.start()

    def write(self, data: bytes | memoryview) -> None:
        """Append whole samples: now, or paced, when their time has come."""
        self._ring.write(data)
        self._offer()

    def flush(self) -> None:
        """Fade out within the next block, and forget the rest. Unpaced, there is no rest."""
        self._ring.flush()
        self._offer()

    reach = 0
    """A file takes nothing between two steps of the loop."""

    def rewrite(self, position: int, data: bytes | memoryview) -> bool:
        """Replace what waits from there on. Unpaced, nothing waits: it is appended."""
        if not self._ring.rewrite(position, data):
            return False
        self._offer()
        return True

    def notify_at(self, queued: int) -> None:
        """Make the wake-up call once, in the loop's next step at the earliest."""
        self._ring.notify_at(queued)

    def heard(self) -> Sounded | None:
        """Return the oldest block that went to the file and was not returned yet.

        Paced, positions count the blocks of the clock, with a jump where it had nothing to write. Unpaced,
        the first sample of the file sounds when the stream is made.
        """
        return None if self._record is None else self._record.take()

    async def drain(self) -> None:
        """Return when everything is in the file. Raises: DeviceError."""
        while self.queued:
            self._ring.notify_at(0)
            await self._next_news()
        if self.error is not None:
            raise self.error

    async def settle(self) -> None:
        """Return when no flush is waiting. Raises: DeviceError."""
        while self._ring.flushing:
            await self._next_news()

    async def close(self) -> None:
        """Raises: DeviceLostError, where the file cannot be finished and nobody knows yet."""
        if self.is_closed:  # nothing here waits, so a second call has nothing to wait for
            return
        self.is_closed = True
        self._news.set()
        if self._clock is not None:
            self._clock.stop()
        unregister_stream(self)
        try:
            self._writer.close()
        except OSError as error:
            if self.error is None:
                self.error = _loss_error(error, self._path, "finished")
                raise self.error from error

    def _answer(self) -> None:
        self._news.set()
        super()._answer()

    async def _next_news(self) -> None:
        if self.error is not None:
            raise self.error
        if self.is_closed:
            raise DeviceError(f"the stream of {self.info.device} was closed meanwhile")
        self._news.clear()
        await self._news.wait()

    def _offer(self) -> None:
        """Offer what is queued to the device, which takes it at once, or block by block."""
        if self._clock is None:
            self._play(self._ring.queued)
        elif not self._clock.is_ticking:
            self._clock.skip()
            self._clock.tick_later()

    def _tick(self) -> bool:
        assert self._clock is not None
        while self._clock.more():
            self._play(self.info.block)
        return self.error is None and (self._ring.queued > 0 or self._ring.flushing)

    def _play(self, samples: int) -> None:
        if self.is_closed or self.error is not None:
            return
        before = self._ring.played
        data = self._ring.pull(samples)
        self._count += 1
        heard = (self._ring.played - before) * self.info.format.sample_bytes
        try:
            self._writer.write(memoryview(data)[:heard])
        except OSError as error:
            self.error = _loss_error(error, self._path, "written")
            self._bell.ring()
        else:
            self._note(data, before)

    def _note(self, data: bytes, position: int) -> None:
        """Record what the file took."""
        if self._record is None or not data:
            return
        sounds_s = self._made_s + self.info.format.seconds(position)
        if self._clock is not None:
            block = self._clock.taken - 1
            position, sounds_s = block * self.info.block, self._clock.end_s(block)
        self._record.add(data, position, sounds_s)


def _block_s(info: StreamInfo) -> float:
    return info.format.seconds(info.block)


def _loss_error(error: OSError, path: str, done: str) -> DeviceLostError:
    return DeviceLostError(
        f"{printable(path)} cannot be {done} any more: {error.strerror}: "
        "make room or see to the disk, and begin again"
    )
