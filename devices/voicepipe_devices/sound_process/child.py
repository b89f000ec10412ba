"""The sound process: it holds one stream of a blocking driver, and moves its samples through pipes.

Its arguments: MODULE:FUNCTION SOUND PAGE (`voicepipe.children` starts it).

`FUNCTION()` of `MODULE` returns the `BlockingDriver`. Requests come on stdin, answers and what is
captured go to stdout (`messages`); what is to be heard comes on the descriptor SOUND, and never
stands before a request. A speaker's progress is in the memory of the descriptor PAGE. It ends at
once when stdin ends, so that a program that is killed leaves none behind. It loads neither asyncio
nor numpy: a process for each stream must be small.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from voicepipe.children.manners import ignore_signals, take_pipes
from voicepipe.devices.port import LibraryInfo, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe_devices.sound_process.answers import Answers
from voicepipe_devices.sound_process.messages import (
    Kind,
    Parser,
    error_message,
    from_fields,
    message,
    to_fields,
)
from voicepipe_devices.sound_process.priority import limit_spinning, take_priority
from voicepipe_devices.sound_process.shared_page import SharedPage
from voicepipe_devices.sound_process.sides import CaptureSide, RenderSide

if TYPE_CHECKING:
    from voicepipe_devices.driver import BlockingDriver

__all__ = ["main"]

ORDER_S = 0.2
"""For closing in order: so that a sound server need not find out by itself."""
_SWITCH_S = 0.0005
_MOST_BYTES = 1 << 16
"""Read at once: what a pipe holds."""


def main() -> None:
    """Serve one stream until stdin ends."""
    ignore_signals()
    requests, answers = take_pipes()
    priority = take_priority()
    sys.setswitchinterval(_SWITCH_S)
    module, _, function = sys.argv[1].partition(":")
    service = _Service(
        Answers(answers),
        int(sys.argv[2]),
        SharedPage(int(sys.argv[3])),
        lambda: getattr(importlib.import_module(module), function)(),
        priority,
    )
    gc.disable()  # it makes no cycles, and must not pause
    _listen(requests, service)
    threading.Thread(target=_end_in_any_case, name="end", daemon=True).start()
    service.end()
    os._exit(0)


def _listen(requests: int, service: _Service) -> None:
    """Serve requests until they end."""
    parser = Parser()
    while data := os.read(requests, _MOST_BYTES):
        for kind, body in parser.feed(data):
            service.take(kind, body)


def _end_in_any_case() -> None:
    """End the process all the same: a library that hangs cannot be closed in order."""
    time.sleep(ORDER_S)
    os._exit(0)


class _Service:
    """Answers the requests for one stream, one by one. A call that hangs is the program's to notice."""

    def __init__(
        self,
        answers: Answers,
        sound: int,
        page: SharedPage,
        driver: Callable[[], BlockingDriver],
        priority: str,
    ) -> None:
        self._answers = answers
        self._sound = sound
        self._page = page
        self._driver = driver
        self._priority = priority
        self._side: CaptureSide | RenderSide | None = None

    def take(self, kind: int, body: bytes) -> None:
        """Serve one request."""
        try:
            self._take(kind, body)
        except Exception as error:  # whatever it is, the program is told
            self._answers.send(error_message(Kind.FAILED, error))

    def end(self) -> None:
        """Close what is open."""
        with suppress(Exception):  # nobody is there to be told
            if self._side is not None:
                self._side.handle.end()

    def _take(self, kind: int, body: bytes) -> None:
        side = self._side
        if kind == Kind.DEVICES:
            devices = [asdict(device) for device in self._driver().devices()]
            self._answers.send(message(Kind.DEVICES, json.dumps(devices).encode()))
        elif kind == Kind.LIBRARY:
            library = LibraryInfo(self._driver().version(), self._priority)
            self._answers.send(message(Kind.LIBRARY, json.dumps(asdict(library)).encode()))
        elif kind == Kind.TRY:
            sides = self._driver().try_device(**json.loads(body))
            found = [None if side is None else asdict(side) for side in sides]
            self._answers.send(message(Kind.TRIED, json.dumps(found).encode()))
        elif kind == Kind.OPEN:
            self._open(json.loads(body))
        elif side is None:
            raise DeviceError("nothing is open")
        elif kind == Kind.START:
            limit_spinning()
            side.start()
            self._answers.send(message(Kind.STARTED))
        else:
            side.take(kind, body)

    def _open(self, fields: dict[str, object]) -> None:
        capture = fields.pop("capture")
        request: StreamRequest = from_fields(StreamRequest, fields)
        if capture:
            self._side = CaptureSide(self._driver(), request, self._answers)
        else:
            self._side = RenderSide(self._driver(), request, self._answers, self._sound, self._page)
        self._answers.tell(self._side.news)
        self._answers.send(message(Kind.OPENED, json.dumps(to_fields(self._side.info)).encode()))
