"""A simulated sound card, at the level of PortAudio's callbacks. Everything above it is the real code.

    card = SimulatedCard()
    card.mic.hear(speech)                       # what the microphone hears next
    task = PipelineTask(Pipeline([MicrophoneInput(card.backend()), ..., SpeakerOutput(card.backend())]))
    ...
    card.speaker.played()                       # what came out of the loudspeaker

In an event loop with a virtual clock the card ticks in virtual time; in any other it has a
thread, as a real one has. Faults are verbs: `card.mic.unplug()`, `card.speaker.stall()`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from voicepipe.audio import pcm_bytes
from voicepipe.checks import check_number, check_seconds
from voicepipe.devices import DeviceInfo, InputStream, OutputStream, StreamInfo, StreamRequest
from voicepipe.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
)
from voicepipe.hardware import Hardware, ThreadedHardware, Tick
from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback
from voicepipe_devices.streams import open_input, open_output

__all__ = ["FakeBackend", "SimulatedCard", "SimulatedMicrophone", "SimulatedSpeaker", "open_backend"]


class _Side:
    """One direction of the card, with its clock and its faults."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int) -> None:
        self.name = name
        self.drift_ppm = check_number("drift_ppm", drift_ppm, at_least=-1e5, at_most=1e5)
        self.jitter_s = check_seconds("jitter_s", jitter_s, at_most=1.0)
        self._random = random.Random(seed)
        self._handle: _Handle | None = None
        self._present = True
        self._busy = False
        self._rates: frozenset[int] | None = None
        self._open_s = 0.0
        self._close_s = 0.0
        self._stalled = False
        self._missing = 0

    # -- faults ----------------------------------------------------------------

    def unplug(self) -> None:
        """Pull it out: the callbacks stop, the stream is told, opening fails until `replug()`."""
        self._present = False
        self._lose(DeviceLostError(f"{self.name} was unplugged"))

    def vanish(self) -> None:
        """The same with no notice: the callbacks stop, and nobody is told."""
        self._present = False
        self._stop_ticking()

    def replug(self) -> None:
        """Put it back. A stream that was open stays dead."""
        self._present = True

    def stall(self, stalled: bool = True) -> None:
        """No callbacks, no error, until `stall(False)`."""
        self._stalled = stalled
        if not stalled and self._handle is not None:
            self._handle.resume()

    def busy(self, busy: bool = True) -> None:
        """Another program holds it: opening fails."""
        self._busy = busy

    def refuse(self, *rates: int) -> None:
        """Open at none but these rates; without any, at every rate."""
        self._rates = frozenset(rates) or None

    def slow_open(self, seconds: float) -> None:
        """Opening takes so long, and cannot be cancelled meanwhile."""
        self._open_s = check_seconds("seconds", seconds)

    def stuck_close(self, seconds: float) -> None:
        """Closing takes so long, and cannot be cancelled meanwhile."""
        self._close_s = check_seconds("seconds", seconds)

    def xrun(self, samples: int) -> None:
        """Lose so many samples before the next callback: an overrun, or an underrun."""
        self._missing += samples

    # -- for the driver ----------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """A program has it open."""
        return self._handle is not None

    async def open(
        self, request: StreamRequest, tick: Callable[[_Handle], bool], finished: Finished
    ) -> _Handle:
        hardware = hardware_of(asyncio.get_running_loop())
        await _call_of(self._open_s)
        self._admit(request)
        handle = self._handle = _Handle(self, request, hardware, tick, finished)
        return handle

    def _admit(self, request: StreamRequest) -> None:
        if not self._present or (request.device and request.device not in self.name):
            raise DeviceNotFoundError(
                f"there is no device {request.device or self.name!r}: there is {self.name!r}"
            )
        if self._busy or self._handle is not None:
            raise DeviceBusyError(f"{self.name} is in use by another stream: close that first")
        if self._rates is not None and request.format.rate not in self._rates:
            supported = ", ".join(str(rate) for rate in sorted(self._rates))
            raise DeviceFormatError(f"{self.name} refuses {request.format.rate} Hz: it supports {supported}")

    def seconds(self, samples: int, rate: int) -> float:
        """How long so many samples last by the card's own clock."""
        return samples / (rate * (1 + self.drift_ppm * 1e-6))

    def lateness(self) -> float:
        """How late the next callback comes."""
        return self._random.uniform(0, self.jitter_s) if self.jitter_s else 0.0

    def take_missing(self) -> int:
        """Samples lost since the last callback."""
        missing, self._missing = self._missing, 0
        return missing

    def ticks(self) -> bool:
        """It makes callbacks."""
        return self._present and not self._stalled

    async def close(self, handle: _Handle) -> None:
        handle.stop()
        await _call_of(self._close_s)
        handle.hardware.rest()
        if self._handle is handle:
            self._handle = None

    def _lose(self, error: DeviceError | None) -> None:
        handle = self._handle
        if handle is not None:
            handle.stop()
            handle.finished(error)

    def _stop_ticking(self) -> None:
        if self._handle is not None:
            self._handle.stop()


