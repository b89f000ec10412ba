"""The sound process: it holds one stream of a blocking driver, and moves its samples through pipes.

    python -m voicepipe_devices.sound_process.child MODULE:FUNCTION DESCRIPTOR

`FUNCTION()` of `MODULE` returns the `BlockingDriver`. Requests come on stdin, answers and what is
captured go to stdout (`messages`); what is to be heard comes on the descriptor, and never stands
before a request. It ends at once when stdin ends, so that a program that is killed leaves
none behind. It loads neither asyncio nor numpy: a process for each stream must be small.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import queue
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from voicepipe.devices.callback_counts import CallbackCounter
from voicepipe.devices.port import LibraryInfo, StreamInfo, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe_devices.driver import try_device, underflows_of, version_of
from voicepipe_devices.ring import RING_S, CaptureRing, PlaybackRing
from voicepipe_devices.sound_process.messages import (
    BLOCK_HEAD,
    COUNTS,
    FLUSH_BODY,
    PROGRESS_BODY,
    Kind,
    Parser,
    error_message,
    message,
    told,
    understood,
)

if TYPE_CHECKING:
    from voicepipe_devices.driver import BlockingDriver, BlockingHandle

__all__ = ["main"]

SIGN_OF_LIFE_S = 0.25
"""A speaker that plays nothing says so often that it is called."""
ORDER_S = 0.2
"""For closing in order: so that a sound server need not find out by itself."""
LONGEST_SPIN_US = 200_000
"""A real-time thread never needs so long without a wait."""
_PRIORITY = 10
_SWITCH_S = 0.0005
_MOST_BYTES = 1 << 16
"""Read at once: what a pipe holds."""


def main() -> None:
    """Serve one stream until stdin ends."""
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, signal.SIG_IGN)  # the program decides; it closes our stdin
    requests, answers = _take_pipes()
    priority = _take_priority()
    sys.setswitchinterval(_SWITCH_S)
    module, _, function = sys.argv[1].partition(":")
    service = _Service(
        _Answers(answers), lambda: getattr(importlib.import_module(module), function)(), priority
    )
    gc.disable()  # it makes no cycles, and must not pause
    _listen(requests, int(sys.argv[2]), service)
    threading.Thread(target=_end_in_any_case, name="end", daemon=True).start()
    service.end()
    os._exit(0)


def _listen(requests: int, sound: int, service: _Service) -> None:
    """Serve requests, and take in sound while there are none, until the requests end."""
    parser, poll = Parser(), select.poll()
    poll.register(requests, select.POLLIN)
    poll.register(sound, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if requests in ready:
            data = os.read(requests, _MOST_BYTES)
            if not data:
                return
            for kind, body in parser.feed(data):
                service.take(kind, body)
        elif data := os.read(sound, _MOST_BYTES):
            service.play(data)
        else:
            poll.unregister(sound)


def _end_in_any_case() -> None:
    """A library that hangs cannot be closed in order."""
    time.sleep(ORDER_S)
    os._exit(0)


def _take_pipes() -> tuple[int, int]:
    """Stdin and stdout for us alone: a library that prints must not speak in our name."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _take_priority() -> str:
    """Real-time, where the system grants it, so that busy programs cannot make the sound stutter.

    For the threads too that libraries make from now on. Returns which it is.
    """
    if _take_real_time():
        return "real-time"
    with suppress(OSError, AttributeError):
        os.nice(-_PRIORITY)
        return "raised"
    return "ordinary"


def _take_real_time() -> bool:
    """For the thread that asks, and those that it makes from now on. Whether it is granted."""
    with suppress(OSError, AttributeError):
        if os.sched_getscheduler(0) not in (os.SCHED_FIFO, os.SCHED_RR):  # JACK's threads have its own
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        return True
    return False


@contextmanager
def _without_real_time() -> Iterator[None]:
    """Threads that are made meanwhile are ordinary ones.

    A priority that was inherited stays: it might not be granted again.
    """
    with suppress(OSError, AttributeError):
        if os.sched_getparam(0).sched_priority == _PRIORITY:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    try:
        yield
    finally:
        _take_real_time()


