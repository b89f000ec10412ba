#!/usr/bin/env python3
"""Programs to measure with latency.py: each passes the microphone on to the speaker, and nothing else.

So what is measured is the path:

    wire.py duplex    one full-duplex callback stream, in the callback
    wire.py asyncio   input callback -> event loop -> queue -> ring -> output callback
    wire.py blocking  one full-duplex blocking stream, read() and write()
    wire.py rtmixer   C callbacks (needs the package rtmixer)

Needs the package sounddevice. Ends on SIGINT or SIGTERM; tells PortAudio's own flags on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import importlib
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import sounddevice as sd

__all__ = ["main"]


class Ring:
    """Bytes from the event loop to the output callback; the oldest go when it is full. From any thread."""

    def __init__(self, most: int) -> None:
        self.dropped = 0
        """Bytes."""
        self._most = most
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def put(self, data: bytes) -> None:
        """Add to the end."""
        with self._lock:
            self._bytes += data
            if (excess := len(self._bytes) - self._most) > 0:
                self.dropped += excess
                del self._bytes[:excess]

    def take(self, count: int) -> bytes:
        """Take so many from the beginning, or all there are."""
        with self._lock:
            data = bytes(self._bytes[:count])
            del self._bytes[:count]
        return data


class Wire:
    """Passes sound on in one of four ways, until `stop` is called."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.flags: collections.Counter[str] = collections.Counter()
        """How often PortAudio has told what."""
        self.done = threading.Event()
        self.stop: Callable[[], object] = self.done.set
        """May be called in a signal handler."""
        self._devices = (options.input, options.output)
        self._block: int = options.block
        self._cap_blocks: float = options.cap_blocks
        self._stream = {
            "samplerate": options.rate,
            "blocksize": options.block,
            "latency": options.latency,
        }

    def note(self, status: Any) -> None:
        """Count what PortAudio tells a callback."""
        if status:
            self.flags[str(status)] += 1

    def duplex(self) -> None:
        """One stream, copying in its callback."""

        def callback(heard: Any, out: Any, frames: int, times: object, status: Any) -> None:
            self.note(status)
            out[:] = heard

        with sd.RawStream(
            device=self._devices, callback=callback, channels=1, dtype="int16", **self._stream
        ) as stream:
            print("latency", stream.latency, "block", stream.blocksize, file=sys.stderr, flush=True)
            self.done.wait()

    def blocking(self) -> None:
        """One stream, reading and writing in turn."""
        count = self._block or 256
        with sd.RawStream(device=self._devices, channels=1, dtype="int16", **self._stream) as stream:
            stream.write(bytes(2 * count))
            while not self.done.is_set():
                data, overflow = stream.read(count)
                self.flags["input overflow"] += bool(overflow)
                self.flags["output underflow"] += bool(stream.write(data))

    def asyncio(self) -> None:
        """Two streams, and an event loop between them."""
        asyncio.run(self._through_a_loop())

    async def _through_a_loop(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.stop = lambda: loop.call_soon_threadsafe(stop.set)
        if self.done.is_set():
            return
        block = self._block or 256
        ring = Ring(int(block * 2 * self._cap_blocks))
        starved = 0

        def on_input(data: Any, frames: int, times: object, status: Any) -> None:
            self.note(status)
            loop.call_soon_threadsafe(queue.put_nowait, bytes(data))

        def on_output(out: Any, frames: int, times: object, status: Any) -> None:
            nonlocal starved
            self.note(status)
            data = ring.take(len(out))
            starved += len(data) < len(out)
            out[:] = data.ljust(len(out), b"\0")

        async def pump() -> None:
            while True:
                ring.put(await queue.get())

        one = {**self._stream, "blocksize": block, "channels": 1, "dtype": "int16"}
        source, sink = self._devices
        task = asyncio.create_task(pump(), name="pump")
        with (
            sd.RawInputStream(device=source, callback=on_input, **one) as heard,
            sd.RawOutputStream(device=sink, callback=on_output, **one) as out,
        ):
            print("latency", heard.latency, out.latency, "block", block, file=sys.stderr, flush=True)
            await stop.wait()
        task.cancel()
        print("starved", starved, "dropped frames", ring.dropped // 2, file=sys.stderr)

    def rtmixer(self) -> None:
        """Callbacks in C, which the GIL does not hold up."""
        rtmixer = importlib.import_module("rtmixer")
        block = self._block or 256
        one = {**self._stream, "blocksize": block, "channels": 1}
        with rtmixer.MixerAndRecorder(device=self._devices, **one) as stream:
            ring = rtmixer.RingBuffer(4, 1 << 14)
            ring.write(bytes(4 * block))  # one block ahead, or playing ends at once
            stream.record_ringbuffer(ring)
            stream.play_ringbuffer(ring)
            self.done.wait()
        stats = stream.stats
        print("stats", stats.input_overflows, stats.output_underflows, file=sys.stderr)


# -- what gets in its way


def _seconds(spec: str) -> tuple[float, float]:
    """Of `MS:EVERY_MS`."""
    ms, every = (float(part) / 1000 for part in spec.split(":"))
    return ms, every


def _burn(done: threading.Event, spec: tuple[float, float]) -> None:
    """Run Python, again and again."""
    seconds, every = spec
    while not done.is_set():
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        time.sleep(max(0, every - seconds))


def _hold(done: threading.Event, spec: tuple[float, float]) -> None:
    """Hold the GIL in one call, again and again."""
    seconds, every = spec
    count = 10000
    while not done.is_set():
        began = time.perf_counter()
        sum(range(count))  # one call into C: no other thread runs meanwhile
        took = time.perf_counter() - began
        count = max(1000, int(count * min(2, max(0.5, seconds / took))))
        time.sleep(max(0, every - took))


# -- the command


def _latency(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("mode", choices=["duplex", "asyncio", "blocking", "rtmixer"])
    add("--input")
    add("--output")
    add("--rate", type=int, default=48000)
    add("--block", type=int, default=0)
    add("--latency", type=_latency, default="low")
    add("--cap-blocks", type=float, default=3, help="asyncio: most blocks kept in the ring")
    add("--burn", type=_seconds, help="MS:EVERY_MS of pure Python in a thread, e.g. 5:10")
    add("--hold", type=_seconds, help="MS:EVERY_MS of one C call that keeps the GIL, e.g. 20:100")
    add("--switch-ms", type=float, help="sys.setswitchinterval")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says. Returns the exit status."""
    options = _options()
    wire = Wire(options)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: wire.stop())
    if options.switch_ms:
        sys.setswitchinterval(options.switch_ms / 1000)
    for disturb, spec in ((_burn, options.burn), (_hold, options.hold)):
        if spec:
            threading.Thread(target=disturb, args=(wire.done, spec), daemon=True).start()
    try:
        getattr(wire, options.mode)()
    except (sd.PortAudioError, ValueError) as error:
        print(f"wire.py: {error}", file=sys.stderr)
        return 1
    finally:
        wire.done.set()
    print("flags", dict(wire.flags), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