class _Handle:
    """One open stream: a tick of the hardware for every block."""

    def __init__(
        self,
        side: _Side,
        request: StreamRequest,
        hardware: Hardware,
        tick: Callable[[_Handle], bool],
        finished: Finished,
    ) -> None:
        latency = 2 * request.block_s if isinstance(request.latency, str) else request.latency
        self.info = StreamInfo(side.name, request.format, request.block, latency)
        self.hardware = hardware
        self.finished = finished
        self.began_s = 0.0
        self.samples = 0
        """Samples of blocks that were called for so far, lost ones included."""
        self._side = side
        self._tick = tick
        self._next: Tick | None = None
        self._stopped = False

    async def start(self) -> None:
        self.began_s = self.hardware.now()
        self._schedule()

    async def close(self) -> None:
        await self._side.close(self)

    def stop(self) -> None:
        """No more callbacks."""
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    def resume(self) -> None:
        """After a stall the clock goes on from now."""
        if not self._stopped and self._next is None:
            self.began_s = self.hardware.now() - self._side.seconds(self.samples, self.info.format.rate)
            self._schedule()

    def time_of(self, samples: int) -> float:
        """When that sample is due, by the card's clock."""
        return self.began_s + self._side.seconds(samples, self.info.format.rate)

    def _schedule(self) -> None:
        due = self.time_of(self.samples + self.info.block) + self._side.lateness()
        self._next = self.hardware.call_at(due, self._call)

    def _call(self) -> None:
        self._next = None
        if self._stopped or not self._side.ticks():
            return
        if self._tick(self):
            self._schedule()


class SimulatedMicrophone(_Side):
    """What a person says to the card."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int) -> None:
        super().__init__(name, drift_ppm, jitter_s, seed)
        self._heard = bytearray()
        self._ends = False
        self.captured = 0
        """Samples handed to the program so far."""

    def hear(self, audio: bytes | npt.NDArray[np.int16]) -> None:
        """This is heard next, behind what was given before; silence follows. At the stream's own rate and channels."""
        self._heard += (
            audio if isinstance(audio, bytes) else pcm_bytes(audio, 1 if audio.ndim == 1 else audio.shape[1])
        )

    def run_out(self) -> None:
        """When all was heard, the input is at its end, as a file would be."""
        self._ends = True

    def tick(self, handle: _Handle, callback: CaptureCallback) -> bool:
        """One callback; whether there will be another."""
        missed = self.take_missing()
        size = handle.info.format.sample_bytes
        data = bytes(self._heard[: handle.info.block * size])
        del self._heard[: len(data)]
        last = self._ends and not self._heard
        if not last:
            data += bytes(handle.info.block * size - len(data))
        handle.samples += missed
        if data:
            callback(data, handle.time_of(handle.samples), missed)
        handle.samples += handle.info.block
        self.captured += len(data) // size
        if last:
            handle.finished(None)
        return not last


