"""The two sides of a simulated sound card, each with a clock and faults of its own.

Verbs are for the event loop's thread; the card's callbacks come from the hardware's.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from voicepipe.audio.format import AudioFormat, pcm_bytes, samples_in
from voicepipe.checks import check_count, check_number, check_seconds
from voicepipe.devices.hardware import Hardware, ThreadedHardware, Tick
from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe.devices.trial import SideTrial
from voicepipe.errors import (
    BackendMissingError,
    DeviceBusyError,
    DeviceError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from voicepipe.text import printable
from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback
from voicepipe_devices.probing import tried

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["OpenSide", "Side", "SimulatedMicrophone", "SimulatedSpeaker", "hardware_of"]

_threads = ThreadedHardware()


class Side:
    """One direction of the card, with its clock and its faults."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int) -> None:
        self.name = name
        self.drift_ppm = check_number("drift_ppm", drift_ppm, at_least=-1e5, at_most=1e5)
        """How much faster than nominal its clock runs. Set it before it is opened."""
        self.jitter_s = check_seconds("jitter_s", jitter_s, at_most=1.0)
        """Callbacks come up to so much late, at random."""
        self.channels = 1
        """How many it has, for a stream that picks one of them; any other gets as many as it asks for."""
        self._random = random.Random(seed)
        self._handle: OpenSide | None = None
        self._present = True
        self._busy = False
        self._forbidden = False
        self._fails_to_start = False
        self._rates: frozenset[int] | None = None
        self._most_channels = 0
        self._open_s = 0.0
        self._close_s = 0.0
        self._stalled = False
        self._muted = False
        self._missing = 0
        self._crashes = False
        self._server = _Server()

    # -- faults ----------------------------------------------------------------

    def unplug(self) -> None:
        """Pull it out: the callbacks stop, the stream is told, opening fails until `replug()`."""
        self.vanish()
        if self._handle is not None:
            self._handle.finished(DeviceLostError(f"{self.name} was unplugged"))

    def crash(self) -> None:
        """What moves its samples has died: the callbacks stop, the stream is told. It can be opened again."""
        handle = self._handle
        if handle is not None:
            handle.stop()
            handle.finished(DeviceLostError(f"{self.name} is lost: its process has ended"))

    def vanish(self) -> None:
        """The same as `unplug()` with no notice: the callbacks stop, and nobody is told."""
        self._present = False
        if self._handle is not None:
            self._handle.stop()

    def replug(self) -> None:
        """Put it back. A stream that was open stays dead."""
        self._present = True

    def stall(self, stalled: bool = True) -> None:
        """No callbacks, no error, until `stall(False)`; then it goes on from where it was."""
        self._stalled = stalled
        if not stalled and self._handle is not None:
            self._handle.resume()

    def mute(self, muted: bool = True) -> None:
        """The callbacks go on, with zeros for sound, until `mute(False)`: what is said or played is lost."""
        self._muted = muted

    def break_(self, seconds: float = math.inf) -> None:
        """Kill its sound server, for so long or until `mend()`.

        The callbacks stop, and nobody is told. Opening fails. Closing what was open does not
        return before the server is back, and cannot be cancelled; a new server knows nothing of
        that stream, and opens another at once.
        """
        self._server.stop(seconds)
        self._orphan()

    def hang(self, seconds: float = math.inf) -> None:
        """The same, but opening does not fail: it does not return either, as with a stopped server."""
        self._server.stop(seconds, answers=False)
        self._orphan()

    def crash_process(self) -> None:
        """End this process in the next callback, as a bug in C would. For a card in a process of its own."""
        self._crashes = True

    def mend(self) -> None:
        """The sound server is back."""
        self._server.go_on()

    def _orphan(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.stop()
            handle.is_orphan = True

    def busy(self, busy: bool = True) -> None:
        """Another program holds it: opening fails."""
        self._busy = busy

    def forbid(self, forbidden: bool = True) -> None:
        """The user has no right to it: opening fails."""
        self._forbidden = forbidden

    def fail_start(self, failing: bool = True) -> None:
        """It opens, and then does not start."""
        self._fails_to_start = failing

    def refuse(self, *rates: int, channels: int = 0) -> None:
        """Open at none but these rates, and with no more channels; without any, at every rate."""
        self._rates = frozenset(check_count("rate", rate, at_least=1) for rate in rates) or None
        self._most_channels = check_count("channels", channels)

    def run_at(self, rate: int) -> None:
        """Go over to that rate, as a Bluetooth headset whose microphone is opened, and open at no other.

        The callbacks of a stream that is open come slower, or faster, and nobody is told.
        """
        self.refuse(rate)
        if self._handle is not None:
            self._handle.run_at(rate)

    def slow_open(self, seconds: float) -> None:
        """Opening takes so long, and cannot be cancelled meanwhile."""
        self._open_s = check_seconds("seconds", seconds)

    def stuck_close(self, seconds: float) -> None:
        """Closing takes so long, and cannot be cancelled meanwhile."""
        self._close_s = check_seconds("seconds", seconds)

    def xrun(self, samples: int) -> None:
        """Lose so many samples before the next callback: what was to be heard is, and their time passes."""
        self._missing += check_count("samples", samples)

    # -- for the driver ----------------------------------------------------------

    @property
    def is_present(self) -> bool:
        """It is plugged in."""
        return self._present

    @property
    def is_open(self) -> bool:
        """A program has it open."""
        return self._handle is not None

    @property
    def is_muted(self) -> bool:
        """Its callbacks bring zeros."""
        return self._muted

    @property
    def fails_to_start(self) -> bool:
        """Its streams do not start."""
        return self._fails_to_start

    @property
    def ticks(self) -> bool:
        """It makes callbacks."""
        return self._present and not self._stalled

    async def open(
        self, request: StreamRequest, tick: Callable[[OpenSide, int], bool], finished: Finished
    ) -> OpenSide:
        """Open it for one stream. Raises: DeviceError."""
        hardware = hardware_of(asyncio.get_running_loop())
        await _call_of(self._open_s)
        if not self._server.answers:
            await self._server.is_back()
        if request.channel is not None:
            request = replace(request, format=replace(request.format, channels=self.channels))
        self._admit(request)
        handle = self._handle = OpenSide(self, request, hardware, tick, finished)
        return handle

    def _admit(self, request: StreamRequest) -> None:
        if not self._server.runs:
            raise BackendMissingError(
                f"{self.name} cannot be reached: its sound server has stopped: start it"
            )
        if not self._present:
            raise DeviceNotFoundError(f"{self.name} is not plugged in: plug it in, or choose another device")
        if request.device not in self.name:
            raise DeviceNotFoundError(
                f"there is no device {printable(repr(request.device))}: there is {self.name!r}"
            )
        if self._forbidden:
            raise DevicePermissionError(
                f"{self.name} may not be used: give the user, or this program, the right to it"
            )
        if self._busy or self._handle is not None:
            raise DeviceBusyError(f"{self.name} is in use by another program or stream: close that first")
        rate = request.format.rate
        if self._rates is not None and rate not in self._rates:
            supported = ", ".join(f"{rate} Hz" for rate in sorted(self._rates))
            raise DeviceFormatError(f"{self.name} refuses {rate} Hz: it supports {supported}")
        channels, most = request.format.channels, self._most_channels
        if most and channels > most:
            raise DeviceFormatError(f"{self.name} refuses {channels} channels: it has {most}")

    def tried(self, default_rate: int, *, capture: bool) -> SideTrial:
        """What it opens at."""
        request = StreamRequest()

        def check(audio: AudioFormat) -> None:
            self._admit(replace(request, format=audio))

        return tried(check, request, self._most_channels or self.channels, default_rate, capture=capture)

    async def close(self, handle: OpenSide) -> None:
        """Close it, if that stream still has it."""
        handle.stop()
        try:
            if handle.is_orphan:
                await self._server.is_back()
            await _call_of(self._close_s)
        finally:
            handle.hardware.rest()
            if self._handle is handle:
                self._handle = None

    def crash_if_told(self) -> None:
        """The callback's."""
        if self._crashes:
            os.kill(os.getpid(), signal.SIGSEGV)

    def take_missing(self) -> int:
        """Samples lost since the last callback."""
        missing, self._missing = self._missing, 0
        return missing

    def lateness(self) -> float:
        """How late the next callback comes, in seconds."""
        return self._random.uniform(0, self.jitter_s) if self.jitter_s else 0.0


class OpenSide:
    """The handle of one open stream: a tick of the hardware for every block."""

    def __init__(
        self,
        side: Side,
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
        self.underflows = 0
        """How often samples were lost before a callback."""
        self._began_s = 0.0
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
                self._began_s = self.hardware.now()
                self._schedule()

    async def close(self) -> None:
        """Give the side back."""
        await self._side.close(self)

    def stop(self) -> None:
        """No more callbacks, for ever; returns when none is being made."""
        with self._lock:
            self._stopped = True
            if self._next is not None:
                self._next.cancel()

    def resume(self) -> None:
        """After a stall the clock goes on from now."""
        with self._lock:
            if self._started and not self._stopped and self._next is None:
                self._began_s += self.hardware.now() - self._time_of(self._samples)
                self._schedule()

    def run_at(self, rate: int) -> None:
        """The clock goes on from here at that rate."""
        with self._lock:
            now_s = self._time_of(self._samples)
            self._rate = rate
            self._began_s += now_s - self._time_of(self._samples)

    @property
    def block_began_s(self) -> float:
        """When the first sample of the present block was due, by the card's clock."""
        return self._time_of(self._samples)

    def _time_of(self, samples: int) -> float:
        return self._began_s + samples / (self._rate * (1 + self._side.drift_ppm * 1e-6))

    def _schedule(self) -> None:
        due = self._time_of(self._samples + self.info.block) + self._side.lateness()
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
                self._samples += self.info.block
            self._schedule()


class SimulatedMicrophone(Side):
    """What a person says to the card."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int) -> None:
        super().__init__(name, drift_ppm, jitter_s, seed)
        self._heard = bytearray()
        self._ends = False
        self.captured = 0
        """Samples handed to the program so far, over all streams."""

    def hear(self, audio: bytes | npt.NDArray[np.int16]) -> None:
        """This is heard next, behind what was given before; silence follows.

        At the stream's own rate and channels.

        Raises:
            AudioFormatError: the bytes end within a sample, or the array is not int16 or float.
        """
        if isinstance(audio, bytes):
            samples_in(audio, 1)
            self._heard += audio
        else:
            self._heard += pcm_bytes(audio, audio.shape[1] if audio.ndim == 2 else 1)

    def run_out(self) -> None:
        """When all was heard, the input is at its end, as a file would be. A later stream hears silence."""
        self._ends = True

    def tick(self, handle: OpenSide, missed: int, callback: CaptureCallback) -> bool:
        """One callback; whether there will be another."""
        size = handle.info.format.sample_bytes
        del self._heard[: missed * size]
        data = bytes(self._heard[: handle.info.block * size])
        del self._heard[: len(data)]
        last = self._ends and not self._heard
        if self.is_muted:
            data = bytes(len(data))
        if not last:
            data += bytes(handle.info.block * size - len(data))
        if data or missed:
            self.captured += len(data) // size
            callback(data, handle.block_began_s, missed)
        if last:
            self._ends = False
            handle.finished(None)
        return not last


class SimulatedSpeaker(Side):
    """What a person hears from the card."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int, keep_s: float) -> None:
        super().__init__(name, drift_ppm, jitter_s, seed)
        self._keep_s = check_seconds("keep_s", keep_s)
        self._keep_bytes = 0
        self._played = bytearray()

    def played(self) -> bytes:
        """What came out, from the first callback on, zeros included; the last `keep_s` seconds of it."""
        return bytes(self._played[max(0, len(self._played) - self._keep_bytes) :])

    def forget(self) -> None:
        """Begin anew with what is kept."""
        self._played.clear()

    def tick(self, handle: OpenSide, missed: int, callback: RenderCallback) -> bool:
        """One callback; there is always another."""
        audio = handle.info.format
        self._keep_bytes = audio.samples(self._keep_s) * audio.sample_bytes
        self._played += bytes(missed * audio.sample_bytes)
        data = callback(handle.info.block)
        self._played += bytes(len(data)) if self.is_muted else data
        if len(self._played) > 2 * self._keep_bytes:
            del self._played[: len(self._played) - self._keep_bytes]
        return True


def hardware_of(loop: asyncio.AbstractEventLoop) -> Hardware:
    """The world outside this loop: its own, where it has a virtual clock; else the real one."""
    own: Hardware = getattr(loop, "hardware", _threads)
    return own


class _Server:
    """The sound server behind one side: it runs, or it has stopped until a time, or until further notice."""

    def __init__(self) -> None:
        self._back_s = -math.inf
        self._answers = True
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def runs(self) -> bool:
        return asyncio.get_running_loop().time() >= self._back_s

    @property
    def answers(self) -> bool:
        """What is asked of it returns, though it may fail."""
        return self._answers or self.runs

    def stop(self, seconds: float, *, answers: bool = True) -> None:
        if seconds != math.inf:
            check_seconds("seconds", seconds)
        self._back_s, self._answers = asyncio.get_running_loop().time() + seconds, answers

    def go_on(self) -> None:
        self._back_s = -math.inf
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def is_back(self) -> None:
        """Return when it runs. Cannot be cancelled, as a call into C."""
        await _call_until(lambda: self._back_s, self._waiting)


async def _call_of(seconds: float) -> None:
    """As a call into C that takes so long: it cannot be cancelled, and says so when it is back."""
    back_s = asyncio.get_running_loop().time() + seconds
    await _call_until(lambda: back_s, set())


async def _call_until(back_s: Callable[[], float], waiting: set[asyncio.Future[None]]) -> None:
    """The same until a time, which may change: then the futures in `waiting` are completed."""
    cancelled: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    while (left := back_s() - loop.time()) > 0:
        changed = loop.create_future()
        waiting.add(changed)
        try:
            await asyncio.wait([changed], timeout=None if left == math.inf else left)
        except asyncio.CancelledError as error:
            cancelled = error
        finally:
            waiting.discard(changed)
    if cancelled is not None:
        raise cancelled
