"""The messages between a program and its sound process: a kind, a length, and so many bytes.

Sound to be heard goes to it by a pipe of its own, as bare samples: so no message waits behind sound. A
speaker's progress is in memory that both share (`shared_page`).

to the sound process                     from it
---------------------------------------  -------------------------------------------------
OPEN     what to open, as JSON           OPENED    what was opened, as JSON
DEVICES  (list them)                     DEVICES   the list, as JSON
START    (let the callbacks begin)       STARTED
FLUSH    samples written until then:     BLOCK     position, capture time, counts, samples
         fade out, forget the rest       PROGRESS  (what was wished for is reached, or a flush is done)
REWRITE  where, what it replaces, and
         samples to be heard instead
STOP     (close the intake)              STOPPED   behind the last block
LIBRARY  (what do you stand on?)         LIBRARY   its version and the priority, as JSON
TRY      a device's number and name      TRIED     what it opens at, as JSON
                                         FAILED    an error, as JSON: the answer to a request
                                         OVER      an error, as JSON: no more callbacks
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any, get_args

from voicepipe import errors
from voicepipe.audio.format import AudioFormat
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError
from voicepipe.text import printable

__all__ = [
    "BLOCK_HEAD",
    "COUNTS",
    "FLUSH_BODY",
    "REWRITE_HEAD",
    "STAMPS",
    "Kind",
    "InvalidMessageError",
    "Parser",
    "decode_json",
    "error_message",
    "error_of",
    "message",
    "stamps_at",
    "to_fields",
    "from_fields",
    "unpack",
]

_HEAD = struct.Struct("<BI")
BLOCK_HEAD = struct.Struct("<QdB")
"""Position of the first sample, when it was captured, and the code of `STAMPS`. `COUNTS` follow, and the
samples."""
FLUSH_BODY = struct.Struct("<Q")
"""Samples written until then. Some of them may still be on their way."""
REWRITE_HEAD = struct.Struct("<QQQ")
"""The position, the samples that came by the pipe of the sound before it, and the overrun known. Samples
follow."""
COUNTS = struct.Struct("<QIId")
"""The fields of `CallbackCounts`."""
STAMPS: tuple[Stamps, ...] = get_args(Stamps)
"""The worth of time stamps, each at its code."""


_MOST_BYTES = 1 << 26
"""In a message: more than a second of 32 channels at 384 kHz."""


class Kind:
    """The kinds of messages."""

    OPEN, DEVICES, START, FLUSH, STOP, LIBRARY, TRY, REWRITE = range(8)
    OPENED, STARTED, BLOCK, PROGRESS, STOPPED, FAILED, OVER, TRIED = range(10, 18)


_KINDS = frozenset({*range(8), *range(10, 18)})


class InvalidMessageError(Exception):
    """Bytes that are no message: a library may have written into the pipe, or over the process's memory."""


def message(kind: int, body: bytes = b"") -> bytes:
    """Return one message."""
    return _HEAD.pack(kind, len(body)) + body


class Parser:
    """Messages out of bytes that come in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every message that is whole now: its kind and its body. Raises: InvalidMessageError."""
        data, at = self._rest + data, 0
        while len(data) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, at)
            if kind not in _KINDS or length > _MOST_BYTES:
                raise InvalidMessageError(f"a message of kind {kind} and {length} bytes")
            end = at + _HEAD.size + length
            if end > len(data):
                break
            yield kind, data[at + _HEAD.size : end]
            at = end
        self._rest = data[at:]


def unpack(struct_of: struct.Struct, body: bytes, at: int = 0) -> tuple[Any, ...]:
    """Unpack the numbers at the beginning of a body, or from `at` on. Raises: InvalidMessageError."""
    try:
        return struct_of.unpack_from(body, at)
    except struct.error as error:
        raise InvalidMessageError(f"a body of {len(body)} bytes") from error


def to_fields(value: StreamRequest | StreamInfo) -> dict[str, Any]:
    """Return the fields of a value, for JSON."""
    fields = {name: getattr(value, name) for name in value.__slots__}
    audio: AudioFormat = fields.pop("format")
    return {**fields, "rate": audio.rate, "channels": audio.channels}


def from_fields(kind: type[StreamRequest | StreamInfo], fields: dict[str, Any]) -> Any:
    """Return the value whose fields `to_fields` has made. Raises: InvalidMessageError."""
    try:
        audio = AudioFormat(fields.pop("rate"), fields.pop("channels"))
        return kind(format=audio, **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidMessageError(repr(error)) from error


def stamps_at(code: int) -> Stamps:
    """Return the worth of time stamps of that code. Raises: InvalidMessageError."""
    if not 0 <= code < len(STAMPS):
        raise InvalidMessageError(f"time stamps of code {code}")
    return STAMPS[code]


def decode_json(body: bytes) -> Any:
    """Decode a body that is JSON. Raises: InvalidMessageError."""
    try:
        return json.loads(body)
    except ValueError as error:
        raise InvalidMessageError(repr(error)) from error


def error_message(kind: int, error: BaseException | None) -> bytes:
    """Return a message that carries an error, or none."""
    text = None if error is None else {"error": type(error).__name__, "text": str(error) or repr(error)}
    return message(kind, json.dumps(text).encode())


def error_of(body: bytes) -> DeviceError | None:
    """Return the error in such a message. Raises: InvalidMessageError."""
    fields = decode_json(body)
    if fields is None:
        return None
    try:
        name, text = str(fields["error"]), str(fields["text"])
    except (TypeError, KeyError) as error:
        raise InvalidMessageError(repr(error)) from error
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, DeviceError):
        return kind(text)
    return DeviceError(f"the sound process failed: {printable(name)}: {printable(text)}")