class SimulatedSpeaker(_Side):
    """What a person hears from the card."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int, keep_s: float) -> None:
        super().__init__(name, drift_ppm, jitter_s, seed)
        self._keep_s = check_seconds("keep_s", keep_s)
        self._played = bytearray()

    def played(self) -> bytes:
        """What came out, from the first callback on, zeros included; the last `keep_s` seconds of it."""
        return bytes(self._played)

    def forget(self) -> None:
        """Begin anew with what is kept."""
        self._played.clear()

    def tick(self, handle: _Handle, callback: RenderCallback) -> bool:
        """One callback; there is always another."""
        handle.samples += self.take_missing() + handle.info.block
        self._played += callback(handle.info.block)
        most = handle.info.format.samples(self._keep_s) * handle.info.format.sample_bytes
        if len(self._played) > 2 * most:
            del self._played[:-most]
        return True


class SimulatedCard:
    """A card with one microphone and one speaker, each with a clock of its own.

    Args:
        name: what its devices are called.
        drift_ppm: how much faster than nominal both clocks run; set `card.mic.drift_ppm` for one.
        jitter_s: callbacks come up to so much late, at random.
        seed: makes the jitter the same every time.
        keep_s: how much of what was played is kept.

    Raises:
        TypeError, ValueError: a number is out of its bounds.
    """

    def __init__(
        self,
        name: str = "simulated",
        *,
        drift_ppm: float = 0.0,
        jitter_s: float = 0.0,
        seed: int = 0,
        keep_s: float = 600.0,
    ) -> None:
        self.mic = SimulatedMicrophone(f"{name} microphone", drift_ppm, jitter_s, seed)
        self.speaker = SimulatedSpeaker(f"{name} speaker", drift_ppm, jitter_s, seed + 1, keep_s)

    def backend(self) -> FakeBackend:
        """A back end that opens this card."""
        return FakeBackend(self)


class FakeBackend:
    """The back end "fake": streams over a simulated card."""

    name = "fake"

    def __init__(self, card: SimulatedCard | None = None) -> None:
        self.card = card or SimulatedCard()
        """The card, to script and to listen to."""

    async def devices(self) -> list[DeviceInfo]:
        """The card's two devices, where they are plugged in."""
        mic, speaker = self.card.mic, self.card.speaker
        both = [DeviceInfo(mic.name, 1, 0, 16_000), DeviceInfo(speaker.name, 0, 1, 16_000)]
        return [info for info, side in zip(both, (mic, speaker), strict=True) if side._present]

    async def open_input(self, request: StreamRequest, wake: Callable[[], None]) -> InputStream:
        """Open the card's microphone. Raises: DeviceError."""
        return await open_input(self, request, wake)

    async def open_output(self, request: StreamRequest, wake: Callable[[], None]) -> OutputStream:
        """Open the card's speaker. Raises: DeviceError."""
        return await open_output(self, request, wake)

    # -- the driver's side

    async def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> _Handle:
        """The microphone's handle."""
        mic = self.card.mic
        return await mic.open(request, lambda handle: mic.tick(handle, callback), finished)

    async def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> _Handle:
        """The speaker's handle."""
        speaker = self.card.speaker
        return await speaker.open(request, lambda handle: speaker.tick(handle, callback), finished)


def open_backend() -> FakeBackend:
    """A new simulated card."""
    return FakeBackend()


_threads = ThreadedHardware()


def hardware_of(loop: asyncio.AbstractEventLoop) -> Hardware:
    """The world outside this loop: its own, where it has a virtual clock; else the real one."""
    own: Hardware = getattr(loop, "hardware", _threads)
    return own


async def _call_of(seconds: float) -> None:
    """As a call into C that takes so long: it cannot be cancelled, and says so when it is back."""
    cancelled: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    back = loop.time() + seconds
    while (left := back - loop.time()) > 0:
        try:
            await asyncio.sleep(left)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
