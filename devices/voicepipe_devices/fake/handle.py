"""The handle of one open stream of the simulated card, and the clock that ticks for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import ClassVar, Protocol

from voicepipe.devices.hardware import Hardware, ThreadedHardware, Tick
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.errors import DeviceError
from voicepipe_devices.driver import Finished

__all__ = ["OpenSide", "hardware_of"]

_threads = ThreadedHardware()


class Owner(Protocol):
    """The side of the card that a handle belongs to."""

    name: str
    drift_ppm: float
    captures: ClassVar[bool]

    @property
    def fails_to_start(self) -> bool:
        """True while its streams do not start."""
        ...

    @property
    def ticks(self) -> bool:
        """True while it makes callbacks."""
        ...

    def lateness(self) -> float:
        """Return the delay of the next callback, in seconds."""
        ...

    def take_missing(self) -> int:
        """Return the samples lost since the last callback, and forget them."""
        ...

    def take_gap(self, age_s: float) -> int:
        """Return the samples that are lost in the middle of the next block, which nobody is told of.

        `age_s`: the time from the start of the stream to that block.
        """
        ...

    def go_silent(self) -> None:
        """Note that the callbacks have ended."""
        ...

    def crash_if_told(self) -> None:
        """End this process, where a crash was asked for."""
        ...

    async def close(self, handle: OpenSide) -> None:
        """Close it, if that stream still has it."""
        ...


class OpenSide:
    """The handle of one open stream: a tick of the hardware for every block."""

    def __init__(
        self,
        side: Owner,
        request: StreamRequest,
        hardware: Hardware,
        tick: Callable[[OpenSide, int], bool],
        finished: Finished,
    ) -> None:
        latency_s = 2 * request.block_s if isinstance(request.latency, str) else request.latency
        self.info = StreamInfo(side.name, request.format, request.block, latency_s)
        self.hardware = hardware
        self.finished = finished
        self.is_orphan = False
        """The sound server that had it open is no more."""
        self._side = side
        self._tick = tick
        self._samples = 0
        """Samples of the blocks so far, lost ones included: where the next block begins."""
        self._missed = 0
        self.gap = 0
        """Samples lost in the middle of the present block, without a word: their time passes."""
        self.underflows = 0
        """The number of callbacks before which samples were lost."""
        self._began_s = self._born_s = 0.0
        self._rate = request.format.rate
        """At which it runs."""
        self._next: Tick | None = None
        self._started = self._stopped = False
        # Held while a callback is made, as a library's abort() waits for the one in progress.
        self._lock = threading.RLock()

    async def start(self) -> None:
        """Let the callbacks begin. Raises: DeviceError."""
        if self._side.fails_to_start:
            raise DeviceError(f"{self._side.name} does not start: choose another device")
        with self._lock:
            if not self._started:
                self._started = True
                self._began_s = self._born_s = self.hardware.now()
                self._schedule()

    async def close(self) -> None:
        """Give the side back."""
        await self._side.close(self)

    def stop(self) -> None:
        """End the callbacks for ever; return when none is being made."""
        with self._lock:
            self._stopped = True
            if self._next is not None:
                self._next.cancel()
            self._side.go_silent()

    def resume(self) -> None:
        """Let the clock go on from now, after a stall."""
        with self._lock:
            if self._started and not self._stopped and self._next is None:
                self._began_s += self.hardware.now() - self._time_of(self._samples)
                self._schedule()

    def run_at(self, rate: int) -> None:
        """Let the clock go on from here at that rate."""
        with self._lock:
            now_s = self._time_of(self._samples)
            self._rate = rate
            self._began_s += now_s - self._time_of(self._samples)

    @property
    def block_began_s(self) -> float:
        """The time at which the first sample of the present block was due, by the card's clock."""
        return self._time_of(self._samples)

    def time_in_block(self, samples: int) -> float:
        """Return the time so many samples behind the beginning of the present block, by the card's clock."""
        return self._time_of(self._samples + samples)

    @property
    def hz(self) -> float:
        """The rate at which it runs, by the loop's clock."""
        return self._rate * (1 + self._side.drift_ppm * 1e-6)

    def _time_of(self, samples: int) -> float:
        return self._began_s + samples / self.hz

    def _schedule(self) -> None:
        self.gap += self._side.take_gap(self.block_began_s - self._born_s)
        # What a microphone hears behind a gap must have been before the callback brings it.
        waits = self.gap if self._side.captures else 0
        due = self._time_of(self._samples + self.info.block + waits) + self._side.lateness()
        self._next = self.hardware.call_at(due, self._call)

    def _call(self) -> None:
        with self._lock:
            self._next = None
            self._side.crash_if_told()
            if self._stopped or not self._side.ticks:
                return
            if missing := self._side.take_missing():
                self._samples += missing
                self._missed += missing
                self.underflows += 1
            else:
                missed, self._missed = self._missed, 0
                if not self._tick(self, missed):
                    return
                self._samples += self.info.block + self.gap
                self.gap = 0
            self._schedule()


def hardware_of(loop: asyncio.AbstractEventLoop) -> Hardware:
    """Return the world outside a loop: its own, where it has a virtual clock; else the real one."""
    own: Hardware = getattr(loop, "hardware", _threads)
    return own
