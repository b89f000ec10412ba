"""Sound hardware, by PortAudio: raw callback streams of the package sounddevice.

`Stream.stop()` is never called: it can hang for seconds and loses the last 60 ms; a stream is
aborted and closed once what was written has been heard. Any other call may hang too, so none is
made where that would matter: they are made in a process of their own, or in threads.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voicepipe.audio import AudioFormat
from voicepipe.devices import Backend, DeviceInfo, StreamInfo, StreamRequest
from voicepipe.errors import DeviceBusyError, DeviceFormatError, DeviceNotFoundError, printable
from voicepipe_devices import alsa
from voicepipe_devices.choosing import Candidate, choose
from voicepipe_devices.library import load, translated
from voicepipe_devices.portaudio_handle import CaptureHandle, PortAudioHandle, RenderHandle

if TYPE_CHECKING:
    from voicepipe_devices.driver import CaptureCallback, Finished, RenderCallback

__all__ = ["PortAudio", "driver", "open_backend"]

OUTSIDE_BY_DEFAULT = sys.platform == "linux"
"""There a sound server that dies takes PortAudio with it, and nothing but a kill helps (measured). On
other systems nothing has been measured."""
_USUAL_RATES = (48_000, 44_100)


class PortAudio:
    """The library, as a `BlockingDriver`.

    A device that refuses the wanted rate is opened at its own one, or at 48 or 44.1 kHz, and
    one that refuses the channels with as many as it has; the streams convert.
    """

    def devices(self) -> list[DeviceInfo]:
        """The devices there were when PortAudio was initialized.

        Raises:
            BackendMissingError: there is no PortAudio library.
        """
        sd = load()
        with translated("PortAudio"):
            mic, speaker = sd.default.device
            return [
                DeviceInfo(
                    printable(device["name"]),
                    device["max_input_channels"],
                    device["max_output_channels"],
                    round(device["default_samplerate"]),
                    index == mic,
                    index == speaker,
                )
                for index, device in enumerate(sd.query_devices())
            ]

    def version(self) -> str:
        """As the library names itself. Raises: BackendMissingError."""
        sd = load()
        return f"{printable(sd.get_portaudio_version()[1])}, sounddevice {sd.__version__}"

    def open_capture(
        self, request: StreamRequest, callback: CaptureCallback, finished: Finished
    ) -> PortAudioHandle:
        """Open a microphone. Raises: DeviceError."""
        return _open(_INPUT, request, lambda info: CaptureHandle(info, callback, finished))

    def open_render(
        self, request: StreamRequest, callback: RenderCallback, finished: Finished
    ) -> PortAudioHandle:
        """Open a speaker. Raises: DeviceError."""
        return _open(_OUTPUT, request, lambda info: RenderHandle(info, callback, finished))


def driver() -> PortAudio:
    """The library; it is loaded when it is first used."""
    return PortAudio()


def open_backend(argument: str = "") -> Backend:
    """The back end "portaudio": in a process of its own, or, with the argument "inside", in this one.

    Raises:
        ValueError: another argument.
    """
    if argument not in ("", "inside", "outside"):
        raise ValueError(
            "'portaudio:inside' keeps PortAudio in this process, and 'portaudio:outside' in one of its own; "
            f"there is no 'portaudio:{printable(argument)}'"
        )
    if argument == "inside" or (not argument and not OUTSIDE_BY_DEFAULT):
        from voicepipe_devices.inside import InsideBackend

        return InsideBackend(PortAudio(), "portaudio", shares_air=True)
    from voicepipe_devices.outside import OutsideBackend

    return OutsideBackend(f"{__name__}:driver", "portaudio", shares_air=True)


@dataclass(frozen=True, slots=True)
class _Direction:
    """How sounddevice names things for it."""

    kind: str
    channels: str
    default: int
    stream: str


_INPUT = _Direction("microphone", "max_input_channels", 0, "RawInputStream")
_OUTPUT = _Direction("speaker", "max_output_channels", 1, "RawOutputStream")


def _open(
    direction: _Direction, request: StreamRequest, make: Callable[[StreamInfo], PortAudioHandle]
) -> PortAudioHandle:
    sd = load()
    capture = direction is _INPUT
    try:
        with translated(f"the {direction.kind}"):
            device = _device(sd, request.device, direction)
    except DeviceNotFoundError as error:
        raise alsa.explained(error, request.device, capture=capture) from None
    tried: list[str] = []
    for audio in _formats(request.format, device, direction):
        handle = make(StreamInfo(printable(device["name"]), audio, audio.samples(request.block_s), 0.0))
        try:
            with translated(printable(device["name"])), _one_at_a_time():
                handle.open(getattr(sd, direction.stream), device["index"], request.latency)
        except DeviceFormatError:
            tried.append(str(audio))
        except DeviceBusyError as error:
            raise alsa.busy(error, device["name"], capture=capture) from None
        else:
            return handle
    raise DeviceFormatError(
        f"{printable(device['name'])} refuses every format that was tried: {'; '.join(tried)}. By default it "
        f"has {device['default_samplerate']:.0f} Hz, and at most {device[direction.channels]} channels"
    )


def _device(sd: Any, name: str, direction: _Direction) -> dict[str, Any]:
    devices: list[dict[str, Any]] = [{**device, "index": i} for i, device in enumerate(sd.query_devices())]
    if not name:
        index: int = sd.default.device[direction.default]
        if not 0 <= index < len(devices):
            raise DeviceNotFoundError(
                f"there is no {direction.kind}: plug one in, start the sound server, or end what uses it"
            )
        return devices[index]
    hosts, home = sd.query_hostapis(), sd.default.hostapi
    candidates = [
        Candidate(
            device["name"], device["index"], hosts[device["hostapi"]]["name"], device["hostapi"] == home
        )
        for device in devices
        if device[direction.channels] > 0
    ]
    return devices[choose(candidates, name, direction.kind).index]


def _formats(wanted: AudioFormat, device: dict[str, Any], direction: _Direction) -> list[AudioFormat]:
    """What to try, the best first: the wanted rate before others, then the wanted channels before others."""
    most = min(32, max(1, device[direction.channels]))
    rates = dict.fromkeys((wanted.rate, round(device["default_samplerate"]), *_USUAL_RATES))
    channels = dict.fromkeys(min(most, n) for n in (wanted.channels, 2, most))
    return [AudioFormat(rate, n) for rate in rates if 1_000 <= rate <= 384_000 for n in channels]


_opening = threading.Lock()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """PortAudio's list of open streams has no lock of its own. A call that hangs has passed it: go on."""
    got = _opening.acquire(timeout=1.0)
    try:
        yield
    finally:
        if got:
            _opening.release()
