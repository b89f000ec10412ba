"""Libraries whose calls block, for tests: what no card does.

Each function makes one; a sound process calls it by its name, and loads little for it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from voicepipe.devices.port import DeviceInfo, StreamInfo, StreamRequest
from voicepipe.devices.trial import SideTrial
from voicepipe.errors import DeviceError
from voicepipe_devices.driver import BlockingDriver, CaptureCallback, Finished, RenderCallback, Sides

__all__ = ["PLAYED", "Library"]

PLAYED = "VOICEPIPE_TEST_PLAYED"
"""Names a file for what is played, in the environment."""


class Handle:
    """Calls back once for every block, from a thread."""

    def __init__(self, request: StreamRequest, block: Callable[[int], None]) -> None:
        self.info = StreamInfo("library", request.format, request.block, 0.01)
        self._block = block
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _tick(self) -> None:
        began_s, count = time.monotonic(), 0
        period_s = self.info.block / self.info.format.rate
        while not self._ended.wait(max(0.0, began_s + (count + 1) * period_s - time.monotonic())):
            self._block(count)
            count += 1


class Library(BlockingDriver):
    """It is well, unless it is told to do something when it is opened, or in its callback number `at`."""

    def __init__(
        self,
        opening: Callable[[], None] = lambda: None,
        then: Callable[[Finished], None] = lambda finished: None,
        at: int = 10,
    ) -> None:
        self._opening = opening
        self._then = then
        self._at = at

    def devices(self) -> list[DeviceInfo]:
        return [
            DeviceInfo("library", 1, 1, 16_000, True, True),
            DeviceInfo(f"pid {os.getpid()}", 0, 0, 8_000),
        ]

    def open_capture(self, request: StreamRequest, callback: CaptureCallback, finished: Finished) -> Handle:
        """Captures a count of its samples, so that a loss or a doubling shows."""
        self._opening()
        samples = request.block

        def block(count: int) -> None:
            if count == self._at:
                self._then(finished)
            first = count * samples
            channels = request.format.channels
            data = b"".join(
                (n % 30_000 + 1).to_bytes(2, sys.byteorder) * channels for n in range(first, first + samples)
            )
            callback(data, time.monotonic() - request.block_s, 0)

        return Handle(request, block)

    def open_render(self, request: StreamRequest, callback: RenderCallback, finished: Finished) -> Handle:
        """Plays into a file, where the environment names one."""
        self._opening()
        path = os.environ.get(PLAYED)

        def block(count: int) -> None:
            if count == self._at:
                self._then(finished)
            data = callback(request.block)
            if path:
                with Path(path).open("ab") as file:
                    file.write(data)

        return Handle(request, block)


def well() -> Library:
    return Library()


def no_library() -> Library:
    raise ModuleNotFoundError("no such thing")


class AnswersWhenTried(Library):
    """Its devices say at once what they open at."""

    def try_device(self, number: int, name: str) -> Sides:
        return None, SideTrial((48_000,), (1,), 48_000, 1)


class HangsWhenTried(AnswersWhenTried):
    """The first of its devices does not."""

    def try_device(self, number: int, name: str) -> Sides:
        if not number:
            threading.Event().wait()
        return super().try_device(number, name)


def hangs_when_tried() -> Library:
    return HangsWhenTried()


@cache
def loads_slowly() -> Library:
    """It takes longer than a device may to be tried."""
    time.sleep(2.2)
    return AnswersWhenTried()


def crashes_when_opened() -> Library:
    return Library(opening=os.abort)


def fails_oddly() -> Library:
    def fail() -> None:
        raise ZeroDivisionError("odd")

    return Library(opening=fail)


def is_frozen() -> Library:
    return Library(then=lambda finished: os.kill(os.getpid(), signal.SIGSTOP))


def shouts() -> Library:
    """As PortAudio does when PipeWire dies: it fills stderr, for ever. And somebody prints on stdout."""

    def shout() -> None:
        os.write(1, b"a library prints here\n")

        def for_ever() -> None:
            line = b"Expression 'ready' failed \x1b[31m in pa_linux_alsa.c\n" * 100
            while True:
                os.write(2, line)

        threading.Thread(target=for_ever, daemon=True).start()

    return Library(opening=shout)


def raises_in_its_callback() -> Library:
    def fail(finished: Finished) -> None:
        finished(DeviceError("the callback failed"))

    return Library(then=fail)


def talks_nonsense() -> Library:
    """As a library that writes into descriptors that are not its own."""

    def talk(finished: Finished) -> None:
        for descriptor in range(3, 16):
            with suppress(OSError):
                os.write(descriptor, b"\xff" * 64)

    return Library(then=talk)


def _tells_its_policy(finished: Finished) -> None:
    finished(DeviceError(f"scheduled by {os.sched_getscheduler(0)}"))


def is_asked_before_its_first_block() -> Library:
    return Library(then=_tells_its_policy, at=0)


def is_asked_after_its_first_block() -> Library:
    return Library(then=_tells_its_policy, at=1)


def exits() -> Library:
    return Library(then=lambda finished: os._exit(0))


def spins() -> Library:
    """As PortAudio's own thread does when PipeWire dies."""

    def spin(finished: Finished) -> None:
        while True:
            pass

    return Library(then=spin)
