"""PortAudio without its time stamps: what the fall-back is worth, on hosts that give none."""

from __future__ import annotations

from typing import Any

from voicepipe.devices.port import StreamInfo, StreamRequest
from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback
from voicepipe_devices.portaudio import PortAudio
from voicepipe_devices.portaudio.device import INPUT, OUTPUT, find
from voicepipe_devices.portaudio.handle import CaptureHandle, PortAudioHandle, RenderHandle

__all__ = ["driver"]


class _NoClock:
    """The times of a callback, as a host gives them that has none."""

    currentTime = inputBufferAdcTime = outputBufferDacTime = 0.0  # noqa: N815  # sounddevice's names


class _Microphone(CaptureHandle):
    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        super()._serve(data, frames, _NoClock, status)


class _Speaker(RenderHandle):
    def _serve(self, data: Any, frames: int, clock: Any, status: Any) -> None:
        super()._serve(data, frames, _NoClock, status)


class _Blind(PortAudio):
    def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> PortAudioHandle:
        def make(info: StreamInfo) -> PortAudioHandle:
            return _Microphone(info, callback, finished)

        return find(INPUT, request.device).open(request, make)

    def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> PortAudioHandle:
        def make(info: StreamInfo) -> PortAudioHandle:
            return _Speaker(info, callback, finished, timed=request.tap)

        return find(OUTPUT, request.device).open(request, make)


def driver() -> PortAudio:
    """Return the library."""
    return _Blind()
