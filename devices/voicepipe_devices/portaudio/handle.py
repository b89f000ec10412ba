"""One open stream of PortAudio: its callbacks, and the calls that start and end it. They block."""

from __future__ import annotations

import abc
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voicepipe.devices.port import StreamInfo
from voicepipe.errors import DeviceError, DeviceLostError
from voicepipe.text import printable
from voicepipe_devices.portaudio.capture_clock import CaptureClock
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
    """A microphone."""

    def __init__(self, info: StreamInfo, callback: CaptureCallback, finished: Finished) -> None:
        super().__init__(info, finished)
        self._callback = callback
        self._clock = CaptureClock(info.latency_s)
        self._next_s: float | None = None
        """The time at which the next block begins if nothing is lost, by PortAudio's clock."""

    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        rate = self.info.format.rate
        now_s, block_s = time.monotonic(), frames / rate
        captured_s, began_s = self._clock.capture_time_s(
            now_s, clock.currentTime, clock.inputBufferAdcTime, block_s
        )
        missed = 0
        if status.input_overflow and self._next_s is not None:
            missed = max(0, round((began_s - self._next_s) * rate))
        self._next_s = began_s + block_s
        self._callback(bytes(data), captured_s, missed)


class RenderHandle(PortAudioHandle):
    """A speaker."""

    def __init__(self, info: StreamInfo, callback: RenderCallback, finished: Finished) -> None:
        super().__init__(info, finished)
        self._callback = callback
        self.underflows = 0
        """The number of times that PortAudio said that the device ran dry."""

    def _on_call(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        super()._on_call(data, frames, clock, status)
        if self._failed:
            data[:] = bytes(len(data))

    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        if status.output_underflow:
            self.underflows += 1
        data[:] = self._callback(frames)
