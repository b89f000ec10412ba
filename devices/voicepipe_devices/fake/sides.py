"""The two sides of a simulated sound card, each with a clock and faults of its own.

Verbs are for the event loop's thread; the card's callbacks come from the hardware's.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from voicepipe.audio.format import AudioFormat, pcm_bytes, samples_in
from voicepipe.checks import check_count, check_number, check_seconds
from voicepipe.devices.names import name_means
from voicepipe.devices.port import StreamRequest
from voicepipe.devices.trial import SideTrial
from voicepipe.errors import (
    BackendMissingError,
    DeviceBusyError,
    DeviceFormatError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from voicepipe.text import printable
from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback
from voicepipe_devices.fake.handle import OpenSide, hardware_of
from voicepipe_devices.fake.losses import Losses, LossScript
from voicepipe_devices.fake.sound_server import SoundServer, call_of
from voicepipe_devices.fake.stamps import Stamps
from voicepipe_devices.probing import try_side

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from voicepipe_devices.fake.room import Room

__all__ = ["Side", "SimulatedMicrophone", "SimulatedSpeaker"]


class Side:
    """One direction of the card, with its clock and its faults."""

    captures: ClassVar[bool]
    """True for a microphone."""

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int) -> None:
        self.name = name
        self.drift_ppm = check_number("drift_ppm", drift_ppm, at_least=-1e5, at_most=1e5)
        """The speed of its clock, in parts per million above nominal. Set it before it is opened."""
        self.jitter_s = check_seconds("jitter_s", jitter_s, at_most=1.0)
        """Callbacks come up to so much late, at random."""
        self.channels = 1
        """The number of channels, for a stream that picks one; any other gets as many as it asks for."""
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
        self._script = LossScript()
        self._stamps = Stamps(seed)
        self._crashes = False
        self._room: Room | None = None
        self._server = SoundServer()

    # -- faults ----------------------------------------------------------------

    def unplug(self) -> None:
        """Pull it out: the callbacks stop, the stream is told, opening fails until `replug()`."""
        self.vanish()
        if self._handle is not None:
            self._handle.finished(DeviceLostError(f"{self.name} was unplugged"))

    def crash(self) -> None:
        """End the process that moves its samples: the callbacks stop, the stream is told. It opens again."""
        handle = self._handle
        if handle is not None:
            handle.stop()
            handle.finished(DeviceLostError(f"{self.name} is lost: its process has ended"))

    def vanish(self) -> None:
        """Unplug it without notice: the callbacks stop, and nobody is told."""
        self._present = False
        if self._handle is not None:
            self._handle.stop()

    def replug(self) -> None:
        """Put it back. A stream that was open stays dead."""
        self._present = True

    def stall(self, stalled: bool = True) -> None:
        """Stop the callbacks without an error, until `stall(False)`; then it goes on from where it was."""
        self._stalled = stalled
        if not stalled and self._handle is not None:
            self._handle.resume()

    def mute(self, muted: bool = True) -> None:
        """Replace the sound by zeros until `mute(False)`: what is said or played meanwhile is lost."""
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
        """Break it as `break_` does, but opening neither fails nor returns, as with a stopped server."""
        self._server.stop(seconds, answers=False)
        self._orphan()

    def crash_process(self) -> None:
        """End this process in the next callback, as a bug in C would. For a card in a process of its own."""
        self._crashes = True

    def mend(self) -> None:
        """Start the sound server again."""
        self._server.go_on()

    def _orphan(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.stop()
            handle.is_orphan = True

    def busy(self, busy: bool = True) -> None:
        """Hold it as another program would: opening fails."""
        self._busy = busy

    def forbid(self, forbidden: bool = True) -> None:
        """Take the user's right to it away: opening fails."""
        self._forbidden = forbidden

    def fail_start(self, failing: bool = True) -> None:
        """Make it open, and then fail to start."""
        self._fails_to_start = failing

    def refuse(self, *rates: int, channels: int = 0) -> None:
        """Open at none but these rates, and with no more channels; without any, at every rate."""
        self._rates = frozenset(check_count("rate", rate, at_least=1) for rate in rates) or None
        self._most_channels = check_count("channels", channels)

    def run_at(self, rate: int) -> None:
        """Run at that rate from now on, as a Bluetooth headset whose microphone is opened; open at no other.

        The callbacks of a stream that is open come slower, or faster, and nobody is told.
        """
        self.refuse(rate)
        if self._handle is not None:
            self._handle.run_at(rate)

    def slow_open(self, seconds: float) -> None:
        """Make opening take so long; it cannot be cancelled meanwhile."""
        self._open_s = check_seconds("seconds", seconds)

    def stuck_close(self, seconds: float) -> None:
        """Make closing take so long; it cannot be cancelled meanwhile."""
        self._close_s = check_seconds("seconds", seconds)

    def xrun(self, samples: int) -> None:
        """Lose so many samples before the next callback: what was to be heard is, and their time passes."""
        self._missing += check_count("samples", samples)

    def lose(self, seconds: float) -> None:
        """Lose so much in the middle of the next block, and do not own up to it: positions go on as ever.

        A microphone misses what was to be heard meanwhile; a speaker is silent. The time passes, so the
        times of later blocks show it.
        """
        self._script.lose(seconds)

    def step_stamps(self, seconds: float) -> None:
        """Tell times that are so much later from now on, or earlier; the sound stays. Steps add up."""
        self._stamps.step(seconds)

    def jitter_stamps(self, seconds: float) -> None:
        """Tell times that are up to so much early or late, at random, from now on; 0: right ones."""
        self._stamps.jitter(seconds)

    # -- for the card ----------------------------------------------------------

    def enter(self, room: Room | None, losses: Losses | None) -> None:
        """Be in that room, with those losses; None: in none, with none."""
        self._room = room
        self._script.follow(losses)

    # -- for the driver ----------------------------------------------------------

    @property
    def is_present(self) -> bool:
        """True while it is plugged in."""
        return self._present

    @property
    def is_open(self) -> bool:
        """True while a program has it open."""
        return self._handle is not None

    @property
    def is_muted(self) -> bool:
        """True while its callbacks bring zeros."""
        return self._muted

    @property
    def fails_to_start(self) -> bool:
        """True while its streams do not start."""
        return self._fails_to_start

    @property
    def ticks(self) -> bool:
        """True while it makes callbacks."""
        return self._present and not self._stalled

    async def open(
        self, request: StreamRequest, tick: Callable[[OpenSide, int], bool], finished: Finished
    ) -> OpenSide:
        """Open it for one stream. Raises: DeviceError."""
        hardware = hardware_of(asyncio.get_running_loop())
        await call_of(self._open_s)
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
        if not name_means(self.name, request.device):
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

    def trial(self, default_rate: int, *, capture: bool) -> SideTrial:
        """Try it in the usual formats."""
        request = StreamRequest()

        def check(audio: AudioFormat) -> None:
            self._admit(replace(request, format=audio))

        return try_side(check, request, self._most_channels or self.channels, default_rate, capture=capture)

    async def close(self, handle: OpenSide) -> None:
        """Close it, if that stream still has it."""
        handle.stop()
        try:
            if handle.is_orphan:
                await self._server.is_back()
            await call_of(self._close_s)
        finally:
            handle.hardware.rest()
            if self._handle is handle:
                self._handle = None

    def crash_if_told(self) -> None:
        """End this process, where `crash_process` was called. For the callback."""
        if self._crashes:
            os.kill(os.getpid(), signal.SIGSEGV)

    def take_missing(self) -> int:
        """Return the samples lost since the last callback, and forget them."""
        missing, self._missing = self._missing, 0
        return missing

    def take_gap(self, age_s: float) -> int:
        """Return the samples that are lost in the middle of the next block, and forget them."""
        lost_s = self._script.take(age_s)
        return self._handle.info.format.samples(lost_s) if lost_s and self._handle is not None else 0

    def go_silent(self) -> None:
        """Note that the callbacks have ended, by whatever cause."""

    def lateness(self) -> float:
        """Return the delay of the next callback, in seconds."""
        return self._random.uniform(0, self.jitter_s) if self.jitter_s else 0.0


