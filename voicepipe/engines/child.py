"""The process's own side of an engine: a module that is run as one calls `serve` in its `main()`."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from voicepipe.children.manners import ignore_signals, take_pipes
from voicepipe.engines.messages import (
    HEAD_BYTES,
    Kind,
    error_body,
    message,
    parse_head,
)
from voicepipe.errors import EngineError

__all__ = ["Handler", "serve"]

Handler: TypeAlias = Callable[[bytes, threading.Event], bytes]
"""Answers a request. The event is set when nobody waits for it any more: it may end early, in any way."""
NICE = 5
"""The microphone and the speaker go first."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, as it has come."""

    number: int
    body: bytes
    cancelled: threading.Event = field(default_factory=threading.Event)


def serve(make: Callable[[list[str]], Handler]) -> None:
    """Load an engine and serve requests, one at a time, until stdin ends. Never returns.

    The handler runs in the main thread. An exception of it is the answer to its request; one of `make` is the
    answer to the start, and the end. What is printed goes to the program's log.

    Args:
        make: loads the engine; it is given `sys.argv[1:]`.
    """
    ignore_signals()
    requests, answers = take_pipes()
    with suppress(OSError, AttributeError):
        os.nice(NICE)
    asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests, asked), name="requests", daemon=True).start()
    try:
        handler = make(sys.argv[1:])
    except Exception as error:  # whatever it is, the program is told
        _write(answers, message(Kind.FAILED, 0, error_body(error)))
        os._exit(1)
    _write(answers, message(Kind.READY, 0))
    while True:
        _write(answers, _answer(handler, asked.get()))


def _answer(handler: Handler, asked: _Asked) -> bytes:
    try:
        if asked.cancelled.is_set():
            raise EngineError("the request was cancelled")
        return message(Kind.ANSWER, asked.number, handler(asked.body, asked.cancelled))
    except Exception as error:  # whatever it is, the program is told
        return message(Kind.FAILED, asked.number, error_body(error))


def _listen(requests: int, asked: queue.SimpleQueue[_Asked]) -> None:
    """Take in requests and cancellations until there are no more, which is the end."""
    newest: _Asked | None = None
    while True:
        kind, number, length = parse_head(_read(requests, HEAD_BYTES))
        body = _read(requests, length)
        if kind == Kind.ASK:
            newest = _Asked(number, body)
            asked.put(newest)
        elif kind == Kind.CANCEL and newest is not None and newest.number == number:
            newest.cancelled.set()


def _read(descriptor: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = os.read(descriptor, count - len(data))
        if not piece:
            os._exit(0)
        data += piece
    return bytes(data)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:  # the program is gone
        os._exit(0)
