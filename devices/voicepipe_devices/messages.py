"""What a program and its sound process say to each other: a kind, a length, and so many bytes.

What is to be heard goes to it by a pipe of its own, as bare samples: so nothing that is said here is
behind sound.

to the sound process                     from it
---------------------------------------  -------------------------------------------------
OPEN     what to open, as JSON           OPENED    what was opened, as JSON
DEVICES  (list them)                     DEVICES   the list, as JSON
START    (let the callbacks begin)       STARTED
FLUSH    samples written until then:     BLOCK     position, capture time, samples
         fade out, forget the rest       PROGRESS  samples played, dropped; flushes done
STOP     (close the intake)              STOPPED   behind the last block
                                         FAILED    an error, as JSON: the answer to a request
                                         OVER      an error, as JSON: no more callbacks
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from voicepipe import errors
from voicepipe.audio import AudioFormat
from voicepipe.devices import StreamInfo, StreamRequest
from voicepipe.errors import DeviceError, printable

__all__ = [
    "BLOCK_HEAD",
    "FLUSH_BODY",
    "PROGRESS_BODY",
    "Kind",
    "Parser",
    "error_message",
    "error_of",
    "message",
    "told",
    "understood",
]

_HEAD = struct.Struct("<BI")
BLOCK_HEAD = struct.Struct("<Qd")
"""Position of the first sample, and when it was captured."""
FLUSH_BODY = struct.Struct("<Q")
"""Samples written until then. Some of them may still be on their way."""
PROGRESS_BODY = struct.Struct("<QQI")
"""Samples played, samples dropped, flushes done."""


class Kind:
    """The kinds of messages."""

    OPEN, DEVICES, START, FLUSH, STOP = range(5)
    OPENED, STARTED, BLOCK, PROGRESS, STOPPED, FAILED, OVER = range(10, 17)


def message(kind: int, body: bytes = b"") -> bytes:
    """One message."""
    return _HEAD.pack(kind, len(body)) + body


class Parser:
    """Messages out of bytes that come in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Every message that is whole now: its kind and its body."""
        data, at = self._rest + data, 0
        while len(data) - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            if end > len(data):
                break
            yield kind, data[at + _HEAD.size : end]
            at = end
        self._rest = data[at:]


def told(value: StreamRequest | StreamInfo) -> dict[str, Any]:
    """Its fields, for JSON."""
    fields = {name: getattr(value, name) for name in value.__slots__}
    audio: AudioFormat = fields.pop("format")
    return {**fields, "rate": audio.rate, "channels": audio.channels}


def understood(kind: type[StreamRequest | StreamInfo], fields: dict[str, Any]) -> Any:
    """What `told` told."""
    audio = AudioFormat(fields.pop("rate"), fields.pop("channels"))
    return kind(format=audio, **fields)


def error_message(kind: int, error: BaseException | None) -> bytes:
    """An error, or none, as a message."""
    text = None if error is None else {"error": type(error).__name__, "text": str(error) or repr(error)}
    return message(kind, json.dumps(text).encode())


def error_of(body: bytes) -> DeviceError | None:
    """The error in such a message."""
    told_error = json.loads(body)
    if told_error is None:
        return None
    kind = getattr(errors, told_error["error"], None)
    if isinstance(kind, type) and issubclass(kind, DeviceError):
        return kind(told_error["text"])
    return DeviceError(f"the sound process failed: {told_error['error']}: {printable(told_error['text'])}")