class SimulatedMicrophone(Side):
    """A microphone; a script says what it hears."""

    captures = True

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int) -> None:
        super().__init__(name, drift_ppm, jitter_s, seed)
        self._heard = bytearray()
        self._ends = False
        self.captured = 0
        """Samples handed to the program so far, over all streams."""

    def hear(self, audio: bytes | npt.NDArray[np.int16]) -> None:
        """Hear this next, behind what was given before; silence follows.

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
        """End the input when all was heard, as a file ends. A later stream hears silence."""
        self._ends = True

    def tick(self, handle: OpenSide, missed: int, callback: CaptureCallback) -> bool:
        """Make one callback; return whether there will be another."""
        block, size = handle.info.block, handle.info.format.sample_bytes
        del self._heard[: missed * size]
        if handle.gap:
            data = self._listen(handle, 0, block // 2)
            del self._heard[: handle.gap * size]
            data += self._listen(handle, block // 2 + handle.gap, block - block // 2)
        else:
            data = self._listen(handle, 0, block)
        last = self._ends and not self._heard
        if self.is_muted:
            data = bytes(len(data))
        if data or missed:
            self.captured += len(data) // size
            callback(data, self._stamps.of(handle.block_began_s), missed)
        if last:
            self._ends = False
            handle.finished(None)
        return not last

    def _listen(self, handle: OpenSide, begin: int, samples: int) -> bytes:
        """Return so many samples, fewer where the input ends: the script's, and the room's."""
        audio = handle.info.format
        data = bytes(self._heard[: samples * audio.sample_bytes])
        del self._heard[: len(data)]
        if not self._ends or self._heard:
            data += bytes(samples * audio.sample_bytes - len(data))
        if self._room is None or not data:
            return data
        return self._room.add_echo(data, audio, handle.time_in_block(begin), handle.hz)


class SimulatedSpeaker(Side):
    """A loudspeaker; what it plays is kept."""

    captures = False

    def __init__(self, name: str, drift_ppm: float, jitter_s: float, seed: int, keep_s: float) -> None:
        super().__init__(name, drift_ppm, jitter_s, seed)
        self._keep_s = check_seconds("keep_s", keep_s)
        self._keep_bytes = 0
        self._played = bytearray()
        self._delay_s = 0.0

    def delay(self, seconds: float) -> None:
        """Sound so much later than its times say, up to 1 s, from now on; 0: as they say.

        So does a device whose way to the loudspeaker has become longer, and which does not own up to it.
        """
        self._delay_s = check_seconds("seconds", seconds, at_most=1.0)

    def played(self) -> bytes:
        """Return what came out since the first callback, zeros included; the last `keep_s` seconds of it."""
        return bytes(self._played[max(0, len(self._played) - self._keep_bytes) :])

    def forget(self) -> None:
        """Begin anew with what is kept."""
        self._played.clear()

    def tick(self, handle: OpenSide, missed: int, callback: RenderCallback) -> bool:
        """Make one callback; there is always another."""
        audio = handle.info.format
        self._keep_bytes = audio.samples(self._keep_s) * audio.sample_bytes
        self._played += bytes(missed * audio.sample_bytes)
        sounds_s = handle.time_in_block(handle.info.block) + handle.info.latency_s
        data = callback(handle.info.block, self._stamps.of(sounds_s))
        if self.is_muted:
            data = bytes(len(data))
        self._played += data
        if self._room is not None:
            self._sound(self._room, handle, data, sounds_s + self._delay_s)
        if len(self._played) > 2 * self._keep_bytes:
            del self._played[: len(self._played) - self._keep_bytes]
        return True

    def _sound(self, room: Room, handle: OpenSide, data: bytes, sounds_s: float) -> None:
        """Let a block sound in the room, from that time on, with the gap in its middle."""
        audio = handle.info.format
        half = handle.info.block // 2 if handle.gap else handle.info.block
        room.play(data[: half * audio.sample_bytes], audio.channels, sounds_s, handle.hz)
        if handle.gap:
            behind_s = sounds_s + (half + handle.gap) / handle.hz
            room.play(data[half * audio.sample_bytes :], audio.channels, behind_s, handle.hz)

    def go_silent(self) -> None:
        """Let what the device still holds not be heard: it was closed, or is gone."""
        if self._room is not None and self._handle is not None:
            self._room.silence_from(self._handle.hardware.now())
