"""One open stream of PortAudio: its callbacks, and the calls that start and end it. They block."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voicepipe.devices.port import StreamInfo
from voicepipe.devices.values import Stamps
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.text import printable
from voicepipe_devices.portaudio.block_clock import BlockClock, BlockTime
from voicepipe_devices.portaudio.library import translate_errors

if TYPE_CHECKING:
    from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback

__all__ = ["CaptureHandle", "PortAudioHandle", "RenderHandle"]


class PortAudioHandle(abc.ABC):
    """A stream, and what both directions share. `info` is complete once it is open."""

    def __init__(self, info: StreamInfo, finished: Finished) -> None:
        self.info = info
        self._finished = finished
        self._stream: Any = None
        self._ending = False
        self._failed = False
        self._lock = threading.Lock()

    def open(self, kind: Callable[..., Any], device: int, latency: str | float) -> None:
        """Open it; no callback yet. In a thread; raises sounddevice's errors."""
        self._stream = kind(
            device=device,
            samplerate=self.info.format.rate,
            channels=self.info.format.channels,
            blocksize=self.info.block,
            latency=latency,
            dtype="int16",  # where the device has another, PortAudio converts as it copies, and saturates
            dither_off=True,  # it would be noise where there is silence, and keep nothing exact
            callback=self._on_call,
            finished_callback=self._on_stop,
        )
        self.info = replace(self.info, latency_s=max(0.0, float(self._stream.latency)))

    def start(self) -> None:
        """Let the callbacks begin. Raises: DeviceError."""
        with translate_errors(self.info.device):
            self._stream.start()

    def end(self) -> None:
        """Abort the callbacks and close; once is enough."""
        with self._lock:
            if self._ending:
                return
            self._ending = True
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)

    # -- PortAudio's thread: nothing here waits, and nothing raises ----------------------

    def _on_call(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        if self._failed:
            return
        try:
            self._serve(data, frames, clock, status)
        except BaseException as error:  # PortAudio would print it, and stop in silence
            self._failed = True
            self._finished(DeviceError(f"{self.info.device}: the callback failed: {printable(repr(error))}"))

    @abc.abstractmethod
    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        """Serve one callback."""

    def _on_stop(self) -> None:
        if not self._ending:
            self._finished(
                DeviceLostError(f"{self.info.device} is lost: it was unplugged, or its sound server stopped")
            )


class CaptureHandle(PortAudioHandle):
    """A microphone.

    Args:
        info: the stream as it is to be opened.
        callback: takes the callbacks.
        finished: is called when they have ended by themselves.
        doubts_delay: do not believe stamps that are a little older than the audio can be.
    """

    def __init__(
        self,
        info: StreamInfo,
        callback: CaptureCallback,
        finished: Finished,
        *,
        doubts_delay: bool = False,
    ) -> None:
        super().__init__(info, finished)
        self._callback = callback
        self._doubts_delay = doubts_delay
        self._clock = BlockClock(0.0, 1.0)
        self._passed = 0
        """Samples captured so far."""
        self._next: BlockTime | None = None
        """The time at which the next block begins if nothing is lost."""

    @property
    def stamps(self) -> Stamps:
        """The worth of PortAudio's time stamps."""
        return self._clock.stamps

    def open(self, kind: Callable[..., Any], device: int, latency: str | float) -> None:
        """Open it; no callback yet. In a thread; raises sounddevice's errors."""
        super().open(kind, device, latency)
        block_s = self.info.format.seconds(self.info.block)
        self._clock = BlockClock(self.info.latency_s, block_s, doubts_delay=self._doubts_delay)

    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        now_s, rate = time.monotonic(), self.info.format.rate
        overflow = status.input_overflow
        if overflow:
            self._clock.restart()
        began = self._clock.look(now_s, clock.currentTime, clock.inputBufferAdcTime, self._passed / rate)
        missed = max(0, round(self._late_s(began) * rate)) if overflow else 0
        self._passed += frames
        self._next = began.later(frames / rate)
        self._callback(bytes(data), began.time_s, missed)

    def _late_s(self, began: BlockTime) -> float:
        """Return the time that is missing before this block: by PortAudio's exact clock, if it tells."""
        due = self._next
        if due is None:
            return 0.0
        if began.stamp_s is None or due.stamp_s is None:
            return began.time_s - due.time_s
        return began.stamp_s - due.stamp_s


class RenderHandle(PortAudioHandle):
    """A speaker.

    Args:
        info: the stream as it is to be opened.
        callback: takes the callbacks.
        finished: is called when they have ended by themselves.
        timed: tell the callback when its block sounds.
    """

    def __init__(
        self, info: StreamInfo, callback: RenderCallback, finished: Finished, *, timed: bool = False
    ) -> None:
        super().__init__(info, finished)
        self._callback = callback
        self._clock: BlockClock | None = None
        self._timed = timed
        self._passed = 0
        """Samples played so far."""
        self.underflows = 0
        """The number of times that PortAudio said that the device ran dry."""

    @property
    def stamps(self) -> Stamps:
        """The worth of PortAudio's time stamps; empty: nobody looks at them."""
        return "" if self._clock is None else self._clock.stamps

    def open(self, kind: Callable[..., Any], device: int, latency: str | float) -> None:
        """Open it; no callback yet. In a thread; raises sounddevice's errors."""
        super().open(kind, device, latency)
        if self._timed:
            self._clock = BlockClock(self.info.latency_s)

    def _on_call(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        super()._on_call(data, frames, clock, status)
        if self._failed:
            data[:] = bytes(len(data))

    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        if status.output_underflow:
            self.underflows += 1
        if self._clock is None:
            data[:] = self._callback(frames)
        else:
            data[:] = self._callback(frames, self._time_s(self._clock, frames, clock, status))

    def _time_s(self, times: BlockClock, frames: int, clock: Any, status: Any) -> float:
        """Return the time at which the block sounds."""
        if status.output_underflow:
            times.restart()
        passed_s = self._passed / self.info.format.rate
        self._passed += frames
        return times.look(time.monotonic(), clock.currentTime, clock.outputBufferDacTime, passed_s).time_s
