"""Sound hardware, by PortAudio: raw callback streams of the package sounddevice.

`Stream.stop()` is never called: it can hang for seconds and loses the last 60 ms; a stream is
aborted and closed once what was written has been heard. Any other call may hang too, so none is
made where that would matter: they are made in a process of their own, or in threads.

library            the one module that imports sounddevice; its errors in our words
device             a device in PortAudio's list: found, tried, opened
choosing           the choice of a device by its name
cards              the cards of Linux's kernel, and steady names for their devices
handle             an open stream, and its callbacks
block_clock        from PortAudio's clock to ours: when a block was captured, or sounds
stamps             the worth of PortAudio's time stamps
suggested_latency  the latency to ask for
place              in a process of its own, or in this one
alsa               why a device is missing or busy, on Linux
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voicepipe.devices.port import Backend, DeviceInfo, StreamInfo, StreamRequest
from voicepipe.errors import DeviceLostError
from voicepipe.text import printable
from voicepipe_devices.driver import BlockingDriver
from voicepipe_devices.portaudio.cards import known_cards, steady_names_of
from voicepipe_devices.portaudio.device import INPUT, OUTPUT, Device, find
from voicepipe_devices.portaudio.handle import CaptureHandle, PortAudioHandle, RenderHandle
from voicepipe_devices.portaudio.library import load, translate_errors

if TYPE_CHECKING:
    from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback, Sides

__all__ = ["PortAudio", "driver", "open_backend"]


class PortAudio(BlockingDriver):
    """The library, as a `BlockingDriver`.

    A device that refuses the wanted rate is opened at its own one, or at 48 or 44.1 kHz, and
    one that refuses the channels with as many as it has; the streams convert.
    """

    def devices(self) -> list[DeviceInfo]:
        """List the devices that there were when PortAudio was initialized.

        Raises:
            BackendMissingError: there is no PortAudio library.
        """
        sd = load()
        with translate_errors("PortAudio"):
            mic, speaker = sd.default.device
            hosts, known = sd.query_hostapis(), known_cards()
            return [
                DeviceInfo(
                    printable(device["name"]),
                    device["max_input_channels"],
                    device["max_output_channels"],
                    round(device["default_samplerate"]),
                    index == mic,
                    index == speaker,
                    printable(hosts[device["hostapi"]]["name"]),
                    *steady_names_of(device["name"], known),
                )
                for index, device in enumerate(sd.query_devices())
            ]

    def try_device(self, number: int, name: str) -> Sides:
        """Try the device of that number; it is asked, and nothing starts. Raises: DeviceError."""
        sd = load()
        with translate_errors(name):
            devices = list(sd.query_devices())
        if number >= len(devices) or printable(devices[number]["name"]) != name:
            raise DeviceLostError(f"{name} is not there any more: list the devices again")
        microphone, speaker = (
            Device(direction, number, devices[number]).trial() for direction in (INPUT, OUTPUT)
        )
        return microphone, speaker

    def version(self) -> str:
        """Return the library's name and version. Raises: BackendMissingError."""
        sd = load()
        return f"{printable(sd.get_portaudio_version()[1])}, sounddevice {sd.__version__}"

    def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> PortAudioHandle:
        """Open a microphone. Raises: DeviceError."""
        microphone = find(INPUT, request.device)
        doubts = microphone.is_behind_pipewire

        def make(info: StreamInfo) -> CaptureHandle:
            return CaptureHandle(info, callback, finished, doubts_delay=doubts)

        return microphone.open(request, make)

    def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> PortAudioHandle:
        """Open a speaker. Raises: DeviceError."""
        speaker = find(OUTPUT, request.device)
        return speaker.open(request, lambda info: RenderHandle(info, callback, finished, timed=request.tap))


def driver() -> PortAudio:
    """Return the library; it is loaded when it is first used."""
    return PortAudio()


def open_backend(argument: str = "") -> Backend:
    """Return the back end "portaudio": in a process of its own, or, with the argument "inside", in this one.

    Without an argument it has a process on Linux, where one can be made.

    Raises:
        ValueError: another argument.
        BackendMissingError: no process can be made, and "outside" asks for one.
    """
    if argument not in ("", "inside", "outside"):
        raise ValueError(
            f"unknown back end 'portaudio:{printable(argument)}'; choose portaudio:outside, which keeps "
            "PortAudio in a process of its own, or portaudio:inside"
        )
    from voicepipe_devices.portaudio.place import is_outside  # the sound process itself does without

    if is_outside(argument):
        from voicepipe_devices.sound_process.backend import OutsideBackend

        return OutsideBackend(f"{__name__}:driver", "portaudio", shares_air=True)
    from voicepipe_devices.in_process import InsideBackend

    return InsideBackend(PortAudio(), "portaudio", shares_air=True)
