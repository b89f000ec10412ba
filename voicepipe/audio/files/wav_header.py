"""The header of a WAV file, held against what is there."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass

from voicepipe.audio.files.sound_kinds import UNKNOWN, WAV, find_kind
from voicepipe.audio.files.wav_advice import AGAIN, ffmpeg_command, sox_command
from voicepipe.audio.files.wav_encoding import Encoding, encoding_of
from voicepipe.audio.format import AudioFormat, pcm_bytes
from voicepipe.errors import AudioFormatError
from voicepipe.text import printable

__all__ = ["Layout", "layout_of"]

_ORDERS = {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
"""The byte order, by the first bytes of the file."""
_ELSEWHERE = 0xFFFF_FFFF
"""The size of a chunk whose size stands in `ds64`, in 64 bits."""
_DS64 = struct.Struct("<QQQI")
_MOST_SIZES = 64
"""Of further chunks, in `ds64`."""
_MOST_CHUNKS = 1_000
"""Before the audio, and behind it. A file could hold millions of empty ones."""
_SCANNED = 64 * 1024 * 1024
"""Bytes of audio without a known end that are searched for the header of a second file: 35 min at 16 kHz."""
_PIECE = 96 * 1024
"""Bytes that are read at a time: whole samples of three bytes and of four."""
_MOST_FILLING = 1024 * 1024
"""Bytes of zeros at the end of a file that nobody needs to know of."""

_ANOTHER_FILE = "another WAV file follows its audio, and is not read: `sox a.wav b.wav out.wav` joins files"


@dataclass(frozen=True, slots=True)
class Layout:
    """The place of a file's audio, and its encoding."""

    encoding: Encoding
    start: int
    """The position of its first byte."""
    num_samples: int
    remarks: tuple[str, ...] = ()
    """Faults of a file that can be read all the same: each a line without the file's name."""

    @property
    def format(self) -> AudioFormat:
        """Rate and channels."""
        return self.encoding.format

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of all channels, in the file."""
        return self.encoding.width * self.format.channels

    def decode(self, raw: bytes) -> bytes:
        """Decode the whole samples of it to interleaved int16."""
        whole = raw[: len(raw) - len(raw) % self.sample_bytes]
        array = self.encoding.decode(whole)
        return pcm_bytes(array.reshape(-1, self.format.channels), self.format.channels)


def layout_of(file: io.BufferedReader, path: str) -> Layout:
    """Walk the chunks up to the audio, and look at what is behind it.

    Raises:
        AudioFormatError: there is none that can be read; `path` names the file.
        OSError: the disk fails.
    """
    return _Walk(file, path).layout()


class _Walk:
    """A way through the chunks of a file."""

    def __init__(self, file: io.BufferedReader, path: str) -> None:
        self._file = file
        self._path = path
        self._name = printable(path)
        self._size = os.fstat(file.fileno()).st_size
        self._wide: dict[bytes, int] = {}
        """Sizes of 64 bits, of chunks that say they stand elsewhere."""
        self._base = 0
        self._order, self._riff_end = self._begin()

    def layout(self) -> Layout:
        """Return the layout. Raises: AudioFormatError, OSError."""
        encoding: Encoding | None = None
        for _ in range(_MOST_CHUNKS):
            chunk = self._next_chunk()
            if chunk is None:
                break
            kind, start, length = chunk
            if kind == b"data":
                return self._describe(encoding, start, length)
            if kind == b"fmt ":
                encoding = encoding_of(self._file.read(min(length, 40)), self._path, self._order)
            if kind == b"ds64":
                self._note_sizes(self._file.read(min(length, _DS64.size + 12 * _MOST_SIZES)))
            self._leave(start, length)
        missing = "format" if encoding is None else "audio"
        raise AudioFormatError(
            f"{self._name} is no whole WAV file: it has no {missing} (or is cut off before); {AGAIN}"
        )

    def _begin(self) -> tuple[str, int]:
        """Return the byte order, and the place where the file should end by its header."""
        kind, self._base = find_kind(self._file)
        self._file.seek(self._base)
        head = self._file.read(12)
        if kind is WAV:
            order = _ORDERS[head[:4]]
            return order, self._base + 8 + self._number(head[4:8], order)
        if not head and not self._base:
            raise AudioFormatError(f"{self._name} is empty; use a WAV file, or {AGAIN}")
        cure = f"{ffmpeg_command(self._path)} makes one"
        if kind is UNKNOWN:
            raise AudioFormatError(
                f"{self._name} is no WAV file: it begins with {head!r}, not with RIFF....WAVE; "
                f"if it is sound, {cure}"
            )
        use = "use a sound file" if kind.reader == "nothing" else f"use a WAV file: {cure}"
        raise AudioFormatError(f"{self._name} is {kind.name}; {use}")

    def _next_chunk(self) -> tuple[bytes, int, int] | None:
        """Read the head of a chunk: its kind, the place of its content, and its length."""
        head = self._file.read(8)
        if len(head) < 8:
            return None
        kind, length = head[:4], self._number(head[4:], self._order)
        return kind, self._file.tell(), self._wide.get(kind, length) if length == _ELSEWHERE else length

    def _note_sizes(self, chunk: bytes) -> None:
        """Note the sizes of an RF64 file, of more than 4 GiB: the whole, the audio, and other chunks."""
        if len(chunk) < _DS64.size:
            return
        whole, audio, _, count = _DS64.unpack_from(chunk)
        self._riff_end = self._base + 8 + whole
        self._wide[b"data"] = audio
        for at in range(_DS64.size, min(len(chunk) - 11, _DS64.size + 12 * count), 12):
            self._wide[chunk[at : at + 4]] = int.from_bytes(chunk[at + 4 : at + 12], "little")

    def _leave(self, start: int, length: int) -> None:
        """Go to the next chunk. One of odd length has a byte of padding, which some writers forget."""
        end = min(start + length, self._size)  # 64 bits may name a place that no disk has
        self._file.seek(end)
        if length % 2 and not self._is_unpadded(self._file.read(5)):
            self._file.seek(end + 1)
        elif length % 2:
            self._file.seek(end)

    @staticmethod
    def _is_unpadded(ahead: bytes) -> bool:
        return _is_kind(ahead[:4]) and ahead[1:5] not in (b"fmt ", b"data")

    def _describe(self, encoding: Encoding | None, start: int, claimed: int) -> Layout:
        """Return the layout of the audio that begins here. Raises: AudioFormatError: it has no format."""
        if encoding is None:
            raise AudioFormatError(
                f"{self._name} is no sound WAV file: its audio comes before its format; "
                f"{ffmpeg_command(self._path)} makes one"
            )
        if encoding.is_doubtful:
            encoding = encoding.settle(self._sound())
        end, remarks = self._end_of_audio(encoding, start, claimed)
        samples = (end - start) // (encoding.width * encoding.format.channels)
        return Layout(encoding, start, samples, tuple(remarks))

    def _sound(self) -> bytes:
        """Read the first piece of the audio that is not silent; b"" where there is none near."""
        for _ in range(_SCANNED // _PIECE):
            piece = self._file.read(_PIECE)
            if any(piece):
                return piece
        return b""

    def _end_of_audio(self, encoding: Encoding, start: int, claimed: int) -> tuple[int, list[str]]:
        """Return the place where the audio ends, and the remarks on it.

        The length in the header is believed where the file is that long. A length of 0 before more bytes
        is that of a writer that never came back to its header, unless the size of the whole file is right
        or a chunk follows: then the audio is empty.
        """
        there = self._size - start
        if claimed < there and (claimed or self._is_empty(start)):
            return start + claimed, self._remarks_behind(encoding, start, claimed)
        unknown = _is_placeholder(claimed, is_wide=b"data" in self._wide)
        if unknown and (second := self._second_file(start)) is not None:
            return second, [_ANOTHER_FILE]
        return self._size, [] if unknown else _remarks_on_cut(encoding, claimed, there)

    def _is_empty(self, start: int) -> bool:
        self._file.seek(start)
        return self._size == self._riff_end and _is_kind(self._file.read(4))

    def _remarks_behind(self, encoding: Encoding, start: int, length: int) -> list[str]:
        """Look at the chunks behind the audio: another file, more audio, or no chunks at all."""
        self._leave(start, length)
        for _ in range(_MOST_CHUNKS):
            at = self._file.tell()
            chunk = self._next_chunk()
            if chunk is None:
                return []
            kind, start, size = chunk
            if kind in _ORDERS:
                return [_ANOTHER_FILE]
            if kind == b"data":
                return [f"a second piece of audio, {_seconds(encoding, size)}, follows, and is not read"]
            if not _is_kind(kind) or start + size > self._size:
                return self._remarks_on_rest(encoding, at)
            self._leave(start, size)
        return []

    def _remarks_on_rest(self, encoding: Encoding, at: int) -> list[str]:
        """Return the remarks on what is no chunk: none on zeros, as a full block of a disk has."""
        rest = self._size - at
        self._file.seek(at)
        if rest <= _MOST_FILLING and not any(self._file.read(rest)):
            return []
        whole = sox_command(self._path, reading="--ignore-length")
        return [
            f"{rest} bytes behind its audio are not read, {_seconds(encoding, rest)} if they are audio: "
            f"where a recorder was killed, {whole} keeps them"
        ]

    def _second_file(self, start: int) -> int | None:
        """Return where the header of another file stands within audio whose end is not known."""
        magic = b"WAVEfmt "
        self._file.seek(start)
        before = b""
        for at in range(start, min(self._size, start + _SCANNED), _PIECE):
            piece = before + self._file.read(_PIECE)
            found = piece.find(magic)
            begin = at - len(before) + found - 8
            if found >= 8 and piece[found - 8 : found - 4] in _ORDERS and begin >= start:
                return begin
            before = piece[-len(magic) - 8 :]
        return None

    @staticmethod
    def _number(raw: bytes, order: str) -> int:
        return int.from_bytes(raw, "little" if order == "<" else "big")


def _is_kind(kind: bytes) -> bool:
    """Return True for what can be the name of a chunk."""
    return len(kind) == 4 and all(0x20 <= byte < 0x7F for byte in kind)


def _is_placeholder(length: int, *, is_wide: bool) -> bool:
    """Return True for the lengths that writers into a pipe give: ffmpeg, sox, arecord and others."""
    if is_wide and length != _ELSEWHERE:
        return length == 0 or length >= 1 << 62
    return length == 0 or length >= 0xFFFF_0000 or 0x7FFF_0000 <= length <= 0x8000_0100


def _remarks_on_cut(encoding: Encoding, claimed: int, there: int) -> list[str]:
    says, has = _seconds(encoding, claimed), _seconds(encoding, there)
    return [f"it is cut off: its header says {says}, it has {has}"] if says != has else []


def _seconds(encoding: Encoding, length: int) -> str:
    samples = length // (encoding.width * encoding.format.channels)
    return f"{encoding.format.seconds(samples):.2f} s"
