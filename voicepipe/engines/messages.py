"""The messages between a program and an engine's process: a kind, a number, a length, and so many bytes.

to the process                            from it
----------------------------------------  -----------------------------------------------
ASK     a request                         READY    the engine is loaded
CANCEL  nobody waits for that request     ANSWER   the answer to the request of that number
                                          FAILED   an error, as JSON; number 0: of the start
"""

from __future__ import annotations

import json
import struct

from voicepipe import errors
from voicepipe.errors import EngineError, VoicepipeError
from voicepipe.text import printable

__all__ = [
    "HEAD_BYTES",
    "MOST_BYTES",
    "InvalidMessageError",
    "Kind",
    "error_body",
    "error_of",
    "message",
    "parse_head",
]

_HEAD = struct.Struct("<BQI")
HEAD_BYTES = _HEAD.size
MOST_BYTES = 1 << 26
"""In a message: five minutes of stereo at 48 kHz."""


class Kind:
    """The kinds of messages."""

    ASK, CANCEL = range(2)
    READY, ANSWER, FAILED = range(10, 13)


_KINDS = frozenset({0, 1, 10, 11, 12})


class InvalidMessageError(Exception):
    """Bytes that are no message: a library may have written into the pipe."""


def message(kind: int, number: int, body: bytes = b"") -> bytes:
    """Return one message.

    Raises:
        ValueError: the body is too long.
    """
    if len(body) > MOST_BYTES:
        raise ValueError(f"a message has at most {MOST_BYTES:,} bytes, not {len(body):,}")
    return _HEAD.pack(kind, number, len(body)) + body


def parse_head(head: bytes) -> tuple[int, int, int]:
    """Return the kind, the number and the length of the body. Raises: InvalidMessageError."""
    kind, number, length = _HEAD.unpack(head)
    if kind not in _KINDS or length > MOST_BYTES:
        raise InvalidMessageError(f"a message of kind {kind} and {length:,} bytes")
    return kind, number, length


def error_body(error: BaseException) -> bytes:
    """Return the body of a message that tells of an error."""
    return json.dumps({"error": type(error).__name__, "text": str(error) or repr(error)}).encode()


def error_of(body: bytes, name: str) -> Exception:
    """Return the error that such a body tells of. Raises: InvalidMessageError.

    A caller's mistake stays a ValueError, and an error of voicepipe's stays that; all others are an
    EngineError, which names the engine.
    """
    try:
        fields = json.loads(body)
        kind, text = str(fields["error"]), str(fields["text"])
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidMessageError(repr(error)) from error
    known = ValueError if kind == "ValueError" else getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, (VoicepipeError, ValueError)):
        return known(text)
    return EngineError(f"{name}: {printable(kind)}: {printable(text)}")