def _limit_spinning() -> None:
    """A library that spins, as PortAudio does when PipeWire dies, must not keep a core from everybody else.

    The kernel ends a real-time thread that never waits. Not before the start: loading takes its time.
    """
    with suppress(OSError, ImportError, AttributeError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # that end is no news to a debugger
        resource.setrlimit(resource.RLIMIT_RTTIME, (LONGEST_SPIN_US, 2 * LONGEST_SPIN_US))


class _Answers:
    """Writes messages. Nobody who sends one waits: what the pipe does not take at once is for a thread."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._rest = b""
        """What the pipe has not taken; for whoever writes."""
        self._rung = False
        self._news: Callable[[], bytes] = bytes
        threading.Thread(target=self._write, name="answers", daemon=True).start()

    def tell(self, news: Callable[[], bytes]) -> None:
        """What to ask for messages whenever it is rung, and from time to time."""
        self._news = news

    def send(self, data: bytes) -> None:
        """One message, behind the news until now."""
        self._queue.put(None)
        self._queue.put(data)

    def ring(self) -> None:
        """There is news. From the callback, which writes it itself where nothing stands before it."""
        if self._writing.acquire(blocking=False):
            try:
                if not self._rest and self._queue.empty():
                    self._take(self._news())
                    if not self._rest:
                        return
            finally:
                self._writing.release()
        if not self._rung:
            self._rung = True
            self._queue.put(None)

    def _write(self) -> None:
        while True:
            data = self._next()
            with self._writing:
                self._take(self._rest + (self._told() if data is None else data))
            while self._rest:
                select.select((), (self._descriptor,), ())
                with self._writing:
                    self._take(self._rest)

    def _next(self) -> bytes | None:
        try:
            return self._queue.get(timeout=SIGN_OF_LIFE_S)
        except queue.Empty:
            return None

    def _told(self) -> bytes:
        self._rung = False
        return self._news()

    def _take(self, data: bytes) -> None:
        """Write what the pipe takes."""
        try:
            self._rest = data[os.write(self._descriptor, data) :] if data else b""
        except BlockingIOError:
            self._rest = data
        except OSError:  # the program is gone
            os._exit(0)


class _Service:
    """Answers the requests for one stream, one by one. A call that hangs is the program's to notice."""

    def __init__(self, answers: _Answers, driver: Callable[[], BlockingDriver], priority: str) -> None:
        self._answers = answers
        self._driver = driver
        self._priority = priority
        self._side: _Capture | _Render | None = None

    def take(self, kind: int, body: bytes) -> None:
        """One request."""
        try:
            self._take(kind, body)
        except Exception as error:  # whatever it is, the program is told
            self._answers.send(error_message(Kind.FAILED, error))

    def play(self, data: bytes) -> None:
        """Some more of what is to be heard."""
        if isinstance(self._side, _Render):
            self._side.write(data)

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
            library = LibraryInfo(version_of(self._driver()), self._priority)
            self._answers.send(message(Kind.LIBRARY, json.dumps(asdict(library)).encode()))
        elif kind == Kind.TRY:
            sides = try_device(self._driver(), **json.loads(body))
            found = [None if side is None else asdict(side) for side in sides]
            self._answers.send(message(Kind.TRIED, json.dumps(found).encode()))
        elif kind == Kind.OPEN:
            self._open(json.loads(body))
        elif side is None:
            raise DeviceError("nothing is open")
        elif kind == Kind.START:
            _limit_spinning()
            side.start()
            self._answers.send(message(Kind.STARTED))
        else:
            side.take(kind, body)

    def _open(self, fields: dict[str, object]) -> None:
        side = _Capture if fields.pop("capture") else _Render
        request: StreamRequest = understood(StreamRequest, fields)
        self._side = side(self._driver(), request, self._answers)
        self._answers.tell(self._side.news)
        self._answers.send(message(Kind.OPENED, json.dumps(told(self._side.info)).encode()))


class _Capture:
    """A microphone. Its blocks go out in the device's own format."""

    def __init__(self, driver: BlockingDriver, request: StreamRequest, answers: _Answers) -> None:
        self._answers = answers
        self._counter = CallbackCounter()
        self.handle: BlockingHandle = driver.open_capture(request, self._captured, self._over)
        self.info = self.handle.info
        self._counter.expect(self.info.format.seconds(self.info.block), self.info.latency_s)
        self._ring = CaptureRing(self.info.format, RING_S, answers.ring)

    def start(self) -> None:
        """Real time begins with the first block: until a virtual source gives one, PortAudio spins.

        The monitor of an idle null sink of PulseAudio takes two seconds; a real-time thread that spins so
        long keeps the one that fetches the block from doing so.
        """
        with _without_real_time():
            self.handle.start()

    def _captured(self, data: bytes, captured_s: float, missed: int) -> None:
        if self._counter.last_s is None:
            _take_real_time()
        self._counter.called()
        if missed:
            self._ring.skip(missed)
        if data:
            self._ring.store(data, captured_s)

    def _over(self, error: DeviceError | None) -> None:
        self._answers.send(error_message(Kind.OVER, error))

    def news(self) -> bytes:
        """Every block that waits."""
        blocks = []
        counts = COUNTS.pack(*self._counter.counts())
        while (block := self._ring.take()) is not None:
            head = BLOCK_HEAD.pack(block.position, block.captured_s)
            blocks.append(message(Kind.BLOCK, head + counts + block.data))
        return b"".join(blocks)

    def take(self, kind: int, body: bytes) -> None:
        """STOP."""
        self._ring.close_intake()
        self._answers.send(message(Kind.STOPPED))


class _Render:
    """A speaker. Its ring is here, so that what was written is heard whatever the program does meanwhile."""

    def __init__(self, driver: BlockingDriver, request: StreamRequest, answers: _Answers) -> None:
        self._answers = answers
        self._ring = PlaybackRing(request.format, answers.ring)
        self._pull = self._ring.pull
        self._size = request.format.sample_bytes
        self._piece = b""
        self._counter = CallbackCounter()
        self._told_calls = 0
        self.handle: BlockingHandle = driver.open_render(request, self._called, self._over)
        device = self.handle.info
        self._counter.expect(device.format.seconds(device.block), device.latency_s)
        self.info = device
        if device.format != request.format:
            self.info = self._convert(device, request)

    def _convert(self, device: StreamInfo, request: StreamRequest) -> StreamInfo:
        from voicepipe_devices.conversion import Renderer, converted  # they need numpy and soxr

        self._pull = Renderer(device.format, request.format, self._ring.pull).render
        return converted(device, request)

    def start(self) -> None:
        """It is called at once."""
        self.handle.start()

    def _called(self, samples: int) -> bytes:
        ring = self._ring
        before = ring.played, ring.flushes_done
        data = self._pull(samples)
        self._counter.called()
        if before != (ring.played, ring.flushes_done):
            self._answers.ring()
        return data

    def _over(self, error: DeviceError | None) -> None:
        self._answers.send(error_message(Kind.OVER, error))

    def news(self) -> bytes:
        """How far it is, if it was called since."""
        counts, ring = self._counter.counts(underflows_of(self.handle)), self._ring
        if counts.calls == self._told_calls:
            return b""
        self._told_calls = counts.calls
        flushes_done = ring.flushes_done  # first: the numbers with it must be of then, or later
        progress = PROGRESS_BODY.pack(ring.played, ring.dropped, flushes_done)
        return message(Kind.PROGRESS, progress + COUNTS.pack(*counts))

    def write(self, data: bytes) -> None:
        """Queue what has come of the sound; a pipe cuts anywhere."""
        data = self._piece + data
        whole = len(data) - len(data) % self._size
        self._piece = data[whole:]
        self._ring.write(memoryview(data)[:whole])

    def take(self, kind: int, body: bytes) -> None:
        """FLUSH."""
        (until,) = FLUSH_BODY.unpack(body)
        self._ring.flush(until)


if __name__ == "__main__":
    main()
